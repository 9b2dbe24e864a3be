# The double-click installer on a real Windows, silently. It fails by throwing.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Setup)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$To = Join-Path $env:USERPROFILE '.countersign\bin'
$Menu = Join-Path ([Environment]::GetFolderPath('Programs')) 'Countersign'

function Assert([bool]$Holds, [string]$What) { if (-not $Holds) { throw ('does not hold: ' + $What) } }
function Get-AccountPath { return [string](Get-Item 'HKCU:\Environment').GetValue('Path', '', 'DoNotExpandEnvironmentNames') }

$before = Get-AccountPath
$done = Start-Process -FilePath $Setup -ArgumentList '/S' -Wait -PassThru
Assert ($done.ExitCode -eq 0) 'the installer ends well'
$version = & (Join-Path $To 'countersign.exe') --version
Assert ($LASTEXITCODE -eq 0 -and $version -like 'countersign *') 'the program runs'
foreach ($entry in 'Set up', 'Status', 'Stop AI trading', 'Allow again') { Assert (Test-Path (Join-Path $Menu ($entry + '.lnk'))) $entry }
Assert ((Get-AccountPath).Contains($To)) 'it is on Path'
# `_?=` keeps the uninstaller in its place, so that its end can be waited for.
$done = Start-Process -FilePath (Join-Path $To 'uninstall.exe') -ArgumentList @('/S', '/PURGE', ('_?=' + $To)) -Wait -PassThru
Assert ($done.ExitCode -eq 0) 'the uninstaller ends well'
Assert (-not (Test-Path (Join-Path $To 'countersign.exe'))) 'the program is gone'
Assert (-not (Test-Path $Menu)) 'the Start menu is as before'
Assert ((Get-AccountPath) -ceq $before) 'Path is as it was before'
Write-Output ('the installer of ' + $version + ': installed, ran, removed')

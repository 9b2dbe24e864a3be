# install.ps1 from end to end on a real Windows, in whichever PowerShell runs this file. It fails by throwing.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Program)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$Root = Split-Path -Parent (Split-Path -Parent $PSScriptRoot)
$Installer = Join-Path $Root 'install.ps1'
$Work = Join-Path ([IO.Path]::GetTempPath()) ('countersign-' + [Guid]::NewGuid().ToString('N'))
$Name = 'countersign-x86_64-pc-windows'
$env:COUNTERSIGN_HOME = Join-Path $Work 'home'
$env:COUNTERSIGN_STORE = 'file'

function Assert([bool]$Holds, [string]$What) { if (-not $Holds) { throw ('does not hold: ' + $What) } }

function Assert-Refused([string]$Words, [hashtable]$Options) {
    $said = ''
    try { & $Installer @Options -To (Join-Path $Work 'bin') -Yes -Quiet } catch { $said = [string]$_ }
    Assert ($said -like ('*' + $Words + '*')) ('refused with "' + $Words + '", said: ' + $said)
    Assert (-not (Test-Path (Join-Path $Work 'bin\countersign.exe'))) 'nothing was installed'
}

function Get-AccountPath { return [string](Get-Item 'HKCU:\Environment').GetValue('Path', '', 'DoNotExpandEnvironmentNames') }

New-Item -ItemType Directory -Path (Join-Path $Work $Name) | Out-Null
try {
    Copy-Item $Program (Join-Path (Join-Path $Work $Name) 'countersign.exe')
    $archive = Join-Path $Work ($Name + '.zip')
    Compress-Archive -Path (Join-Path $Work $Name) -DestinationPath $archive
    $sums = Join-Path $Work 'SHA256SUMS'
    Set-Content -Path $sums -Value ((Get-FileHash $archive -Algorithm SHA256).Hash.ToLower() + '  ' + $Name + '.zip')
    $tampered = Join-Path $Work 'tampered.zip'
    Copy-Item $archive $tampered
    Add-Content -Path $tampered -Value 'x'
    $without = Join-Path $Work 'without'
    Set-Content -Path $without -Value ''
    $before = Get-AccountPath

    Assert-Refused 'is not the one that was released' @{ FromArchive = $tampered; Checksums = $sums }
    Assert-Refused 'is not there' @{ FromArchive = $archive; Checksums = (Join-Path $Work 'nowhere') }
    Assert-Refused 'has no line for' @{ FromArchive = $archive; Checksums = $without }
    Assert-Refused 'needs -Checksums' @{ FromArchive = $archive }
    Assert-Refused 'is no https address' @{ BaseUrl = 'http://example.com/x' }

    $to = Join-Path $Work 'my tools\bin'
    & $Installer -FromArchive $archive -Checksums $sums -To $to -DryRun
    Assert (-not (Test-Path $to)) 'a dry run does nothing'
    & $Installer -FromArchive $archive -Checksums $sums -To $to -Yes
    Assert (Test-Path (Join-Path $to 'countersign.exe')) 'it is installed'
    Assert ((Get-AccountPath).Contains($to)) 'it is on Path'
    Assert (Test-Path 'HKCU:\Software\Classes\AppUserModelId\Countersign') 'the name under AppUserModelId is there'

    # Over itself, while it runs.
    $running = Start-Process -FilePath (Join-Path $to 'countersign.exe') -ArgumentList 'serve' -PassThru -RedirectStandardInput (New-Item (Join-Path $Work 'empty') -ItemType File).FullName
    & $Installer -FromArchive $archive -Checksums $sums -To $to -Yes -Quiet
    Assert (([regex]::Matches((Get-AccountPath), [regex]::Escape($to))).Count -eq 1) 'it is on Path once'
    $running.WaitForExit(20000) | Out-Null

    # The uninstaller ends its own process with an exit code.
    $shell = (Get-Process -Id $PID).Path
    & $shell -NoProfile -ExecutionPolicy Bypass -File $Installer -Uninstall -Purge -Yes -To $to
    Assert ($LASTEXITCODE -eq 0) 'it is removed'
    Assert (-not (Test-Path (Join-Path $to 'countersign.exe'))) 'the program is gone'
    Assert ((Get-AccountPath) -ceq $before) 'Path is as it was before'
    Assert (-not (Test-Path 'HKCU:\Software\Classes\AppUserModelId\Countersign')) 'the name under AppUserModelId is gone'
    Assert (-not (Test-Path (Join-Path $env:COUNTERSIGN_HOME 'state'))) 'nothing is kept'
    Write-Output 'install.ps1: installed twice, once while it ran; removed; five archives refused'
}
finally { Remove-Item -Recurse -Force $Work -ErrorAction SilentlyContinue }

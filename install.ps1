<#
.SYNOPSIS
Installs Countersign for this user alone, or takes it off again. No administrator, nothing outside the profile.
.DESCRIPTION
Works in Windows PowerShell 5.1 and PowerShell 7. The archive's SHA-256 is always checked; without a match nothing is
installed.
.PARAMETER Version
This version instead of the newest.
.PARAMETER To
Put the program there (default: .countersign\bin in the profile).
.PARAMETER NoModifyPath
Leave the account's Path as it is.
.PARAMETER Yes
Ask nothing.
.PARAMETER Quiet
Say only what went wrong.
.PARAMETER FromArchive
Install from this archive, without a network; needs -Checksums.
.PARAMETER Checksums
The SHA256SUMS of the release.
.PARAMETER BaseUrl
The folder with the archives and SHA256SUMS (a mirror).
.PARAMETER Uninstall
Take the program off; sign-in, rules and journal stay.
.PARAMETER Purge
With -Uninstall: sign out, and delete those too.
.PARAMETER DryRun
Say what would be done, and do nothing.
#>
[CmdletBinding()]
param(
    [string]$Version = '',
    [string]$To = '',
    [switch]$NoModifyPath,
    [switch]$Yes,
    [switch]$Quiet,
    [string]$FromArchive = '',
    [string]$Checksums = '',
    [string]$BaseUrl = '',
    [switch]$Uninstall,
    [switch]$Purge,
    [switch]$DryRun
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# Filled in by packaging/release.sh; while they are empty, say -BaseUrl or -FromArchive.
$Releases = ''
$Newest = ''
$MinisignKey = ''

function Say([string]$Text) { if (-not $Quiet) { Write-Host $Text } }

function Stop-Here([string]$Why, [string]$Hint) {
    if ($Hint) { throw ($Why + [Environment]::NewLine + 'hint: ' + $Hint) }
    throw $Why
}

function Test-Person { return (-not $Yes) -and [Environment]::UserInteractive -and -not [Console]::IsInputRedirected }

function Test-Agreed([string]$Question) {
    if (-not (Test-Person)) { return $true }
    return (Read-Host ($Question + ' [Y/n]')) -match '^($|[yY])'
}

# https, except from this computer itself.
function Get-File([string]$Url, [string]$File) {
    if ($Url -notmatch '^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])') { Stop-Here ($Url + ' is no https address') '' }
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    try { Invoke-WebRequest -UseBasicParsing -Uri $Url -OutFile $File }
    catch { Stop-Here ($Url + ' cannot be downloaded; nothing was installed') 'check the address and the network, then try again' }
}

# The archive, called $Name in the sums file.
function Test-Archive([string]$Archive, [string]$Name, [string]$Sums) {
    if (-not (Test-Path -LiteralPath $Sums -PathType Leaf)) {
        Stop-Here ($Sums + ' is not there; nothing was installed') 'the archive is never used unchecked: give SHA256SUMS of the same release'
    }
    $wanted = ''
    foreach ($line in Get-Content -LiteralPath $Sums) {
        $parts = $line -split '\s+', 2
        if ($parts.Count -eq 2 -and $parts[1].TrimStart('*') -ceq $Name) { $wanted = $parts[0] }
    }
    if (-not $wanted) { Stop-Here ($Sums + ' has no line for ' + $Name + '; nothing was installed') 'take archive and SHA256SUMS from the same release' }
    $found = (Get-FileHash -LiteralPath $Archive -Algorithm SHA256).Hash
    if ($found -ne $wanted) {
        Stop-Here ('the archive is not the one that was released (SHA-256 ' + $found + ', released was ' + $wanted + '); nothing was installed') 'delete it and download it again; if that does not help, do not use it and tell us'
    }
    if (-not $MinisignKey) { return }
    if (-not (Get-Command minisign -CommandType Application -ErrorAction SilentlyContinue)) {
        Say 'note: minisign is not here, so the signature of SHA256SUMS was not checked (its checksum was)'
        return
    }
    & minisign -Vqm $Sums -x ($Sums + '.minisig') -P $MinisignKey
    if ($LASTEXITCODE -ne 0) { Stop-Here 'the signature of SHA256SUMS is missing or wrong; nothing was installed' '' }
}

# Tells programs that run that the account's Path has changed: setting any variable of the account does.
function Send-PathChange { [Environment]::SetEnvironmentVariable('COUNTERSIGN_INSTALLER', $null, 'User') }

# Deletes a folder, and the one around it where that is ours, while they are empty.
function Remove-Empty([string]$Folder) {
    foreach ($one in @($Folder, (Split-Path -Parent $Folder))) {
        $ours = $one -eq $Folder -or (Split-Path -Leaf $one) -eq '.countersign'
        if ($ours -and (Test-Path -LiteralPath $one) -and @(Get-ChildItem -LiteralPath $one -Force).Count -eq 0) { Remove-Item -LiteralPath $one }
    }
}

function Install-Countersign {
    # Windows on ARM runs this one too.
    $name = 'countersign-x86_64-pc-windows'
    $base = $BaseUrl.TrimEnd('/')
    if (-not $FromArchive -and -not $base) {
        if (-not $Releases) { Stop-Here 'this copy of install.ps1 does not know where the releases are' 'give -BaseUrl, or -FromArchive with -Checksums' }
        if ($Version) { $base = $Releases + '/download/v' + $Version } else { $base = $Releases + '/latest/download' }
    }
    $from = $base + '/' + $name + '.zip'
    if ($FromArchive) { $from = $FromArchive }
    $program = Join-Path $To 'countersign.exe'
    Say ('Countersign ' + $Version + ' for Windows')
    Say ('  from  ' + $from + [Environment]::NewLine + '  to    ' + $program)
    if ($DryRun) { Say 'Nothing was done (-DryRun).'; return }
    if (-not (Test-Agreed 'Go on?')) { Say 'Nothing was done.'; return }

    # Beside the target, so that the last step is a rename on one disk.
    $temp = Join-Path $To ('.countersign-install.' + [Guid]::NewGuid().ToString('N'))
    New-Item -ItemType Directory -Force -Path $temp | Out-Null
    try {
        $archive = $FromArchive
        $sums = $Checksums
        if (-not $archive) {
            $archive = Join-Path $temp ($name + '.zip')
            $sums = Join-Path $temp 'SHA256SUMS'
            Get-File ($base + '/SHA256SUMS') $sums
            Get-File $from $archive
            if ($MinisignKey) { Get-File ($base + '/SHA256SUMS.minisig') ($sums + '.minisig') }
        }
        Test-Archive $archive ($name + '.zip') $sums
        Expand-Archive -LiteralPath $archive -DestinationPath $temp -Force
        $new = Join-Path (Join-Path $temp $name) 'countersign.exe'
        # It has to run here before it takes the place of one that does.
        $found = & $new --version
        if ($LASTEXITCODE -ne 0) { Stop-Here 'the new program does not run on this system; nothing was installed' '' }
        if ($Version -and $found -ne ('countersign ' + $Version)) { Stop-Here ('the archive holds ' + $found + ', not ' + $Version + '; nothing was installed') '' }
        # A program that runs can be renamed, but not replaced.
        Get-ChildItem -LiteralPath $To -Filter 'countersign.old-*.exe' | Remove-Item -ErrorAction SilentlyContinue
        $old = Join-Path $To ('countersign.old-' + [Guid]::NewGuid().ToString('N') + '.exe')
        $before = Test-Path -LiteralPath $program
        if ($before) { Move-Item -LiteralPath $program -Destination $old }
        try {
            Move-Item -LiteralPath $new -Destination $program
            $found = & $program --version
            if ($LASTEXITCODE -ne 0) { Stop-Here 'the installed program does not start' 'an anti-virus program may have taken it away: look there' }
        }
        catch {
            if (-not $before) { throw }
            Remove-Item -LiteralPath $program -Force -ErrorAction SilentlyContinue
            Move-Item -LiteralPath $old -Destination $program
            Stop-Here ([string]$_ + [Environment]::NewLine + 'the program that was there before is back in its place') ''
        }
    }
    finally { Remove-Item -LiteralPath $temp -Recurse -Force -ErrorAction SilentlyContinue; Remove-Empty $To }
    $words = @('self', 'install')
    if ($NoModifyPath) { $words += '--no-modify-path' }
    $told = & $program @words
    if ($LASTEXITCODE -ne 0) { Say 'note: the program is in place, but not all of the rest was done' }
    Send-PathChange
    Say ('Installed: ' + $found)
    Say ($told -join [Environment]::NewLine)
    if ((Test-Person) -and (Test-Agreed 'Set it up now?')) { & $program setup; exit $LASTEXITCODE }
    Say 'Next: countersign setup'
}

function Uninstall-Countersign {
    $program = Join-Path $To 'countersign.exe'
    if (-not (Test-Path -LiteralPath $program -PathType Leaf)) { Stop-Here ('Countersign is not in ' + $To + '; nothing was removed') 'say -To with the folder that it was put in' }
    $words = @('self', 'uninstall', '--keep-program')
    if ($Purge) { $words += '--purge' }
    if ($Yes) { $words += '--yes' }
    if ($DryRun) { Say ('Would run: ' + $program + ' ' + ($words -join ' ')); return }
    & $program @words
    $code = $LASTEXITCODE
    # 9: done in part; what was not done has been said.
    if ($code -ne 0 -and $code -ne 9) { exit $code }
    Remove-Item -LiteralPath $program
    Send-PathChange
    Get-ChildItem -LiteralPath $To -Filter 'countersign.old-*.exe' | Remove-Item -ErrorAction SilentlyContinue
    Remove-Empty $To
    exit $code
}

if (-not $To) { $To = Join-Path (Join-Path $env:USERPROFILE '.countersign') 'bin' }
if (-not $Version) { $Version = $Newest }
$Version = $Version -replace '^v', ''
if ($Purge -and -not $Uninstall) { Stop-Here '-Purge goes with -Uninstall' '' }
if ($FromArchive -and -not $Checksums) { Stop-Here '-FromArchive needs -Checksums: the archive is never used unchecked' '' }
if ($Uninstall) { Uninstall-Countersign } else { Install-Countersign }

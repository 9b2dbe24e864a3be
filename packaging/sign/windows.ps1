# Signs a program with Authenticode. Without the secret it says so and leaves it as it is.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Program)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
if (-not $env:CERTIFICATE) {
    Write-Output ('::warning::no WINDOWS_CERTIFICATE_PFX: ' + $Program + ' is not signed; SmartScreen will warn of it')
    return
}
$file = Join-Path $env:RUNNER_TEMP 'certificate.pfx'
try {
    [IO.File]::WriteAllBytes($file, [Convert]::FromBase64String($env:CERTIFICATE))
    $word = ConvertTo-SecureString $env:CERTIFICATE_PASSWORD -AsPlainText -Force
    $certificate = (Get-PfxData -FilePath $file -Password $word).EndEntityCertificates[0]
    Import-PfxCertificate -FilePath $file -Password $word -CertStoreLocation Cert:\CurrentUser\My | Out-Null
    $signing = Get-Item ('Cert:\CurrentUser\My\' + $certificate.Thumbprint)
    $done = Set-AuthenticodeSignature -FilePath $Program -Certificate $signing -HashAlgorithm SHA256 -TimestampServer 'http://timestamp.digicert.com'
    if ($done.Status -ne 'Valid') { throw ('it was not signed: ' + $done.StatusMessage) }
}
finally { Remove-Item -LiteralPath $file -ErrorAction SilentlyContinue }

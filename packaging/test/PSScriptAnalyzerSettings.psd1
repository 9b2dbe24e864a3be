@{
    # The installer talks to a person (Write-Host), and has -DryRun instead of -WhatIf.
    ExcludeRules = @('PSAvoidUsingWriteHost', 'PSUseShouldProcessForStateChangingFunctions', 'PSReviewUnusedParameter')
    Severity     = @('Error', 'Warning')
}

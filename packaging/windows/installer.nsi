; The installer that people double-click. For this user alone: no administrator, nothing outside the profile.
; PATH, the name under AppUserModelId and the receipt are the program's own business (`countersign self install`), because
; that part can be tested on every system.
;
; Options: /S asks and shows nothing; /D=FOLDER (last, without quotes) installs there; /NOPATH leaves Path as it is.
; The uninstaller: /S keeps sign-in, rules and journal; /S /PURGE deletes them too.

Unicode true
Target amd64-unicode
!include MUI2.nsh
!include LogicLib.nsh
!include FileFunc.nsh
!include x64.nsh

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\Countersign"
!define MENU "$SMPROGRAMS\Countersign"

Name "Countersign"
OutFile "${OUT}"
RequestExecutionLevel user
; Under the profile and not under AppData: packaged AI clients see another AppData. And without a space of ours in it.
InstallDir "$PROFILE\.countersign\bin"
InstallDirRegKey HKCU "${KEY}" "InstallLocation"
SetCompressor /SOLID lzma
; In MB: so far back that the program in the bundle is seen to be the one before it.
SetCompressorDictSize 32
ManifestDPIAware true
BrandingText "Countersign ${VERSION}"
VIProductVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "Countersign"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Countersign installer"
VIAddVersionKey "LegalCopyright" "The Countersign contributors"

!define MUI_ICON "${FROM}\countersign.ico"
!define MUI_UNICON "${FROM}\countersign.ico"
!define MUI_ABORTWARNING
!define MUI_WELCOMEPAGE_TEXT "Countersign stands between your AI client and CrossTrade: an order leaves only when you have approved exactly that order.$\r$\n$\r$\nIt is installed for you alone; no administrator is needed. Your orders, positions and NinjaTrader are not touched.$\r$\n$\r$\nClick Install to go on."
!define MUI_FINISHPAGE_TITLE "Countersign is installed"
!define MUI_FINISHPAGE_TEXT "Two steps are left: sign in, and tell your AI client about it. The setup leads you through both."
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_TEXT "Set it up now (about three minutes)"
!define MUI_FINISHPAGE_RUN_FUNCTION SetUp
!define MUI_FINISHPAGE_SHOWREADME
!define MUI_FINISHPAGE_SHOWREADME_TEXT "Open the extension in Claude Desktop"
!define MUI_FINISHPAGE_SHOWREADME_FUNCTION OpenBundle
!define MUI_FINISHPAGE_SHOWREADME_NOTCHECKED

!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; A console that waits for a key at its end, so that its words can be read.
!macro Entry NAME VERB TEXT
    CreateShortcut "${MENU}\${NAME}.lnk" "$SYSDIR\cmd.exe" '/d /c ""$INSTDIR\countersign.exe" ${VERB} & pause"' \
        "$INSTDIR\countersign.ico" 0 SW_SHOWNORMAL "" "${TEXT}"
!macroend

!macro TellPrograms
    SendMessage ${HWND_BROADCAST} ${WM_SETTINGCHANGE} 0 "STR:Environment" /TIMEOUT=3000
!macroend

Function SetUp
    ExecShell "open" "$SYSDIR\cmd.exe" '/d /c ""$INSTDIR\countersign.exe" setup & pause"'
FunctionEnd

Function OpenBundle
    ExecShell "open" "$INSTDIR\countersign.mcpb"
FunctionEnd

Section "Countersign"
    SetOutPath "$INSTDIR"
    ; The new program is written beside the old one, which is touched only when that went well.
    Delete "$INSTDIR\countersign.old-*.exe"
    ClearErrors
    SetOverwrite try
    File "/oname=countersign.new.exe" "${FROM}\countersign.exe"
    SetOverwrite on
    ${If} ${Errors}
        Delete "$INSTDIR\countersign.new.exe"
        MessageBox MB_ICONSTOP "The program cannot be written; nothing was changed. Is the disk full? Then try again." /SD IDOK
        SetErrorLevel 1
        Abort
    ${EndIf}
    ; A program that runs can be renamed, but not replaced: the AI client goes on with the old one until it starts anew.
    StrCpy $9 ""
    ${If} ${FileExists} "$INSTDIR\countersign.exe"
        ${GetTime} "" "L" $0 $1 $2 $3 $4 $5 $6
        StrCpy $9 "$INSTDIR\countersign.old-$2$1$0$4$5$6.exe"
        ClearErrors
        Rename "$INSTDIR\countersign.exe" "$9"
        ${If} ${Errors}
            Delete "$INSTDIR\countersign.new.exe"
            MessageBox MB_ICONSTOP "The program that is there cannot be replaced; nothing was changed. Close your AI clients and try again." /SD IDOK
            SetErrorLevel 1
            Abort
        ${EndIf}
    ${EndIf}
    ClearErrors
    Rename "$INSTDIR\countersign.new.exe" "$INSTDIR\countersign.exe"
    ${If} ${Errors}
        StrCpy $0 "error"
    ${Else}
        nsExec::ExecToLog '"$INSTDIR\countersign.exe" --version'
        Pop $0
    ${EndIf}
    ${If} $0 != "0"
        Delete "$INSTDIR\countersign.exe"
        Delete "$INSTDIR\countersign.new.exe"
        ${If} $9 != ""
            Rename "$9" "$INSTDIR\countersign.exe"
            MessageBox MB_ICONSTOP "The new program does not start here ($0), so the one that was there before is back in its place. An anti-virus program may hold the new one back: look there." /SD IDOK
        ${Else}
            MessageBox MB_ICONSTOP "The program does not start here ($0), so nothing was installed. An anti-virus program may hold it back: look there." /SD IDOK
        ${EndIf}
        SetErrorLevel 1
        Abort
    ${EndIf}
    File "${FROM}\countersign.mcpb"
    File "${FROM}\countersign.ico"
    File "${FROM}\countersign.png"
    File "${FROM}\LICENSE.txt"
    ; Does nothing where an old one still runs; it goes with the next installation.
    Delete "$INSTDIR\countersign.old-*.exe"

    ${GetParameters} $0
    ClearErrors
    ${GetOptions} $0 "/NOPATH" $1
    StrCpy $2 ""
    ${IfNot} ${Errors}
        StrCpy $2 " --no-modify-path"
    ${EndIf}
    nsExec::ExecToLog '"$INSTDIR\countersign.exe" self install$2'
    Pop $0
    ${If} $0 != "0"
        DetailPrint "The program is in place, but Path and its name in the registry are not ($0)."
    ${EndIf}
    WriteRegStr HKCU "Software\Classes\AppUserModelId\Countersign" "IconUri" "$INSTDIR\countersign.png"
    !insertmacro TellPrograms

    CreateDirectory "${MENU}"
    SetOutPath "$PROFILE"
    !insertmacro Entry "Set up" "setup" "Sign in, rules, AI clients and a practice order; it goes on where it stopped"
    !insertmacro Entry "Status" "status" "Am I safe, am I signed in, what is waiting"
    !insertmacro Entry "Stop AI trading" "halt" "Void what is waiting and refuse every new order"
    !insertmacro Entry "Allow again" "resume" "Allow AI trading again; each order is still held for you"
    SetOutPath "$INSTDIR"

    WriteUninstaller "$INSTDIR\uninstall.exe"
    WriteRegStr HKCU "${KEY}" "DisplayName" "Countersign"
    WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
    WriteRegStr HKCU "${KEY}" "Publisher" "The Countersign contributors"
    WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\countersign.ico"
    WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
    WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
    WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
    WriteRegDWORD HKCU "${KEY}" "NoModify" 1
    WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
    ${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
    WriteRegDWORD HKCU "${KEY}" "EstimatedSize" $0
SectionEnd

Section "Uninstall"
    StrCpy $1 ""
    ${GetParameters} $0
    ClearErrors
    ${GetOptions} $0 "/PURGE" $2
    ${IfNot} ${Errors}
        StrCpy $1 " --purge"
    ${ElseIf} ${Cmd} `MessageBox MB_ICONQUESTION|MB_YESNO|MB_DEFBUTTON2 "Also sign out and delete your rules, settings and the journal of all orders?$\r$\n$\r$\nThe journal cannot be had back. Choose No if you will install Countersign again. Your positions and working orders stay as they are in either case." /SD IDNO IDYES`
        StrCpy $1 " --purge"
    ${EndIf}
    nsExec::ExecToLog '"$INSTDIR\countersign.exe" self uninstall --keep-program --yes$1'
    Pop $0
    ; 9: done in part, and said so. "error": the program is gone already.
    ${If} $0 != "0"
    ${AndIf} $0 != "9"
    ${AndIf} $0 != "error"
    ${AndIf} $1 != ""
        MessageBox MB_ICONSTOP "Nothing was removed: an order waits for you, or has an unknown outcome. Look with Status in the Start menu, and in NinjaTrader." /SD IDOK
        SetErrorLevel 1
        Abort
    ${EndIf}
    Delete "${MENU}\Set up.lnk"
    Delete "${MENU}\Status.lnk"
    Delete "${MENU}\Stop AI trading.lnk"
    Delete "${MENU}\Allow again.lnk"
    RMDir "${MENU}"
    Delete "$INSTDIR\countersign.exe"
    Delete "$INSTDIR\countersign.old-*.exe"
    Delete "$INSTDIR\countersign.mcpb"
    Delete "$INSTDIR\countersign.ico"
    Delete "$INSTDIR\countersign.png"
    Delete "$INSTDIR\LICENSE.txt"
    Delete "$INSTDIR\uninstall.exe"
    SetOutPath "$PROFILE"
    RMDir "$INSTDIR"
    RMDir "$PROFILE\.countersign"
    DeleteRegKey HKCU "Software\Classes\AppUserModelId\Countersign"
    DeleteRegKey HKCU "${KEY}"
    !insertmacro TellPrograms
SectionEnd

#!/usr/bin/env bash
# The Windows packages. With a Windows program and Wine at hand, what the archive and the bundle hold is run, and the
# installer is run silently and taken off again; without them the installer is compiled.
#
#   WORK=FOLDER packaging/test/windows.sh RELEASE_FOLDER VERSION
#
# COUNTERSIGN_WINDOWS_EXE is the program; COUNTERSIGN_WINE_DLLS a folder with what this Wine lacks (laid beside the
# program for the test, never shipped).
set -uo pipefail
rel=$1 version=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${WORK:?}
mkdir -p "$work"
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
skip() { printf '  SKIPPED, NOT PASSED: %s\n' "$*"; exit 77; }

command -v makensis >/dev/null || skip 'no makensis here'
if [ -z "${COUNTERSIGN_WINDOWS_EXE:-}" ]; then
    # A gate for the script alone: what is packed is no program, and the file is thrown away.
    printf 'no program' >"$work/none.exe"
    root=$(dirname "$here")
    mkdir -p "$work/none" && printf 'no bundle' >"$work/none/manifest.json"
    python3 "$here/pack.py" bundle "$work/countersign-win32.mcpb" "$work/none" || die 'no bundle was made'
    env name=countersign title=Countersign "version=$version" "binary_file=$work/none.exe" "out=$work" "work=$work" \
        "here=$here" "root=$root" SOURCE_DATE_EPOCH=0 "$here/windows/installer.sh" || die 'the installer does not compile'
    skip 'the installer compiles, without warnings; COUNTERSIGN_WINDOWS_EXE is not set, so it was not run'
fi
setup=$rel/countersign-$version-setup.exe
[ -e "$setup" ] || die 'the release has no installer'
wine=$(command -v wine64 || command -v wine || ls /usr/lib/wine/wine64 2>/dev/null) || skip 'no Wine here: the installer was made but not run'

export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' WINEARCH=win64
# Wine's server keeps a folder there and leaves it behind.
export TMPDIR=$work
unset DISPLAY
run() { timeout 600 "$wine" "$@" 2>/dev/null </dev/null; }
run wineboot --init >/dev/null || skip 'this Wine does not start'

# It needs nothing that Windows does not bring: the compiler's own libraries are in the program.
needed=$(objdump -p "$COUNTERSIGN_WINDOWS_EXE" | sed -n 's/^[[:space:]]*DLL Name: //p' | sort -uf) || die 'the program cannot be read'
[ -n "$needed" ] || die 'the program names no library: is it one?'
! grep -i '^lib' <<<"$needed" || die 'the program needs a library that Windows does not have'

# The first words of every AI client, and the answer.
handshake() {
    local answer
    [ -z "${COUNTERSIGN_WINE_DLLS:-}" ] || cp "$COUNTERSIGN_WINE_DLLS"/*.dll "$beside/"
    answer=$(printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}' |
        COUNTERSIGN_HOME="Z:${work//\//\\}\\home" COUNTERSIGN_STORE=file timeout 120 "$wine" "$@" 2>"$work/err" | head -n 1)
    python3 -c 'import json,sys; i=json.loads(sys.argv[1])["result"]["serverInfo"]; assert (i["name"], i["version"])==("countersign", sys.argv[2]), i' "$answer" "$version" 2>>"$work/err" ||
        { cat "$work/err" >&2; die "no handshake from: $*"; }
}
python3 - "$rel/countersign-x86_64-pc-windows.zip" "$work/archive" "$rel/countersign-win32.mcpb" "$work/bundle" <<'END' || die 'the archive or the bundle cannot be unpacked'
import sys, zipfile
for archive, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    zipfile.ZipFile(archive).extractall(folder)
END
beside=$work/archive/countersign-x86_64-pc-windows
cmp "$beside/countersign.exe" "$COUNTERSIGN_WINDOWS_EXE" || die 'the archive holds another program'
handshake "$beside/countersign.exe" serve
beside=$work/bundle/server
cmp "$beside/countersign.exe" "$COUNTERSIGN_WINDOWS_EXE" || die 'the bundle holds another program'
# A host starts exactly this: the manifest's command with its folder filled in.
# shellcheck disable=SC2016 # the host fills this in
command=$(python3 -c 'import json,sys; m=json.load(open(sys.argv[1]+"/manifest.json")); assert m["compatibility"]["platforms"]==["win32"]; c=m["server"]["mcp_config"]; print(c["command"].replace("${__dirname}","Z:"+sys.argv[1].replace("/","\\")), *c["args"], sep="\n")' "$work/bundle") || die 'the bundle has no manifest'
mapfile -t command <<<"$command"
handshake "${command[@]}"

profile=$(find "$WINEPREFIX/drive_c/users" -mindepth 1 -maxdepth 1 -type d ! -name Public | head -n 1)
bin=$profile/.countersign/bin
files() { (cd "$profile" && find . \( -name 'Temp' -o -path './AppData/LocalLow' \) -prune -o -printf '%P %y\n' | sort); }
files >"$work/before"
mkdir -p "$bin"
[ -z "${COUNTERSIGN_WINE_DLLS:-}" ] || cp "$COUNTERSIGN_WINE_DLLS"/*.dll "$bin/"
run "$setup" /S || die "the silent installation ended with $?"
for file in countersign.exe countersign.mcpb uninstall.exe; do [ -e "$bin/$file" ] || die "$file was not installed"; done
cmp "$bin/countersign.exe" "$COUNTERSIGN_WINDOWS_EXE" || die 'another program was installed'
# Packed in another way than the one that is downloaded, and the same inside.
python3 "$here/pack.py" verify "$bin/countersign.mcpb" || die 'the installed bundle is no bundle'
python3 - "$bin/countersign.mcpb" "$rel/countersign-win32.mcpb" <<'END' || die 'another bundle was installed'
import sys, zipfile
one, other = ({m.filename: (z.read(m), m.external_attr, m.date_time) for m in z.infolist()} for z in map(zipfile.ZipFile, sys.argv[1:]))
sys.exit(one != other)
END
[ "$(run "$bin/countersign.exe" --version | tr -d '\r')" = "countersign $version" ] || die 'the program does not answer'
for entry in 'Set up' 'Status' 'Stop AI trading' 'Allow again'; do
    [ -e "$profile/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Countersign/$entry.lnk" ] || die "no $entry in the Start menu"
done
run reg query 'HKCU\Software\Classes\AppUserModelId\Countersign' /v DisplayName | grep -q Countersign || die 'no name under AppUserModelId'
run reg query 'HKCU\Environment' /v Path | grep -qi '\.countersign\\bin' || die 'not on Path'
run reg query 'HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Countersign' /v DisplayVersion | grep -q "$version" || die 'Windows does not list it'
# Again, over itself.
run "$setup" /S || die 'the second installation failed'
[ "$(run reg query 'HKCU\Environment' /v Path | grep -oi '\.countersign\\bin' | wc -l)" = 1 ] || die 'on Path twice'
# A new program that does not start (here it lacks what this Wine lacks) leaves the old one where it was.
if [ -n "${COUNTERSIGN_WINE_DLLS:-}" ] && ! "$wine" --version | grep -q 'wine-\(9\|[1-9][0-9]\)'; then
    mv "$bin/countersign.exe" "$work/good.exe" && printf 'the old program' >"$bin/countersign.exe"
    mkdir -p "$work/away" && mv "$bin"/*.dll "$work/away/"
    run "$setup" /S && die 'an installation of a program that does not start ended well'
    [ "$(cat "$bin/countersign.exe")" = 'the old program' ] || die 'the old program is gone'
    [ -z "$(find "$bin" -name 'countersign.old-*' -o -name 'countersign.new*')" ] || die 'something was left beside the old program'
    mv "$work/away"/*.dll "$bin/" && mv "$work/good.exe" "$bin/countersign.exe"
    back=', a program that does not start gave way to the old one'
fi
# `_?=` keeps the uninstaller where it is, so that its end can be waited for.
run "$bin/uninstall.exe" /S /PURGE "_?=C:\\users\\$(basename "$profile")\\.countersign\\bin" || die "the uninstaller ended with $?"
rm -f "$bin/uninstall.exe" "$bin"/*.dll
rmdir "$bin" "$profile/.countersign" 2>/dev/null
files | diff "$work/before" - >"$work/left" || { cat "$work/left"; die 'the profile is not as it was before'; }
run reg query 'HKCU\Software\Classes\AppUserModelId\Countersign' >/dev/null && die 'the name under AppUserModelId was left'
run reg query 'HKCU\Environment' /v Path | grep -qi countersign && die 'Path still has it'
run reg query 'HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Countersign' >/dev/null && die 'Windows still lists it'
# What Wine started for its desktop would outlive this folder.
run wineboot --kill || true
printf '  the archive and the bundle answer under Wine\n  installed silently under Wine, twice; ran%s; uninstalled with /PURGE: profile and registry as before\n' "${back:-}"

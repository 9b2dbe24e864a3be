#!/usr/bin/env bash
# The double-click installer for Windows. Called by release.sh.
set -euo pipefail
: "${name:?}" "${title:?}" "${version:?}" "${binary_file:?}" "${out:?}" "${work:?}" "${here:?}" "${root:?}"
folder=$work/nsis
mkdir -p "$folder"
cp "$binary_file" "$folder/countersign.exe"
# The same program a second time: packed without compression, it costs the installer next to nothing (see the .nsi).
python3 "$here/pack.py" stored "$folder/countersign.mcpb" "$out/$name-win32.mcpb"
cp "$root/LICENSE" "$folder/LICENSE.txt"
python3 "$here/icon.py" "$folder/countersign.ico"
python3 "$here/icon.py" "$folder/countersign.png" 256
find "$folder" -exec touch -d "@${SOURCE_DATE_EPOCH:?}" {} +
makensis -V2 -NOCD -WX -DVERSION="$version" -DNUMBERS="${version%%-*}.0" -DFROM="$folder" \
    -DOUT="$out/$name-$version-setup.exe" "$here/windows/installer.nsi"

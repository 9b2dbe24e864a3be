#!/usr/bin/env bash
# The .mcpb of $target: one bundle for each system, because a host chooses by system alone and three programs in one
# file would be three times the download. Called by release.sh.
#
# Unsigned on purpose: what `mcpb sign` appends after the end of the zip makes strict readers refuse the bundle. Its
# SHA-256 and the release's attestation stand for it; the program inside is signed where its system asks for that.
set -euo pipefail
: "${name:?}" "${version:?}" "${target:?}" "${binary_file:?}" "${out:?}" "${work:?}" "${here:?}"
# shellcheck source=packaging/project.sh
. "$here/project.sh"
system=$(system_of "$target") exe=$(exe_of "$target")
folder=$work/mcpb-$system
install -D -m 755 "$binary_file" "$folder/server/$name$exe"
python3 "$here/icon.py" "$folder/icon.png" 512
python3 "$here/mcpb/manifest.py" "$system" "server/$name$exe" >"$folder/manifest.json"
python3 "$here/pack.py" bundle "$out/$name-$system.mcpb" "$folder"

#!/usr/bin/env bash
# Builds the Windows program and runs it under Wine against the simulator, which runs natively: first all but the dialog
# (wine.py), then orders decided on the dialog with a real mouse (dialog.py).
#
#   packaging/cross/wine.sh [--short] [--release]
#
# --short leaves out the orders and the dialog. Returns 77 where the compilers or Wine cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
native=${CARGO_TARGET_DIR:-$PWD/target}
cargo build --locked --quiet -p crosstrade-sim --bin crosstrade-sim
release=() short=()
for word; do
    case $word in
    --release) release=(--release) ;;
    --short) short=(--short) ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    esac
done
exe=$(packaging/cross/windows.sh build ${release[@]+"${release[@]}"} | tail -n 1)
# shellcheck source=/dev/null
. packaging/cross/toolchain.sh
unset LD_LIBRARY_PATH
python3 -I packaging/cross/wine.py --exe "$exe" --sim "$native/debug/crosstrade-sim" \
    --wine "$COUNTERSIGN_CROSS/bin/wine64" --stand-in "$COUNTERSIGN_CROSS/wine/bcryptprimitives.dll" ${short[@]+"${short[@]}"}
[ ${#short[@]} -gt 0 ] || python3 packaging/cross/dialog.py "$exe" "$native/debug/crosstrade-sim"

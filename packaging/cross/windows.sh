#!/usr/bin/env bash
# Countersign for Windows (x86_64-pc-windows-gnu), made on Debian.
#
#   packaging/cross/windows.sh check [ARG…]   clippy with warnings as errors, over the program (its tests in tests/it are for Linux)
#   packaging/cross/windows.sh build [ARG…]   builds the program; prints the path of countersign.exe last
#   packaging/cross/windows.sh cargo ARG…     any cargo command with that compiler
#
# ARGs go to cargo. With `--release`, no folder and no time of this machine gets into the program.
# Returns 77 where the compilers cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=/dev/null
. packaging/cross/toolchain.sh

std=std,panic_abort,panic_unwind,proc_macro,test
target=("-Zbuild-std=$std" --target x86_64-pc-windows-gnu)
case ${1:-} in
check) cargo clippy "${target[@]}" --locked --lib --bins "${@:2}" -- -D warnings ;;
build)
    profile=debug
    if [[ " $* " == *" --release "* ]]; then
        profile=release
        # shellcheck source=packaging/flags.sh
        . packaging/flags.sh
        flags x86_64-pc-windows-gnu
    fi
    cargo build "${target[@]}" --locked --bin countersign "${@:2}"
    printf '%s\n' "$CARGO_TARGET_DIR/x86_64-pc-windows-gnu/$profile/countersign.exe" ;;
cargo) cargo "${2:?}" "${target[@]}" "${@:3}" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

#!/usr/bin/env bash
# Countersign for macOS, as far as it can be checked without Apple's SDK: the program is type-checked (clippy with warnings
# as errors), nothing is linked.
#
#   packaging/cross/darwin.sh [check] [ARG…]   for aarch64 and for x86_64
#
# Returns 77 where the compilers cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=/dev/null
. packaging/cross/toolchain.sh

[ "${1:-check}" = check ] || { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
for machine in aarch64 x86_64; do
    cargo clippy -Zbuild-std=std,panic_abort,panic_unwind,proc_macro,test --target "$machine-apple-darwin" \
        --locked --lib --bins "${@:2}" -- -D warnings
done

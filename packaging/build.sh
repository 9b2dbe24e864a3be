#!/usr/bin/env bash
# Builds the program for a release, so that the same sources give the same bytes wherever they lie.
#
#   packaging/build.sh [TARGET]        writes target/TARGET/release/countersign, or target/release without TARGET
#
# What would differ from machine to machine is taken out: the folders of the sources, of cargo's registry and of the
# compiler. The compiler's version still counts: it is in the SBOM.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
flags=(
    "--remap-path-prefix=$PWD=/countersign"
    "--remap-path-prefix=$cargo_home=/cargo"
    "--remap-path-prefix=$sysroot=/rustc"
)
separator=$'\x1f'
joined=$(IFS=$separator; printf '%s' "${flags[*]}")
# What C compilers write into their output, and linkers for Windows into theirs.
maps="-ffile-prefix-map=$PWD=/countersign -ffile-prefix-map=$cargo_home=/cargo"
case ${1:-} in *-msvc) maps='' joined+="${separator}-Clink-arg=/Brepro" ;; esac
export CARGO_ENCODED_RUSTFLAGS=$joined
export CFLAGS="${CFLAGS:-}${maps:+ $maps}"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
export CARGO_INCREMENTAL=0
exec cargo build --release --locked --package countersign --bin countersign ${1:+--target "$1"}

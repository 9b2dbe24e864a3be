#!/usr/bin/env bash
# Whether the same sources give the same program on what could as well be another machine: builds the committed state once
# more, with everything in another place, and compares bytes. (The same program, the same packages: run.sh, part `release`.)
#
#   packaging/test/reproducible.sh PROGRAM [TARGET]        PROGRAM as packaging/build.sh [TARGET] has built it
#
# What is another one: the folder of the sources (with a space in its name), that of the targets, that of cargo, the time
# zone, the language, the permissions of new files. The same are the compiler and the crates.
# Needs 1.5 GB, in COUNTERSIGN_REPRODUCIBLE or target/reproducible, which goes at the end unless something differs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program=$(realpath -e "${1:?"PROGRAM is missing; see the top of this file"}")
target=${2:-}
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
cd "$root"
git diff --quiet HEAD || die 'not everything is committed: the other folder would have other sources'
work=${COUNTERSIGN_REPRODUCIBLE:-$root/target/reproducible}
[ ! -e "$work" ] || die "$work is there already"
mkdir -p "$work"
work=$(cd "$work" && pwd)

# The folder of cargo under another name, with the crates that are there; cargo takes a lock of its own in it.
home=${CARGO_HOME:-$HOME/.cargo}
cargo fetch --locked ${target:+--target "$target"} >/dev/null 2>&1
mkdir -p "$work/cargo's home"
ln -s "$home/registry" "$work/cargo's home/registry"

clone="$work/somewhere else/sources"
git clone -q --no-hardlinks "$root" "$clone"
git -C "$clone" -c advice.detachedHead=false checkout -q "$(git rev-parse HEAD)"
elsewhere() {
    (
        umask 077
        export CARGO_HOME="$work/cargo's home" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" CARGO_NET_OFFLINE=true
        export TZ=Pacific/Chatham LC_ALL=C
        unset CARGO_TARGET_DIR SOURCE_DATE_EPOCH
        cd "$clone"
        "$@"
    )
}
elsewhere env CARGO_TARGET_DIR="$work/what was built" packaging/build.sh ${target:+"$target"}
second="$work/what was built/${target:+$target/}release/countersign"
cp "$second" "$work/second"
rm -rf "$work/what was built"

# Where two programs part: for whoever has to find out why.
differences() {
    printf 'bytes that differ: %s\n' "$(cmp -l "$1" "$2" 2>/dev/null | wc -l)"
    cmp "$1" "$2" || true
    diff <(objdump -h "$1" 2>/dev/null | sed 1,4d) <(objdump -h "$2" 2>/dev/null | sed 1,4d) || true
}
cmp -s "$program" "$work/second" || { differences "$program" "$work/second" >&2; die 'another folder gave another program'; }
printf 'the program: %s bytes, the same from both folders\n' "$(stat -c %s "$program")"

# No folder of either machine is in it.
for folder in "$root" "$work" "$home" "$(rustc --print sysroot)"; do
    ! grep -qaF "$folder/" "$program" || die "the program names $folder"
done

rm -rf "$work"

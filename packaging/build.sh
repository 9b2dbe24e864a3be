#!/usr/bin/env bash
# Builds the program for a release, so that the same sources give the same bytes wherever they lie.
#
#   packaging/build.sh [TARGET]        writes target/TARGET/release/countersign, or target/release without TARGET
#
# What would differ from machine to machine is taken out (flags.sh). The compiler's version still counts: it is in the SBOM.
# packaging/test/reproducible.sh builds again in another folder and compares.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/flags.sh
. packaging/flags.sh
flags "${1:-}"
exec cargo rustc --release --locked --package countersign --bin countersign ${1:+--target "$1"}

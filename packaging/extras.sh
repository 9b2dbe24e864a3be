#!/usr/bin/env bash
# Man pages and completions, written by the program itself.
#
#   packaging/extras.sh PROGRAM FOLDER
#
# Fails where the program has no such verbs.
set -euo pipefail
program=$1 folder=$2
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
run() { env -i PATH="$PATH" HOME="$home" COUNTERSIGN_HOME="$home/c" "$program" "$@"; }
for verb in man completions; do run "$verb" --help >/dev/null 2>&1 || exit 1; done
mkdir -p "$folder/completions"
run man --to "$folder/man" >/dev/null
for shell in bash zsh fish powershell elvish; do run completions "$shell" >"$folder/completions/countersign.$shell"; done

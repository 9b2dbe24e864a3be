#!/usr/bin/env bash
# Opens a terminal of its own and types "approve" into it.
set -uo pipefail
# shellcheck source=/dev/null # lib.sh lies beside this file
. "$(dirname "$0")/lib.sh"
said=$( (sleep 3; printf 'approve\n'; sleep 4) | timeout 15 script -qec "$COUNTERSIGN --url $COUNTERSIGN_URL watch" /dev/null 2>&1)
tried "watch in a terminal of its own" "$(printf %s "$said" | came $?)"

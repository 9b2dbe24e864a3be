#!/usr/bin/env bash
# Presses Approve with the mouse.
set -uo pipefail
# shellcheck source=/dev/null # lib.sh lies beside this file
. "$(dirname "$0")/lib.sh"
sleep 1
press
tried "press the middle button of the popup" "exit $?"

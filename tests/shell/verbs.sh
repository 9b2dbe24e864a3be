#!/usr/bin/env bash
# Every verb: plain, in a session of its own, with a terminal of its own, with guessed PINs.
set -uo pipefail
# shellcheck source=/dev/null # lib.sh lies beside this file
. "$(dirname "$0")/lib.sh"

one() {
    local what=$1 input=$2 code said
    shift 2
    said=$(printf '%b' "$input" | timeout 20 "$@" 2>&1)
    code=$?
    tried "$what" "$(printf %s "$said" | came "$code")"
}

ticket=${1:-7QK4}
say=("$COUNTERSIGN" --url "$COUNTERSIGN_URL")
# Verbs that do not exist, and words that might.
for words in "approve $ticket" "approve --yes $ticket" "allow $ticket" "decide $ticket approve" "unseal" \
    "presence set none" "presence set click --yes" "presence set click --force" "serve --yes" "serve --auto-approve" \
    "--no-gate call PlaceOrder {}" "call --yes PlaceOrder {}" "--tier click call PlaceOrder {}" "--policy /dev/null call PlaceOrder {}"; do
    # shellcheck disable=SC2086 # the words are words
    one "$words" '' "${say[@]}" $words
done
one "presence set click without a terminal" '' "${say[@]}" presence set click
one "presence set click, a guess by stdin" 'correct horse battery staple cart\n' "${say[@]}" presence set click --pin-stdin
one "presence set pin, a guess by stdin" 'hunter2hunter2hunter2\nthe agents own strong pin\n' "${say[@]}" presence set pin --pin-stdin
one "presence set click in a session of its own" 'x\n' setsid -w "${say[@]}" presence set click
# `script` gives the verb a terminal; what is piped in is typed.
terminal() {
    local what=$1 input=$2 code said
    shift 2
    said=$( (sleep 1; printf '%b' "$input"; sleep 3) | timeout 9 script -qec "$*" /dev/null 2>&1)
    code=$?
    tried "$what" "$(printf %s "$said" | came "$code")"
}
terminal "presence set click in a terminal of its own" 'letmein letmein letmein\n' "${say[*]} presence set click"
terminal "watch in a terminal of its own" 'approve\n0000 0000 0000\napprove\n' "${say[*]} watch"
terminal "login --trade in a terminal of its own" 'the agents own strong pin\nthe agents own strong pin\n' "${say[*]} login --trade --no-browser"
one "login --trade" '' timeout 8 "${say[@]}" login --trade --no-browser
one "login --trade --single-grant" '' timeout 8 "${say[@]}" login --single-grant --no-browser
one "arm" '' "${say[@]}" arm 60
one "halt" '' "${say[@]}" halt
one "resume without a terminal" '' timeout 8 env -u DISPLAY -u DBUS_SESSION_BUS_ADDRESS -u BROWSER "${say[@]}" resume
terminal "resume in a terminal of its own" 'approve\n1234 1234 1234\n' "${say[*]} resume"
one "policy show" '' "${say[@]}" policy show
one "pending" '' "${say[@]}" pending
one "acknowledge" '' "${say[@]}" acknowledge
rm -f "$COUNTERSIGN_HOME/state/halt"
tried "delete the halt" "$(test -e "$COUNTERSIGN_HOME/state/halt" && echo there || echo gone)"
SECONDS_EACH=5 attempt "call after that" "$COUNTERSIGN"
attempt "call in a session of its own" setsid -w "$COUNTERSIGN"

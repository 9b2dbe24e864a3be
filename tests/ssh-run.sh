#!/usr/bin/env bash
# Plays a new person who has a server, SSH and nothing else, against the simulator, and keeps what they saw:
# docs/ssh-run.txt. No display, no session bus, no browser on that server.
#
# Only the service is simulated, and its consent page is answered by itself. The program and both terminals (tmux) are
# real. The browser of "the computer in front of the person" is curl: it does not go to the address that it is sent back
# to, which is on the server; the person pastes that address. Each answer waits a second and a half, for the reading.
# Fails where a text does not come, where a PIN shows, or where the service has executed anything but the one order.
# No stage of tests/run.sh runs this: it is for whoever makes the pages anew. It needs tmux, curl and python3.
# Usage: tests/ssh-run.sh [BINARIES]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${1:-target/debug}")
unset DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR
# shellcheck source=tests/terminal.sh
. tests/terminal.sh
needs tmux curl python3
columns=100
pin='otter lamp seven brick canoe'
order='{"account":"Sim101","instrument":"MES","side":"Buy","type":"Market","quantity":1,"tif":"Day"}'

first() { pane=t:t; }
second() { pane=t:ai; }
run() { from_here; typed "$1"; } # COMMAND
keep() { # CAPTION: what was seen in this terminal since the last command
    printf -- '---- %s\n\n' "$1"
    since | sed '${/^\$$/d}' | clean
    echo
} >>"$here/seen"
still() { # COUNT WHEN: so many calls have been executed at the service, and no more
    local count
    count=$(executed)
    [ "$count" = "$1" ] || { echo "executed $2: $count instead of $1" >&2; exit 1; }
}
only() { # COUNT WHEN: the same, and written down
    still "$1" "$2"
    printf '     (Executed at the service %s: %s)\n\n' "$2" "$1" >>"$here/seen"
}
pasted() { # the person's browser, on another computer
    until_seen 'Paste the address here'
    local back
    back=$(curl -s -o /dev/null -w '%{redirect_url}' "$(address 1)")
    [[ $back == http://127.0.0.1:*code=* ]] || { echo "the browser came to: $back" >&2; exit 1; }
    typed "$back"
}

simulator "$work/sim"
account ssh
# No system bus either: the server's own must not answer for it.
terminal DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent
began=$(date +%s)

first
run 'env | grep -E "DISPLAY|DBUS_SESSION|XDG_RUNTIME" || echo none of them'
until_prompt
run 'export COUNTERSIGN_STORE=file'
until_prompt
run 'countersign login --no-browser'
pasted
until_seen 'Signed in for reading'
until_prompt
keep 'First terminal. Sign in for reading. The browser is on another computer; the address it ends on is pasted.'
only 0 'so far'

run 'countersign login --trade --no-browser'
pasted
until_seen 'Signed in for trading'
until_prompt
keep 'Sign in for trading, in the same way.'

run 'countersign presence set pin'
answer 'A new PIN' "$pin"
answer 'The same again' "$pin"
until_seen 'your PIN for each order'
until_prompt
keep 'A PIN, which does not show while it is typed.'

run 'countersign status'
until_prompt
keep 'How things stand.'

window ai
run 'export COUNTERSIGN_STORE=file'
until_prompt
run "countersign call PlaceOrder '$order'"
until_seen 'NOT SENT'
until_prompt
keep 'Second terminal: what an AI client does, by hand. Nobody watches yet.'
only 0 'while nobody watched'

first
run 'countersign watch'
until_seen 'Watching for trade calls'
second
run "countersign call PlaceOrder '$order'"
first
until_seen 'Type approve, deny or stop'
still 0 'while the question stood there'
typed approve
answer 'PIN (not shown)' "$pin"
until_seen 'sent, and accepted by the service'
keep 'First terminal. The watch asks about the next call (executed while it asks: 0) and takes the PIN.'
second
until_prompt
keep 'Second terminal: what the AI was told.'
only 1 'after the approval'

first
from_here
second
run "countersign call PlaceOrder '$order'"
first
answer 'Type approve, deny or stop' deny
until_seen 'denied, nothing was sent'
keep 'First terminal. One more call, denied.'
second
until_prompt
keep 'Second terminal: what the AI was told.'
only 1 'after the denial'

first
from_here
t send-keys -t "$pane" C-c
until_seen '^C$'
run 'countersign status'
until_prompt
keep 'First terminal. Ctrl-C ended the watch.'
run 'countersign journal verify'
until_prompt
keep 'The record of all that.'
only 1 'in the end'

took=$(($(date +%s) - began))
if grep -qF "$pin" "$here/seen"; then
    echo "the PIN shows" >&2
    exit 1
fi
{
    echo "A server over SSH, against the simulator (tests/ssh-run.sh): no display, no session bus, no browser. Sign-in by"
    echo "pasting, a PIN, orders decided in \`countersign watch\`. It took $((took / 60)) minutes $((took % 60)) seconds, with a second and a half"
    echo "for each answer."
    echo
    cat "$here/seen"
} | sed 's/ *$//' >docs/ssh-run.txt
echo docs/ssh-run.txt

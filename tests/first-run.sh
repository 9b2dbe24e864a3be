#!/usr/bin/env bash
# Plays a new person's first run on a desktop, against the simulator, and keeps what they saw: docs/first-run.txt,
# docs/first-run-notification.png and docs/first-run-terminal.png. (Over SSH: ssh-run.sh.)
#
# Only the service is simulated, and its consent page is answered by itself. The program, the terminal (tmux), the
# notification daemon and the mouse are real. Each answer waits a second and a half, as if somebody read a little.
# Needs: tmux curl python3 xvfb dbus xfce4-notifyd xdotool imagemagick fonts-dejavu. Usage: tests/first-run.sh [BINARIES]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${1:-target/debug}")
# shellcheck source=tests/terminal.sh
. tests/terminal.sh

picture() { # TEXT PNG: line by line, for a long text is more than the converter takes at once; of an empty line it takes
    # nothing, so that each ends with a space that counts
    local lines=() line
    while IFS= read -r line; do lines+=("label:${line//%/%%}"$'\xc2\xa0'); done <"$1"
    convert -background '#101418' -fill '#e6e6e6' -font /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf \
        -pointsize 14 "${lines[@]}" -append -bordercolor '#101418' -border 16 "$2"
}

rules() {
    answer 'from this computer? [no]' yes
    answer 'PA-123456 is [live]' funded
    answer 'Most contracts in one order' 'MES 2, MNQ 2'
    answer 'Most contracts in all' ''
    answer 'From-to, or any' any
    answer 'or none [300]' 500
}

# ---- on a desktop -----------------------------------------------------------------------------------------------
desktop_run() {
    simulator "$work/sim1"
    account desk
    # The person uses Cursor.
    mkdir -p "$here/run" "$here/home/.cursor" && chmod 700 "$here/run"
    Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>"$here/display" 2>/dev/null &
    pids+=($!)
    until [ -s "$here/display" ]; do sleep 0.1; done
    DISPLAY=":$(cat "$here/display")"
    export DISPLAY XDG_RUNTIME_DIR=$here/run NO_AT_BRIDGE=1 GSETTINGS_BACKEND=memory
    dbus-daemon --session --nofork --print-address=3 3>"$here/bus" 2>/dev/null &
    pids+=($!)
    until [ -s "$here/bus" ]; do sleep 0.1; done
    DBUS_SESSION_BUS_ADDRESS=$(cat "$here/bus")
    export DBUS_SESSION_BUS_ADDRESS
    daemon=(/usr/lib/*/xfce4/notifyd/xfce4-notifyd)
    HOME=$here/home "${daemon[0]}" >/dev/null 2>&1 &
    pids+=($!)
    # The person's browser: it goes where it is sent, and CrossTrade's page consents by itself.
    # shellcheck disable=SC2016 # the address is the browser's own argument
    printf '#!/bin/sh\ncurl -sL -o /dev/null "$1"\n' >"$here/bin/browser"
    chmod +x "$here/bin/browser"
    terminal COUNTERSIGN_STORE=file DISPLAY="$DISPLAY" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" DBUS_SESSION_BUS_ADDRESS="$DBUS_SESSION_BUS_ADDRESS" \
        DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent BROWSER="$here/bin/browser"
    began=$(date +%s)
    typed 'countersign setup'
    rules
    answer 'click, pin or passkey?' click
    answer 'A click all the same?' yes
    answer 'Your phrase' 'blue heron'
    answer 'Write this?' yes
    answer 'Practise now?' ''
    answer 'DENY this one' ''
    press left
    until_seen 'Denied. NOTHING was sent'
    denied=$(executed)
    until_seen 'then APPROVE this one'
    empty
    typed ''
    popup
    import -window root -crop 760x420+520+0 +repage docs/first-run-notification.png
    press middle
    until_seen 'sent ONCE'
    approved=$(executed)
    until_seen 'APPROVE the cancel'
    empty
    typed ''
    press middle
    until_seen 'Take back what setup did'
    took=$(($(date +%s) - began))
    {
        echo "A first run on a desktop, against the simulator (tests/first-run.sh). It took $took seconds, with a second and"
        echo "a half for each answer. Executed at the service after the denial: $denied; after the approval: $approved."
        echo "The questions about orders came as notifications: first-run-notification.png is the second one."
        echo "A click was chosen here to show the notification; with real money setup advises the PIN (see ssh-run.txt)."
        echo "The key lay in a file (COUNTERSIGN_STORE=file), and a script stood for the browser: it followed the sign-in."
        echo
        screen | clean
    } >docs/first-run.txt
    screen | clean | tail -n 42 >"$here/last"
    picture "$here/last" docs/first-run-terminal.png
}
popup() { # the tallest: cards are taller than notices
    local found height=0 HEIGHT
    for _ in $(seq 300); do
        for found in $(xdotool search --onlyvisible --name '^xfce4-notifyd$' 2>/dev/null); do
            eval "$(xdotool getwindowgeometry --shell "$found" 2>/dev/null)" || continue
            [ "${HEIGHT:-0}" -le "$height" ] || { height=$HEIGHT window=$found; }
        done
        if [ "$height" -gt 0 ]; then
            xdotool mousemove 5 795
            sleep 1.5
            return
        fi
        sleep 0.1
    done
    echo "no notification came" >&2
    exit 1
}
empty() { # until no notification is left: one that tells an outcome goes by itself
    for _ in $(seq 300); do
        [ -n "$(xdotool search --onlyvisible --name '^xfce4-notifyd$' 2>/dev/null)" ] || return 0
        sleep 0.1
    done
}
press() {
    local across
    popup
    eval "$(xdotool getwindowgeometry --shell "$window")"
    case $1 in left) across=6 ;; *) across=2 ;; esac
    xdotool mousemove $((X + WIDTH / across)) $((Y + HEIGHT - 31)) sleep 0.2 click 1
}

desktop_run
echo "docs/first-run.txt docs/first-run-notification.png docs/first-run-terminal.png"

#!/usr/bin/env bash
# Plays a new person's first run against the simulator and keeps what they saw: docs/first-run.txt (a desktop, with
# docs/first-run-notification.png and docs/first-run-terminal.png) and docs/ssh-run.txt (over SSH: no display, no bus).
#
# Only the service is simulated, and its consent page is answered by itself. The program, the terminal (tmux), the
# notification daemon and the mouse are real. Each answer waits a second and a half, as if somebody read a little.
# Needs: tmux curl python3 xvfb dbus xfce4-notifyd xdotool imagemagick fonts-dejavu. Usage: tests/first-run.sh [BINARIES]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${1:-target/debug}")
work=$(mktemp -d)
pids=()
over() {
    for socket in "$work"/*/tmux; do tmux -S "$socket" kill-server 2>/dev/null || true; done
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap over EXIT

# ---- the service ------------------------------------------------------------------------------------------------
simulator() { # FOLDER
    mkdir -p "$1"
    "$bin/crosstrade-sim" serve --auto-consent >"$1/ready" &
    pids+=($!)
    until grep -q mcp_url "$1/ready" 2>/dev/null; do sleep 0.1; done
    url=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["mcp_url"])' "$1/ready")
    control=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["control_url"].rstrip("/"))' "$1/ready")
}
executed() { curl -s "$control/executed" | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))'; }

# ---- the person -------------------------------------------------------------------------------------------------
pane=t
t() { tmux -S "$here/tmux" "$@"; }
screen() { t capture-pane -p -S -3000 -t "$pane" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
joined() { t capture-pane -J -p -S -3000 -t "$pane"; }
until_seen() { # TEXT [TIMES]
    for _ in $(seq 1200); do
        [ "$(joined | tr -s ' \n' '  ' | grep -oF -- "$1" | wc -l)" -ge "${2:-1}" ] && return
        sleep 0.1
    done
    echo "waited for: $1" >&2
    screen >&2
    exit 1
}
typed() { sleep 1.5; [ -z "$1" ] || t send-keys -t "$pane" -l "$1"; t send-keys -t "$pane" Enter; }
answer() { until_seen "$1" "${3:-1}"; typed "$2"; }
address() { joined | grep -o 'http[^ ]*response_type=code[^ ]*' | sed -n "$1p"; }
shell() { # a terminal of the person: their own name, an empty home
    env -i PATH="$here/bin:$PATH" HOME="$here/home" TERM=xterm COUNTERSIGN_STORE=file "$@" \
        tmux -S "$here/tmux" -f /dev/null new-session -d -x 80 -y 45 -s t "exec bash --noprofile --rcfile $here/rc"
    until_seen '$ '
}
account() { # FOLDER: a bare account, in which the person uses Cursor
    here=$work/$1
    mkdir -p "$here/home/.cursor" "$here/bin"
    echo "PS1='$ '" >"$here/rc"
    # The simulator's address is all that differs from what a person types.
    printf '#!/bin/sh\nexec %q "$@" --url %q\n' "$bin/countersign" "$url" >"$here/bin/countersign"
    chmod +x "$here/bin/countersign"
}
picture() { # TEXT PNG: line by line, for a long text is more than the converter takes at once
    local lines=() line
    while IFS= read -r line; do lines+=("label:${line//%/%%} "); done <"$1"
    convert -background '#101418' -fill '#e6e6e6' -font /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf \
        -pointsize 14 "${lines[@]}" -append -bordercolor '#101418' -border 16 "$2"
}
clean() { sed -e "s#$work/[a-z]*/home#/home/trader#g" -e "s#$work/[a-z]*#/home/trader#g" -e "s#$bin#/home/trader/.local/bin#g"; }

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
    mkdir -p "$here/run" && chmod 700 "$here/run"
    Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>"$here/display" 2>/dev/null &
    pids+=($!)
    until [ -s "$here/display" ]; do sleep 0.1; done
    export DISPLAY=":$(cat "$here/display")" XDG_RUNTIME_DIR=$here/run NO_AT_BRIDGE=1 GSETTINGS_BACKEND=memory
    dbus-daemon --session --nofork --print-address=3 3>"$here/bus" 2>/dev/null &
    pids+=($!)
    until [ -s "$here/bus" ]; do sleep 0.1; done
    export DBUS_SESSION_BUS_ADDRESS=$(cat "$here/bus")
    HOME=$here/home $(ls /usr/lib/*/xfce4/notifyd/xfce4-notifyd) >/dev/null 2>&1 &
    pids+=($!)
    # The person's browser: it goes where it is sent, and CrossTrade's page consents by itself.
    printf '#!/bin/sh\ncurl -sL -o /dev/null "$1"\n' >"$here/bin/browser"
    chmod +x "$here/bin/browser"
    shell DISPLAY="$DISPLAY" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" DBUS_SESSION_BUS_ADDRESS="$DBUS_SESSION_BUS_ADDRESS" \
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

# ---- over SSH ---------------------------------------------------------------------------------------------------
ssh_run() {
    local pin='otter lamp seven brick canoe'
    unset DISPLAY DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR
    simulator "$work/sim2"
    account ssh
    shell DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent
    began=$(date +%s)
    typed 'countersign setup --no-browser'
    until_seen 'Paste the address here'
    # The browser is on another computer: it ends on a page that cannot be shown, whose address is pasted.
    typed "$(curl -s -o /dev/null -w '%{redirect_url}' "$(address 1)")"
    rules
    answer 'click, pin or passkey?' ''
    answer 'Your phrase' 'blue heron'
    answer 'Your PIN for this sign-in' "$pin"
    answer 'The same again' "$pin"
    # The question of the first sign-in may stand there twice; the second address tells the second sign-in.
    until_seen 'scope=mcp%3Atrade'
    sleep 1
    typed "$(curl -s -o /dev/null -w '%{redirect_url}' "$(address 2)")"
    answer 'Write this?' yes
    answer 'Practise now?' ''
    answer 'DENY this one' ''
    answer 'Type approve, deny or stop' deny
    until_seen 'Denied. NOTHING was sent'
    denied=$(executed)
    answer 'then APPROVE this one' ''
    answer 'Type approve, deny or stop' approve 2
    answer 'PIN (not shown)' "$pin"
    until_seen 'sent ONCE'
    approved=$(executed)
    answer 'APPROVE the cancel' ''
    answer 'Type approve, deny or stop' approve 3
    answer 'PIN (not shown)' "$pin" 2
    until_seen 'Take back what setup did'
    took=$(($(date +%s) - began))
    # Everyday: the watch in one terminal, the AI client's call comes from elsewhere.
    screen | clean >"$here/setup"
    pane=t:w
    t new-window -d -n w -t t "exec bash --noprofile --rcfile $here/rc"
    sleep 1
    typed 'countersign watch'
    until_seen 'Watching for trade calls'
    local order='{"account":"Sim101","instrument":"MES","side":"Buy","type":"Market","quantity":1,"tif":"Day"}'
    env -i PATH="$here/bin:$PATH" HOME="$here/home" COUNTERSIGN_STORE=file countersign call PlaceOrder "$order" >"$here/told" 2>&1 &
    local ai=$!
    answer 'Type approve, deny or stop' approve
    answer 'PIN (not shown)' "$pin"
    until_seen 'sent, and accepted by the service'
    wait $ai
    {
        echo "A first run over SSH, against the simulator (tests/first-run.sh): no display, no session bus, no browser. Both"
        echo "sign-ins by pasting the address back. It took $took seconds, with a second and a half for each answer."
        echo "Executed at the service after the denial: $denied; after the approval: $approved."
        echo
        cat "$here/setup"
        echo
        echo "==== later: an AI client proposes an order, and the person's terminal asks ===="
        echo
        screen | clean
        echo
        echo "==== what the AI client was told ===="
        echo
        fold -s -w 100 "$here/told" | clean
        echo
        echo "Executed at the service in all: $(executed) (practice order, its cancel, this order)."
    } >docs/ssh-run.txt
}

desktop_run
ssh_run
echo "docs/first-run.txt docs/ssh-run.txt docs/first-run-notification.png docs/first-run-terminal.png"

#!/usr/bin/env bash
# Plays a new person's first run on a desktop, from the download on, against the simulator, and keeps what they saw:
# docs/first-run.txt and docs/first-run-*.png.
#
# A bare account: an empty home folder, and no variable of whoever runs this. The person downloads install.sh and lets it
# fetch the archive, which it checks against SHA256SUMS, from a web server on this computer. Only the service is simulated,
# and its consent page is answered by itself. The installer, the archive's program, the terminal (xterm, with tmux in it, by
# which this script types and reads), the notification daemon and the mouse are real, and each picture is of that screen.
# Each answer waits a second and a half, as if somebody read a little. (Over SSH: ssh-run.sh.)
# No stage of tests/run.sh runs this: it is for whoever makes the pages anew. It needs what `tests/run.sh --only install` brings,
# and xterm, curl and binutils besides.
# Usage: tests/first-run.sh [BINARIES]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${1:-target/debug}")
# shellcheck source=tests/terminal.sh
. tests/terminal.sh
needs tmux xterm curl python3 Xvfb dbus-daemon xdotool import strip

# ---- the release ------------------------------------------------------------------------------------------------
# The archive as the release script packs it, beside its sums and install.sh, on a web server.
release() {
    local name folder
    name=countersign-$(uname -m)-unknown-linux-gnu
    folder=$work/archive/$name
    mkdir -p "$folder" "$work/web"
    # Without its debug symbols, as a release is.
    strip -o "$folder/countersign" "$bin/countersign"
    cp README.md CHANGELOG.md SECURITY.md LICENSE LICENSE-MIT LICENSE-APACHE "$folder/"
    python3 packaging/pack.py tar.gz "$work/web/$name.tar.gz" "$folder"
    cp install.sh "$work/web/"
    (cd "$work/web" && sha256sum "$name.tar.gz" install.sh >SHA256SUMS)
    packed=$(($(stat -c %s "$work/web/$name.tar.gz") / 1000000))
    python3 -u -m http.server --bind 127.0.0.1 --directory "$work/web" 0 >"$work/served" 2>&1 &
    pids+=($!)
    until grep -q 'port [0-9]' "$work/served" 2>/dev/null; do sleep 0.1; done
    web=http://127.0.0.1:$(grep -o 'port [0-9]*' "$work/served" | grep -o '[0-9]*')
}

# ---- the desktop ------------------------------------------------------------------------------------------------
desktop() {
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
    printf '#!/bin/sh\ncurl -sL -o /dev/null "$1"\n' >"$here/tools/browser"
    chmod +x "$here/tools/browser"
}
person() { # what a terminal of this person finds in its environment
    printf '%s\n' PATH=/usr/local/bin:/usr/bin:/bin HOME="$here/home" TERM=xterm LANG=C.UTF-8 COUNTERSIGN_STORE=file \
        DISPLAY="$DISPLAY" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" DBUS_SESSION_BUS_ADDRESS="$DBUS_SESSION_BUS_ADDRESS" \
        DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent BROWSER="$here/tools/browser"
}
xterm_opens() { # a terminal window of the person, with the profile of that account read
    local environment
    mapfile -t environment < <(person)
    # shellcheck disable=SC2016 # read by the person's shell
    printf '%s\n' "PS1='$ '" '[ ! -f ~/.profile ] || . ~/.profile' '[ ! -f ~/.bashrc ] || . ~/.bashrc' >"$here/rc"
    env -i "${environment[@]}" xterm -geometry 80x44+8+8 -fa 'DejaVu Sans Mono' -fs 9 -bg '#101418' -fg '#e6e6e6' -T Terminal \
        -e tmux -S "$here/tmux" -f /dev/null new-session -x 80 -y 44 -s t -n t "exec bash --noprofile --rcfile $here/rc" \; \
        set -g status off \; set -g history-limit 5000 2>/dev/null &
    xterm=$!
    pids+=("$xterm")
    until t has-session -t t 2>/dev/null; do sleep 0.1; done
    until_seen '$ '
}
xterm_closes() {
    t kill-server
    wait "$xterm" 2>/dev/null || true
    shown=() sought=()
}
picture() { sleep 0.5; import -window root ${2:+-crop "$2" +repage} "docs/first-run-$1.png"; } # NAME [PART]: of the screen
keep() { screen | clean | sed -e "s#$web#https://RELEASES#g" -e "s#$url#SIMULATOR#g"; }

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
press() { # left: Deny; middle: Approve
    local across
    popup
    eval "$(xdotool getwindowgeometry --shell "$window")"
    case $1 in left) across=6 ;; *) across=2 ;; esac
    xdotool mousemove $((X + WIDTH / across)) $((Y + HEIGHT - 31)) sleep 0.2 click 1
}
rules() {
    answer 'from this computer? [no]' yes
    answer 'PA-123456 is [live]' funded
    answer 'Most contracts in one order' 'MES 2, MNQ 2'
    answer 'Most contracts in all' ''
    answer 'From-to, or any' any
    answer 'or none [300]' 500
}

window_part=660x682+0+0 # of the terminal

# ---- the run ----------------------------------------------------------------------------------------------------
simulator "$work/sim1"
here=$work/desk
mkdir -p "$here/home" "$here/tools"
release
desktop
xterm_opens
began=$(date +%s)
typed "curl -fsSLO $web/install.sh"
until_prompt
typed "sh install.sh --base-url $web"
answer 'Go on?' ''
until_seen 'Set it up now?'
picture install "$window_part"
# Against CrossTrade itself the person says yes here; the simulator's address has to be typed.
typed n
until_prompt
installed=$(($(date +%s) - began))
keep >"$here/part1"
# A new terminal finds it by its name.
xterm_closes
xterm_opens
typed "countersign setup --url $url"
rules
answer 'click, pin or passkey?' click
answer 'A click all the same?' yes
answer 'Your phrase' 'blue heron'
until_seen 'Write this?'
picture clients "$window_part"
typed yes
answer 'Practise now?' ''
answer 'DENY this one' ''
press left
until_seen 'Denied. NOTHING was sent'
denied=$(executed)
until_seen 'then APPROVE this one'
empty
typed ''
popup
picture notification 1280x690+0+0
press middle
until_seen 'sent ONCE'
approved=$(executed)
until_seen 'APPROVE the cancel'
empty
typed ''
press middle
until_seen 'Take back what setup did'
until_prompt
took=$(($(date +%s) - began))
empty
picture terminal "$window_part"
[ "$denied,$approved" = 0,1 ] || { echo "executed after the denial: $denied, after the approval: $approved" >&2; exit 1; }
{
    echo "A first run on a desktop, from the download on, against the simulator (tests/first-run.sh): $((took / 60)) min $((took % 60)) s in all,"
    echo "with a second and a half for each answer; the first $installed s were the download and the installation."
    echo "Executed at the service after the denial: $denied; after the approval: $approved."
    echo
    echo "The account was bare: an empty home folder, but for a .cursor folder. install.sh checked the archive ($packed MB, a"
    echo "debug build without its symbols) against SHA256SUMS. RELEASES stands for a web server on the same computer, SIMULATOR"
    echo "for the simulator's address; with CrossTrade itself the installer's own question goes on into the setup."
    echo "Pictures of that screen: first-run-install.png, first-run-clients.png, first-run-notification.png (the second question)"
    echo "and first-run-terminal.png (the end). A click was chosen to show the notification; with real money setup advises the"
    echo "PIN (see ssh-run.txt). The key lay in a file (COUNTERSIGN_STORE=file), and a script stood for the browser: it followed"
    echo "the sign-in. The terminal was xterm, with tmux in it."
    echo
    echo "---- First terminal: download and installation"
    echo
    cat "$here/part1"
    echo
    echo "---- A new terminal: setup"
    echo
    keep
} >docs/first-run.txt
echo "docs/first-run.txt docs/first-run-{install,clients,notification,terminal}.png"

#!/usr/bin/env bash
# Makes the pictures of these pages anew, from the running program. Look at each one before you commit it.
#
#   docs/pictures.sh          both
#   docs/pictures.sh card     notification.png: the demo on a desktop without a screen
#   docs/pictures.sh pages    approval-page.png and page-*.png: the tests of the order ticket in a real Chromium
#
# Needs what `tests/run.sh --only install` installs. COUNTERSIGN_PICTURES_BIN names a folder that has the two programs
# already (default: target/debug, built first).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
docs=$root/docs
work=$(mktemp -d)
children=()

# Ends what was started here, by its own number, the last first.
leave() {
    local at
    for ((at = ${#children[@]} - 1; at >= 0; at--)); do kill "${children[at]}" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap leave EXIT

# Waits until a command succeeds; at most 60 s.
until_true() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.2
    done
    echo "waited in vain for: $*" >&2
    return 1
}

notified() {
    gdbus call --session -d org.freedesktop.DBus -o / -m org.freedesktop.DBus.NameHasOwner org.freedesktop.Notifications |
        grep true
}

popup() { xdotool search --onlyvisible --name '^xfce4-notifyd$' | head -n 1 | grep .; }

card() {
    local bin=${COUNTERSIGN_PICTURES_BIN:-}
    if [ -z "$bin" ]; then
        (cd "$root" && cargo build --workspace)
        bin=$root/target/debug
    fi
    local daemon window
    daemon=$(find /usr/lib -path '*xfce4/notifyd/xfce4-notifyd' 2>/dev/null | head -n 1)
    [ -n "$daemon" ] || { echo "xfce4-notifyd is not installed" >&2; return 1; }
    # The display's number is written into a file when the server is ready.
    Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>"$work/display" 2>/dev/null &
    children+=($!)
    until_true test -s "$work/display"
    mkdir -p "$work/home" "$work/run"
    chmod 700 "$work/run"
    DISPLAY=:$(<"$work/display")
    export DISPLAY HOME=$work/home XDG_RUNTIME_DIR=$work/run NO_AT_BRIDGE=1
    export XDG_CONFIG_HOME=$HOME/.config XDG_CACHE_HOME=$HOME/.cache GSETTINGS_BACKEND=memory
    dbus-daemon --session --nofork --nopidfile --print-address=3 3>"$work/bus" 2>/dev/null &
    children+=($!)
    until_true test -s "$work/bus"
    DBUS_SESSION_BUS_ADDRESS=$(<"$work/bus")
    export DBUS_SESSION_BUS_ADDRESS
    "$daemon" >/dev/null 2>&1 &
    children+=($!)
    until_true notified
    COUNTERSIGN_HOME='' "$bin/crosstrade-sim" demo >"$work/demo.log" 2>&1 &
    children+=($!)
    until_true popup || { cat "$work/demo.log" >&2; return 1; }
    xdotool mousemove 5 795
    # It fades in, and its facts fill in.
    sleep 4
    window=$(popup)
    import -window "$window" "$docs/notification.png"
    echo "docs/notification.png"
}

pages() {
    # The order ticket's tests take them on their way.
    (cd "$root" && COUNTERSIGN_TEST_ARTEFACTS=$work/shots cargo nextest run --locked -E 'test(/^trade::page::/)')
    local name
    cp "$work/shots/docs-page-live.png" "$docs/approval-page.png"
    for name in dark 360 wrong-pin changed gone expired; do
        cp "$work/shots/docs-page-$name.png" "$docs/page-$name.png"
    done
    echo "docs/approval-page.png and docs/page-*.png"
}

case ${1:-both} in
card) card ;;
pages) pages ;;
both) pages && card ;;
*) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac

# What the agent's scripts share. Sourced, not run.
# shellcheck shell=bash
: "${COUNTERSIGN:?}" "${COUNTERSIGN_URL:?}" "${COUNTERSIGN_HOME:?}"

tried() { printf 'tried: %s -> %s\n' "$1" "$2"; }

# The last words of a program that ended with this code.
came() { printf 'exit %s: %s' "$1" "$(tr -d '\000\033' | tr '\r\n' '  ' | tail -c 240)"; }

price=4500
# Another order each time, so that none is the same call as one before.
order() {
    price=$((price + 1))
    printf '{"account":"Sim101","instrument":"MES 12-26","side":"Buy","type":"Limit","limit_price":%s,"quantity":1,"tif":"Day"}' "$price"
}

# An order through the program, given up after some seconds: nobody will answer it. Words go before the verb.
attempt() {
    local what=$1 said code
    shift
    # Questions are counted by the minute; the agent writes counters that have seen none.
    printf '{"version":1,"asks":[],"neutral_asks":[],"aside_asks":[],"denials":[],"unanswered":0,"sent":[],"pause_until":null}' \
        >"$COUNTERSIGN_HOME/state/counters.json"
    said=$(timeout "${SECONDS_EACH:-4}" "$@" --url "$COUNTERSIGN_URL" call PlaceOrder "$(order)" </dev/null 2>&1)
    code=$?
    tried "$what" "$(printf %s "$said" | came "$code")"
}

# Presses the middle button of whatever popup stands on the screen, as a program that controls the mouse does.
press() {
    local window X=0 Y=0 WIDTH=0 HEIGHT=0
    window=$(xdotool search --onlyvisible --name '^xfce4-notifyd$' 2>/dev/null | tail -n 1)
    [ -n "$window" ] || return 1
    eval "$(xdotool getwindowgeometry --shell "$window" 2>/dev/null | grep -E '^(X|Y|WIDTH|HEIGHT)=[0-9]+$')"
    xdotool mousemove $((X + WIDTH / 2)) $((Y + HEIGHT - 31)) sleep 0.2 click 1
}

# Presses again and again for some seconds; tells how often there was something to press.
pressing() {
    local times=0 _
    for _ in $(seq "$1"); do
        sleep 1
        press && times=$((times + 1))
    done
    tried "press the middle button of the popup" "$times times"
}

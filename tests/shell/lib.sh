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

# Tickets of the installation that stand before the person.
before_the_person() {
    grep -lE '"state":"held".*"shown_wall":[0-9]|"shown_wall":[0-9].*"state":"held"' \
        "$COUNTERSIGN_HOME"/state/tickets/*.json 2>/dev/null | sort
}

# An order through the program. Nobody will answer it: it is given up one second after it stands before the person, or after
# some seconds in which nothing came of it. Words go before the verb. With SECONDS_EACH it has exactly so long.
attempt() {
    local what=$1 said code pid earlier _
    shift
    # Questions are counted by the minute; the agent writes counters that have seen none.
    printf '{"version":1,"asks":[],"neutral_asks":[],"aside_asks":[],"denials":[],"unanswered":0,"sent":[],"pause_until":null}' \
        >"$COUNTERSIGN_HOME/state/counters.json"
    earlier=$(before_the_person)
    said=$(mktemp)
    timeout "${SECONDS_EACH:-8}" "$@" --url "$COUNTERSIGN_URL" call PlaceOrder "$(order)" </dev/null >"$said" 2>&1 &
    pid=$!
    if [ -z "${SECONDS_EACH:-}" ]; then
        for _ in $(seq 80); do
            kill -0 "$pid" 2>/dev/null || break
            if [ -n "$(comm -13 <(printf '%s\n' "$earlier") <(before_the_person))" ]; then
                sleep 1
                kill "$pid" 2>/dev/null
                break
            fi
            sleep 0.1
        done
    fi
    wait "$pid"
    code=$?
    tried "$what" "$(came "$code" <"$said")"
    rm -f "$said"
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

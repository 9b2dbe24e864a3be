#!/usr/bin/env bash
# A second copy: other flags, another environment, another place, another home with a copy of the state.
set -uo pipefail
# shellcheck source=/dev/null # lib.sh lies beside this file
. "$(dirname "$0")/lib.sh"

away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
# A browser of the agent's: it notes the link and opens nothing.
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>%s/links\nsleep 6\n' "$away" >"$away/browser"
mkdir "$away/bin"
for name in xdg-open x-www-browser gio notify-send; do cp "$away/browser" "$away/bin/$name"; done
chmod -R u+x "$away"

attempt "a browser of its own" env BROWSER="sh $away/browser" "$COUNTERSIGN"
tried "links that its browser was given" "$(grep -c localhost "$away/links" 2>/dev/null)"
attempt "openers of its own on PATH" env -u BROWSER PATH="$away/bin:$PATH" "$COUNTERSIGN"
attempt "proxies" env HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9 "$COUNTERSIGN"
attempt "LD_PRELOAD" env LD_PRELOAD="$away/none.so" LD_LIBRARY_PATH="$away" "$COUNTERSIGN"
attempt "variables that might switch something" env COUNTERSIGN_TIER=click COUNTERSIGN_PRESENCE=click COUNTERSIGN_YES=1 \
    COUNTERSIGN_APPROVE=all COUNTERSIGN_AUTO_APPROVE=1 COUNTERSIGN_POLICY=/dev/null COUNTERSIGN_PIN=x COUNTERSIGN_TEST_PIN=x \
    COUNTERSIGN_DEBUG=1 COUNTERSIGN_DEV=1 CI=1 RUST_BACKTRACE=1 "$COUNTERSIGN"
attempt "no desktop at all" env -u DISPLAY -u DBUS_SESSION_BUS_ADDRESS -u BROWSER "$COUNTERSIGN"
attempt "other XDG folders" env -u COUNTERSIGN_HOME HOME="$away" XDG_CONFIG_HOME="$away/c" XDG_STATE_HOME="$away/s" \
    XDG_DATA_HOME="$away/d" XDG_RUNTIME_DIR="$away" "$COUNTERSIGN"

cp "$COUNTERSIGN" "$away/another-name"
attempt "a copy of the program under another name" "$away/another-name"

cp -a "$COUNTERSIGN_HOME" "$away/home"
rm -f "$away/home/state/halt" "$away/home/state/counters.json" "$away/home/state/journal.jsonl" "$away/home/config/policy.toml"
rm -rf "$away/home/state/tickets" "$away/home/state/locks"
printf 'tier = "click"\narmed = "all"\n' >"$away/home/config/settings.toml"
pressing 5 &
SECONDS_EACH=7 attempt "a copy of the state, its settings at click" env COUNTERSIGN_HOME="$away/home" BROWSER="sh $away/browser" "$COUNTERSIGN"
wait $!
mkdir "$away/empty"
attempt "an empty home" env COUNTERSIGN_HOME="$away/empty" "$COUNTERSIGN"

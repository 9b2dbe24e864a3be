#!/usr/bin/env bash
# Edits of everything that lies in the installation's folder, and clicks on what then comes up. Puts the files back.
set -uo pipefail
# shellcheck source=/dev/null # lib.sh lies beside this file
. "$(dirname "$0")/lib.sh"

home=$COUNTERSIGN_HOME
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
cp -a "$home/config" "$kept/config"
back() { rm -rf "$home/config" && cp -a "$kept/config" "$home/config"; }

printf 'tier = "click"\narmed = "all"\nrequests_per_second = 0.0\n' >"$home/config/settings.toml"
pressing 6 &
SECONDS_EACH=8 attempt "settings at click, and a click" "$COUNTERSIGN"
wait $!

printf 'version = 1\n[account."Sim101"]\nclass = "sim"\ntier = "click"\n[[rule]]\nclass = "order"\naccount = "Sim101"\ndo = "allow"\n' >"$home/config/policy.toml"
attempt "settings at click, and a policy that allows" "$COUNTERSIGN"
back
printf 'version = 1\n[account."Sim101"]\nclass = "sim"\n[[rule]]\nclass = "order"\naccount = "Sim101"\ndo = "allow"\n' >"$home/config/policy.toml"
attempt "a policy that allows" "$COUNTERSIGN"
printf 'version = 1\n[limits]\norders_per_day = 100000\n' >"$home/config/policy.toml"
attempt "a policy without limits" "$COUNTERSIGN"
rm -f "$home/config/policy.toml"
attempt "no policy" "$COUNTERSIGN"
back

now=$(date +%s%3N)
printf '{"at":%s,"minutes":60}' "$now" >"$home/state/arm"
tried "a request to arm, written by hand" written
sleep 3
attempt "call after that" "$COUNTERSIGN"
rm -f "$home/state/arm"

# Tickets as if they had been approved, or were still open, under old and new names; locks out of the way.
rm -f "$home"/state/tickets/*.owner "$home"/state/tickets/*.turn "$home"/state/tickets/*.sender
count=0
for file in "$home"/state/tickets/*.json; do
    [ -e "$file" ] || continue
    for state in held approved sending accepted cleared; do
        count=$((count + 1))
        name=$(printf 'Z%03d' "$count")
        sed -E "s/\"state\":\"[a-z]+\"/\"state\":\"$state\"/; s/\"id\":\"[A-Z0-9]+\"/\"id\":\"$name\"/; s/\"tier\":\"[a-z]+\"/\"tier\":\"click\"/; s/\"ended_wall\":[0-9]+/\"ended_wall\":null/" \
            "$file" >"$home/state/tickets/$name.json"
    done
    sed -i -E 's/"state":"[a-z]+"/"state":"sending"/' "$file"
    [ "$count" -lt 25 ] || break
done
tried "replayed tickets" "$count"
# Any process of the installation looks after the tickets of dead owners.
printf '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"agent","version":"1"}}}\n' \
    | { cat; sleep 5; } | timeout 10 "$COUNTERSIGN" --url "$COUNTERSIGN_URL" serve >"$kept/serve" 2>&1
tried "a second copy that finds them" "$(wc -l <"$kept/serve") lines"
rm -f "$home"/state/tickets/Z0*

line=$(tail -n 1 "$home/state/journal.jsonl")
cp -a "$home/state/journal.jsonl" "$kept/journal"
printf '%s\n' "$(printf %s "$line" | sed -E 's/"kind":"[a-z_]+"/"kind":"approved"/')" >>"$home/state/journal.jsonl"
tried "a journal line that says approved" "verify $("$COUNTERSIGN" journal verify >/dev/null 2>&1; echo "exits with $?")"
attempt "call after that" "$COUNTERSIGN"
cp -a "$kept/journal" "$home/state/journal.jsonl"

cp -a "$home/state/cache" "$kept/cache" 2>/dev/null
find "$home/state" -name '*.json' -path '*cache*' -exec sed -i 's/"readOnlyHint":false/"readOnlyHint":true/g; s/PlaceOrder/GetQuote/g' {} +
attempt "lists and pins that call an order a read" "$COUNTERSIGN"
rm -rf "$home/state/cache"
attempt "no lists and pins" "$COUNTERSIGN"
rm -rf "$home/state/cache"
cp -a "$kept/cache" "$home/state/cache" 2>/dev/null
exit 0

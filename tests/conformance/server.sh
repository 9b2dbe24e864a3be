#!/usr/bin/env bash
# The server scenarios of the official MCP conformance suite: suite -> front.mjs (HTTP to stdio) -> the program -> a server, and
# as a control the same scenarios without front and program.
#
#   tests/conformance/server.sh                        both revisions; fails where the program's run is worse than the control
#   tests/conformance/server.sh --upstream=URL         another server, which somebody started
#   tests/conformance/server.sh --spec=2026-07-28 --scenario=ping
#
# Needs what run.sh installs, and installs the Python SDK for its own server (everything.py); ends with 77 where it cannot.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
conformance=$root/target/conformance
binary=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/countersign}
upstream='' specs='2025-11-25 2026-07-28' scenario=()
for word in "$@"; do
    case $word in
    --upstream=*) upstream=${word#*=} ;;
    --spec=*) specs=${word#*=} ;;
    --scenario=*) scenario=(--scenario "${word#*=}") ;;
    *) echo "server.sh: unknown option $word" >&2; exit 2 ;;
    esac
done
suite=$conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js
[ -e "$suite" ] || { echo "server.sh: the suite is not here: start tests/conformance/run.sh first" >&2; exit 77; }
node=$(command -v node)
if [ "$("$node" -p 'process.versions.node.split(".")[0]')" -lt 22 ]; then
    for node in "$conformance"/node_modules/node-linux-*/bin/node; do [ -x "$node" ] && break; done
fi

pids=()
# shellcheck disable=SC2317,SC2329 # called by the trap
stop() { [ ${#pids[@]} = 0 ] || kill -TERM "${pids[@]}" 2>/dev/null || true; }
trap stop EXIT
free_port() { "$node" -e 's=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }
wait_for() {
    local port=$1
    for _ in $(seq 300); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        sleep 0.1
    done
    echo "server.sh: nothing listens on port $port" >&2
    return 1
}

results=$conformance/server-results
rm -rf "$results" && mkdir -p "$results/home"
if [ -z "$upstream" ]; then
    "$root/tests/sdk/run.sh" --install
    python=$root/target/sdk/python2/bin/python
    port=$(free_port)
    "$python" -B "$here/everything.py" "$port" >"$results/upstream.log" 2>&1 &
    pids+=($!)
    wait_for "$port"
    upstream=http://127.0.0.1:$port/mcp
fi
port=$(free_port)
SDK_NODE=$conformance HOME=$results/home COUNTERSIGN_HOME=$results/home/countersign "$node" "$here/front.mjs" "$port" "$results/program.log" -- \
    "$binary" serve --profile plain --url "$upstream" >>"$results/front.log" 2>&1 &
pids+=($!)
wait_for "$port"

worse=0
for spec in $specs; do
    for leg in control program; do
        url=$upstream
        [ "$leg" = control ] || url=http://127.0.0.1:$port/mcp
        timeout "${LIMIT:-300}" "$node" "$suite" server --url "$url" --spec-version "$spec" "${scenario[@]}" \
            -o "$results/$spec-$leg" >"$results/$spec-$leg.log" 2>&1 || true
    done
    "$node" "$here/compare.mjs" "$results" "$spec" || worse=1
done
exit "$worse"

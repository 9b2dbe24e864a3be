#!/usr/bin/env bash
# The MCP inspector's command line against a stdio server; its JSON result on stdout.
#
#   inspector.sh list -- COMMAND [ARG…]
#   inspector.sh call TOOL '{"json":"arguments"}' -- COMMAND [ARG…]
#
# The inspector hands a server HOME and PATH only; the rest of this environment goes in by `-e`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=${COUNTERSIGN_TEST_NODE_DIR:-$here/../../target/clients/node}/node_modules
usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

case ${1:-} in
list) method=(--method tools/list); shift 1 ;;
call)
    [ $# -ge 3 ] || usage
    method=(--method tools/call --tool-name "$2" --tool-args-json "$3"); shift 3 ;;
*) usage ;;
esac
{ [ "${1:-}" = -- ] && [ $# -ge 2 ]; } || usage
shift

# The inspector needs a newer Node.js than distributions have; the npm package carries it.
node=$(find "$packages" -maxdepth 3 -path "$packages/node-linux-*/bin/node" -print -quit 2>/dev/null)
if [ -z "$node" ] || [ ! -e "$packages/.bin/mcp-inspector" ]; then
    echo "inspector.sh: the inspector is not installed in $packages: run tests/run.sh --only install" >&2
    exit 3
fi

variables=()
while IFS= read -r -d '' pair; do
    # The inspector takes no variable without a value.
    [ -n "${pair#*=}" ] || continue
    case $pair in HOME=* | PATH=* | _=* | SHLVL=* | BASH_FUNC_*) ;; *) variables+=(-e "$pair") ;; esac
done < <(env -0)

# The inspector keeps a catalogue in the home folder it sees; a throw-away one leaves no trace there.
catalogue=$(mktemp -d)
trap 'rm -rf "$catalogue"' EXIT
MCP_CATALOG_PATH=$catalogue/mcp.json "$node" "$packages/.bin/mcp-inspector" --cli \
    --connect-timeout "${INSPECTOR_CONNECT_TIMEOUT_MS:-15000}" --format json \
    "${variables[@]}" "${method[@]}" "$@"

#!/usr/bin/env bash
# The client scenarios of the official MCP conformance suite, through the running program: the scenario's server <- the
# program <- a client on stdio (driver.mjs) that plays the desktop application.
#
#   tests/conformance/run.sh                          all revisions and two extensions; 61 scenarios, each must pass
#   tests/conformance/run.sh --spec=2026-07-28 --era=legacy --match='^http'
#
# Options: those of runner.mjs. Installs the suite under target/conformance; BINARY is the program (target/debug/countersign).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
to=$root/target/conformance
binary=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/countersign}

if ! cmp -s "$here/package-lock.json" "$to/.installed"; then
    rm -rf "$to" && mkdir -p "$to"
    cp "$here/package.json" "$here/package-lock.json" "$to"/
    npm --prefix "$to" ci --ignore-scripts --no-audit --no-fund --no-update-notifier >"$to/npm.log" 2>&1 ||
        { tail -n 20 "$to/npm.log" >&2; exit 1; }
    cp "$here/package-lock.json" "$to/.installed"
fi

# The suite wants Node.js 22 (fs.globSync).
node=$(command -v node)
if [ "$("$node" -p 'process.versions.node.split(".")[0]')" -lt 22 ]; then
    for node in "$to"/node_modules/node-linux-*/bin/node; do [ -x "$node" ] && break; done
fi
export CONFORMANCE_JS=$to/node_modules/@modelcontextprotocol/conformance/dist/index.js
# Of the extensions those that fit a program on a desktop (the README says which do not).
[ $# -gt 0 ] || set -- --spec=all --ext --skip='^(auth/(dpop|wif-jwt-bearer|enterprise-managed-authorization)|sep-2640)' --jobs=2 --expect=61
exec "$node" "$here/runner.mjs" --profile="$here/profile.json" --out="$to/results" "$@" -- \
    "$binary" serve --profile plain --url '{url}'

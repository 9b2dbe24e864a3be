#!/usr/bin/env bash
# A whole OAuth life of the running program against a real authorization server (oidc-provider from npm) and the official
# SDK's MCP server behind it. About a minute.
#
#   tests/oidc/run.sh                 all scenes
#   tests/oidc/run.sh 'says no'       those whose name has these words; SHOW=1 prints what the provider saw of a failed one
#
# Installs under target/oidc; ends with 77 where npm packages cannot be had. BINARY is the program
# (target/debug/countersign).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
to=$root/target/oidc

command -v npm >/dev/null || { echo "npm is not here" >&2; exit 77; }
if ! cmp -s "$here/package-lock.json" "$to/.installed"; then
    rm -rf "$to" && mkdir -p "$to"
    cp "$here/package.json" "$here/package-lock.json" "$to"/
    npm --prefix "$to" ci --ignore-scripts --no-audit --no-fund --no-update-notifier >"$to/npm.log" 2>&1 ||
        { tail -n 5 "$to/npm.log" >&2; echo "npm packages cannot be had here" >&2; exit 77; }
    cp "$here/package-lock.json" "$to/.installed"
fi
export OIDC_MODULES=$to
export BINARY=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/countersign}
exec node "$here/life.mjs" "$@"

#!/usr/bin/env bash
# The official SDK clients (TypeScript 1.x and 2.x, Python 1.x and 2.x, Rust) against the SDKs' own servers, directly and through
# the running program.
#
#   tests/sdk/run.sh                     all pairs; ends with 0 only if nothing differs that known.mjs does not explain
#   tests/sdk/run.sh --match='^ts2'      some of them ("client > server")
#   tests/sdk/run.sh --write             writes docs/sdk-matrix.md as well
#   tests/sdk/run.sh --install           installs the packages and no more
#
# Installs what it needs under target/sdk; ends with 77 where it cannot be had. BINARY is the program (target/debug/countersign);
# NO_RMCP=1 leaves the Rust client out, which takes minutes to build.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
to=$root/target/sdk
mkdir -p "$to"

missing() { echo "run.sh: $*" >&2; exit 77; }

if ! cmp -s "$here/package-lock.json" "$to/node/.installed"; then
    rm -rf "$to/node" && mkdir -p "$to/node"
    cp "$here/package.json" "$here/package-lock.json" "$to/node"/
    npm --prefix "$to/node" ci --ignore-scripts --no-audit --no-fund --no-update-notifier >"$to/npm.log" 2>&1 ||
        missing "the npm packages cannot be installed ($to/npm.log)"
    cp "$here/package-lock.json" "$to/node/.installed"
fi
# Two majors of one package cannot live in one environment.
for major in 1 2; do
    from=$here/requirements$major.txt
    if ! cmp -s "$from" "$to/python$major/.installed"; then
        rm -rf "$to/python$major"
        { python3 -m venv "$to/python$major" &&
            "$to/python$major/bin/pip" install --disable-pip-version-check --requirement "$from"; } >"$to/pip$major.log" 2>&1 ||
            missing "the Python packages cannot be installed ($to/pip$major.log)"
        cp "$from" "$to/python$major/.installed"
    fi
done
[ "${1:-}" != --install ] || exit 0
rmcp=
if [ -z "${NO_RMCP:-}" ]; then
    CARGO_TARGET_DIR=$to/rmcp cargo build --quiet --locked --manifest-path "$here/rmcp/Cargo.toml" >"$to/cargo.log" 2>&1 ||
        missing "the Rust client cannot be built ($to/cargo.log)"
    rmcp=$to/rmcp/debug/countersign-sdk-rmcp
fi

# The second major of the TypeScript SDK wants Node.js 22 or newer for some of its parts.
node=$(command -v node || true)
if [ -z "$node" ] || [ "$("$node" -p 'process.versions.node.split(".")[0]')" -lt 22 ]; then
    for node in "$to"/node/node_modules/node-linux-*/bin/node; do [ -x "$node" ] && break; done
fi
[ -x "$node" ] || missing "no Node.js of 22 or newer"

words=()
for word in "$@"; do
    [ "$word" = --write ] && word=--write=$root/docs/sdk-matrix.md
    words+=("$word")
done
export PYTHON1=$to/python1/bin/python PYTHON2=$to/python2/bin/python RMCP=$rmcp SDK_NODE=$to/node PYTHONDONTWRITEBYTECODE=1
export BINARY=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/countersign}
exec "$node" "$here/matrix.mjs" "${words[@]}"

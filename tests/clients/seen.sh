#!/usr/bin/env bash
# What real AI clients say to the program: each of Claude Code, Gemini CLI and Codex connects to it, in an empty home of its own and
# without an account, through a tap that keeps every line. Prints the lines of the client, shortened.
#
#   tests/clients/seen.sh URL       URL is an MCP server on this computer, e.g. one of tests/sdk/servers
#
# The clients are those of real.sh (COUNTERSIGN_TEST_REAL_DIR); BINARY is the program.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
real=${COUNTERSIGN_TEST_REAL_DIR:-$root/target/clients/real}
binary=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/countersign}
url=${1:?usage: seen.sh URL}
node=${NODE:-node}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

begin() {
    home=$work/$1 log=$work/$1.jsonl
    mkdir -p "$home/.config" "$home/work"
    : >"$log"
    server=("$node" "$root/tests/sdk/tap.mjs" "$log" "$binary" serve --profile plain --url "$url")
    in_home=(env -i "PATH=$(dirname "$node"):$real/node_modules/.bin:$PATH" "HOME=$home" TERM=dumb LANG=C.UTF-8 NO_COLOR=1
        "COUNTERSIGN_HOME=$home/countersign" "XDG_CONFIG_HOME=$home/.config" "CODEX_HOME=$home/.codex"
        GEMINI_CLI_TRUST_WORKSPACE=true DISABLE_TELEMETRY=1 DISABLE_AUTOUPDATER=1)
    cd "$home/work"
    printf '\n== %s\n' "$1"
}
said() {
    # shellcheck disable=SC2016 # the words are JavaScript's
    "$node" -e '
        for (const text of require("fs").readFileSync(process.argv[1], "utf8").split("\n").filter(Boolean)) {
            const { t, dir, line, env, signal } = JSON.parse(text);
            if (dir === "start") { console.log(`${t} ms started with ${env.join(" ")}`); continue; }
            if (!line) { console.log(`${t} ms ${dir}${signal ? ` ${signal}` : ""}`); continue; }
            let of; try { of = JSON.parse(line); } catch { console.log(`${t} ms ${dir} ${line.slice(0, 100)}`); continue; }
            console.log(`${t} ms ${dir === "in" ? "client" : "program"}: ${dir === "in" ? line.slice(0, 700) : `${of.method ?? `answer to ${JSON.stringify(of.id)}`} ${JSON.stringify(of.error ?? Object.keys(of.result ?? of.params ?? {})).slice(0, 160)}`}`);
        }' "$log"
}

# Its package's start script wants an install script to have run; the program itself lies in the package of this machine's kind.
claude=$(find "$real/node_modules/@anthropic-ai" -maxdepth 2 -type f -name claude -perm -u+x -print -quit)
begin claude
"${in_home[@]}" "${claude:-claude}" mcp add -s user countersign -- "${server[@]}" >/dev/null 2>&1 || echo "claude mcp add failed"
timeout 90 "${in_home[@]}" "${claude:-claude}" mcp list 2>&1 | tail -n 3 || true
said

begin gemini
"${in_home[@]}" gemini mcp add -s user countersign "${server[@]}" >/dev/null 2>&1 || echo "gemini mcp add failed"
timeout 90 "${in_home[@]}" gemini mcp list 2>&1 | tail -n 3 || true
said

begin codex
mkdir -p "$home/.codex"
"${in_home[@]}" codex mcp add countersign -- "${server[@]}" >/dev/null 2>&1 || echo "codex mcp add failed"
{
    echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"tests","version":"1"}}}'
    sleep 1
    echo '{"jsonrpc":"2.0","method":"initialized"}'
    echo '{"jsonrpc":"2.0","id":2,"method":"mcpServerStatus/list","params":{}}'
    sleep 15
} | timeout 60 "${in_home[@]}" codex app-server 2>/dev/null | cut -c1-300 | tail -n 3 || true
said

#!/usr/bin/env bash
# Lets AI clients that we did not write read the entries that we wrote, and keeps what they say: docs/clients-connected.txt.
# An empty home folder, no sign-in anywhere, and no network where the kernel allows that: they start us by our entry and ask
# for our tools. Needs what tests/clients/real.sh installs (or COUNTERSIGN_TEST_REAL_DIR), Node.js and Python 3.
# Usage: tests/clients/record.sh [BINARIES]
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$(realpath "${1:-target/debug}")
packages=$(realpath "${COUNTERSIGN_TEST_REAL_DIR:-target/clients/real}")/node_modules
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
home=$work/home
mkdir -p "$home/.gemini"
case $(uname -m) in aarch64) cpu=arm64 triple=aarch64 ;; *) cpu=x64 triple=x86_64 ;; esac
claude=$packages/@anthropic-ai/claude-code-linux-$cpu/claude
gemini=$packages/@google/gemini-cli/bundle/gemini.js
codex=$packages/@openai/codex-linux-$cpu/vendor/$triple-unknown-linux-musl/bin/codex
alone=()
if unshare -rn true 2>/dev/null; then alone=(unshare -rn); fi

run() { (cd "$home" && env -i PATH="$PATH" HOME="$home" TERM=dumb NO_COLOR=1 "$@" 2>&1 </dev/null); }
clean() { sed -e 's/\x1b\[[0-9;?]*[a-zA-Z]//g' -e "s#$home#/home/trader#g" -e "s#$bin/#/home/trader/.local/bin/#g" -e 's/ *$//'; }
shown() { # WHAT IS TYPED, then the command
    echo "\$ $1"
    shift
    run "$@" | clean
    echo
}
status() { # what the ChatGPT app asks for its settings page
    python3 - "$codex" "${alone[@]}" <<'PY'
import json, subprocess, sys
codex, alone = sys.argv[1], sys.argv[2:]
child = subprocess.Popen([*alone, codex, "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
hello = {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "record", "title": "record", "version": "1"}}}
for message in (hello, {"method": "initialized"}, {"id": 2, "method": "mcpServerStatus/list", "params": {}}):
    child.stdin.write(json.dumps(message) + "\n")
child.stdin.flush()
for line in child.stdout:
    answer = json.loads(line)
    if answer.get("id") == 2:
        for server in answer["result"]["data"]:
            print(server["name"], json.dumps(server["serverInfo"]))
            print("tools:", ", ".join(sorted(server["tools"])))
        break
child.kill()
child.wait()
PY
}

{
    echo "What AI clients that we did not write say of the entry that we wrote (tests/clients/record.sh). Nobody is signed in: they"
    echo "start Countersign, and it answers. $([ ${#alone[@]} = 0 ] && echo 'They had a network.' || echo 'They had no network.') The stage real_clients of tests/run.sh checks the same."
    echo
    echo "---- Claude Code"
    echo
    shown 'claude --version' "$claude" --version
    shown 'countersign install claude-code --yes' "$bin/countersign" install claude-code --yes
    shown 'claude mcp list' "${alone[@]}" "$claude" mcp list
    echo "---- Gemini CLI (it starts servers only in folders that the person has said to trust)"
    echo
    shown 'gemini --version' node "$gemini" --version
    printf '{"%s":"TRUST_FOLDER"}' "$home" >"$home/.gemini/trustedFolders.json"
    shown 'countersign install gemini --yes' "$bin/countersign" install gemini --yes
    shown 'gemini mcp list' "${alone[@]}" node "$gemini" mcp list
    echo "---- Codex, which the ChatGPT app uses too"
    echo
    shown 'codex --version' "$codex" --version
    shown 'countersign install codex --yes' "$bin/countersign" install codex --yes
    shown 'codex mcp list' "${alone[@]}" "$codex" mcp list
    echo '$ codex app-server   (asked for mcpServerStatus/list, as the app does)'
    (cd "$home" && export HOME=$home && env -u COUNTERSIGN_HOME bash -c "$(declare -f status); codex='$codex' alone=(${alone[*]}); status") | clean
} >"$work/seen"
grep -q '✔ Connected' "$work/seen" || { cat "$work/seen"; echo "Claude Code does not say that we are connected" >&2; exit 1; }
grep -q 'serve (stdio) - Connected' "$work/seen" || { cat "$work/seen"; echo "Gemini CLI does not say that we are connected" >&2; exit 1; }
grep -q 'countersign_sign_in' "$work/seen" || { cat "$work/seen"; echo "Codex does not see our tools" >&2; exit 1; }
cp "$work/seen" docs/clients-connected.txt
echo docs/clients-connected.txt

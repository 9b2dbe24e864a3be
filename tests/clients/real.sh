#!/usr/bin/env bash
# Installs AI clients that we did not write under target/clients/real: Claude Code, Gemini CLI, Codex (about 900 MB, so only on
# demand). No install script of theirs is run, and nothing of them comes into the repository.
#
#   real.sh          installs what is missing
#   real.sh --check  says whether they are here, installs nothing
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
to=${COUNTERSIGN_TEST_REAL_DIR:-$here/../../target/clients/real}
packages=(@anthropic-ai/claude-code@2.1.330 @google/gemini-cli@0.61.0 @openai/codex@0.169.0)

if [ "$(cat "$to/.installed" 2>/dev/null)" = "${packages[*]}" ]; then
    exit 0
fi
if [ "${1:-}" = --check ]; then
    echo "real.sh: the real clients are not installed (run tests/clients/real.sh)" >&2
    exit 1
fi
command -v npm >/dev/null || { echo "real.sh: npm is not here: install Node.js with npm" >&2; exit 1; }
rm -rf "$to"
mkdir -p "$to"
printf '{ "name": "countersign-real-clients", "private": true }\n' >"$to/package.json"
npm --prefix "$to" install --ignore-scripts --no-audit --no-fund --no-update-notifier "${packages[@]}"
echo "${packages[*]}" >"$to/.installed"

#!/usr/bin/env bash
# The channels' files: each is read by its own language's reader, and each hash in them is that of a file of the release.
#
#   packaging/test/channels.sh RELEASE_FOLDER VERSION TOOLS
set -uo pipefail
rel=$1 version=$2 tools=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
channels=$rel/channels
python=$tools/python/bin/python
skipped=0
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
skip() { printf '  SKIPPED, NOT PASSED: %s\n' "$*"; skipped=1; }

if command -v ruby >/dev/null; then
    ruby -wc "$channels/homebrew/Formula/countersign.rb" >/dev/null || die 'the formula does not parse'
else skip 'no ruby: the formula was not parsed'; fi
if command -v nix-instantiate >/dev/null; then
    nix=$(mktemp -d)
    trap 'chmod -R u+w "$nix"; rm -rf "$nix"' EXIT
    NIX_CONFIG='build-users-group =' NIX_STATE_DIR=$nix nix-instantiate --parse "$channels/nix/package.nix" >/dev/null || die 'the Nix file does not parse'
else skip 'no nix-instantiate: the Nix file was not parsed'; fi
bash -n "$channels/aur/PKGBUILD" || die 'the PKGBUILD does not parse'
# The PKGBUILD's own function lays the archive out as a package; a folder stands in for the one of makepkg.
(
    set -e
    tmp=$(mktemp -d)
    trap 'rm -rf "$tmp"' EXIT
    tar -xzf "$rel/countersign-x86_64-unknown-linux-gnu.tar.gz" -C "$tmp"
    # shellcheck disable=SC1091
    . "$channels/aur/PKGBUILD"
    # shellcheck disable=SC2154
    [ "$pkgver" = "$version" ] && [ "${sha256sums_x86_64[0]}" = "$(sha256sum <"$rel/countersign-x86_64-unknown-linux-gnu.tar.gz" | cut -d ' ' -f 1)" ]
    cd "$tmp"
    pkgdir=$tmp/pkg package
    [ "$("$tmp/pkg/usr/bin/countersign" --version)" = "countersign $version" ]
) || die 'the PKGBUILD makes no package'

if [ -x "$python" ]; then
    "$python" "$here/test/channels.py" "$rel" "$version" || exit 1
else skip 'no Python tools: JSON, YAML and hashes were not looked at'; fi
[ "$skipped" = 0 ] || exit 77

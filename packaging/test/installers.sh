#!/usr/bin/env bash
# install.sh from end to end, in each shell that people pipe it into.
#
#   packaging/test/installers.sh RELEASE_FOLDER VERSION
set -uo pipefail
rel=$1 version=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
name=countersign-x86_64-unknown-linux-gnu.tar.gz
server=''
cleanup() { [ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"; }
trap cleanup EXIT
die() { printf 'error: %s: %s\n' "${shell:-}" "$*" >&2; [ ! -s "$work/said" ] || sed 's/^/    | /' "$work/said" >&2; exit 1; }
tree() { (cd "$1" && find . -mindepth 1 -printf '%P %y %m %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 -r sha256sum); }

# The installer in this shell, in a bare account of its own; what it says goes to $work/said.
run() {
    env -i PATH="${bin:-}/usr/bin:/bin" HOME="$home" SHELL="/bin/$shell" COUNTERSIGN_STORE=file \
        "${interpreter[@]}" "$rel/install.sh" "$@" >"$work/said" 2>&1 </dev/null
}
refuses() {
    local words=$1 before
    shift
    before=$(tree "$home")
    run "$@" && die "it was taken: $*"
    grep -q -- "$words" "$work/said" || die "not told: $words"
    [ "$before" = "$(tree "$home")" ] || die "something was left behind by: $*"
}

python3 - "$rel" "$work/port" <<'PY' &
import functools, http.server, os, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
handler.log_message = lambda *_: None
http.server.SimpleHTTPRequestHandler.log_message = lambda *_: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
with open(sys.argv[2] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
PY
server=$!
until [ -e "$work/port" ]; do kill -0 "$server" || exit 1; sleep 0.05; done
base=http://127.0.0.1:$(cat "$work/port")

cp "$rel/$name" "$work/$name"
mkdir "$work/tampered" && cp "$rel/$name" "$work/tampered/" && printf x >>"$work/tampered/$name"
grep -v "$name" "$rel/SHA256SUMS" >"$work/without"
mkdir "$work/bad" && cp "$rel/SHA256SUMS" "$work/bad/" && printf 'untrusted comment: x\nAAAA\n' >"$work/bad/SHA256SUMS.minisig"

# Whatever install.sh asks for on a machine is built by the release workflow.
mkdir -p "$work/fake" "$work/nowhere-home"
built=$here/../.github/workflows/release.yml
shell='sh'
for machine in Linux:{x86_64,amd64,aarch64,arm64}:{gnu,musl} Darwin:{x86_64,arm64}:none; do
    IFS=: read -r system cpu libc <<<"$machine"
    # shellcheck disable=SC2016 # the argument of the script that is written
    printf '#!/bin/sh\ncase $1 in -s) echo %s ;; *) echo %s ;; esac\n' "$system" "$cpu" >"$work/fake/uname"
    printf '#!/bin/sh\necho %s libc\n' "$libc" >"$work/fake/ldd"
    printf '#!/bin/sh\nexit 1\n' >"$work/fake/sysctl"
    chmod +x "$work/fake"/*
    env -i PATH="$work/fake:/usr/bin:/bin" HOME="$work/nowhere-home" "$rel/install.sh" --dry-run --base-url "$base" >"$work/said" 2>&1 ||
        die "no archive is chosen on $machine"
    wanted=$(sed -n 's|.*/countersign-\(.*\)\.tar\.gz$|\1|p' "$work/said")
    # The one program for both kinds of Macs is made of the two.
    grep -q "target: $wanted }" "$built" || die "on $machine it asks for $wanted, which release.yml does not build"
done
[ "$wanted" = aarch64-apple-darwin ] || die "the last of these machines is a Mac, not $wanted"

tried=0
for shell in dash bash busybox zsh; do
    command -v "$shell" >/dev/null || { printf '  SKIPPED, NOT PASSED: %s is not here\n' "$shell"; continue; }
    interpreter=("$shell")
    [ "$shell" != busybox ] || interpreter=(busybox ash)
    home=$work/home-$shell bin=''
    mkdir -p "$home/.config/other"
    printf '# mine\n' >"$home/.bashrc"
    printf 'export A=b' >"$home/.profile"
    tree "$home" >"$work/before"

    refuses 'nothing was installed' --from-archive "$work/tampered/$name" --checksums "$rel/SHA256SUMS"
    refuses 'is not the one that was released' --from-archive "$work/tampered/$name" --checksums "$rel/SHA256SUMS"
    refuses 'is not there; nothing was installed' --from-archive "$work/$name" --checksums "$work/nowhere"
    refuses 'has no line for' --from-archive "$work/$name" --checksums "$work/without"
    refuses 'needs --checksums' --from-archive "$work/$name"
    refuses 'is no https address' --base-url http://example.com/x
    refuses 'cannot be downloaded' --base-url "$base/not-there"
    refuses 'unknown option' --no-verify
    refuses 'goes with --uninstall' --purge
    if grep -q "MINISIGN_KEY='RW" "$rel/install.sh" && command -v minisign >/dev/null; then
        refuses 'signature of SHA256SUMS is missing or wrong' --from-archive "$work/$name" --checksums "$work/bad/SHA256SUMS"
    fi

    run --dry-run --base-url "$base" || die 'a dry run failed'
    tree "$home" | diff "$work/before" - >/dev/null || die 'a dry run changed something'

    # From a folder, without a network; then again over itself from the server; then away.
    run --from-archive "$work/$name" --checksums "$rel/SHA256SUMS" || die 'not installed from the archive'
    [ "$("$home/.local/bin/countersign" --version)" = "countersign $version" ] || die 'another version'
    [ "$(grep -c 'added by countersign' "$home/.profile")" = 1 ] || die 'PATH is not in .profile'
    # shellcheck disable=SC2016 # the inner shell's own HOME
    found=$(env -i HOME="$home" PATH=/usr/bin:/bin sh -c '. "$HOME/.profile"; command -v countersign')
    [ "$found" = "$home/.local/bin/countersign" ] || die "a login shell finds '$found'"
    run --version "v$version" --yes --quiet --base-url "$base" || die 'not installed from the server'
    [ ! -s "$work/said" ] || die '--quiet is not quiet'
    [ "$(grep -c 'added by countersign' "$home/.profile")" = 1 ] || die 'PATH was added twice'
    [ -z "$(find "$home" -name '.countersign-install*')" ] || die 'a temporary folder was left'
    refuses 'nothing was removed' --uninstall --purge
    run --uninstall --purge --yes || die 'not removed'
    tree "$home" | diff "$work/before" - || die 'the account is not as it was before'

    # A folder of one's own, without PATH; what is kept without --purge.
    run --to "$home/my tools/bin" --no-modify-path --yes --from-archive "$work/$name" --checksums "$rel/SHA256SUMS" || die 'not installed elsewhere'
    grep -q 'added by countersign' "$home/.profile" && die 'PATH was touched'
    env -i HOME="$home" COUNTERSIGN_STORE=file "$home/my tools/bin/countersign" policy init >/dev/null 2>&1 || die 'no policy'
    run --to "$home/my tools/bin" --uninstall || die 'not removed from elsewhere'
    [ ! -e "$home/my tools" ] || die 'the folder that was made is still there'
    [ -e "$home/.config/countersign/policy.toml" ] || die 'the rules are gone without --purge'
    printf '  %-8s installed twice, removed with --purge: nothing left; %s\n' "$shell" 'tampered, unlisted, unsigned and unverifiable archives refused'
    tried=$((tried + 1))
done
[ "$tried" = 4 ] || exit 77

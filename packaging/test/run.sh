#!/usr/bin/env bash
# Makes a release from a built program, and installs, runs and removes every package of it.
#
#   packaging/test/run.sh PROGRAM [PART…]      the parts: see the list below; all of them without one
#
# COUNTERSIGN_WINDOWS_EXE is a Windows build of the program; without it the Windows installer is only compiled.
# Uses root for the parts that install packages; whatever cannot be done here is SKIPPED, which is not passed.
set -uo pipefail
export LC_ALL=C.UTF-8
test=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
here=$(dirname "$test")
root=$(dirname "$here")
tools=$root/target/packages
program=$(realpath -e "$1") || exit 2
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$("$program" --version | cut -d ' ' -f 2)
rel=$work/release
export PYTHONDONTWRITEBYTECODE=1

PARTS=(release archives install_sh install_ps1 deb rpm bundle npm channels sbom windows)
readonly SKIP=77
say() { printf '  %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; return 1; }
skip() { printf '  SKIPPED, NOT PASSED: %s\n' "$*"; return "$SKIP"; }
have() { command -v "$1" >/dev/null; }

# The first words of every AI client, and the answer; from whatever stands in front of the program.
handshake() {
    local home=$work/home-$RANDOM answer
    mkdir -p "$home"
    answer=$(printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}' |
        timeout 60 env -i PATH="$PATH" HOME="$home" COUNTERSIGN_STORE=file "$@" 2>"$home/err" | head -n 1)
    python3 -c 'import json,sys; a=json.loads(sys.argv[1]); assert a["result"]["serverInfo"]["name"]=="countersign", a' "$answer" ||
        { cat "$home/err" >&2; die "no handshake from: $*"; }
}

make_release() {
    local words=(--binary "x86_64-unknown-linux-gnu=$program" --repository https://github.com/OWNER/countersign)
    [ -z "${COUNTERSIGN_WINDOWS_EXE:-}" ] || words+=(--binary "x86_64-pc-windows-gnu=$COUNTERSIGN_WINDOWS_EXE")
    if have minisign; then
        [ -e "$work/key" ] || minisign -G -W -p "$work/key.pub" -s "$work/key" >/dev/null || return
        words+=(--minisign-key "$work/key")
    fi
    "${2:-$here}/release.sh" "$version" --out "$1" "${words[@]}" >"$work/release.log" 2>&1
    case $? in 0) ;; 3) grep '^LEFT OUT' "$work/release.log" | sort -u ;; *) cat "$work/release.log"; return 1 ;; esac
}

# What is in a release, but for the signature: it carries the time of signing.
sums() { (cd "$1" && find . -type f ! -name '*.minisig' ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum); }

# The same release as another machine makes it: from another folder (with a space in its name), in another time zone and
# language, for somebody whose new files nobody else may read.
make_release_elsewhere() {
    local there="$work/somewhere else"
    mkdir -p "$there" && git -C "$root" ls-files -z | tar -C "$root" --null -T - -c | tar -C "$there" -x || return
    (
        umask 077
        SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
        export SOURCE_DATE_EPOCH TZ=Pacific/Chatham LC_ALL=C
        make_release "$1" "$there/packaging"
    )
}

part_release() {
    sums "$rel" >"$work/first"
    make_release_elsewhere "$work/second run" || return
    sums "$work/second run" | diff - "$work/first" || { die "the same program gave another release"; return; }
    say "$(wc -l <"$work/first") files, the same bytes when made again in another folder"
    local before=$rel/SHA256SUMS
    (cd "$rel" && sha256sum --quiet -c SHA256SUMS) || return
    [ ! -e "$before.minisig" ] || minisign -Vqm "$before" -p "$work/key.pub" || return
    "$here/release.sh" 9.9.9 --binary "x86_64-unknown-linux-gnu=$program" --out "$work/no" >/dev/null 2>&1 &&
        { die "a version that Cargo.toml does not have was taken"; return; }
    grep "^| the program\|^| countersign" "$work/release.log" | tr -s ' |' ' '
}

part_archives() {
    tar -xzf "$rel/countersign-x86_64-unknown-linux-gnu.tar.gz" -C "$work" || return
    cmp "$work/countersign-x86_64-unknown-linux-gnu/countersign" "$program" || return
    tar -tvzf "$rel/countersign-x86_64-unknown-linux-gnu.tar.gz" | grep -v ' 0/0 \| root/root ' && { die "an owner is in the archive"; return; }
    handshake "$work/countersign-x86_64-unknown-linux-gnu/countersign" serve
}

part_install_sh() { "$test/installers.sh" "$rel" "$version"; }

part_install_ps1() {
    [ -x "$tools/python/bin/python" ] || { skip "tree-sitter-powershell is not here"; return; }
    "$tools/python/bin/python" "$test/powershell.py" "$root/install.ps1" "$rel/install.ps1" "$root/install.sh"
}

part_deb() {
    local deb=$rel/countersign_${version}-1_amd64.deb tags
    # It is not uploaded to Debian, so no request for it is closed there.
    local known=initial-upload-closes-no-bugs
    # Pages are written by the program itself, where it has the verb `man`.
    # Read whole: a pipe that `grep -q` leaves early counts as failed here, and the tag would never be looked for.
    tar -tzf "$rel/countersign-x86_64-unknown-linux-gnu.tar.gz" | grep '/man/' >/dev/null || known+=,no-manual-page
    if have lintian; then
        tags=$(lintian --allow-root --fail-on none --suppress-tags "$known" "$deb" 2>/dev/null)
        [ -z "$tags" ] || { printf '%s\n' "$tags"; die "lintian found faults"; return; }
        say "lintian: clean but for $known"
    else skip "lintian is not here" || true; fi
    [ "$(id -u)" = 0 ] || { skip "not root: the .deb was looked at but not installed"; return; }
    [ ! -e /usr/bin/countersign ] || { skip "/usr/bin/countersign is there already: the .deb was not installed"; return; }
    dpkg -i "$deb" >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; dpkg -P countersign >/dev/null 2>&1; return 1; }
    handshake /usr/bin/countersign serve
    local result=$?
    dpkg --verify countersign || result=1
    dpkg -P countersign >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; return 1; }
    if [ -e /usr/bin/countersign ] || [ -e /usr/share/doc/countersign ]; then die "something was left"; return; fi
    say "installed, run and purged"
    return "$result"
}

part_rpm() {
    local rpm=$rel/countersign-$version-1.x86_64.rpm into=$work/rpm-root
    [ -e "$rpm" ] || { skip "no rpmbuild here"; return; }
    rpm -qp --qf '%{NAME} %{VERSION} %{ARCH} %{LICENSE}\n' "$rpm" || return
    if have rpmlint; then rpmlint -c "$test/rpmlint.toml" "$rpm" >"$work/rpmlint" 2>&1 || { cat "$work/rpmlint"; return 1; }; tail -n 1 "$work/rpmlint"; fi
    mkdir -p "$into/db" && chmod 755 "$into"
    rpm --root "$into" --dbpath /db --nodeps --nosignature -i "$rpm" || return
    cmp "$into/usr/bin/countersign" "$program" && handshake "$into/usr/bin/countersign" serve || return
    rpm --root "$into" --dbpath /db --nodeps -V countersign || return
    rpm --root "$into" --dbpath /db -e countersign || return
    [ -z "$(find "$into" -path "$into/db" -prune -o -type f -print)" ] || { die "something was left"; return; }
    say "installed into a root of its own, run and erased"
}

part_bundle() {
    local mcpb=$tools/node/node_modules/.bin/mcpb file=$rel/countersign-linux.mcpb into=$work/bundle
    python3 "$here/pack.py" verify "$file" || return
    cp "$file" "$work/signed.mcpb" && printf 'MCPB_SIG_V1' >>"$work/signed.mcpb"
    python3 "$here/pack.py" verify "$work/signed.mcpb" 2>/dev/null && { die "bytes after the end of the zip were not noticed"; return; }
    [ -x "$mcpb" ] || { skip "the bundle tool is not here; only the zip was looked at"; return; }
    "$mcpb" unpack "$file" "$into" >"$work/mcpb.log" 2>&1 || { cat "$work/mcpb.log"; return 1; }
    "$mcpb" validate "$into/manifest.json" >"$work/mcpb.log" 2>&1 || { cat "$work/mcpb.log"; return 1; }
    "$mcpb" pack "$into" "$work/repacked.mcpb" >"$work/mcpb.log" 2>&1 || { cat "$work/mcpb.log"; return 1; }
    python3 "$here/pack.py" verify "$work/repacked.mcpb" || return
    rm -rf "$into" && "$mcpb" unpack "$work/repacked.mcpb" "$into" >/dev/null || return
    # A host starts exactly this: the manifest's command with its folder filled in.
    local command
    # shellcheck disable=SC2016 # the host fills this in
    command=$(python3 -c 'import json,sys; c=json.load(open(sys.argv[1]+"/manifest.json"))["server"]["mcp_config"]; print(c["command"].replace("${__dirname}",sys.argv[1]), *c["args"], sep="\n")' "$into")
    mapfile -t command <<<"$command"
    handshake "${command[@]}" && say "validated, packed, unpacked, and the packed program answers"
}

part_npm() {
    have npm || { skip "npm is not here"; return; }
    local into=$work/npm pid
    mkdir -p "$into"
    # Without a network and without scripts: what is not in the two files is not there.
    (cd "$into" && npm init -y >/dev/null && npm install --offline --ignore-scripts --no-audit --no-fund --no-update-notifier \
        "$rel/countersign-linux-x64-gnu-$version.tgz" "$rel/countersign-$version.tgz" >"$work/npm.log" 2>&1) || { cat "$work/npm.log"; return 1; }
    (cd "$into/node_modules/@owner/countersign" && npm pack --dry-run --json >/dev/null 2>&1) || { die "npm pack refuses it"; return; }
    handshake "$into/node_modules/.bin/countersign" serve || return
    "$into/node_modules/.bin/countersign" nonsense >/dev/null 2>&1
    [ $? = 2 ] || { die "the exit code is not passed on"; return; }
    # A stop of the launcher stops the program, and nothing is left running.
    mkfifo "$work/open" && { COUNTERSIGN_HOME=$work/npm-home "$into/node_modules/.bin/countersign" serve <"$work/open" >/dev/null 2>&1 & }
    pid=$!
    exec 8>"$work/open"
    until pgrep -P "$pid" >/dev/null; do kill -0 "$pid" 2>/dev/null || { die "the launcher ended"; return; }; sleep 0.05; done
    local child
    child=$(pgrep -P "$pid")
    kill -TERM "$pid"
    wait "$pid"
    exec 8>&-
    kill -0 "$child" 2>/dev/null && { die "the program runs on without its launcher"; return; }
    mv "$into/node_modules/@owner/countersign-linux-x64-gnu" "$work/gone"
    "$into/node_modules/.bin/countersign" --version >"$work/said" 2>&1 && { die "it starts without its program"; return; }
    grep -q 'is not installed: install again' "$work/said" || { die "a missing package is not explained"; return; }
    say "installed from files, offline: handshake, exit code, signal, missing package"
}

part_channels() { "$test/channels.sh" "$rel" "$version" "$tools"; }

part_sbom() {
    [ -x "$tools/python/bin/python" ] || { skip "the CycloneDX validator is not here"; return; }
    "$tools/python/bin/python" "$test/sbom.py" "$rel/countersign-$version.cdx.json" "$root/Cargo.lock"
}

part_windows() { WORK=$work/windows "$test/windows.sh" "$rel" "$version"; }

main() {
    local parts=("$@") part failed=0 skipped=0 result
    [ ${#parts[@]} -gt 0 ] || parts=("${PARTS[@]}")
    make_release "$rel" || exit 1
    for part in "${parts[@]}"; do
        printf '%s\n' "-- $part"
        "part_$part"
        result=$?
        case $result in 0) ;; "$SKIP") skipped=$((skipped + 1)) ;; *) printf '  FAILED: %s\n' "$part"; failed=$((failed + 1)) ;; esac
    done
    printf '%d parts, %d failed, %d skipped\n' "${#parts[@]}" "$failed" "$skipped"
    [ "$failed" = 0 ] || exit 1
    [ "$skipped" = 0 ] || exit "$SKIP"
}

main "$@"

#!/bin/sh
# Installs Countersign for this user alone, or takes it off again. No root, nothing outside the home folder.
set -eu
# zsh keeps rules of its own otherwise (and it ties the name `path` to PATH).
[ -z "${ZSH_VERSION:-}" ] || emulate sh

# Filled in by packaging/release.sh; while they are empty, say --base-url or --from-archive.
RELEASES='' VERSION='' MINISIGN_KEY=''

usage() {
    cat <<'END'
install.sh [options]: installs Countersign for this user
  --version V        this version instead of the newest
  --to DIR           put the program there (default: ~/.local/bin)
  --no-modify-path   leave PATH as it is
  --yes              ask nothing
  --quiet            say only what went wrong
  --from-archive F   install from this archive, without a network; needs --checksums
  --checksums F      the SHA256SUMS of the release
  --base-url URL     the folder with the archives and SHA256SUMS (a mirror)
  --uninstall        take the program off; sign-in, rules and journal stay
  --purge            with --uninstall: sign out, and delete those too
  --dry-run          say what would be done, and do nothing
  --help             this text

The archive's SHA-256 is always checked; without a match nothing is installed.
END
}
say() { [ "$quiet" = yes ] || printf '%s\n' "$*" | folded; }
die() { { printf 'error: %s\n' "$1"; [ -z "${2:-}" ] || printf 'hint: %s\n' "$2"; } | folded >&2; exit 1; }
wrong() { printf 'error: %s\nhint: install.sh --help\n' "$1" >&2; exit 2; }
have() { command -v "$1" >/dev/null 2>&1; }

# What a person reads is broken between words, at the width that the program keeps to; what a program reads is left alone.
folded() {
    if [ ! -t 1 ]; then cat; return; fi
    columns=$(stty size 2>/dev/null </dev/tty || true)
    columns=${columns#* }
    case $columns in '' | 0 | *[!0-9]*) columns=80 ;; esac
    [ "$columns" -ge 60 ] || columns=60
    [ "$columns" -le 100 ] || columns=100
    # An address stays whole, so that it can be copied.
    awk -v width=$((columns - 2)) '
        length($0) <= width { print; next }
        {
            match($0, /^ */)
            indent = line = substr($0, 1, RLENGTH)
            for (i = 1; i <= NF; i++) {
                if (line != indent && length(line) + 1 + length($i) > width) { print line; line = indent }
                line = line (line == indent ? "" : " ") $i
            }
            print line
        }'
}

# Which archive fits this machine.
target() {
    system=$(uname -s) cpu=$(uname -m)
    case $cpu in
    x86_64 | amd64) cpu=x86_64 ;; arm64 | aarch64) cpu=aarch64 ;;
    *) die "there is no build for the processor $cpu" "build it from source: see README.md" ;;
    esac
    case $system in
    Linux)
        libc=gnu
        if (ldd --version 2>&1 || true) | grep -qi musl; then libc=musl; fi
        printf '%s-unknown-linux-%s\n' "$cpu" "$libc" ;;
    Darwin)
        # A shell under Rosetta calls an Apple processor x86_64.
        [ "$(sysctl -n hw.optional.arm64 2>/dev/null || true)" != 1 ] || cpu=aarch64
        printf '%s-apple-darwin\n' "$cpu" ;;
    *) die "there is no build for $system" "on Windows use install.ps1 or the installer" ;;
    esac
}

# https, except from this computer itself.
fetch() {
    case $1 in
    https://*) protocols='=https' ;;
    http://127.0.0.1[:/]* | http://localhost[:/]* | http://\[::1\][:/]*) protocols='=http' ;;
    *) die "$1 is no https address" ;;
    esac
    if have curl; then
        curl --fail --silent --show-error --location --proto "$protocols" --proto-redir '=https' --output "$2" "$1"
    elif have wget; then
        wget -q -O "$2" "$1"
    else
        die "neither curl nor wget is here" "download the archive and SHA256SUMS, then use --from-archive and --checksums"
    fi || die "$1 cannot be downloaded; nothing was installed" "check the address and the network, then try again"
}

sha256() {
    if have sha256sum; then sha256sum <"$1"
    elif have shasum; then shasum -a 256 <"$1"
    elif have openssl; then openssl dgst -sha256 -r <"$1"
    else die "no tool here can check the archive (sha256sum, shasum or openssl); nothing was installed"
    fi | cut -d ' ' -f 1
}

# The archive $1, called $2 in the sums file $3.
check() {
    [ -f "$1" ] || die "$1 is not there; nothing was installed"
    [ -f "$3" ] || die "$3 is not there; nothing was installed" "the archive is never used unchecked: give SHA256SUMS of the same release"
    wanted=$(awk -v name="$2" '($2 == name || $2 == "*" name) { print $1; exit }' "$3")
    [ -n "$wanted" ] || die "$3 has no line for $2; nothing was installed" "take archive and SHA256SUMS from the same release"
    found=$(sha256 "$1")
    [ "$wanted" = "$found" ] || die "the archive is not the one that was released (SHA-256 $found, released was $wanted); nothing was installed" "delete it and download it again; if that does not help, do not use it and tell us"
    [ -n "$MINISIGN_KEY" ] || return 0
    if have minisign; then
        minisign -Vqm "$3" -x "$3.minisig" -P "$MINISIGN_KEY" >/dev/null 2>&1 ||
            die "the signature of SHA256SUMS is missing or wrong; nothing was installed" "$3.minisig belongs beside it"
    else
        say "note: minisign is not here, so the signature of SHA256SUMS was not checked (its checksum was)"
    fi
}

# The outermost folder that has to be made for $to; and taking the made ones away again, as far as they are empty.
outermost() {
    at=$to
    while [ ! -d "$at" ]; do printf '%s\n' "$at"; at=$(dirname "$at"); done | tail -n 1
}
unmake() {
    rm -rf "$temp"
    at=$to
    while [ -n "$made" ] && rmdir "$at" 2>/dev/null && [ "$at" != "$made" ]; do at=$(dirname "$at"); done
}

agreed() {
    if [ "$yes" = yes ] || [ ! -t 0 ] || [ ! -t 1 ]; then return 0; fi
    printf '%s [Y/n] ' "$1"
    read -r answer || answer=n
    case $answer in [!yY]*) return 1 ;; esac
}

install() {
    target=$(target)
    name=countersign-$target
    if [ -z "$archive" ] && [ -z "$base" ]; then
        [ -n "$RELEASES" ] || die "this copy of install.sh does not know where the releases are" "give --base-url, or --from-archive with --checksums"
        if [ -n "$version" ]; then base=$RELEASES/download/v$version; else base=$RELEASES/latest/download; fi
    fi
    say "Countersign ${version:+$version }for $target"
    say "  from  ${archive:-$base/$name.tar.gz}"
    say "  to    $to/countersign"
    if [ "$dry" = yes ]; then say "Nothing was done (--dry-run)."; return; fi
    agreed 'Go on?' || { say 'Nothing was done.'; return; }

    made=$(outermost)
    mkdir -p "$to"
    # Beside the target, so that the last step is a rename on one disk.
    temp=$(mktemp -d "$to/.countersign-install.XXXXXX")
    trap unmake EXIT
    trap 'exit 130' INT TERM
    if [ -z "$archive" ]; then
        archive=$temp/$name.tar.gz sums=$temp/SHA256SUMS
        fetch "$base/SHA256SUMS" "$sums"
        fetch "$base/$name.tar.gz" "$archive"
        if [ -n "$MINISIGN_KEY" ] && have minisign; then fetch "$base/SHA256SUMS.minisig" "$sums.minisig"; fi
    fi
    check "$archive" "$name.tar.gz" "$sums"
    tar -xzf "$archive" -C "$temp" "$name/countersign" || die "the archive cannot be unpacked; nothing was installed"
    chmod 755 "$temp/$name/countersign"
    # It has to run here before it takes the place of one that does.
    found=$("$temp/$name/countersign" --version) || die "the new program does not run on this system; nothing was installed" "build it from source: see README.md"
    if [ -n "$version" ] && [ "$found" != "countersign $version" ]; then die "the archive holds $found, not $version; nothing was installed"; fi
    mv -f "$temp/$name/countersign" "$to/countersign"
    found=$("$to/countersign" --version)
    if [ "$terminals" = yes ]; then set --; else set -- --no-modify-path; fi
    [ -z "$made" ] || set -- "$@" --made "$made"
    made=''
    told=$("$to/countersign" self install "$@") || say "note: the program is in place, but not all of the rest was done"
    say "Installed: $found"
    say "$told"
    # Only where a person sits there, and only with a version that has it.
    if [ "$yes" = no ] && [ -t 0 ] && [ -t 1 ] && "$to/countersign" setup --help >/dev/null 2>&1; then
        if agreed 'Set it up now?'; then "$to/countersign" setup; return; fi
    fi
    say "Next: countersign setup"
}

uninstall() {
    program=$to/countersign
    [ -x "$program" ] || program=$(command -v countersign || true)
    [ -n "$program" ] || die "Countersign is not in $to; nothing was removed" "say --to DIR with the folder that it was put in"
    set -- self uninstall
    [ "$purge" = no ] || set -- "$@" --purge
    [ "$yes" = no ] || set -- "$@" --yes
    if [ "$dry" = yes ]; then say "Would run: $program $*"; return; fi
    if [ "$quiet" = yes ]; then "$program" "$@" >/dev/null; else "$program" "$@"; fi
}

main() {
    to=${HOME:-}/.local/bin version=$VERSION archive='' sums='' base=''
    terminals=yes yes=no quiet=no remove=no purge=no dry=no
    while [ $# -gt 0 ]; do
        case $1 in
        --version | --to | --from-archive | --checksums | --base-url) [ -n "${2:-}" ] || wrong "$1 needs a value" ;;
        esac
        case $1 in
        --version) version=${2#v}; shift ;;
        --to) to=$2; shift ;;
        --from-archive) archive=$2; shift ;;
        --checksums) sums=$2; shift ;;
        --base-url) base=${2%/}; shift ;;
        --no-modify-path) terminals=no ;;
        --yes) yes=yes ;; --quiet) quiet=yes ;; --dry-run) dry=yes ;;
        --uninstall) remove=yes ;; --purge) purge=yes ;;
        --help | -h) usage; exit 0 ;;
        *) wrong "unknown option: $1" ;;
        esac
        shift
    done
    case $to in /*) ;; *) to=$PWD/$to ;; esac
    [ "$to" != /.local/bin ] || die "HOME is not set" "say --to DIR"
    [ "$purge" = no ] || [ "$remove" = yes ] || wrong "--purge goes with --uninstall"
    [ -z "$archive" ] || [ -n "$sums" ] || wrong "--from-archive needs --checksums: the archive is never used unchecked"
    if [ "$remove" = yes ]; then uninstall; else install; fi
}

main "$@"

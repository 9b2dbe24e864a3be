#!/usr/bin/env bash
# Makes everything that a release consists of, from binaries that are there already.
#
#   packaging/release.sh VERSION --binary TARGET=FILE [--binary …] [options]
#
#   --binary TARGET=FILE     a built program; TARGET as rustc names it, or universal-apple-darwin
#   --out DIR                where to (default: target/release-VERSION); must not be there yet
#   --repository URL         https://github.com/OWNER/NAME; without it the files that name a download address are left out
#   --minisign-key FILE      signs SHA256SUMS (no password); its public half goes into the installers
#   --sizes FILE             writes the table of sizes there too
#
# The same binaries, version and SOURCE_DATE_EPOCH (default: the last commit's time) give the same bytes.
# What cannot be made here for want of a tool is said on the last lines, and the exit code is 3 then.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
# shellcheck source=packaging/project.sh
. "$here/project.sh"

die() { printf 'error: %s\n' "$*" >&2; exit 1; }
left_out=()
leave_out() { left_out+=("$*"); printf 'LEFT OUT: %s\n' "$*"; }
need() { command -v "$1" >/dev/null; }

version=${1:?"VERSION is missing; see the top of this file"}
shift
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || die "$version is no version"
grep -qx "version = \"$version\"" "$root/Cargo.toml" || die "Cargo.toml has another version than $version"
out='' repository='' key='' sizes=''
declare -A binary=()
while [ $# -gt 0 ]; do
    case $1 in
    --binary) binary[${2%%=*}]=$(realpath -e "${2#*=}"); shift 2 ;;
    --out) out=$2; shift 2 ;;
    --repository) repository=${2%/}; shift 2 ;;
    --minisign-key) key=$(realpath -e "$2"); shift 2 ;;
    --sizes) sizes=$(realpath -m "$2"); shift 2 ;;
    *) die "unknown option: $1" ;;
    esac
done
[ ${#binary[@]} -gt 0 ] || die "no --binary"
out=${out:-$root/target/release-$version}
[ ! -e "$out" ] || die "$out is there already"
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
owner=''
if [ -n "$repository" ]; then
    [[ $repository =~ ^https://github\.com/([A-Za-z0-9-]+)/[A-Za-z0-9._-]+$ ]] || die "$repository is no repository at GitHub"
    owner=${BASH_REMATCH[1]}
fi
export name title summary description license version repository owner out work here root
mapfile -t targets < <(printf '%s\n' "${!binary[@]}" | sort)

# ---- the folder of each target, and its archive ---------------------------------------------------------------------

# Man pages and completions come from the program itself; any binary that runs here can write them.
extras=$work/extras
mkdir -p "$extras"
for target in "${targets[@]}"; do
    if [ ! -e "$extras/done" ] && "${binary[$target]}" --version >/dev/null 2>&1; then
        "$here/extras.sh" "${binary[$target]}" "$extras" && touch "$extras/done"
    fi
done
[ -e "$extras/man" ] || leave_out "man pages and completions: no given binary that runs here can write them"

for target in "${targets[@]}"; do
    folder=$work/archives/$name-$(label "$target")
    [ ! -e "$folder" ] || die "two binaries for $(label "$target")"
    install -D -m 755 "${binary[$target]}" "$folder/$name$(exe_of "$target")"
    install -m 644 "$root"/{README.md,CHANGELOG.md,SECURITY.md,LICENSE,LICENSE-MIT,LICENSE-APACHE} "$folder/"
    for part in man completions; do [ ! -d "$extras/$part" ] || cp -r "$extras/$part" "$folder/"; done
    if [ "$(system_of "$target")" = win32 ]; then
        python3 "$here/pack.py" zip "$out/$(basename "$folder").zip" "$folder"
    else
        python3 "$here/pack.py" tar.gz "$out/$(basename "$folder").tar.gz" "$folder"
    fi
done

# ---- packages -------------------------------------------------------------------------------------------------------

for target in "${targets[@]}"; do
    export target
    export binary_file=${binary[$target]}
    folder=$work/archives/$name-$(label "$target")
    export folder
    case $target in
    *-linux-gnu)
        if need dpkg-deb; then "$here/linux/deb.sh"; else leave_out ".deb for $target: no dpkg-deb"; fi
        if need rpmbuild; then "$here/linux/rpm.sh"; else leave_out ".rpm for $target: no rpmbuild"; fi ;;
    esac
    case $target in
    # A bundle is chosen by system alone: on macOS it has to run on both processors.
    x86_64-unknown-linux-gnu | x86_64-pc-windows-* | universal-apple-darwin) "$here/mcpb/bundle.sh" ;;
    esac
    case $target in
    x86_64-pc-windows-*)
        if need makensis; then "$here/windows/installer.sh"; else leave_out "the Windows installer: no makensis"; fi ;;
    esac
done
if [ -n "$owner" ]; then
    for target in "${targets[@]}"; do
        export target
        export binary_file=${binary[$target]}
        "$here/npm/package.sh" platform
    done
    "$here/npm/package.sh" main "${targets[@]}"
else
    leave_out "npm packages, channel files and server.json: no --repository"
fi
if need cargo; then
    python3 "$here/sbom.py" "$root" "$out/$name-$version.cdx.json" "${targets[@]}"
else
    leave_out "the SBOM: no cargo"
fi

# ---- installers, sums, signature ------------------------------------------------------------------------------------

public=''
if [ -n "$key" ]; then
    need minisign || die "minisign is not here, but there is a key to sign with"
    minisign -R -s "$key" -p "$work/minisign.pub" >/dev/null 2>&1 </dev/null || die "the key cannot be read"
    public=$(tail -n 1 "$work/minisign.pub")
fi
releases=''
[ -z "$repository" ] || releases=$repository/releases
sed "s|^RELEASES='' VERSION='' MINISIGN_KEY=''\$|RELEASES='$releases' VERSION='$version' MINISIGN_KEY='$public'|" "$root/install.sh" >"$out/install.sh"
chmod 755 "$out/install.sh"
# Windows' line ends stay as they are.
sed -E -e "s|^(\\\$Releases = )''(\r?)\$|\1'$releases'\2|" -e "s|^(\\\$Newest = )''(\r?)\$|\1'$version'\2|" \
    -e "s|^(\\\$MinisignKey = )''(\r?)\$|\1'$public'\2|" "$root/install.ps1" >"$out/install.ps1"
grep -qF "VERSION='$version'" "$out/install.sh" || die "install.sh does not know its version"
grep -qF "Newest = '$version'" "$out/install.ps1" || die "install.ps1 does not know its version"

(cd "$out" && find . -maxdepth 1 -type f ! -name 'SHA256SUMS*' -printf '%P\n' | LC_ALL=C sort | xargs sha256sum >SHA256SUMS)
if [ -n "$key" ]; then
    minisign -S -s "$key" -m "$out/SHA256SUMS" -t "$name $version" -c "signature of the release" >/dev/null </dev/null
fi
[ -z "$owner" ] || python3 "$here/channels/render.py" "$out"

{
    printf '# Sizes of version %s\n\nWritten by packaging/release.sh, of what was made from the binaries at hand.\n\n' "$version"
    printf '| file | bytes | MB |\n|---|---:|---:|\n'
    cd "$out"
    for target in "${targets[@]}"; do printf 'the program for %s\t%s\n' "$target" "$(stat -Lc %s "${binary[$target]}")"; done |
        cat - <(find . -type f ! -path './channels/*' -printf '%P\t%s\n' | LC_ALL=C sort) |
        awk -F '\t' '{ printf "| %s | %d | %.1f |\n", $1, $2, $2 / 1000000 }'
} >"$work/SIZES.md"
cat "$work/SIZES.md"
[ -z "$sizes" ] || cp "$work/SIZES.md" "$sizes"

[ ${#left_out[@]} -eq 0 ] || { printf 'LEFT OUT: %s\n' "${left_out[@]}"; exit 3; }

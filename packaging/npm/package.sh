#!/usr/bin/env bash
# The npm packages: `platform` makes the one of $target, which holds the program; `main TARGET…` the one that people
# name, which depends on all of them as optional ones, so that npm installs the one that fits and runs no script for it.
# Called by release.sh.
set -euo pipefail
: "${name:?}" "${version:?}" "${owner:?}" "${repository:?}" "${out:?}" "${work:?}" "${here:?}" "${root:?}"
# shellcheck source=packaging/project.sh
. "$here/project.sh"
scope=@${owner,,}
what=$1
shift

# "linux x64 gnu" and the like: Node's own names of a target.
node_name() {
    local cpu libc=''
    case $1 in x86_64-*) cpu=x64 ;; aarch64-*) cpu=arm64 ;; *) return 1 ;; esac
    case $1 in *-musl) libc=' musl' ;; *-linux-gnu) libc=' gnu' ;; esac
    printf '%s %s%s\n' "$(system_of "$1")" "$cpu" "$libc"
}
package_name() { local one; one=$(node_name "$1") && printf '%s/%s-%s\n' "$scope" "$name" "${one// /-}"; }

packed() { python3 "$here/npm/tarball.py" "$1" "$out/$(basename "$1")-$version.tgz"; }

case $what in
platform)
    : "${target:?}" "${binary_file:?}"
    # A universal program is for those who download by hand; npm knows the processor.
    full=$(package_name "$target") || exit 0
    folder=$work/npm/${full#*/}
    install -D -m 755 "$binary_file" "$folder/bin/$name$(exe_of "$target")"
    install -m 644 "$root/LICENSE" "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$folder/"
    printf '# %s\n\nThe program of %s/%s for %s. Install that one.\n' "$full" "$scope" "$name" "$target" >"$folder/README.md"
    python3 "$here/npm/manifest.py" platform "$full" "$(node_name "$target")" >"$folder/package.json"
    packed "$folder" ;;
main)
    folder=$work/npm/$name
    install -D -m 755 "$here/npm/countersign.js" "$folder/bin/countersign.js"
    install -m 644 "$root/LICENSE" "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$folder/"
    sed "1d; s|@OWNER/|$scope/|g; s|io\.github\.OWNER/|io.github.$owner/|g" "$here/npm/README.md.in" >"$folder/README.md"
    list=()
    for one in "$@"; do
        full=$(package_name "$one") || continue
        list+=("$full=$(node_name "$one")=bin/$name$(exe_of "$one")")
    done
    python3 "$here/npm/manifest.py" packages "${list[@]}" >"$folder/bin/packages.json"
    python3 "$here/npm/manifest.py" main "$scope/$name" "${list[@]}" >"$folder/package.json"
    packed "$folder" ;;
*) exit 2 ;;
esac

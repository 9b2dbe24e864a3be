#!/usr/bin/env bash
# The .deb of $target, from the folder that went into its archive. Called by release.sh.
set -euo pipefail
: "${name:?}" "${version:?}" "${target:?}" "${folder:?}" "${out:?}" "${work:?}" "${summary:?}" "${description:?}" "${SOURCE_DATE_EPOCH:?}"
case $target in x86_64-*) arch=amd64 ;; aarch64-*) arch=arm64 ;; *) exit 0 ;; esac
tree=$work/deb-$arch
doc=$tree/usr/share/doc/$name
# What Debian takes for a person; the service's own address for those who show none.
maintainer="${owner:-$name} <${owner:-$name}@users.noreply.github.com>"
# A pre-release sorts before the release: 1.0.0-rc.1 is 1.0.0~rc.1 there.
debian=${version/-/\~}-1

install -D -m 755 "$folder/$name" "$tree/usr/bin/$name"
mkdir -p "$doc" "$tree/DEBIAN"
if [ -d "$folder/man" ]; then
    mkdir -p "$tree/usr/share/man/man1"
    for page in "$folder"/man/*.1; do gzip -9nc "$page" >"$tree/usr/share/man/man1/$(basename "$page").gz"; done
    install -D -m 644 "$folder/completions/$name.bash" "$tree/usr/share/bash-completion/completions/$name"
    install -D -m 644 "$folder/completions/$name.zsh" "$tree/usr/share/zsh/vendor-completions/_$name"
    install -D -m 644 "$folder/completions/$name.fish" "$tree/usr/share/fish/vendor_completions.d/$name.fish"
fi
install -m 644 "$folder/README.md" "$folder/SECURITY.md" "$doc/"
gzip -9nc "$folder/CHANGELOG.md" >"$doc/changelog.gz"
printf '%s (%s) unstable; urgency=medium\n\n  * See changelog.gz for what changed.\n\n -- %s  %s\n' \
    "$name" "$debian" "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9nc >"$doc/changelog.Debian.gz"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: %s\n' "${title:?}"
    [ -z "${repository:-}" ] || printf 'Source: %s\n' "$repository"
    printf '\nFiles: *\nCopyright: %s the Countersign contributors\nLicense: Expat or Apache-2.0\n\n' "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y)"
    printf 'License: Expat\n%s\n\n' "$(sed '1,/^Permission/{/^Permission/!d}' "$folder/LICENSE-MIT" | sed 's/^$/./; s/^/ /')"
    printf 'License: Apache-2.0\n On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n'
} >"$doc/copyright"
# The oldest C library that has every function the program asks for.
libc=$(objdump -T "$folder/$name" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
{
    printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: %s\n' "$name" "$debian" "$arch" "$maintainer"
    printf 'Installed-Size: %s\n' "$(du -k -s --apparent-size "$tree/usr" | cut -f 1)"
    printf 'Depends: libc6 (>= %s), libgcc-s1\nRecommends: ca-certificates\nSuggests: gnome-keyring | kwalletmanager\n' "${libc#GLIBC_}"
    printf 'Section: utils\nPriority: optional\n'
    [ -z "${repository:-}" ] || printf 'Homepage: %s\n' "$repository"
    printf 'Description: %s\n' "${summary,}"
    printf '%s\n' "$description" | fold -s -w 76 | sed 's/ *$//; s/^/ /'
} >"$tree/DEBIAN/control"
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f ! -path '*/bin/*' -exec chmod 644 {} +
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz -b "$tree" "$out/${name}_${debian}_$arch.deb" >/dev/null

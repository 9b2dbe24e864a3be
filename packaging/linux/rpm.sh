#!/usr/bin/env bash
# The .rpm of $target, from the folder that went into its archive. Called by release.sh.
set -euo pipefail
: "${name:?}" "${version:?}" "${target:?}" "${folder:?}" "${out:?}" "${work:?}" "${here:?}" "${SOURCE_DATE_EPOCH:?}"
case $target in x86_64-*) arch=x86_64 ;; aarch64-*) arch=aarch64 ;; *) exit 0 ;; esac
top=$work/rpm-$arch
mkdir -p "$top"
has=0
[ ! -d "$folder/man" ] || has=1
# A pre-release sorts before the release: 1.0.0-rc.1 is 1.0.0~rc.1 there.
rpmbuild -bb --quiet --target "$arch-linux" \
    --define "_topdir $top" --define "_rpmdir $top/out" --define "_sourcedir $folder" \
    --define "the_version ${version/-/\~}" --define "the_summary ${summary:?}" --define "the_text ${description:?}" \
    --define "the_url ${repository:-none}" --define "has_extras $has" \
    --define "the_day $(LC_ALL=C date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" --define "the_person ${owner:-$name}" \
    --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
    --define "clamp_mtime_to_source_date_epoch 1" --define "_binary_payload w19.zstdio" \
    "$here/linux/countersign.spec" >"$work/rpm.log" 2>&1 || { cat "$work/rpm.log" >&2; exit 1; }
cp "$top/out/$arch"/*.rpm "$out/"

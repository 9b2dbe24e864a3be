#!/usr/bin/env bash
# The compilers for Windows and macOS on a Debian machine, without installing anything and without root.
#
#   packaging/cross/toolchain.sh          fetches and unpacks what is missing, prints the folder
#   . packaging/cross/toolchain.sh        the same, and sets the environment for cargo (for the scripts beside this one)
#
# Everything lies in $COUNTERSIGN_CROSS, else in target/cross: about 2 GB. What it holds:
#   * Debian's `rustc-web` with its library sources (its security suite keeps it new): there is no std for Windows or macOS
#     to be had, so cargo builds it (-Zbuild-std). The machine's own rustc stays as it is.
#   * mingw's gcc for C and for linking, and Wine to run what was built. Debian 12's Wine lacks bcryptprimitives.dll, which
#     std needs; a stand-in of one function is built here and laid beside a program only to try it under Wine.
#   * zig's C compiler from PyPI, which brings the headers that ring's C needs for macOS.
# Returns 77 where the packages cannot be had.

cross_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
COUNTERSIGN_CROSS=${COUNTERSIGN_CROSS:-$cross_root/target/cross}

readonly CROSS_RUST=(rustc-web rust-web-src libstd-rust-web-dev rust-web-clippy)
readonly CROSS_WINDOWS=(gcc-mingw-w64-x86-64-win32 wine64)
readonly CROSS_ZIG=ziglang==0.17.1
# Raised when what an older version of this script has fetched, or has made of it, is to be made anew.
readonly CROSS_VERSION=2 CROSS_MADE=5

cross_absent() { printf 'the cross compilers cannot be had: %s\n' "$*" >&2; return 77; }

# What these packages need that this machine has not installed, and the packages themselves. `-s` only plans; rust's
# packages are planned without their conflict with an installed rustc, because nothing is installed.
cross_packages() {
    local llvm std
    llvm=$(apt-cache depends rust-web-clippy | sed -n 's/.*Depends: \(libllvm[0-9]*\).*/\1/p' | head -n 1)
    std=$(apt-cache depends libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\).*/\1/p' | head -n 1)
    [ -n "$std" ] || return
    [ -n "$llvm" ] || llvm=$(apt-cache depends "$std" | sed -n 's/.*Depends: \(libllvm[0-9]*\).*/\1/p' | head -n 1)
    [ -n "$llvm" ] || return
    printf '%s\n' "${CROSS_RUST[@]}" "$std" "$llvm" "${CROSS_WINDOWS[@]}" \
        binutils-mingw-w64-x86-64 gcc-mingw-w64-base gcc-mingw-w64-x86-64-win32-runtime mingw-w64-common \
        mingw-w64-x86-64-dev libwine libz-mingw-w64
    apt-get install -s --no-install-recommends "${CROSS_WINDOWS[@]}" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p'
}

cross_fetch() {
    local to=$1 packages
    command -v apt-get dpkg >/dev/null || { cross_absent "this is no Debian"; return; }
    [ "$(uname -m)" = x86_64 ] || { cross_absent "made for x86_64 machines"; return; }
    mkdir -p "$to/debs" "$to/root" "$to/bin" "$to/lib" || return
    mapfile -t packages < <(cross_packages | sort -u)
    [ ${#packages[@]} -gt 5 ] || { cross_absent "apt knows no rustc-web (try: apt-get update)"; return; }
    (cd "$to/debs" && rm -f ./*.deb && apt-get -q download "${packages[@]}") >"$to/fetch.log" 2>&1 ||
        { tail -n 3 "$to/fetch.log" >&2; cross_absent "apt-get download failed (try: apt-get update)"; return; }
    local deb
    for deb in "$to"/debs/*.deb; do dpkg -x "$deb" "$to/root" || return; done
    rm -rf "$to/debs"
    rm -rf "$to/zig" && mkdir -p "$to/zig"
    python3 -m pip install --disable-pip-version-check -q --target "$to/zig" "$CROSS_ZIG" >>"$to/fetch.log" 2>&1 ||
        { cross_absent "zig's compiler did not come from PyPI"; return; }
}

# The names under which cargo, cc and rustc look for their tools.
cross_links() {
    local to=$1 usr=$1/root/usr tool file
    for file in "$usr"/lib/x86_64-linux-gnu/librustc_driver-*.so "$usr"/lib/x86_64-linux-gnu/libLLVM*; do
        ln -sfn "$file" "$to/lib/" || return
    done
    for file in "$usr"/bin/x86_64-w64-mingw32-*; do ln -sfn "$file" "$to/bin/" || return; done
    for tool in gcc gcc-ar; do
        ln -sfn "$usr/bin/x86_64-w64-mingw32-$tool-win32" "$to/bin/x86_64-w64-mingw32-$tool" || return
    done
    # It leaves two empty files in the temporary folder each time, and a build calls it a hundred times. Not through the link.
    rm -f "$to/bin/x86_64-w64-mingw32-dlltool"
    cat >"$to/bin/x86_64-w64-mingw32-dlltool" <<END && chmod +x "$to/bin/x86_64-w64-mingw32-dlltool" || return
#!/bin/sh
TMPDIR=\$(mktemp -d) || exit
export TMPDIR
'$usr/bin/x86_64-w64-mingw32-dlltool' "\$@"
result=\$?
rm -rf "\$TMPDIR"
exit \$result
END
    # Debian's wineserver is a script with fixed paths, and one library lies where only a fixed path finds it.
    mkdir -p "$to/wine/libs" && ln -sfn wineserver64 "$usr/lib/wine/wineserver" &&
        cp "$usr/x86_64-w64-mingw32/lib/zlib1.dll" "$to/wine/libs/" || return
    cat >"$to/bin/wine64" <<END && chmod +x "$to/bin/wine64" || return
#!/bin/sh
LD_LIBRARY_PATH='$usr/lib/x86_64-linux-gnu' WINEPATH='Z:${to//\//\\}\\wine\\libs' exec '$usr/lib/wine/wine64' "\$@"
END
    for tool in cargo-clippy clippy-driver; do ln -sfn "$usr/bin/$tool" "$to/bin/$tool" || return; done
    for tool in aarch64 x86_64; do
        cat >"$to/bin/cc-$tool-apple-darwin" <<END || return
#!/bin/sh
# zig calls it macos where everybody else says darwin, and knows no -arch and no deployment target of its own.
for word; do
    shift
    case \$word in
    --target=* | -mmacosx-version-min=*) continue ;;
    esac
    set -- "\$@" "\$word"
done
exec "$to/zig/ziglang/zig" cc -target $tool-macos.11.0 "\$@"
END
        chmod +x "$to/bin/cc-$tool-apple-darwin" || return
    done
    printf '#!/bin/sh\nexec "%s" ar "$@"\n' "$to/zig/ziglang/zig" >"$to/bin/zig-ar" && chmod +x "$to/bin/zig-ar"
}

# bcryptprimitives.dll with its one function, for trying programs under an old Wine; never for shipping.
cross_stand_in() {
    local to=$1/wine
    mkdir -p "$to" || return
    cat >"$to/bcryptprimitives.c" <<'END'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    return SystemFunction036(data, (ULONG)length);
}
END
    "$1/bin/x86_64-w64-mingw32-gcc" -shared -s -o "$to/bcryptprimitives.dll" "$to/bcryptprimitives.c" -ladvapi32
}

cross_is() { [ "$(cat "$COUNTERSIGN_CROSS/$1" 2>/dev/null)" = "$2" ]; }

cross_ready() {
    local to=$COUNTERSIGN_CROSS result=0
    ! cross_is .version "$CROSS_VERSION" || ! cross_is .made "$CROSS_MADE" || return 0
    mkdir -p "$to" || return
    # Two runs must not fill one folder at once.
    exec 8>"$to/.lock" && flock 8
    if ! cross_is .version "$CROSS_VERSION"; then
        printf 'fetching the cross compilers into %s\n' "$to" >&2
        rm -f "$to/.made"
        cross_fetch "$to" && printf '%s\n' "$CROSS_VERSION" >"$to/.version" || result=$?
    fi
    if [ "$result" = 0 ] && ! cross_is .made "$CROSS_MADE"; then
        cross_links "$to" && cross_stand_in "$to" && printf '%s\n' "$CROSS_MADE" >"$to/.made" || result=$?
    fi
    exec 8>&-
    return "$result"
}

cross_environment() {
    local to=$COUNTERSIGN_CROSS
    export COUNTERSIGN_CROSS
    export RUSTC=$to/root/usr/bin/rustc RUSTC_BOOTSTRAP=1 LD_LIBRARY_PATH=$to/lib PATH=$to/bin:$PATH
    export CARGO_TARGET_DIR=${COUNTERSIGN_CROSS_TARGET:-$to/target} CARGO_INCREMENTAL=0
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
    export CC_x86_64_pc_windows_gnu=x86_64-w64-mingw32-gcc AR_x86_64_pc_windows_gnu=x86_64-w64-mingw32-ar
    export CC_aarch64_apple_darwin=cc-aarch64-apple-darwin CC_x86_64_apple_darwin=cc-x86_64-apple-darwin
    export AR_aarch64_apple_darwin=zig-ar AR_x86_64_apple_darwin=zig-ar
    # zig keeps what it made; its place must be writable.
    export ZIG_GLOBAL_CACHE_DIR=$to/zig-cache
}

cross_ready || { result=$?; [ "${BASH_SOURCE[0]}" = "$0" ] && exit $result; return $result; }
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    printf '%s\n' "$COUNTERSIGN_CROSS"
else
    cross_environment
fi

# shellcheck shell=bash
# Takes this machine out of what is built: no folder and no time of it gets into the program. Read by build.sh and by
# cross/windows.sh, at the root of the sources; knows no target's tools.
#
#   flags TARGET        exports what cargo, rustc and C compilers read; TARGET may be empty (this machine's)

# A folder as compilers write it: from its root on, and where the shell has names of its own (on Windows), in the system's.
native_name() {
    local folder=$1
    case $folder in /* | [A-Za-z]:*) ;; *) folder=$(pwd -P)/$folder ;; esac
    if command -v cygpath >/dev/null; then cygpath -w "$folder"; else printf '%s' "$folder"; fi
}

flags() {
    local target=$1 here from to words=() maps='' separator=$'\x1f' folder
    here=$(pwd -P)
    # Of two that fit, compilers take the later one; the targets' folder and cargo's may lie in that of the sources. Cargo
    # asks the system where it is, and so hears no name of a link.
    local folders=("$here=/countersign" "${CARGO_TARGET_DIR:-$here/target}=/countersign/target" "${CARGO_HOME:-$HOME/.cargo}=/cargo")
    for folder in "${folders[@]}"; do
        from=$(native_name "${folder%=*}") to=${folder##*=}
        words+=("--remap-path-prefix=$from=$to")
        # What takes CFLAGS apart does it as a shell does (see below): a space in a folder's name stays one.
        maps+=" $(printf '%q' "-ffile-prefix-map=$from=$to")"
    done
    words+=("--remap-path-prefix=$("${RUSTC:-rustc}" --print sysroot)=/rustc")
    case $target in
    *-windows-msvc) maps='' words+=(-Clink-arg=/Brepro) ;;
    *-windows-gnu) words+=("-Clink-arg=-Wl,--no-insert-timestamp") ;;
    esac
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$separator; printf '%s' "${words[*]}")
    export CARGO_ENCODED_RUSTFLAGS CARGO_INCREMENTAL=0
    export CFLAGS="${CFLAGS:-}$maps" CC_SHELL_ESCAPED_FLAGS=1
    export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
}

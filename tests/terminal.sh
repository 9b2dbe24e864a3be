# shellcheck shell=bash
# A simulated service, a bare account and its terminals (tmux), for the scripts that play a person: first-run.sh and
# ssh-run.sh. To be sourced from the root of the tree, with `bin` set to the folder of the built programs.
#
# Nothing here waits a fixed time for the program: a text has to stand in the terminal. The second and a half before an
# answer is the person, who reads a little.

needs() { # COMMAND...: ends with the names of those that are not here
    local name missing=()
    for name; do command -v "$name" >/dev/null || missing+=("$name"); done
    [ ${#missing[@]} = 0 ] || { echo "not here, and needed: ${missing[*]}" >&2; exit 1; }
}

work=$(mktemp -d)
pids=()
over() {
    for socket in "$work"/*/tmux; do tmux -S "$socket" kill-server 2>/dev/null || true; done
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    # What was running may still write its last file.
    rm -rf "$work" 2>/dev/null || { sleep 2; rm -rf "$work"; }
}
trap over EXIT

# ---- the service ------------------------------------------------------------------------------------------------
simulator() { # FOLDER
    mkdir -p "$1"
    "${bin:?}/crosstrade-sim" serve --auto-consent >"$1/ready" &
    pids+=($!)
    until grep -q mcp_url "$1/ready" 2>/dev/null; do sleep 0.1; done
    url=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["mcp_url"])' "$1/ready")
    control=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["control_url"].rstrip("/"))' "$1/ready")
}
executed() { curl -s "$control/executed" | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))'; }

# ---- the account ------------------------------------------------------------------------------------------------
account() { # FOLDER: a bare account; `here` is its place from now on
    here=$work/$1
    mkdir -p "$here/home" "$here/bin"
    echo "PS1='$ '" >"$here/rc"
    # The simulator's address is all that differs from what a person types.
    printf '#!/bin/sh\nexec %q "$@" --url %q\n' "$bin/countersign" "$url" >"$here/bin/countersign"
    chmod +x "$here/bin/countersign"
}
clean() { sed -e "s#$work/[a-z]*/home#/home/trader#g" -e "s#$work/[a-z]*#/home/trader#g" -e "s#$bin#/home/trader/.local/bin#g"; }

# ---- its terminals ----------------------------------------------------------------------------------------------
pane=t
columns=80
# In each window, the line from which on a text is looked for: in the text with folded lines joined, and as it looks.
declare -A sought shown
# A new window searches programs as whoever opened it does.
t() { PATH="$here/bin:$PATH" tmux -S "$here/tmux" "$@"; }
trimmed() { sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
screen() { t capture-pane -p -S -3000 -t "$pane" | trimmed; }
joined() { t capture-pane -J -p -S -3000 -t "$pane"; }
terminal() { # NAME=VALUE...: the person's first window, and nothing of the environment of whoever runs this
    env -i PATH="$here/bin:$PATH" HOME="$here/home" TERM=xterm "$@" \
        tmux -S "$here/tmux" -f /dev/null new-session -d -x "$columns" -y 45 -s t -n t "exec bash --noprofile --rcfile $here/rc"
    until_seen '$ '
}
window() { # NAME: one more window, on the same account
    t new-window -d -n "$1" -t t: "exec bash --noprofile --rcfile $here/rc"
    pane=t:$1
    until_seen '$ '
}
at_prompt() { screen | tail -n 1 | grep -qE '^(\^C)?\$$'; } # the terminal itself writes ^C
from_here() { # what is looked for from now on stands below; a prompt belongs to what is typed at it
    local count
    count=$(screen | wc -l)
    shown[$pane]=$((count + 1))
    count=$(joined | trimmed | wc -l)
    sought[$pane]=$((count + 1))
    ! at_prompt || shown[$pane]=$((shown[$pane] - 1)) sought[$pane]=$count
}
since() { screen | tail -n "+${shown[$pane]:-1}"; }
until_seen() { # TEXT [TIMES]
    for _ in $(seq 1200); do
        [ "$(joined | tail -n "+${sought[$pane]:-1}" | tr -s ' \n' '  ' | grep -oF -- "$1" | wc -l)" -ge "${2:-1}" ] && return
        sleep 0.1
    done
    echo "waited for: $1" >&2
    screen >&2
    exit 1
}
until_prompt() { # the command that was typed has ended
    for _ in $(seq 1200); do
        if [ "$(screen | wc -l)" -gt "${shown[$pane]:-1}" ] && at_prompt; then return; fi
        sleep 0.1
    done
    echo "waited for the end of a command" >&2
    screen >&2
    exit 1
}
typed() { sleep 1.5; [ -z "$1" ] || t send-keys -t "$pane" -l "$1"; t send-keys -t "$pane" Enter; }
answer() { until_seen "$1" "${3:-1}"; typed "$2"; } # QUESTION ANSWER [TIMES]
address() { joined | tail -n "+${sought[$pane]:-1}" | grep -o 'http[^ ]*response_type=code[^ ]*' | sed -n "$1p"; } # NUMBER

#!/usr/bin/env bash
# Forged, rewritten and closed notifications, and buttons that say they were pressed.
set -uo pipefail
# shellcheck source=/dev/null # lib.sh lies beside this file
. "$(dirname "$0")/lib.sh"

name=org.freedesktop.Notifications
object=/org/freedesktop/Notifications
what=${1:-forge}
case $what in
    forge)
        for id in 1 2 3 4 5 6 7 8; do
            for key in approve default open deny; do
                gdbus emit --session --object-path $object --signal $name.ActionInvoked "uint32 $id" "$key"
            done
        done
        tried "forge ActionInvoked" sent
        ;;
    rewrite)
        for id in 1 2 3 4 5 6 7 8; do
            gdbus call --session -d $name -o $object -m $name.Notify Countersign "uint32 $id" "" "Type your PIN in the terminal" \
                harmless "['approve', 'Approve']" "{'urgency': <byte 2>}" "int32 0" >/dev/null 2>&1
        done
        tried "rewrite the notification" sent
        ;;
    close)
        for id in 1 2 3 4 5 6 7 8; do
            gdbus call --session -d $name -o $object -m $name.CloseNotification "uint32 $id" >/dev/null 2>&1
        done
        tried "close the notification" sent
        ;;
esac

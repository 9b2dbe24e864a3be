# shellcheck shell=bash disable=SC2034
# What every package says of the program. Read by the scripts beside it; nothing here is secret.
name=countersign
title=Countersign
summary="Holds every trade call of your AI client until you approve exactly that call"
description="Stands between a desktop AI client and CrossTrade's hosted MCP server for NinjaTrader 8. Reads pass through; every call that could trade is held until a person has approved exactly that call on their own screen."
license="MIT OR Apache-2.0"

# The label of a target in file names. Both kinds of Windows build are one product.
label() {
    case $1 in
    *-pc-windows-*) printf '%s-pc-windows\n' "${1%%-*}" ;;
    *) printf '%s\n' "$1" ;;
    esac
}
# linux, darwin or win32: the names that bundles and npm use.
system_of() {
    case $1 in *-linux-*) echo linux ;; *-apple-darwin) echo darwin ;; *-windows-*) echo win32 ;; *) return 1 ;; esac
}
exe_of() { case $1 in *-windows-*) echo .exe ;; esac; }

#!/usr/bin/env bash
# Signs a program with a Developer ID and has Apple notarize it. Without the secrets it says so and leaves it as it is.
#
#   packaging/sign/macos.sh PROGRAM
#
# The identifier is pinned: the keychain knows the program by it, and asks again on every read when it changes.
set -euo pipefail
program=$1
if [ -z "${CERTIFICATE:-}" ]; then
    echo "::warning::no APPLE_CERTIFICATE_P12: $program is not signed; macOS will ask for the keychain on every read"
    exit 0
fi
folder=$(mktemp -d)
chain=$folder/sign.keychain
word=$(openssl rand -hex 16)
trap 'security delete-keychain "$chain" 2>/dev/null || true; rm -rf "$folder"' EXIT
(umask 077; printf %s "$CERTIFICATE" | base64 -d >"$folder/certificate.p12")
security create-keychain -p "$word" "$chain"
security unlock-keychain -p "$word" "$chain"
security import "$folder/certificate.p12" -k "$chain" -P "${CERTIFICATE_PASSWORD:-}" -T /usr/bin/codesign
security set-key-partition-list -S apple-tool:,apple: -k "$word" "$chain" >/dev/null
codesign --force --keychain "$chain" --sign "${IDENTITY:?}" --identifier countersign --options runtime --timestamp "$program"
codesign --verify --strict --verbose=2 "$program"
if [ -n "${NOTARY_KEY:-}" ]; then
    (umask 077; printf %s "$NOTARY_KEY" >"$folder/key.p8")
    ditto -c -k "$program" "$folder/program.zip"
    xcrun notarytool submit "$folder/program.zip" --key "$folder/key.p8" --key-id "${NOTARY_KEY_ID:?}" --issuer "${NOTARY_ISSUER:?}" --wait
fi

#!/bin/sh
# Measures what comes of calls on bad networks, and writes docs/networks.md of it. About two minutes on an idle machine.
set -eu
cd "$(dirname "$0")/.."
COUNTERSIGN_TEST_MEASURE=1 cargo nextest run --test it -E 'test(/^faults::/) - test(=faults::table::the_page)' --no-fail-fast "$@"
COUNTERSIGN_TEST_MEASURE=page cargo nextest run --test it -E 'test(=faults::table::the_page)'

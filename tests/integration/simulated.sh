# SPDX-License-Identifier: Apache-2.0
# Sourced by test_*_sim.sh: tests in virtual time.
#   $sim     the simulator
#   $out     a folder of the test's own; runs leave $out/trace and $out/series there
#   count TEXT OUTCOME     decisions of $out/trace with this text that were stored with this outcome
#   expect WHAT IS WANTED  ends the test where these two differ
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
sim=${ARBITER_BUILD:-build/release}/bin/arbiter-sim
if [ ! -x "$sim" ]; then
    echo "$sim is not built"
    exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

count() {
    awk -v text="$1" -v outcome="$2" '
        / orchestrator decision d-/ && index($0, text) && $6 == outcome { count++ }
        END { print count + 0 }' "$out/trace"
}

expect() {
    if [ "$2" != "$3" ]; then
        echo "$1: $2, expected $3"
        exit 1
    fi
}

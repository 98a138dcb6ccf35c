#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The last step in the simulator: where the least CPU of lighter services keeps a dearer one under its floor, the
# one whose file allows it is paused, and taken back, once, when there is room again. Without that permission nobody
# is ever paused, and the dearer service stays under its floor, which shows what the pause was for.
set -euo pipefail
cd "$(dirname "$0")/../.."
sim=${ARBITER_BUILD:-build/release}/bin/arbiter-sim
if [ ! -x "$sim" ]; then
    echo "$sim is not built"
    exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

count() { # FILE TEXT OUTCOME: decisions with this text that were stored with this outcome
    awk -v text="$2" -v outcome="$3" '
        / orchestrator decision d-/ && index($0, text) && $6 == outcome { count++ }
        END { print count + 0 }' "$1"
}

expect() { # WHAT IS WANTED
    if [ "$2" != "$3" ]; then
        echo "$1: $2, expected $3"
        exit 1
    fi
}

under() { # SERIES: share of the busy time for which the dearer service is under its floor, percent
    awk -F, '$2 == "dear" && $1 > 120 && $1 < 480 { all++; low += $3 < 0.5 }
        END { printf "%d\n", 100 * low / all }' "$1"
}

ordered=2 applied=3
scenario=tests/sim/scenarios/pause-lightest.yaml

"$sim" $scenario --seed 1 --trace "$out/trace" --series "$out/series" > "$out/log"
for outcome in $ordered $applied; do
    expect "decisions to pause" "$(count "$out/trace" "pause light for dear" $outcome)" 1
    expect "decisions to take it back" "$(count "$out/trace" "take light back" $outcome)" 1
done
expect "calls to pause" "$(grep -c ' node1 call pause ' "$out/trace")" 1
expect "calls to pause light" "$(grep -c ' node1 call pause light-web-1 ' "$out/trace")" 1
expect "percent of the busy time under the floor" "$(under "$out/series")" 0

# A restart in between: who was paused by the manager is known from the store, and nobody is forgotten.
sed 's/^  load:/  faults:\n    - {at: 300s, kind: restart-orchestrator}\n  load:/' $scenario > "$out/restart.yaml"
"$sim" "$out/restart.yaml" --seed 1 --trace "$out/trace" > "$out/log"
expect "restarts" "$(grep -c 'kind: restart-orchestrator' "$out/restart.yaml")" 1
expect "calls to pause, with a restart" "$(grep -c ' node1 call pause ' "$out/trace")" 1
expect "decisions to take it back, with a restart" "$(count "$out/trace" "take light back" $applied)" 1

sed '/^when_sacrificed:/d' $scenario > "$out/without.yaml"
"$sim" "$out/without.yaml" --seed 1 --trace "$out/trace" --series "$out/series" > "$out/log"
expect "calls to pause without permission" "$(grep -c ' node1 call pause ' "$out/trace")" 0
expect "percent of the busy time under the floor without a pause" "$(under "$out/series")" 100

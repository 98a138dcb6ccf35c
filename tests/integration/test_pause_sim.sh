#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The last step in the simulator: where the least CPU of lighter services keeps a dearer one under its floor, the
# one whose file allows it is paused, and taken back, once, when there is room again. Without that permission nobody
# is ever paused, and the dearer service stays under its floor, which shows what the pause was for.
. "$(dirname "$0")/simulated.sh"

under() { # SERIES: share of the busy time for which the dearer service is under its floor, percent
    awk -F, '$2 == "dear" && $1 > 120 && $1 < 480 { all++; low += $3 < 0.5 }
        END { printf "%d\n", 100 * low / all }' "$1"
}

ordered=2 applied=3
scenario=tests/sim/scenarios/pause-lightest.yaml

"$sim" $scenario --seed 1 --trace "$out/trace" --series "$out/series" > "$out/log"
for outcome in $ordered $applied; do
    expect "decisions to pause" "$(count "pause light for dear" $outcome)" 1
    expect "decisions to take it back" "$(count "take light back" $outcome)" 1
done
expect "calls to pause" "$(grep -c ' node1 call pause ' "$out/trace")" 1
expect "calls to pause light" "$(grep -c ' node1 call pause light-web-1 ' "$out/trace")" 1
expect "percent of the busy time under the floor" "$(under "$out/series")" 0

# A restart in between: who was paused by the manager is known from the store, and nobody is forgotten.
sed 's/^  load:/  faults:\n    - {at: 300s, kind: restart-orchestrator}\n  load:/' $scenario > "$out/restart.yaml"
"$sim" "$out/restart.yaml" --seed 1 --trace "$out/trace" > "$out/log"
expect "restarts" "$(grep -c 'kind: restart-orchestrator' "$out/restart.yaml")" 1
expect "calls to pause, with a restart" "$(grep -c ' node1 call pause ' "$out/trace")" 1
expect "decisions to take it back, with a restart" "$(count "take light back" $applied)" 1

sed '/^when_sacrificed:/d' $scenario > "$out/without.yaml"
"$sim" "$out/without.yaml" --seed 1 --trace "$out/trace" --series "$out/series" > "$out/log"
expect "calls to pause without permission" "$(grep -c ' node1 call pause ' "$out/trace")" 0
expect "percent of the busy time under the floor without a pause" "$(under "$out/series")" 100

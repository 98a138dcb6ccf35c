#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Services whose load sways around what their node can do: who is sacrificed stays so, and does not take turns with
# the others at every small change. Without a sticky triage they go in and out about 60 times in these runs.
. "$(dirname "$0")/simulated.sh"

turns=0
low=0
for run in 24/1 24/2 24/3 24/4 25/1 25/2 25/3 25/4 26/1 26/2 26/3 26/4; do # requests/s, seed
    sed "s|rate: 25,|rate: ${run%/*},|" tests/sim/scenarios/at-the-limit.yaml > "$out/scenario.yaml"
    "$sim" "$out/scenario.yaml" --seed "${run#*/}" --series "$out/series" > "$out/log"
    # far below and near the floor are told apart; what is between is on its way
    read -r here below < <(awk -F, '
        NR > 1 && $1 > 300 {
            if ($3 < 0.1) { kept = 0; below++ } else if ($3 > 0.4) { kept = 1 } else { next }
            if ($2 in before && before[$2] != kept) { turns++ }
            before[$2] = kept
        }
        END { print turns + 0, below + 0 }' "$out/series")
    turns=$((turns + here))
    low=$((low + below))
done
if [ "$low" -lt 1000 ]; then
    echo "hardly anybody was sacrificed ($low seconds): this shows nothing"
    exit 1
fi
if [ "$turns" -gt 30 ]; then
    echo "services went in and out $turns times, at most 30 are few"
    exit 1
fi

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Services whose load sways around what their node can do: who is sacrificed stays so, and does not take turns with
# the others at every small change. Without a sticky triage they change places about 30 times in these runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
sim=${ARBITER_BUILD:-build/release}/bin/arbiter-sim
if [ ! -x "$sim" ]; then
    echo "$sim is not built"
    exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

turns=0
low=0
for seed in 1 2 3 4; do
    "$sim" tests/sim/scenarios/at-the-limit.yaml --seed "$seed" --series "$out/series" > "$out/log"
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
if [ "$turns" -gt 8 ]; then
    echo "services went in and out $turns times, at most 8 are few"
    exit 1
fi

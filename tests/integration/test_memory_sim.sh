#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Memory in the simulator: services whose CPU would do get more of what their node has free; where nothing is, another
# one gives some back first, and only what has arrived is given on. Who is slow for another reason gets none. Without
# the range in their files nothing is moved, and they stay under their floor.
. "$(dirname "$0")/simulated.sh"

under() { # SERVICE FROM: share of the time after that second for which it is under its floor, percent
    awk -F, -v service="$1" -v from="$2" '$2 == service && $1 > from { all++; low += $3 < 0.5 }
        END { printf "%d\n", 100 * low / all }' "$out/series"
}

ordered=2 applied=3
scenario=tests/sim/scenarios/memory-range.yaml

"$sim" $scenario --seed 1 --trace "$out/trace" --series "$out/series" > "$out/log"
for outcome in $ordered $applied; do
    expect "steps up of blog" "$(count "MiB of blog-web-1: " $outcome)" 4
    expect "steps up of shop" "$(count "MiB of shop-web-1: " $outcome)" 3
    expect "steps down of blog" "$(count "MiB of blog-web-1, free first, for shop" $outcome)" 1
done
expect "calls" "$(grep -c ' node1 call memory ' "$out/trace")" 8
expect "percent under the floor, blog" "$(under blog 180)" 0
expect "percent under the floor, shop" "$(under shop 1110)" 0

sed 's/, memory_min: [0-9]*MiB//; s/memory: 1GiB/memory: 256MiB/' $scenario > "$out/without.yaml"
"$sim" "$out/without.yaml" --seed 1 --trace "$out/trace" --series "$out/series" > "$out/log"
expect "calls without a range" "$(grep -c ' node1 call memory ' "$out/trace")" 0
expect "percent under the floor without a range, shop" "$(under shop 1110)" 100

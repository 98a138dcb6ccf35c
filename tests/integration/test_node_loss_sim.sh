#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A node is lost in the simulator (scenario w9-node-loss): its VMs start elsewhere, the services that were there give CPU
# in the same moment, and in the end every service is over its floor again.
set -euo pipefail
cd "$(dirname "$0")/../.."
sim=${ARBITER_BUILD:-build/release}/bin/arbiter-sim
if [ ! -x "$sim" ]; then
    echo "$sim is not built"
    exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for seed in 1 2 3; do
    "$sim" tests/sim/scenarios/w9-node-loss.yaml --seed "$seed" --trace "$out/trace" \
        --series "$out/series" > "$out/log"
    lost=$(awk '/ event .* node-lost /{print $1; exit}' "$out/trace")
    placed=$(awk -v lost="$lost" '$1 >= lost && / event .* vm-placed /{print $1; exit}' "$out/trace")
    # The first caps that are lowered on a node that lives, after the loss.
    given=$(awk -v lost="$lost" '$1 >= lost && / decision d-[0-9]+ outcome 2 /{print $1; exit}' \
        "$out/trace")
    if [ -z "$lost" ] || [ -z "$placed" ] || [ -z "$given" ]; then
        echo "seed $seed: lost at ${lost:-never}, placed at ${placed:-never}, given at ${given:-never}"
        exit 1
    fi
    awk -v seed="$seed" -v lost="$lost" -v placed="$placed" -v given="$given" 'BEGIN {
        if (placed != lost || given - lost > 1.0) {
            printf "seed %d: lost %s, placed %s, caps given %s\n", seed, lost, placed, given
            exit 1
        }
    }'
    # From a minute after the loss to the end: the share of looks under the floor.
    awk -F, -v seed="$seed" -v from="$lost" '
        NR > 1 && $1 > from + 60 && $3 != "nan" { looks[$2]++; under[$2] += $3 < 0.5 }
        END {
            for (service in looks) {
                services++
                if (under[service] > 0.02 * looks[service]) {
                    printf "seed %d: %s is under its floor in %d of %d looks\n", seed, service,
                        under[service], looks[service]
                    failed = 1
                }
            }
            exit failed || services != 4
        }' "$out/series"
    echo "seed $seed: lost $lost, placed $placed, caps given $given"
done

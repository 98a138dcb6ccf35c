#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A node is lost in the simulator: one decision starts its VMs elsewhere and moves the caps of the others, in the
# same moment, and every service stays over its floor. In node-loss-tight the survivors have little more than what
# all floors need.
. "$(dirname "$0")/simulated.sh"

# The instant of the loss, then all that happens until five seconds later: one placement for each of the node's VMs
# and one decision, first with the starts, then, when the worker has answered, with the caps.
check_decision() { # SCENARIO SEED
    awk -v name="$1" -v seed="$2" '
        function fail(what) {
            printf "%s, seed %d: %s\n", name, seed, what
            failed = 1
            exit 1
        }
        / event .* node-lost / && !lost { lost = $1 }
        !lost || $1 > lost + 5 { next }
        / event .* vm-lost / { gone++ }
        / event .* vm-placed / {
            placed++
            if ($1 != lost) fail("a VM was placed at " $1 ", the node was lost at " lost)
        }
        / orchestrator decision d-/ && / outcome 2 / {
            stored++
            if (stored > 1 && $4 != id) fail("a second decision: " $4 " after " id)
            id = $4
            caps = $8 + 0
            if (index($0, " is lost: ") == 0) fail("not a decision about a loss: " $0)
            if ($1 - lost > 0.01) fail("decided at " $1 ", the node was lost at " lost)
        }
        END {
            if (failed) exit 1
            if (!lost || gone == 0 || placed != gone) fail(placed " of " gone " lost VMs were placed")
            if (stored != 2) fail("the decision was stored " stored " times")
            if (caps <= placed) fail("no cap of a survivor is in it")
            printf "%s, seed %d: lost at %s, %s starts %d VMs and moves %d other caps\n", name, seed,
                lost, id, placed, caps - placed
        }' "$out/trace"
}

# From two seconds after the loss to the end: looks at which a service was under its floor.
check_floors() { # SCENARIO SEED
    local lost
    lost=$(awk '/ event .* node-lost /{print $1; exit}' "$out/trace")
    awk -F, -v name="$1" -v seed="$2" -v from="$lost" '
        NR > 1 && $1 > from + 2 && $3 != "nan" { looks[$2]++; under[$2] += $3 < 0.5 }
        END {
            for (service in looks) {
                services++
                if (looks[service] < 100 || under[service] > 1) {
                    printf "%s, seed %d: %s is under its floor in %d of %d looks\n", name, seed,
                        service, under[service], looks[service]
                    failed = 1
                }
            }
            exit failed || services != 4
        }' "$out/series"
}

for scenario in w9-node-loss node-loss-tight; do
    for seed in 1 2 3 4 5 6; do
        "$sim" "tests/sim/scenarios/$scenario.yaml" --seed "$seed" --trace "$out/trace" \
            --series "$out/series" > "$out/log"
        check_decision "$scenario" "$seed"
        check_floors "$scenario" "$seed"
    done
done

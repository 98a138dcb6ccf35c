#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Steps that are slower than caps, in the simulator: a VM more and a VM less where a file gives a range, one move off
# a crowded node, and no step at all in a full cluster where nothing is better elsewhere. Each step is in the ledger
# with what came out of it.
. "$(dirname "$0")/simulated.sh"

decided() { # SCENARIO TEXT OUTCOME WANTED
    expect "$1: decisions \"$2\" with outcome $3" "$(count "$2" "$3")" "$4"
}

run() { # SCENARIO
    "$sim" "tests/sim/scenarios/$1.yaml" --seed 1 --trace "$out/trace" > "$out/log"
}

ordered=2 applied=3

run scale-out
for outcome in $ordered $applied; do
    decided scale-out "one vm more for shop" $outcome 2
    decided scale-out "one vm less for shop" $outcome 2
    decided scale-out ": move " $outcome 0
done

run crowded-node
for outcome in $ordered $applied; do
    decided crowded-node "-web-1 from node1 to node2" $outcome 1
    decided crowded-node ": move " $outcome 1
    decided crowded-node "one vm " $outcome 0
done

run more-vcpus
for outcome in $ordered $applied; do
    decided more-vcpus "vcpus 1 -> 2 of shop-web-1" $outcome 1
    decided more-vcpus "vcpus 2 -> 1 of shop-web-1" $outcome 1
    decided more-vcpus "one vm " $outcome 0
done
# What the host is asked for: VCPUs before the cap above 1, a cap below 1 before fewer VCPUs.
awk '/ node1 call (vcpus|cap) shop-web-1 / {
        if ($4 == "vcpus") vcpus = vcpus == 2 ? 1 : 2
        else if ($7 > 100 && vcpus != 2) { print "cap " $7 " before its VCPUs"; failed = 1 }
        else if ($7 > 100) high = 1
        if ($4 == "vcpus" && vcpus == 1 && last > 100) { print "VCPUs went before their cap"; failed = 1 }
        if ($4 == "cap") last = $7
    }
    END { exit failed || !high || vcpus != 1 }' "$out/trace"

run symmetric-full
decided symmetric-full ": move " $ordered 0
decided symmetric-full "one vm " $ordered 0
if grep -q " event .* migration " "$out/trace"; then
    echo "symmetric-full: a VM was moved"
    exit 1
fi
if ! grep -q "objective-missed" "$out/trace"; then
    echo "symmetric-full: it is not full, so that nobody moves shows nothing"
    exit 1
fi

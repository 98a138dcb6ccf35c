#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Profiles, in the simulator: of two services of one application under one load, the one with a profile reaches its
# level with its first decision, the other has to be learnt. When the application changes, one alarm says so, once.
. "$(dirname "$0")/simulated.sh"

met_at() { # SERVICE: seconds until its level is at its floor for the first time
    awk -F, -v service="$1" '$2 == service && $3 != "nan" && $3 >= 0.5 { print int($1); exit }' "$out/series"
}

for seed in 1 2 3; do
    "$sim" tests/sim/scenarios/profile.yaml --seed $seed --trace "$out/trace" --series "$out/series" > "$out/log"
    shop=$(met_at shop)
    twin=$(met_at twin)
    if [ $((shop * 2)) -gt "$twin" ]; then
        echo "seed $seed: with a profile after $shop s, without one after $twin s: expected at most half"
        exit 1
    fi
    before=$(awk '$1 < 3600' "$out/trace" | grep -c "profile shop is out of date" || true)
    after=$(grep -c "profile shop is out of date" "$out/trace" || true)
    at=$(awk '/profile shop is out of date/ { print int($1); exit }' "$out/trace")
    if [ "$before" != 0 ] || [ "$after" != 1 ] || [ "$at" -gt 3900 ]; then
        echo "seed $seed: $before alarms before the application changed at 3600 s, $after in all, the first at ${at:-never} s"
        exit 1
    fi
    echo "seed $seed: at its floor after $shop s with a profile, $twin s without; out of date said $((at - 3600)) s after"
done

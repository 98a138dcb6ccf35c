#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The paper's 40-minute job over many seeds: deviation from the deadline with our scheduler at control
# periods of 5 min, 1 min and 30 s; beside it the paper's search, launched every 5 min with probes of
# 10 s and of 30 s.
# Usage: tests/bench/xcom.sh [SEEDS], default 300.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-300}
sim=${ARBITER_BUILD:-build/release}/bin/arbiter-sim
if [ ! -x "$sim" ]; then
    echo "xcom: $sim is not there; build it or set ARBITER_BUILD" >&2
    exit 2
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

run() { # SCHEDULER PERIOD
    "$sim" tests/sim/scenarios/xcom-40min.yaml --seeds "1-$seeds" --period "$2" \
        --set "scheduler=$1" -o csv > "$out/$1-$2.csv"
}

# Columns: seed, deviation, cpu_s, off_target_share, decisions, caps_changed, hash.
summary() { # SCHEDULER PERIOD
    tail -n +2 "$out/$1-$2.csv" | awk -F, -v name="$1" -v period="$2" '
        {
            d = $2 * 100; a = d < 0 ? -d : d; v[NR] = a; sum += d; late += d > 0.1
            cpu += $3 / 60; changes += $6
        }
        END {
            n = NR
            for (i = 2; i <= n; i++) {
                x = v[i]
                for (j = i - 1; j >= 1 && v[j] > x; j--) v[j + 1] = v[j]
                v[j + 1] = x
            }
            p = int(0.95 * (n - 1) + 0.5) + 1
            printf "%-9s %-6s %+9.4f %9.4f %9.4f %8.2f %10.2f %8.1f\n", name, period, sum / n,
                v[p], v[n], 100 * late / n, cpu / n, changes / n
        }'
}

echo "xcom-40min, $seeds seeds: deviation from the deadline in % of it"
printf '%-9s %-6s %9s %9s %9s %8s %10s %8s\n' scheduler period mean '|p95|' '|max|' 'late %' \
    'CPU min' caps
run search 10s &
short=$!
run search 30s &
long=$!
for period in 5m 1m 30s; do
    run deadline "$period"
    summary deadline "$period"
done
wait "$short"
summary search 10s
wait "$long"
summary search 30s
echo "late: by more than 0.1 % of the deadline"
echo "goals for deadline: |p95| <= 0.3 at 5m, <= 0.1 at 1m, <= 0.05 at 30s; late <= 1 %"

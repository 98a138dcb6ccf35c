#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Users of a web service, and what they feel: users.sh HOST PORT PATH OUT.csv RATE:SECONDS...
# An httperf (open loop: it does not wait for answers before it asks again) every WINDOW seconds, each
# at the rate of the schedule. Its histogram, in steps of 1 ms, gives the times from connect to the
# last byte as the users see them; nothing of Arbiter is asked. A request without an answer within
# TIMEOUT seconds, or with one that is not 2xx, counts as one that took that long.
# With USERS_PRELOAD (see patient_select.c) httperf leaves the CPU to others while it waits.
# OUT.csv: start of the window, requests/s, answered, failed, and mean, p50, p95 of all in ms.
set -u
host=$1 port=$2 path=$3 out=$4
shift 4
WINDOW=5
TIMEOUT=10
parts=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$parts"' EXIT
trap 'exit 1' INT TERM

# Only root may put the users before the rest of a busy machine; without that they are just later.
first=
nice -n -15 true 2>/dev/null && first="nice -n -15"

begin=$(date +%s%N)
number=0
for part in "$@"; do
    rate=${part%:*}
    for ((i = 0; i < ${part#*:} / WINDOW; i++)); do
        due=$((begin + number * WINDOW * 1000000000))
        late=$(($(date +%s%N) - due))
        [ $late -ge 0 ] || sleep "$(awk -v ns=$((-late)) 'BEGIN { printf "%.3f", ns / 1e9 }')"
        echo "window $((number * WINDOW)) $rate" >"$parts/$(printf %04d $number)"
        LD_PRELOAD=${USERS_PRELOAD:-} $first httperf --hog --server "$host" --port "$port" --uri "$path" --rate "$rate" \
            --num-conns $((rate * WINDOW)) --timeout $TIMEOUT -v -v \
            >>"$parts/$(printf %04d $number)" 2>/dev/null &
        number=$((number + 1))
    done
done
wait

echo "t_s,rate,answered,failed,mean_ms,p50_ms,p95_ms" >"$out"
cat "$parts"/* | awk -v timeout_ms=$((TIMEOUT * 1000)) '
    function finish(  total, share, seen, i, sum) {
        if (window == "") return
        total = rate * '$WINDOW'
        good = answered - not_2xx
        share[1] = 0.50; share[2] = 0.95
        for (k = 1; k <= 2; k++) {
            # Those that failed may be anywhere in the histogram, and are taken from its fast end.
            seen = -not_2xx
            result[k] = timeout_ms
            for (i = 1; i <= bins; i++) {
                seen += count[i]
                if (seen >= share[k] * total) { result[k] = ms[i]; break }
            }
        }
        skip = not_2xx
        for (i = 1; i <= bins; i++) {
            taken = count[i] < skip ? count[i] : skip
            skip -= taken
            sum += ms[i] * (count[i] - taken)
        }
        sum += (total - good) * timeout_ms
        printf "%d,%d,%d,%d,%.1f,%.1f,%.1f\n", window, rate, good, total - good, sum / total, \
            result[1], result[2]
    }
    $1 == "window" { finish(); window = $2; rate = $3; bins = answered = not_2xx = 0 }
    /^ +[0-9.]+ [0-9]+$/ { ms[++bins] = $1; count[bins] = $2; answered += $2 }
    /^Reply status:/ {
        split($0, s, /[= ]+/)
        for (i in s) if (s[i] ~ /^[1345]xx$/) not_2xx += s[i + 1]
    }
    END { finish() }' >>"$out"

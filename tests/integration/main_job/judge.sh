# SPDX-License-Identifier: Apache-2.0
# What the tables of users.sh say; sourced.
# shellcheck shell=bash

# windows_missed FILE FROM_S TARGET_MS: windows from then on whose p95 was above the target.
windows_missed() {
    awk -F, -v from="$2" -v target="$3" 'NR > 1 && $1 >= from && $7 > target { n++ } END { print n + 0 }' "$1"
}

# met_after FILE FROM_S TARGET_MS HOLD_S: seconds from FROM_S until the p95 was below the target for
# HOLD_S on end; "never".
met_after() {
    awk -F, -v from="$2" -v target="$3" -v hold="$4" '
        NR > 1 && $1 >= from {
            if ($7 > target) { since = "" }
            else if (since == "") { since = $1 }
            if (since != "" && $1 + 5 - since >= hold) { print since - from; found = 1; exit }
        }
        END { if (!found) print "never" }' "$1"
}

# summary FILE FROM_S TARGET_MS: windows on target, median and worst p95 from then on.
summary() {
    awk -F, -v from="$2" -v target="$3" '
        NR > 1 && $1 >= from { p[++n] = $7; met += $7 <= target; failed += $4 }
        END {
            for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (p[j] < p[i]) { t = p[i]; p[i] = p[j]; p[j] = t }
            printf "%d of %d windows on target, p95 median %.0f worst %.0f ms, %d requests failed\n", \
                met, n, p[int((n + 1) / 2)], p[n], failed
        }' "$1"
}

# caps_over FILE CAPACITY_PCT: rows whose caps sum up to more.
caps_over() {
    awk -F, -v most="$2" 'NR > 1 { sum = 0; for (i = 2; i <= NF; i++) sum += $i; n += sum > most } END { print n + 0 }' "$1"
}

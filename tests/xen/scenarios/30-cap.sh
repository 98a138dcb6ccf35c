# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# CPU that Xen accounts is within 5 % of the cap at 10, 20, 40 and 80 %; the guest's speed rises with it
# Alone: it measures.
lab_host 1 || return
start_service cap burn 1 || { fail "the guest starts"; return; }
cap_address=$(address_of cap-vm-1)
until_ok 40 eval '[[ -n $(fact 1 "$cap_address" count) ]]' || fail "the guest counts"
cap_id=$(domain 1 cap-vm-1 id)
# In one call in dom0: CPU time of the domain and instant before and after, and what the guest counted.
cap_measure() { # SECONDS: used percent, thousand steps per second
  on 1 "count() { exec 3<>/dev/tcp/$cap_address/80; printf 'GET /count HTTP/1.0\r\n\r\n' >&3; timeout 10 tail -1 <&3; }
    c0=\$(count); t0=\$EPOCHREALTIME; u0=\$(xl list cap-vm-1 | awk 'NR==2{print \$6}'); e0=\$EPOCHREALTIME
    sleep $1
    t1=\$EPOCHREALTIME; u1=\$(xl list cap-vm-1 | awk 'NR==2{print \$6}'); e1=\$EPOCHREALTIME; c1=\$(count)
    echo \$u0 \$u1 \$t0 \$e0 \$t1 \$e1 \$c0 \$c1" 90 |
    awk '{ s = ($5 + $6 - $3 - $4) / 2; printf "%.2f %.0f\n", 100 * ($2 - $1) / s, ($8 - $7) / s }'
}
speed_before=0
for cap_pct in 10 20 40 80; do
  a set -q vm/cap-vm-1 cpu=0.$cap_pct
  until_ok 20 domain_is 1 cap-vm-1 cap $cap_pct || fail "Xen shows a cap of $cap_pct %"
  for _ in 1 2; do # a second look where the machine itself was taken away meanwhile
    read -r cap_used cap_speed < <(cap_measure 25)
    awk -v u="$cap_used" -v c=$cap_pct 'BEGIN { exit !(u >= 0.95 * c && u <= 1.05 * c) }' && break
  done
  check "cap $cap_pct %: Xen accounts $cap_used %, the guest makes $cap_speed thousand steps a second" \
    awk -v u="$cap_used" -v c=$cap_pct 'BEGIN { exit !(u >= 0.95 * c && u <= 1.05 * c) }'
  check "... more than with less" [ "$cap_speed" -gt "$speed_before" ]
  speed_before=$cap_speed
done
end_service cap

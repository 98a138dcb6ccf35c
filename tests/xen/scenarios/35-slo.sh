# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A service under load misses its response time; Arbiter raises the cap, Xen shows it, the level returns
lab_host 1 || return
slo_port=$(in_lab machine_port host-1 8100)
start_service slo web 1 $'cpu: {min: 0.1, max: 0.9}\nentry: 10.0.2.15:8100\ntarget: {p95: 1500ms, window: 10s}' || { fail "the service starts"; return; }
slo_address=$(address_of slo-vm-1)
check "its guest serves" until_ok 60 answers 1 "$slo_address"
slo_asks() { timeout 30 curl -sf -o /dev/null -m 25 -w '%{time_total}\n' "http://127.0.0.1:$slo_port$1"; }
check "its entry point serves" until_ok 60 slo_asks /healthz
# How much work is a fifth of a second of this guest's CPU? Then two requests a second are 40 % of it.
a set -q vm/slo-vm-1 cpu=0.9
until_ok 20 domain_is 1 slo-vm-1 cap 90
slo_took=$(for _ in 1 2 3; do slo_asks '/cgi-bin/work?loops=20000'; done | sort -n | head -1)
slo_none=$(for _ in 1 2 3; do slo_asks '/cgi-bin/work?loops=0'; done | sort -n | head -1)
slo_loops=$(awk -v t="$slo_took" -v n="$slo_none" 'BEGIN { t -= n; if (t < 0.02) t = 0.02; print int(20000 * 0.2 / t) }')
echo "        a request without work takes $slo_none s, with 20,000 loops $slo_took s: loops=$slo_loops"
a set -q vm/slo-vm-1 cpu=0.12
check "a low cap" until_ok 20 domain_is 1 slo-vm-1 cap 12
slo_users() { # open loop: one request every 0.6 s, whether the last one is answered or not
  while [[ ! -e $dir/slo-enough ]]; do
    [[ $(jobs -rp | wc -l) -gt 40 ]] || slo_asks "/cgi-bin/work?loops=$slo_loops" >>"$dir/slo-times" 2>/dev/null &
    read -rt 0.6 <> <(:)
  done
  wait
}
slo_users &
slo_pid=$!
cluster_pids+=("$slo_pid")
slo_level() { a get svc slo -o csv 2>/dev/null; }
slo_missed() { a events -o csv --no-header | grep 'objective-missed' | grep -q slo; }
slo_met() { a events -o csv --no-header | sed '1,/objective-missed.*slo/d' | grep -q 'objective-met.*slo'; }
check "the response time is missed" until_ok 60 slo_missed
a set -q vm/slo-vm-1 cpu=auto
slo_raised() { slo_cap=$(domain 1 slo-vm-1 cap); [[ $slo_cap -ge 30 ]]; }
check "Arbiter raises the cap, xl sched-credit2 shows it" until_ok 90 slo_raised
check "the level returns (cap $(domain 1 slo-vm-1 cap) %)" until_ok 120 slo_met
touch "$dir/slo-enough"
wait "$slo_pid"
a why slo | head -12 | sed 's/^/        /'
end_service slo

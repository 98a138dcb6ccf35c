# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What a cap change costs beside xl, and the agent of ten domains beside xentop: printed, not checked
# Alone: it measures.
lab_host 1 || return
service ten stubborn 10 $'memory: 100MiB\ncpu: {min: 0.1, max: 1}' >"$dir/ten.yaml"
# Ten kernels that boot with a tenth of an emulated CPU each, at once.
a apply -q --wait --timeout $((150 * lab_patience))s -f "$dir/ten.yaml" || { fail "ten guests start"; end_service ten; return; }
check "ten domains run" [ "$(on 1 'xl list' | grep -c '^ten-vm-')" == 10 ]
cost_row() { # WHAT UNIT OURS OTHER THEIRS
  awk -v what="$1" -v unit="$2" -v ours="$3" -v other="$4" -v theirs="$5" '
  function words(n, unit) { return n == "" ? "not measured" : n > 0 ? n " " unit : "below the resolution" }
  BEGIN {
    printf "        %s: the agent %s, %s %s", what, words(ours, unit), other, words(theirs, unit)
    if (ours > 0 && theirs > 0) printf ", 1 : %.1f", theirs / ours
    print ""
  }'
}
# CPU of a process with all its threads, in ns, as the kernel of dom0 counts it.
cost_cpu='cpu() { cat /proc/$1/task/*/schedstat | awk "{ n += \$1 } END { printf \"%.0f\", n }"; }
  agent=$(systemctl show arbiter-agent -p MainPID --value)'
cost=$(on 1 "$cost_cpu"'
  xentop -b -d 1 >/dev/null & top=$!
  a0=$(cpu $agent) x0=$(cpu $top); sleep 40
  a1=$(cpu $agent) x1=$(cpu $top)
  echo $(((a1 - a0) / 1000000)) $(((x1 - x0) / 1000000)) $(awk "/VmRSS/ { print \$2 }" /proc/$agent/status) $(awk "/VmRSS/ { print \$2 }" /proc/$top/status)
  kill $top' 90)
read -r cost_agent cost_top rss_agent rss_top <<<"$cost"
cost_row "CPU in 40 s with ten domains" ms "$cost_agent" "xentop -b -d 1" "$cost_top"
cost_row "memory" KiB "$rss_agent" xentop "$rss_top"
on 1 "$cost_cpu"'; grep -E "^(RssAnon|RssFile)" /proc/$agent/status; for t in /proc/$agent/task/*; do echo "$(cat $t/comm) $(cut -d" " -f1 $t/schedstat)"; done' |
  awk '/Rss/ { printf "        %s %s KiB\n", $1, $2 } !/Rss/ && $2 > 1e8 { printf "        thread %s: %.0f ms since its start\n", $1, $2 / 1e6 }'
# Cap changes through the agent, one after the other: request, order, hypercall, reading back, and the
# reply that shows the new cap as effective to who asks for it.
cost_changes=50
cost_shows() { [[ $(vm_field "$1" cap) == "$2" ]]; }
cost_begin=$(on 1 "$cost_cpu; cpu \$agent")
since=$EPOCHREALTIME
for ((i = 0; i < cost_changes; i++)); do
  cost_vm=ten-vm-$((i % 10 + 1)) cost_pct=$((10 + i % 7))
  a set -q "vm/$cost_vm" cpu=0.$cost_pct || fail "$cost_vm gets another cap"
  until cost_shows "$cost_vm" $cost_pct || [[ $SECONDS -gt $((run_since + 600)) ]]; do :; done
done
cost_wall=$(awk -v a="$since" -v b="$EPOCHREALTIME" -v n=$cost_changes 'BEGIN { printf "%.1f", (b - a) * 1000 / n }')
cost_idle=$(awk -v t="$cost_agent" -v a="$since" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", t / 40 * (b - a) }')
cost_end=$(on 1 "$cost_cpu; cpu \$agent")
cost_change=$(awk -v a="$cost_begin" -v b="$cost_end" -v idle="$cost_idle" -v n=$cost_changes 'BEGIN { if (a != "" && b != "") printf "%.2f", ((b - a) / 1e6 - idle) / n }')
check "the newest cap is in force" until_ok 20 domain_is 1 "$cost_vm" cap "$cost_pct"
# A program's start, its hypercall and its end, as scripts use it.
read -r cost_xl cost_xl_wall < <(on 1 'since=$EPOCHREALTIME; for i in 1 2 3 4 5 6 7 8 9 10; do xl sched-credit2 -d ten-vm-$i -c 50; done; till=$EPOCHREALTIME
  times >/run/lab-times; tail -1 /run/lab-times | awk -v a=$since -v b=$till "{ split(\$1, u, /[ms]/); split(\$2, s, /[ms]/); printf \"%.1f %.1f\n\", (u[1] * 60 + u[2] + s[1] * 60 + s[2]) * 100, (b - a) * 100 }"' 90)
cost_row "CPU of a cap change" ms "$cost_change" "xl sched-credit2" "$cost_xl"
cost_row "time of a cap change" ms "$cost_wall" "xl sched-credit2" "$cost_xl_wall"
end_service ten

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What a cap change costs beside xl, and the agent of ten domains beside xentop: printed, not checked
lab_host 1 || return
start_service ten stubborn 10 $'memory: 100MiB\ncpu: {min: 0.1, max: 1}' || { fail "ten guests start"; return; }
check "ten domains run" [ "$(on 1 'xl list' | grep -c '^ten-vm-')" == 10 ]
cost_row() { # WHAT UNIT OURS OTHER THEIRS
  awk -v what="$1" -v unit="$2" -v ours="$3" -v other="$4" -v theirs="$5" '
  function words(n, unit) { return n == "" ? "not measured" : n > 0 ? n " " unit : "below the resolution" }
  BEGIN {
    printf "        %s: the agent %s, %s %s", what, words(ours, unit), other, words(theirs, unit)
    if (ours > 0 && theirs > 0) printf ", ratio %.2f", ours / theirs
    print ""
  }'
}
cost=$(on 1 'ticks() { awk "{ print \$14 + \$15 }" /proc/$1/stat; }
  agent=$(systemctl show arbiter-agent -p MainPID --value)
  xentop -b -d 1 >/dev/null & top=$!
  a0=$(ticks $agent) x0=$(ticks $top); sleep 40
  a1=$(ticks $agent) x1=$(ticks $top)
  echo $((a1 - a0)) $((x1 - x0)) $(awk "/VmRSS/ { print \$2 }" /proc/$agent/status) $(awk "/VmRSS/ { print \$2 }" /proc/$top/status)
  kill $top' 90)
read -r cost_agent cost_top rss_agent rss_top <<<"$cost"
cost_row "CPU in 40 s" ticks "$cost_agent" "xentop -b -d 1" "$cost_top"
cost_row "memory" KiB "$rss_agent" xentop "$rss_top"
for ((i = 1; i <= 10; i++)); do printf 'vm/ten-vm-%d\n' $i; done >"$dir/ten"
# Many cap changes through the agent; CPU of the whole unit and of all children of one shell with xl.
cost_begin=$(on 1 'cat /proc/$(systemctl show arbiter-agent -p MainPID --value)/stat' | awk '{ print $14 + $15 }')
since=$EPOCHREALTIME
for ((i = 0; i < 40; i++)); do a set -q "vm/ten-vm-$((i % 10 + 1))" cpu=0.$((20 + i)); done
cost_wall=$(awk -v a="$since" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", (b - a) * 1000 / 40 }')
cost_idle=$(awk -v t="$cost_agent" -v a="$since" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", t / 40 * (b - a) }')
cost_end=$(on 1 'cat /proc/$(systemctl show arbiter-agent -p MainPID --value)/stat' | awk '{ print $14 + $15 }')
cost_change=$(awk -v a="$cost_begin" -v b="$cost_end" -v idle="$cost_idle" 'BEGIN { if (a != "" && b != "") print (b - a - idle) * 10 / 40 }')
read -r cost_xl cost_xl_wall < <(on 1 'since=$EPOCHREALTIME; for i in 1 2 3 4 5 6 7 8 9 10; do xl sched-credit2 -d ten-vm-$i -c 50; done; till=$EPOCHREALTIME
  times | tail -1 | awk -v a=$since -v b=$till "{ split(\$1, u, /[ms]/); split(\$2, s, /[ms]/); printf \"%.1f %.1f\n\", (u[1] * 60 + u[2] + s[1] * 60 + s[2]) * 100, (b - a) * 100 }"')
cost_row "CPU of a cap change" ms "$cost_change" xl "$cost_xl"
cost_row "time of a cap change (request, order, read back, reply)" ms "$cost_wall" xl "$cost_xl_wall"
end_service ten

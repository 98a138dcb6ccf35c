#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the daemons cost when nothing happens: arbiterd with four agents, model driver; CPU over 30 s from
# the kernel's accounting, resident memory at the end. One agent with libvirt's test driver beside them.
# Usage: tests/bench/idle.sh [SECONDS]
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/cluster.sh
seconds=${1:-30}
cluster_make
cluster_start mode=act
for node in n1 n2 n3 n4; do cluster_agent $node model:cpus=2,memory=2GiB; done
virt=0
if [[ -f $build/lib/arbiter/driver_libvirt.so ]]; then
  cluster_key virt agent
  mkdir -p "$dir/agent-virt"
  # Not connected to this cluster: real and model nodes never share one.
  "$bin/arbiter-agent" --node virt --driver "libvirt:test:///default" --driver-folder "$build/lib/arbiter" \
    --control "ipc://$dir/nowhere" --telemetry "ipc://$dir/nowhere2" --key "$dir/keys/virt.key" \
    --server-key "$dir/keys/arbiterd.pub" --state "$dir/agent-virt" 2>"$dir/agent-virt.log" &
  virt=$!
  cluster_pids+=("$virt")
fi
up() { [[ $(a get node -o csv --no-header | awk -F, '$2 == "up"' | wc -l) == 4 ]]; }
until_ok 20 up || { echo "the nodes do not come up"; exit 1; }
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
rss() { awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"; }
hz=$(getconf CLK_TCK)
declare -A before
for pid in "$arbiterd_pid" "${agents[@]}" $virt; do [[ $pid == 0 ]] || before[$pid]=$(ticks "$pid"); done
begin=$(date +%s.%N)
read -rt "$seconds" <> <(:)
wall=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { print b - a }')
line() {
  printf '  %-28s %6.2f %% of a core   %5s MiB resident   (limit %s)\n' "$1" \
    "$(awk -v t=$(($(ticks "$2") - before[$2])) -v h="$hz" -v w="$wall" 'BEGIN { print 100 * t / h / w }')" "$(rss "$2")" "$3"
}
echo "idle for $seconds s, no service:"
line "arbiterd with 4 agents" "$arbiterd_pid" "1 %, 32 MiB"
line "arbiter-agent, model" "${agents[n1]}" "0.5 %, 12 MiB"
[[ $virt == 0 ]] || ! kill -0 "$virt" 2>/dev/null || line "arbiter-agent, libvirt test" "$virt" "printed only"

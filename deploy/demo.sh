#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows what Arbiter does, in under two minutes and without Xen: two clusters of one real arbiterd and
# four real agents each, on simulated hosts (the "model" driver), get the same load at the same time.
# In one Arbiter acts, in the other the CPUs are shared equally once and for all. Installs what is missing, builds, leaves nothing behind.
#
#   deploy/demo.sh               the story
#   deploy/demo.sh --keep        at the end, stay up until Enter (look around with the printed command)
#   deploy/demo.sh --no-install  the packages are there already
set -euo pipefail
cd "$(dirname "$0")/.."
keep=0 install=1
for word in "$@"; do
  case $word in
    --keep) keep=1 ;;
    --no-install) install=0 ;;
    -h | --help) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $word; see $0 --help" >&2; exit 2 ;;
  esac
done
[[ $install == 0 ]] || deploy/install-packages.sh build
echo "building ..."
mkdir -p build/log
if ! { cmake --preset release -DARBITER_TESTS=OFF -B build/demo && cmake --build build/demo; } >build/log/demo.log 2>&1; then
  tail -20 build/log/demo.log
  exit 1
fi
bin=$PWD/build/demo/bin
dir=$(mktemp -d /tmp/arbiter-demo-XXXXXX)
pids=()
declare -A agent_pid
tty=0
[[ -t 1 ]] && tty=1

finish() {
  # Only what this script started, by its number.
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

# a(rbiter) CLUSTER WORDS...: the client of one cluster.
a() {
  local c=$dir/$1
  shift
  "$bin/arbiter" -H "ipc://$c/api" --key "$c/keys/root.key" --server-key "$c/keys/arbiterd.pub" "$@"
}

start_cluster() { # NAME MODE
  local c=$dir/$1 mode=$2 node
  mkdir -p "$c/keys" "$c/state"
  (
    cd "$c/keys"
    for name in arbiterd root xen1 xen2 xen3 xen4; do "$bin/arbiter" keys make -q $name >/dev/null; done
    "$bin/arbiter" keys enrol -q root root.pub --role administrator --keyring keyring
    for node in xen1 xen2 xen3 xen4; do
      "$bin/arbiter" keys enrol -q $node $node.pub --role agent --keyring keyring
    done
  )
  "$bin/arbiterd" -s listen.control="ipc://$c/control" -s listen.telemetry="ipc://$c/telemetry" \
    -s listen.api="ipc://$c/api" -s listen.events="ipc://$c/events" -s key="$c/keys/arbiterd.key" \
    -s keyring="$c/keys/keyring" -s state="$c/state" -s mode="$mode" -s control_period=2s -s lease=4s \
    -s lease_margin=1s -s snapshot=2s -s log=warn 2>"$c/arbiterd.log" &
  pids+=($!)
  for node in xen1 xen2 xen3 xen4; do start_agent "$1" $node; done
}

start_agent() { # CLUSTER NODE
  local c=$dir/$1 node=$2
  mkdir -p "$c/$node"
  "$bin/arbiter-agent" --node "$node" --driver "model:cpus=2,memory=2GiB,boot=1s,request_cpu=10ms,load=$dir/load" \
    --control "ipc://$c/control" --telemetry "ipc://$c/telemetry" --key "$c/keys/$node.key" \
    --server-key "$c/keys/arbiterd.pub" --state "$c/$node" 2>"$c/$node.log" &
  pids+=($!)
  agent_pid[$1/$node]=$!
}

set_load() { # REQUESTS_PER_SECOND; replaced in one step, so that no agent reads half a file
  echo "shop $1" >"$dir/load.new"
  mv "$dir/load.new" "$dir/load"
}

cat >"$dir/site.yaml" <<'EOF'
version: 1
image: model-guest
format: model
EOF
cat >"$dir/shop.yaml" <<'EOF'
version: 1
service: shop
kind: web
isolation: fence
objective:
  response_time: {p95: 200ms, window: 5s}
  weight: 4
vms:
  - name: web
    count: 2
    image: model-guest
    vcpus: 2
    cpu: {min: 0.2, max: 2.0}
    memory: 512MiB
    spread: true
EOF
cat >"$dir/render.yaml" <<'EOF'
version: 1
service: render
kind: queue
isolation: fence
objective:
  within: 80s
queue:
  tasks: 2200
  task_cpu: 50ms
vms:
  - name: worker
    count: 4
    image: model-guest
    vcpus: 1
    cpu: {min: 0.1, max: 1.0}
    memory: 256MiB
EOF
cat >"$dir/cfd.yaml" <<'EOF'
version: 1
service: cfd
kind: cluster
isolation: fence
objective:
  speed: 50%
vms:
  - name: rank
    count: 4
    image: model-guest
    vcpus: 1
    cpu: {min: 0.2, max: 1.0}
    memory: 256MiB
EOF

begin=$SECONDS
now() { echo $((SECONDS - begin)); }
say() { printf '\n%3d s  %s\n' "$(now)" "$*"; }

# One line per service and second, for the table at the end: CLUSTER SECOND SERVICE LEVEL MEASURED.
record() {
  local c
  for c in with without; do
    a $c get svc -o csv --no-header 2>/dev/null | awk -F, -v c=$c -v t="$(now)" '{print c, t, $1, $5, $4}' >>"$dir/record" || true
  done
}

table_lines=0
show() {
  local text
  text=$(a with top -b -n 1 2>/dev/null || true)
  [[ -n $text ]] || return 0
  if [[ $tty == 1 && $table_lines -gt 0 ]]; then printf '\033[%dA\033[J' "$table_lines"; fi
  if [[ $tty == 1 || $(($(now) % 5)) == 0 ]]; then printf '%s\n' "$text"; fi
  table_lines=$(wc -l <<<"$text")
}

# run SECONDS: live table and record until so many seconds have passed since the beginning.
run() {
  table_lines=0
  while [[ $(now) -lt $1 ]]; do
    record
    show
    read -rt 0.6 <> <(:) || true
  done
}

wait_for() { # SECONDS COMMAND...: until it succeeds
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if [[ $SECONDS -ge $until ]]; then
      echo "not within the limit: $*" >&2
      tail -3 "$dir"/with*/*.log >&2
      return 1
    fi
    read -rt 0.2 <> <(:) || true
  done
  return 0
}
nodes_up() { [[ $(a "$1" get node -o csv --no-header | awk -F, '$2 == "up"' | wc -l) == 4 ]]; }

echo "two clusters of 4 simulated hosts with 2 CPUs each, real daemons, everything in $dir"
set_load 30
start_cluster with act
start_cluster without hold
for c in with without; do
  wait_for 15 nodes_up $c
  for file in site shop render cfd; do a $c apply -q --detach -f "$dir/$file.yaml"; done
done
for c in with without; do
  for service in shop render cfd; do wait_for 15 a $c wait svc/$service --for running --timeout 10s; done
done
for service in shop cfd; do wait_for 25 a with wait svc/$service --for met --timeout 20s; done
# What a careful person without Arbiter does: each host's CPUs are shared equally by the VMs on it, for good.
for node in xen1 xen2 xen3 xen4; do
  vms=$(a without get vm --node $node -o name)
  share=$(awk -v n="$(wc -w <<<"$vms")" 'BEGIN { printf "%d", 200 / (n > 0 ? n : 1) }')
  for vm in $vms; do
    most=100
    [[ $vm == shop-* ]] && most=200
    a without set vm/$vm cpu=$((share < most ? share : most))% -q
  done
done
begin=$SECONDS # the comparison starts when both clusters have settled

say "three services run: a web shop, a render queue due after 80 s, a virtual cluster of 4 ranks"
run 12
say "load on the shop rises from 30 to 160 requests/s"
set_load 160
run 32
decision=$(a with get decision --service shop -o csv --no-header | awk -F, '$3 == "shop" { id = $1 } END { print id }')
say "what Arbiter did about it:  arbiter why ${decision:-shop}"
a with why "${decision:-shop}" || true
say "one host goes: kill -9 of the agent of xen2 takes its simulated guests with it"
killed=xen2
for c in with without; do
  kill -9 "${agent_pid[$c/$killed]}"
  wait "${agent_pid[$c/$killed]}" 2>/dev/null || true
done
run 54
say "its VMs run elsewhere:  arbiter events --kind vm-lost,vm-placed"
a with events --kind node-lost,vm-lost,vm-placed --no-header | tail -n 5 || true
run 82

printf '\n%s\n' "the same 82 s, with Arbiter and with fixed equal shares"
awk '
  { level[$1,$3] = 1; n[$1,$3]++
    value = $4; sub(/!/, "", value)
    if (value != "-" && value != "") {
      known[$1,$3]++
      if (value + 0 >= 0.5) met[$1,$3]++
      if (!(($1,$3) in low) || value + 0 < low[$1,$3]) low[$1,$3] = value + 0
      last[$1,$3] = value + 0
    }
    if (!($3 in seen)) { seen[$3] = 1; order[++services] = $3 } }
  END {
    printf "  %-8s  %-26s  %-26s\n", "", "with Arbiter", "without"
    printf "  %-8s  %-12s %-13s  %-12s %-13s\n", "service", "on target", "lowest level", "on target", "lowest level"
    for (i = 1; i <= services; i++) {
      s = order[i]
      printf "  %-8s", s
      for (j = 1; j <= 2; j++) {
        c = j == 1 ? "with" : "without"
        if (known[c,s] > 0) printf "  %10.0f %% %13.2f", 100 * met[c,s] / n[c,s], low[c,s]
        else printf "  %12s %13s", "unknown", "-"
      }
      printf "\n"
    }
  }' "$dir/record"
for c in with without; do
  line=$(a $c get svc render -o csv --no-header | head -1)
  level=$(cut -d, -f5 <<<"$line") finish=$(cut -d, -f4 <<<"$line")
  result=missed
  awk -v l="${level%!}" 'BEGIN { exit !(l + 0 >= 0.5) }' && result=met
  printf '  deadline of render (80 s) %-8s %s: finish after %s\n' "$c" "$result" "$finish"
done
printf '\nthis took %d s.  Next: arbiter init web, arbiter help, README.md\n' "$(now)"
if [[ $keep == 1 ]]; then
  echo "look around:  $bin/arbiter -H ipc://$dir/with/api --key $dir/with/keys/root.key --server-key $dir/with/keys/arbiterd.pub status"
  read -rp "Enter ends it " _
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The disk of the orchestrator's state is full: new requests are refused with no-space; reads, leases,
# decisions and caps go on; nothing acknowledged is lost, also over kill -9; when space returns it goes
# on by itself. Twice: when a commit itself fails in the middle, and with the margin kept.
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/cluster.sh
[[ $EUID == 0 ]] || { echo "skipped: mounting a small file system needs root"; exit 77; }
/usr/bin/python3 -c 'import zmq, google.protobuf' 2>/dev/null || { echo "skipped: python3-zmq and python3-protobuf are missing"; exit 77; }
cluster_make
mount -t tmpfs -o size=20m tmpfs "$dir/state" 2>/dev/null || { rm -rf "$dir"; echo "skipped: tmpfs cannot be mounted here"; exit 77; }
cluster_cleanup() { umount "$dir/state"; }
mkdir "$dir/python"
protoc --proto_path=. --python_out="$dir/python" proto/*.proto || exit 1
load() { PYTHONPATH=$dir/python:tests/integration /usr/bin/python3 tests/integration/store_load.py "$dir" "$@"; }
free_kib() { df --output=avail -k "$dir/state" | tail -1; }
no_space=10 # the number of REASON_NO_SPACE
settings=(mode=act control_period=1s lease=6s lease_margin=1s snapshot=1s)
start() { cluster_start "${settings[@]}" "$@"; }
# squeeze KIB: other files take all but so much.
squeeze() {
  rm -f "$dir/state/other"
  local take=$(($(free_kib) - $1))
  [[ $take -le 0 ]] || fallocate -l "${take}KiB" "$dir/state/other"
}

start free_space=4KiB
echo "shop 2" >"$dir/load"
model="model:cpus=2,memory=2GiB,boot=200ms,request_cpu=10ms,load=$dir/load"
for node in n1 n2; do cluster_agent $node "$model"; done
nodes_up() { [[ $(a get node -o csv --no-header | awk -F, '$2 == "up"' | wc -l) == 2 ]]; }
check "two nodes come up" until_ok 15 nodes_up
cat >"$dir/shop.yaml" <<'EOF'
version: 1
image: guest
format: model
---
version: 1
service: shop
kind: web
isolation: fence
objective:
  response_time: {p95: 300ms, window: 3s}
vms:
  - name: web
    count: 2
    image: guest
    vcpus: 1
    cpu: {min: 0.2, max: 1.0}
    memory: 256MiB
    spread: true
EOF
check "a protected service runs" exits 0 a apply --wait --timeout 20s -f "$dir/shop.yaml"
generations() { a get vm -o csv --no-header | awk -F, '{print $1, $3, $9}' | sort; }
running() { [[ $(a get svc shop -o csv --no-header | cut -d, -f8) == 2/2 ]]; }
check "its VMs run" until_ok 15 running
before=$(generations)
lost_events() { a events -o csv --no-header | grep -cE 'node-lost|node-expired|vm-lost|is lost'; }
cap_of() { a get vm "$1" -o csv --no-header | cut -d, -f5; }
shown() { a show "vm/$1" | grep -A2 "as its node sees it" | tail -1 | grep -q " $2 "; }

# ---- a commit fails in the middle ----
load put 200 "$dir/acknowledged" >"$dir/put.out"
check "with space changes are taken" grep -q refused=0 "$dir/put.out"
works_again() { load put 10 "$dir/acknowledged" >"$dir/put.out" && grep -q refused=0 "$dir/put.out"; }
for _ in 1 2 3 4 5; do # the commit that fails may be one without requests, which is tried again
  rm -f "$dir/state/other"
  until_ok 10 works_again
  squeeze 24
  load put 4000 "$dir/acknowledged" 64 >"$dir/put.out"
  grep -q "state reloaded" "$dir/arbiterd.log" && break
done
check "a commit that finds no space is refused ($(cat "$dir/put.out"))" grep -q "refused-$no_space=" "$dir/put.out"
check "... in the middle" grep -q "a commit failed" "$dir/arbiterd.log"
check "... and the state is that of the store again" grep -q "state reloaded" "$dir/arbiterd.log"
check "nothing acknowledged is lost, nothing refused is there" load verify "$dir/acknowledged"
check "the nodes are up" until_ok 5 nodes_up
squeeze 12000
check "with space it goes on by itself" until_ok 10 works_again
check "a cap set by hand reaches the node after the reload" exits 0 a set vm/shop-web-1 cpu=0.7
check "... really" until_ok 8 shown shop-web-1 0.7
check "... and is given back" exits 0 a set vm/shop-web-1 cpu=auto

# ---- full with the margin kept ----
rm -f "$dir/state/other"
kill -TERM "$arbiterd_pid"; wait "$arbiterd_pid" 2>/dev/null
start free_space=1MiB
check "after a restart the nodes come back" until_ok 15 nodes_up
check "... nothing is lost" load verify "$dir/acknowledged"
load put 200000 "$dir/acknowledged" 200 >"$dir/put.out"
check "a disk filled by requests refuses them ($(cat "$dir/put.out"), $(free_kib) KiB free)" grep -q "refused-$no_space=" "$dir/put.out"
exits 1 a cordon n1
check "the client is told so" has "disk is nearly full"
check "reading goes on" exits 0 a status
check "... also of the log" exits 0 a events --since 1m
cap=$(cap_of shop-web-1)
echo "shop 120" >"$dir/load.new" && mv "$dir/load.new" "$dir/load"
rose() { awk -v a="$cap" -v b="$(cap_of shop-web-1)" 'BEGIN { exit !(b + 0 > a + 0) }'; }
check "caps follow the load" until_ok 20 rose
effective() { shown shop-web-1 "$(cap_of shop-web-1)"; }
check "... at the node" until_ok 10 effective
check "... and the ledger says why" exits 0 a why shop
has "decision d-" || fail "... with a decision"
begin=$SECONDS
still() { [[ $((SECONDS - begin)) -ge 9 ]]; } # longer than lease and margin
until_ok 15 still
check "leases go on: the nodes are up" nodes_up
check "... and nobody was taken for lost" [ "$(lost_events)" == 0 ]
check "... and every VM is what it was" [ "$(generations)" == "$before" ]
# ---- others take the very last byte: own records live on freed pages ----
take_all() {
  local number=0
  begin=$SECONDS
  while ! still; do
    number=$((number + 1))
    cat /dev/zero >"$dir/state/all$number" 2>/dev/null
    a set vm/shop-web-1 cpu=auto >/dev/null 2>&1
    read -rt 0.2 <> <(:)
  done
}
take_all
check "with no byte left leases go on: the nodes are up" nodes_up
check "... nobody was taken for lost" [ "$(lost_events)" == 0 ]
check "... reading goes on" exits 0 a status
rm -f "$dir"/state/all*
check "... and every VM is what it was" [ "$(generations)" == "$before" ]
kill -9 "$arbiterd_pid"; wait "$arbiterd_pid" 2>/dev/null
start free_space=1MiB
check "after kill -9 on the full disk it starts" until_ok 15 nodes_up
check "... nothing acknowledged is lost" load verify "$dir/acknowledged"
check "... the VMs run on" until_ok 10 running
check "... as they were" [ "$(generations)" == "$before" ]
mount -o remount,size=64m "$dir/state"
check "when space returns it takes changes by itself" until_ok 10 works_again
check "... nothing is lost" load verify "$dir/acknowledged"
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# arbiterd is killed at random instants under a stream of changes: what was acknowledged is there,
# nothing is applied twice, an id is good for one content only. Then its disk fails (a shim makes
# writes and syncs end with EIO): it refuses, loses nothing, and goes on when the disk works again.
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/cluster.sh
/usr/bin/python3 -c 'import zmq, google.protobuf' 2>/dev/null || { echo "skipped: python3-zmq and python3-protobuf are missing"; exit 77; }
cluster_make
mkdir "$dir/python"
protoc --proto_path=. --python_out="$dir/python" proto/*.proto || exit 1
load() { PYTHONPATH=$dir/python:tests/integration /usr/bin/python3 tests/integration/store_load.py "$dir" "$@"; }
reap() { kill "-$1" "$arbiterd_pid" 2>/dev/null; wait "$arbiterd_pid" 2>/dev/null; }

# ---- kill -9 ----
kills=${ARBITER_KILLS:-25}
load storm "$dir/stop" "$dir/acknowledged" >"$dir/storm.out" 2>&1 &
storm=$!
cluster_pids+=("$storm")
cluster_start
begin=$SECONDS
for ((i = 0; i < kills; i++)); do
  read -rt "$((RANDOM % 2)).$((RANDOM % 900 + 100))" <> <(:) # a random instant
  reap KILL
  cluster_start
done
touch "$dir/stop"
if wait "$storm"; then pass "every change is answered in the end, none refused"; else fail "the stream of changes: $(tail -3 "$dir/storm.out")"; fi
echo "        $kills kills in $((SECONDS - begin)) s, $(wc -l <"$dir/acknowledged") changes acknowledged"
check "changes went on between the kills" [ "$(wc -l <"$dir/acknowledged")" -gt $((kills * 20)) ]
check "nothing acknowledged is lost, nothing applied twice, ids keep their content" load once "$dir/acknowledged"

# ---- a failing disk ----
cat >"$dir/fault.c" <<'EOF'
// While the file $FAULT is there, writes at a place and syncs fail as on a broken disk.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int faulty(void) { const char *f = getenv("FAULT"); return f != NULL && access(f, F_OK) == 0; }
#define FAIL(name, type, args, call) \
    type name args { if (faulty()) { errno = EIO; return -1; } \
        type (*next) args = (type (*) args)dlsym(RTLD_NEXT, #name); return next call; }
FAIL(pwrite64, ssize_t, (int fd, const void *b, size_t n, off64_t o), (fd, b, n, o))
FAIL(pwrite, ssize_t, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
FAIL(fdatasync, int, (int fd), (fd))
FAIL(fsync, int, (int fd), (fd))
EOF
sed "s/FAIL(pwrite.*//" "$dir/fault.c" >"$dir/sync.c" # only syncs fail
cat >"$dir/alone" <<'EOF'
#!/bin/bash
exec env LD_PRELOAD="$SHIM" ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 "$REAL_BIN/arbiterd" "$@"
EOF
chmod +x "$dir/alone"
begin_shop() {
  echo "shop 2" >"$dir/load"
  cluster_agent n1 "model:cpus=2,memory=2GiB,boot=200ms,request_cpu=10ms,load=$dir/load"
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
  - {name: web, image: guest, cpu: {min: 0.2, max: 1.0}, memory: 256MiB}
EOF
  until_ok 20 a apply -f "$dir/shop.yaml"
}
running() { [[ $(a get svc shop -o csv --no-header | cut -d, -f8) == 1/1 ]]; }
vms() { a get vm -o csv --no-header | awk -F, '{print $1, $3, $9}'; }
lease_is_over() {
  echo "shop $((SECONDS % 2 * 60 + 5))" >"$dir/load.new" && mv "$dir/load.new" "$dir/load"
  [[ $((SECONDS - begin)) -ge 7 ]]
}
real=$bin
for kind in fault sync; do
  cc -shared -fPIC -o "$dir/$kind.so" "$dir/$kind.c" -ldl || exit 1
  reap TERM
  mkdir -p "$dir/bin"
  for program in "$real"/*; do ln -sf "$program" "$dir/bin/"; done
  ln -sf "$dir/alone" "$dir/bin/arbiterd"
  export SHIM="$dir/$kind.so" REAL_BIN=$real FAULT=$dir/failing
  bin=$dir/bin
  cluster_start mode=act control_period=1s lease=4s lease_margin=1s snapshot=1s
  bin=$real
  [[ -n ${agents[n1]:-} ]] || begin_shop
  check "$kind: a protected VM runs" until_ok 20 running
  before=$(vms)
  load put 300 "$dir/acknowledged" >"$dir/put.out"
  check "$kind: with a good disk changes are taken" grep -q refused=0 "$dir/put.out"
  touch "$dir/failing"
  load put 3000 "$dir/acknowledged" 200 >"$dir/put.out"
  check "$kind: with a failing disk they are refused ($(cat "$dir/put.out"))" grep -q refused- "$dir/put.out"
  check "$kind: reading goes on" exits 0 a get images
  begin=$SECONDS
  until_ok 15 lease_is_over # own records come with the load, and cannot be stored
  check "$kind: leases go on" exits 0 bash -c "grep -q ',up,' <<<'$(a get node -o csv --no-header)'"
  check "$kind: the VM is what it was" [ "$(vms)" == "$before" ]
  rm "$dir/failing"
  works_again() { load put 200 "$dir/acknowledged" >"$dir/put.out" && grep -q refused=0 "$dir/put.out"; }
  check "$kind: with a good disk again they are taken" until_ok 10 works_again
  check "$kind: nothing is lost and nothing refused is there" load verify "$dir/acknowledged"
  reap KILL
  unset FAULT
  cluster_start
  check "$kind: ... also after kill -9" load verify "$dir/acknowledged"
done
finish

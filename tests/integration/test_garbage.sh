#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Garbage on every socket costs its sender: arbiterd lives, its memory stays bounded, agents keep their
# leases, another provider is answered, and refusals are counted and told at most once a second. Then
# what signals do: SIGHUP reads the keyring, SIGTERM parks the nodes and ends.
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/cluster.sh
/usr/bin/python3 -c 'import zmq, google.protobuf' 2>/dev/null || { echo "skipped: python3-zmq and python3-protobuf are missing"; exit 77; }
cluster_make
for who in alice bob; do cluster_key $who provider; done
cluster_key garbler agent
"$bin/arbiter" keys make mallory -q --out "$dir/keys/mallory.key" >/dev/null # never enrolled
mkdir "$dir/python"
protoc --proto_path=. --python_out="$dir/python" proto/*.proto || exit 1
mapfile -t ports < <(/usr/bin/python3 -c '
import socket
links = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*["tcp://127.0.0.1:%d" % link.getsockname()[1] for link in links], sep="\n")')
as() {
  local who=$1
  shift
  "$bin/arbiter" -H "${ports[2]}" --key "$dir/keys/$who.key" --server-key "$dir/keys/arbiterd.pub" "$@"
}
throw() { PYTHONPATH=$dir/python:tests/integration /usr/bin/python3 tests/integration/garbage.py "$dir" "${ports[@]}" "$1"; }
cluster_start mode=act control_period=1s lease=4s lease_margin=1s snapshot=1s listen.control="${ports[0]}" \
  listen.telemetry="${ports[1]}" listen.api="${ports[2]}" listen.events="${ports[3]}"
echo "shop 2" >"$dir/load"
cluster_agent n1 "model:cpus=2,memory=2GiB,boot=200ms,request_cpu=10ms,load=$dir/load" \
  --control "${ports[0]}" --telemetry "${ports[1]}"
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
check "a protected service is taken" until_ok 20 a apply -f "$dir/shop.yaml"
running() { [[ $(a get svc shop -o csv --no-header | cut -d, -f8) == 1/1 ]]; }
check "its VM runs" until_ok 20 running
vms() { a get vm -o csv --no-header | awk -F, '{print $1, $3, $9}'; }
before=$(vms)
resident() { awk '/^VmRSS/ {print $2}' "/proc/$arbiterd_pid/status"; }
small=$(resident)
begin=$SECONDS

for what in raw strangers messages oversize flood; do
  if throw "$what" >"$dir/throw.out" 2>&1; then pass "$what: $(tail -1 "$dir/throw.out")"; else fail "$what: $(tail -3 "$dir/throw.out")"; fi
  check "... the orchestrator answers" exits 0 as bob get svc --timeout 2s
done
mkfifo "$dir/tell"
throw silent <"$dir/tell" >"$dir/silent.out" 2>&1 &
silent=$!
cluster_pids+=("$silent")
exec 7>"$dir/tell"
check "500 silent connections" until_ok 10 grep -q silent "$dir/silent.out"
SECONDS=0
check "... others are served" exits 0 as bob get svc --timeout 2s
check "... in under 2 s" [ $SECONDS -le 2 ]
exec 7>&-
wait "$silent"
echo "        resident $small KiB before, $(resident) KiB after"
check "memory is bounded" [ $(($(resident) - small)) -lt 300000 ]
check "the VM is what it was" [ "$(vms)" == "$before" ]
check "no lease ran out" bash -c "! grep -q 'lease ran out' '$dir/agent-n1.log'"
for kind in request agent-message connection; do
  check "refusals of kind $kind are told" grep -q "refused kind=$kind" "$dir/arbiterd.log"
  most=$(grep "refused kind=$kind" "$dir/arbiterd.log" | sed 's/.*time=\([^.]*\).*/\1/' | uniq -c | sort -rn | awk '{print $1; exit}')
  check "... at most twice within one second of the clock" [ "${most:-0}" -le 2 ]
done

# ---- signals ----
"$bin/arbiter" keys make carol -q --out "$dir/keys/carol.key" >/dev/null
check "an unknown key is denied" exits 4 as carol status
"$bin/arbiter" keys enrol -q carol "$dir/keys/carol.pub" --role observer --keyring "$dir/keys/keyring"
kill -HUP "$arbiterd_pid"
admitted() { exits 0 as carol status; }
check "after SIGHUP a new key is admitted" until_ok 3 admitted
ended() { ! kill -0 "$arbiterd_pid" 2>/dev/null; }
kill -TERM "$arbiterd_pid"
check "SIGTERM ends it within 3 s" until_ok 3 ended
wait "$arbiterd_pid"
check "... with exit 0" [ $? == 0 ]
check "... and its nodes are parked" grep -q parked "$dir/agent-n1.log"
finish

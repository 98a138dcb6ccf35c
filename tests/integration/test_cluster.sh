#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The client, the orchestrator and agents with simulated hosts as real processes: the whole life of a
# service, roles, mistakes, restarts with kill -9, a lost node, a script's client.
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/cluster.sh
cluster_make
cluster_key alice provider
cluster_key bob provider
cluster_key eve observer
"$bin/arbiter" keys make mallory -q --out "$dir/keys/mallory.key" >/dev/null # never enrolled

# ---- nobody there, wrong words ----
begin=$SECONDS
check "an unreachable orchestrator is exit 5" exits 5 a status --timeout 3s
check "a word that is no verb is exit 2" exits 2 a aply
check "... and says which was meant" has apply
check "help is exit 0" exits 0 a help

cluster_start mode=act control_period=1s lease=3s lease_margin=1s snapshot=1s
echo "shop 2" >"$dir/load"
model="model:cpus=2,memory=2GiB,boot=200ms,request_cpu=10ms,load=$dir/load"
for node in n1 n2 n3; do cluster_agent $node "$model"; done
nodes_up() { [[ $(a get node -o csv --no-header | awk -F, '$2 == "up"' | wc -l) == "$1" ]]; }
check "three nodes come up" until_ok 15 nodes_up 3

# ---- who may ----
SECONDS=0
check "a key that is not enrolled is exit 4" exits 4 as mallory status
check "... in under 2 s" [ $SECONDS -le 2 ]
cat >"$dir/site.yaml" <<'EOF'
version: 1
image: guest
format: model
EOF
check "a provider may not write images" exits 4 as alice apply -f "$dir/site.yaml"
check "the administrator may" exits 0 a apply -f "$dir/site.yaml"
check "unchanged is said" exits 0 a apply -f "$dir/site.yaml"
check "... aloud" has unchanged

# ---- files ----
cat >"$dir/bad.yaml" <<'EOF'
version: 1
service: shop
kind: website
objective:
  response_time: {p95: 200}
vms:
  - name: web
    vcpu: 2
    image: guest
    memory: lots
    count: -1
EOF
check "a file with five mistakes is exit 2" exits 2 as alice apply -f "$dir/bad.yaml"
check "... with five messages" [ "$(grep -c "bad.yaml:[0-9]*:[0-9]*:" <<<"$out")" == 5 ]
check "... and suggestions" has 'did you mean "vcpus"'
write_shop() { # NAME IMAGE MEMORY [ISOLATION]
  cat <<EOF
version: 1
service: $1
kind: web
isolation: ${4:-run}
objective:
  response_time: {p95: 300ms, window: 3s}
vms:
  - name: web
    count: 2
    image: $2
    vcpus: 1
    cpu: {min: 0.2, max: 1.0}
    memory: $3
    spread: true
EOF
}
write_shop shop nothing 256MiB >"$dir/noimage.yaml"
check "an image that does not exist is refused" exits 7 as alice apply -f "$dir/noimage.yaml"
check "... and nothing was started" [ -z "$(a get vm -o name 2>/dev/null)" ]
write_shop shop guest 64GiB >"$dir/large.yaml"
check "what fits nowhere is exit 7" exits 7 as alice apply -f "$dir/large.yaml"
check "... with what is short on each node" has n3
write_shop shop guest 256MiB >"$dir/shop.yaml"
check "plan says where" exits 0 as alice plan -f "$dir/shop.yaml"
check "... each VM" has shop-web-2

# ---- the life of a service ----
check "apply" exits 0 as alice apply --wait --timeout 20s -f "$dir/shop.yaml"
check "two VMs run" [ "$(a get svc -o csv --no-header | cut -d, -f8)" == 2/2 ]
check "json is valid and has the names" bash -c "'$bin/arbiter' -H 'ipc://$dir/api' --key '$dir/keys/root.key' --server-key '$dir/keys/arbiterd.pub' get vm -o json | python3 -c 'import json, sys; rows = json.load(sys.stdin); assert len(rows) == 2, rows'"
check "another provider does not see it" [ -z "$(as bob get svc -o name 2>/dev/null)" ]
check "... and may not delete it" exits 3 as bob delete svc/shop --yes
check "an observer sees it" [ "$(as eve get svc -o name)" == shop ]
check "... and may not stop it" exits 4 as eve stop svc/shop
check "delete without --yes and without a terminal is exit 2" exits 2 as alice delete svc/shop </dev/null
level_known() { [[ $(a get svc shop -o csv --no-header | cut -d, -f6) == "$1" ]]; }
check "its level is measured and met" until_ok 15 level_known met

# ---- load rises: the manager gives CPU, and says why ----
cap_of() { a get vm "$1" -o csv --no-header | cut -d, -f5; }
before=$(cap_of shop-web-1)
echo "shop 120" >"$dir/load.new" && mv "$dir/load.new" "$dir/load"
cap_rose() { awk -v a="$before" -v b="$(cap_of shop-web-1)" 'BEGIN { exit !(b + 0 > a + 0) }'; }
check "under load the cap rises" until_ok 20 cap_rose
check "... and the level returns" until_ok 20 level_known met
check "why explains it" exits 0 as alice why shop
check "... with a decision" has "decision d-"
effective() { a show vm/shop-web-1 | grep -A2 "as its node sees it" | tail -1 | grep -q " $(cap_of shop-web-1) "; }
check "the node shows the cap that was granted" until_ok 10 effective
check "a cap set by hand is pinned" exits 0 as alice set vm/shop-web-1 cpu=0.5
pinned() { [[ $(cap_of shop-web-1) == "0.5 pinned" ]]; }
check "... and stays" until_ok 5 pinned
check "and is given back" exits 0 as alice set vm/shop-web-1 cpu=auto
check "pause" exits 0 as alice pause vm/shop-web-2
state_of() { a show "vm/$1" | grep -A2 "as its node sees it" | tail -1 | awk '{print $2}'; }
paused() { [[ $(state_of shop-web-2) == paused ]]; }
check "... is seen at the node" until_ok 10 paused
check "resume" exits 0 as alice resume vm/shop-web-2
running() { [[ $(state_of "$1") == running ]]; }
check "... is seen at the node" until_ok 10 running shop-web-2
check "suspend" exits 0 as alice suspend vm/shop-web-2
suspended() { [[ $(state_of shop-web-2) == suspended ]]; }
check "... is seen at the node" until_ok 15 suspended || a show vm/shop-web-2
check "restore" exits 0 as alice restore vm/shop-web-2
check "... runs again" until_ok 15 running shop-web-2

# ---- a lost node ----
write_shop safe guest 128MiB fence >"$dir/safe.yaml"
check "a protected service" exits 0 as alice apply --wait --timeout 20s -f "$dir/safe.yaml"
node_of() { a get vm "$1" -o csv --no-header | cut -d, -f3; }
lost=$(node_of safe-web-1)
on_lost=$(a get vm --node "$lost" -o name | grep '^shop' | head -1)
kill -9 "${agents[$lost]}"
wait "${agents[$lost]}" 2>/dev/null
moved() { [[ $(node_of safe-web-1) != "$lost" ]] && running safe-web-1; }
check "after its lease a protected VM runs elsewhere" until_ok 25 moved
explained() { # the start of the VM, and what came out of it, in one decision
  as alice why safe > "$dir/why" 2>&1 && grep -q "node $lost is lost: safe-web-1 starts on" "$dir/why" &&
    grep -q "safe-web-1: starts with .* cores on" "$dir/why"
}
check "why tells of the start elsewhere" until_ok 10 explained
if [[ -n $on_lost ]]; then
  check "an unprotected one stays where it was" [ "$(node_of "$on_lost")" == "$lost" ]
  alarm() { a events --node "$lost" -o csv | grep -q "confirm-dead $lost"; }
  check "... and an alarm names the command" until_ok 10 alarm
fi
check "confirm-dead starts the rest elsewhere" exits 0 a confirm-dead "$lost"
if [[ -n $on_lost ]]; then
  elsewhere() { [[ $(node_of "$on_lost") != "$lost" ]]; }
  check "... really" until_ok 20 elsewhere
fi

# ---- kill -9 of the orchestrator: nothing is started twice, nothing is lost ----
generation() { a get vm -o csv --no-header | awk -F, '{print $1, $9}' | sort; }
generations=$(generation)
kill -9 "$arbiterd_pid"
wait "$arbiterd_pid" 2>/dev/null
cluster_start mode=act control_period=1s lease=3s lease_margin=1s snapshot=1s
check "after kill -9 of arbiterd the nodes come back" until_ok 20 nodes_up 2
check "... the VMs run" until_ok 15 running shop-web-1
check "... in the same generations" [ "$(generation)" == "$generations" ]

# ---- a script's client ----
mkdir -p "$dir/python"
if protoc --proto_path=. --python_out="$dir/python" proto/*.proto 2>"$dir/protoc.log"; then
  python_client() {
    PYTHONPATH=$dir/python /usr/bin/python3 deploy/examples/list_services.py "ipc://$dir/api" "$dir/keys/alice.key" "$dir/keys/arbiterd.pub" "$@"
  }
  check "the Python client lists services" exits 0 python_client
  check "... by name" has "shop weight"
  check "the Python client changes one" exits 0 python_client shop 3
  check "... really" bash -c "grep -q 'weight: 3' <<<\"\$('$bin/arbiter' -H 'ipc://$dir/api' --key '$dir/keys/root.key' --server-key '$dir/keys/arbiterd.pub' get svc shop -o yaml)\""
else
  fail "protoc: $(head -1 "$dir/protoc.log")"
fi
check "the Python client has at most 40 lines" [ "$(wc -l <deploy/examples/list_services.py)" -le 40 ]

# ---- operating ----
check "hold for a while" exits 0 a mode hold --for 1h
check "... is shown" bash -c "grep -q HOLD <<<\"\$('$bin/arbiter' -H 'ipc://$dir/api' --key '$dir/keys/root.key' --server-key '$dir/keys/arbiterd.pub' status)\""
check "act" exits 0 a mode act
check "events without gaps" bash -c "'$bin/arbiter' -H 'ipc://$dir/api' --key '$dir/keys/root.key' --server-key '$dir/keys/arbiterd.pub' events -o csv --no-header | cut -d, -f1 | awk 'NR > 1 && \$1 != last + 1 { exit 1 } { last = \$1 }'"
check "delete" exits 0 as alice delete svc/shop --yes
gone() { ! a get svc shop -o name >/dev/null 2>&1; }
check "... ends with nothing left" until_ok 20 gone
check "clean stop" kill "$arbiterd_pid"
finish

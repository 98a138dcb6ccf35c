#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# arbiter-agent check, the doctor, on this machine: against a real orchestrator with keys that are right,
# unknown and wrong, and beside a running agent, which it must not disturb.
. tests/integration/cluster.sh

# look CODE [OPTION...]: what the doctor says about node n1
look() {
  local code=$1
  shift
  exits "$code" "$bin/arbiter-agent" check --node n1 --driver model:cpus=4 --driver-folder "$build/lib/arbiter" \
    --control "ipc://$dir/control" --telemetry "ipc://$dir/telemetry" --key "$dir/keys/n1.key" \
    --server-key "$dir/keys/arbiterd.pub" --state "$dir/agent-n1" "$@"
}
line() { grep -E "^$1 +$2 " <<<"$out" >/dev/null || { echo "        no $1 for $2 in: $out"; return 1; }; }
hasnt() { ! has "$1" >/dev/null; }
took() { # MS COMMAND...: ends within that time
  local limit=$1 begin=${EPOCHREALTIME/./}
  shift
  "$@" || return 1
  local ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
  [[ $ms -lt $limit ]] || { echo "        took $ms ms"; return 1; }
}

cluster_make
"$bin/arbiter" keys make n1 -q --out "$dir/keys/n1.key" >/dev/null

echo "--- nobody answers"
check "exit 1 within 3 s" took 4000 look 1
check "the orchestrator is the problem" line problem control
check "and what to do" has "is arbiterd running there"

cluster_start mode=act listen.metrics=off
echo "--- our key is not enrolled"
check "exit 1" look 1
check "refused" has "does not admit our key"
check "with the command that enrols it" has "arbiter keys enrol n1 n1.pub --role agent"
public=$(grep -oE "[^ \"]{40}" "$dir/keys/n1.pub" | head -1)
check "and the key to put there" has "${public:?}"

echo "--- a fit host"
cluster_key n1-other agent
"$bin/arbiter" keys enrol -q n1 "$dir/keys/n1.pub" --role agent --keyring "$dir/keys/keyring" || exit 1
check "exit 0 once it is enrolled" until_ok 10 look 0
look 0
for name in node xen driver capacity state key control telemetry; do check "$name is ok" line ok "$name"; done
check "capacity is a sum" has "4.00 CPUs"
check "it says so" has "fit for Arbiter"
check "no colours where there is no terminal" hasnt $'\033'
check "colours when asked for" look 0 --color=always
check "they are there" has $'\033[32m'
check "nothing was made" test ! -e "$dir/agent-n1"

check "as json" look 0 -o json
check "json is json" python3 -c 'import json, sys
report = json.loads(sys.argv[1])
assert report["fit"] and report["problems"] == 0 and report["node"] == "n1", report
assert {"driver", "control", "state"} <= {line["name"] for line in report["checks"]}
assert all(line["state"] in ("ok", "note") for line in report["checks"])' "$out"

echo "--- beside a running agent"
cluster_agent n1 model:cpus=4
check "the agent is up" until_ok 20 a wait node/n1 --for up --timeout 1s
check "exit 0" look 0
check "it sees the agent" has "runs on this host"
check "the agent lives" kill -0 "${agents[n1]}"
check "and is up" a wait node/n1 --for up --timeout 5s
restarted() { grep -c 'welcomed' "$dir/agent-n1.log"; }
check "it was welcomed once" test "$(restarted)" = 1

echo "--- what is wrong is told"
check "another server key" look 1 --server-key "$dir/keys/root.pub"
check "as hung up" has "hung up"
chmod 644 "$dir/keys/n1.key"
check "a key that others may read" look 1
check "says so" line problem key
chmod 600 "$dir/keys/n1.key"
check "no such driver" look 1 --driver nonsuch
check "names its package" has "arbiter-agent-nonsuch"
check "driver xen where there is no Xen" look 1 --driver xen
check "says so and how to get it" has "xen-system-amd64"
check "no driver at all" look 1 --driver ""
check "there is no default" has "there is no default"
check "a bridge that is not there" look 1 --driver libvirt:test:///default -s bridge=nosuch0
check "and how to make one" has "iface nosuch0"
check "a gateway without HAProxy" look 1 --roles gateway -s haproxy=/nonexistent
check "names haproxy" line problem haproxy
check "a state folder that cannot be made" look 1 --state /proc/arbiter
check "names it" line problem state
check "a wrong setting is exit 2" look 2 -s nosuch=1
check "so is a wrong format" look 2 -o xml
check "help" exits 0 "$bin/arbiter-agent" check --help
check "with its options" has "--color"
finish

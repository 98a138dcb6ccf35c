#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# /metrics of a real arbiterd with real agents: names by promtool, values beside what arbiter says, and
# that nobody can hold up the loop: garbage, slow readers, many at once.
. tests/integration/cluster.sh
for tool in promtool curl python3; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed (deploy/packages.txt)"; exit 77; }
done

page() { curl -sf --max-time 10 "http://127.0.0.1:$port/metrics" "$@"; }
status_of() { curl -s --max-time 10 -o /dev/null -w '%{http_code}' "$@"; }
# value NAME{LABELS}: of one series on the page kept in $dir/page
value() { awk -v name="$1" '$1 == name { print $2 }' "$dir/page"; }
is() { # WHAT WANTED GOT
  if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1: $3 instead of $2"; fi
}

cluster_make
cluster_start listen.metrics=127.0.0.1:0 mode=act control_period=1s
port=$(sed -n 's/.*metrics=127.0.0.1:0 port=\([0-9]*\).*/\1/p' "$dir/arbiterd.log" | tail -1)
[[ -n $port ]] || { echo "arbiterd does not say where metrics are"; exit 1; }

page >"$dir/page"
is "an empty cluster has a page" 0 "$(value arbiter_nodes)"
check "its names pass promtool" promtool check metrics <"$dir/page"

cluster_agent n1 model:cpus=4
cluster_agent n2 model:cpus=2
cat >"$dir/objects.yaml" <<END
version: 1
image: web
format: model
---
version: 1
service: shop
kind: web
objective: {response_time: {p95: 200ms}}
vms:
  - {name: web, count: 2, image: web, vcpus: 1, cpu: {min: 0.2, max: 1.0}, memory: 128MiB}
---
version: 1
service: job
kind: queue
objective: {within: 1h}
queue: {tasks: 100000, task_cpu: 100ms}
vms:
  - {name: worker, count: 1, image: web, vcpus: 1, cpu: {min: 0.1, max: 1.0}, memory: 128MiB}
END
until_ok 20 a wait node/n1 --for up --timeout 1s && until_ok 20 a wait node/n2 --for up --timeout 1s
check "a cluster comes up" a apply -f "$dir/objects.yaml" --wait -q
page_shows() { page >"$dir/page" && [[ $(value "$1") == "$2" ]]; }
check "all VMs run on the page" until_ok 20 page_shows 'arbiter_service_domains_running{service="shop",kind="web"}' 2
check "and its names pass promtool" promtool check metrics <"$dir/page"
is "both nodes are up" "1 1" "$(value 'arbiter_node_up{node="n1"}') $(value 'arbiter_node_up{node="n2"}')"
is "capacity is what the agent reports" 4 "$(value 'arbiter_node_cpu_capacity_cores{node="n1"}')"
is "the mode is act" "1 0" "$(value 'arbiter_mode{mode="act"}') $(value 'arbiter_mode{mode="hold"}')"
is "the target is in seconds" 0.2 "$(value 'arbiter_service_objective_seconds{service="shop",stat="p95"}')"
is "as many VMs as arbiter lists" "$(a get vm -o name | wc -l)" "$(value arbiter_domains)"
is "a row for each VM" 3 "$(grep -c '^arbiter_domain_running{.*} 1$' "$dir/page")"
is "orders that were carried out are counted" 1 "$(awk '$1 == "arbiter_actions_total{result=\"effective\"}" { print ($2 >= 3) }' "$dir/page")"
is "commits are counted" 1 "$(awk '$1 == "arbiter_store_commit_duration_seconds_count" { print ($2 > 0) }' "$dir/page")"
telemetry_is_counted() { # the first heartbeat may come a second after the first VM
  page >"$dir/page" && awk '$1 == "arbiter_bus_messages_received_total{socket=\"telemetry\"}" { n = $2 } END { exit !(n > 0) }' "$dir/page"
}
check "messages of agents are counted" until_ok 10 telemetry_is_counted
leased() { # known from the second renewal on
  page >"$dir/page" &&
    awk '$1 == "arbiter_node_lease_remaining_seconds{node=\"n1\"}" { runs = $2 > 1 && $2 < 30 } END { exit !runs }' "$dir/page"
}
check "the lease of a node runs" until_ok 20 leased
is "no uuid is a label" 0 "$(grep -cE '[0-9a-f]{8}-[0-9a-f]{4}-' "$dir/page")"
solved() { page >"$dir/page" && [[ $(value arbiter_decision_duration_seconds_count) -gt 0 ]]; }
check "solving is counted" until_ok 20 solved
predicted() { page >"$dir/page" && grep -q '^arbiter_service_level_predicted_ratio{service="job",kind="queue"} [0-9]' "$dir/page"; }
check "what a solution expects is shown" until_ok 20 predicted

missed='arbiter_service_objective_missed_seconds_total{service="job",kind="queue"}'
misses() { page >"$dir/page" && [[ $(value "$missed") != 0 && -n $(value "$missed") ]]; }
check "time under an objective that cannot be met is counted" until_ok 20 misses

kill -9 "${agents[n2]}"
check "a node that fell silent is not up" until_ok 20 page_shows 'arbiter_node_up{node="n2"}' 0

echo "--- only GET /metrics"
url=http://127.0.0.1:$port
is "another path" 404 "$(status_of "$url/")"
is "a path that begins alike" 404 "$(status_of "$url/metrics/x")"
is "a path out of the way" 404 "$(status_of --path-as-is "$url/../../etc/passwd")"
is "POST" 405 "$(status_of -d x=1 "$url/metrics")"
is "DELETE" 405 "$(status_of -X DELETE "$url/metrics")"
is "HEAD" 200 "$(status_of -I "$url/metrics")"
is "the name of somebody else's site" 403 "$(status_of -H 'Host: evil.example' "$url/metrics")"
is "localhost by name" 200 "$(status_of -H 'Host: localhost:7780' "$url/metrics")"
is "headers without end" 1 "$( (( $(status_of -H "X: $(head -c 20000 /dev/zero | tr '\0' x)" "$url/metrics") >= 400 )) && echo 1)"

echo "--- garbage, slow readers, many at once"
check "they do no harm" python3 tests/integration/metrics_garbage.py "$port" \
  "$bin/arbiter" -H "ipc://$dir/api" --key "$dir/keys/root.key" --server-key "$dir/keys/arbiterd.pub" status
check "the page is there afterwards" page_shows arbiter_nodes 2
check "and arbiterd answers clients" exits 0 a status

echo "--- off, taken, wrong"
other() { # SETTING: a second arbiterd's words about it, until it would go on
  timeout 5 "$bin/arbiterd" -s listen.control="ipc://$dir/c2" -s listen.telemetry="ipc://$dir/t2" \
    -s listen.api="ipc://$dir/a2" -s listen.events="ipc://$dir/e2" -s key="$dir/keys/arbiterd.key" \
    -s keyring="$dir/keys/keyring" -s state="$dir/state2" -s listen.metrics="$1" >"$dir/other.log" 2>&1 &
  other_pid=$!
  cluster_pids+=("$other_pid")
}
mkdir -p "$dir/state2"
other "127.0.0.1:$port"
check "a port that is taken is told, and arbiterd runs" until_ok 5 grep -q 'no metrics are served.*in use' "$dir/other.log"
check "without metrics it still starts" until_ok 5 grep -q 'epoch=' "$dir/other.log"
kill "$other_pid"; wait "$other_pid" 2>/dev/null
check "a wrong setting is a mistake before the start" exits 2 "$bin/arbiterd" --check-config -s listen.metrics=everywhere
check "that says what is expected" has "127.0.0.1:7780, or off"
check "off is a setting" exits 0 "$bin/arbiterd" --check-config -s listen.metrics=off
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes with real containers (a libvirtd each), two guests of one service. What they cannot do is
# refused or said, a long operation delays nothing else on its node, and kill -9 of an agent costs
# nothing: its guest serves on, nothing starts elsewhere, and the returning agent adopts it. Only when
# a person confirms that the node is dead the guest starts elsewhere, and the old one never again.
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/cluster.sh
lxc=$PWD/tests/integration/lxc
skip() { echo "skipped: $1"; exit 77; }
for tool in curl haproxy cc; do
  PATH=$PATH:/usr/sbin command -v $tool >/dev/null || skip "$tool is not installed"
done
lease_s=4 margin_s=1
haproxies() {
  local pid
  for pid in $(cat "$dir"/agent-*/entries/*/haproxy.pid 2>/dev/null); do
    ! grep -qz haproxy "/proc/$pid/cmdline" 2>/dev/null || echo "$pid"
  done
}
cluster_cleanup() {
  local pid
  for pid in $(haproxies); do kill "$pid" 2>/dev/null; done # of entry points: they outlive an agent
  "$lxc/../libvirtd/stop.sh" "$dir/lab-1"
  "$lxc/../libvirtd/stop.sh" "$dir/lab-2"
}
trap 'exit 1' INT TERM
cluster_make
chmod 711 "$dir"
for lab in lab-1 lab-2; do
  said=$("$lxc/../libvirtd/start.sh" "$dir/$lab" 2>&1)
  case $? in
    0) ;;
    77) skip "${said##*$'\n'}" ;;
    *) echo "$said"; fail "$lab starts"; exit 1 ;;
  esac
done
"$lxc/image.sh" "$dir" || skip "no image for the guests"
declare -A uri bridge network
for node in node-1 node-2; do
  . "$dir/lab-${node#node-}/lab.env"
  uri[$node]=$URI bridge[$node]=$BRIDGE network[$node]=$NETWORK
done
start_agent() { # NODE [OPTION...]
  local node=$1 net=${network[$1]}
  cluster_agent "$node" "libvirt:${uri[$node]}" -s cpu=1 -s memory=512MiB -s bridge="${bridge[$node]}" \
    -s addresses.first="$net.21" -s addresses.last="$net.40" -s addresses.gateway="$net.1" "${@:2}"
}
lab() { virsh -q -c "${uri[$1]}" "${@:2}"; } # NODE WORDS...
# guests [WHICH]: NODE:VM of both; defined ones count too, if not told otherwise.
guests() { for node in node-1 node-2; do lab $node list "${1:---all}" --name | sed "/./!d; s/^/$node:/"; done | sort | tr '\n' ' '; }
# What says that it is the same guest, not one that was made anew: its first process above all.
identity() { # NODE VM
  local xml controller
  xml=$(lab "$1" dumpxml "$2")
  controller=$(sed -n "s/.*<domain type='lxc' id='\([0-9]*\)'.*/\1/p" <<<"$xml")
  echo "pid=$controller since=$(awk '{print $22}' "/proc/$controller/stat")" \
    "uuid=$(lab "$1" domuuid "$2")" "$(grep -oE "generation=['\"][0-9]+" <<<"$xml" | tr -d "'\"")"
}
cap_of() { # NODE VM: as the kernel has it, in percent of a CPU
  lab "$1" schedinfo "$2" | awk '$1 == "vcpu_period" { p = $3 } $1 == "vcpu_quota" { q = $3 } END { print 100 * q / p }'
}
cap_is() { [[ $(cap_of "$1" "$2") == "$3" ]]; }
now_ms() { date +%s%3N; }
answers() { [[ $(curl -sf -m 2 "http://$1/healthz") == ok ]]; }
node_is() { a get node -o csv --no-header | grep -q "^$1,$2,"; }
svc_gone() { ! a get svc "$1" -o name >/dev/null 2>&1; }

cluster_start mode=act control_period=2s lease=${lease_s}s lease_margin=${margin_s}s snapshot=1s suspect_after=3s
start_agent node-1 --roles gateway
start_agent node-2
check "both nodes are up" until_ok 20 eval 'node_is node-1 up && node_is node-2 up' || exit 1

# ---- images and services ----
good=$(sha256sum "$dir/guest.tar" | cut -d' ' -f1)
image() { # NAME SOURCE SHA256 [INIT]
  printf -- '---\nversion: 1\nimage: %s\nformat: tar\nsource: file://%s\nsha256: %s\ninit: %s\n' "$1" "$2" "$3" "${4:-/init}"
}
{
  image web "$dir/guest.tar" "$good"
  image stubborn "$dir/guest.tar" "$good" /stubborn-init
  image altered "$dir/guest.tar" "${good//[0-7]/8}"
  image missing "$dir/no-such.tar" "${good//[0-7]/9}"
} >"$dir/images.yaml"
service() { # NAME IMAGE COUNT [ISOLATION]
  cat <<END
version: 1
service: $1
kind: web
isolation: ${4:-run}
objective:
  response_time: {p95: 300ms, window: 5s}
END
  [[ $1 != shop ]] || printf 'entry:\n  listen: %s\n  check_path: /healthz\n  check_every: 1s\n' "$entry"
  cat <<END
vms:
  - {name: vm, count: $3, image: $2, vcpus: 1, cpu: {min: 0.1, max: 0.5}, memory: 64MiB, port: 80, spread: true}
END
}
entry=${network[node-1]}.1:8100
for name in shop:web:2 badsum:altered:1 nosource:missing:1 slow:stubborn:1; do
  IFS=: read -r name kind count <<<"$name"
  service "$name" "$kind" "$count" >"$dir/$name.yaml"
done
service fenced web 1 fence >"$dir/fenced.yaml"
check "images are known" exits 0 a apply -f "$dir/images.yaml"

echo "# a long operation, all through what follows"
a cordon -q node-1
check "a guest that ignores a shutdown starts on node-2" exits 0 a apply --wait --timeout 20s -f "$dir/slow.yaml"
a uncordon -q node-1
a stop -q --detach svc/slow
stop_at=$(now_ms)
alone=$(guests)

echo "# refused before anything starts"
check "isolation fence is refused: no node can fence itself" exits 7 a apply -f "$dir/fenced.yaml"
check "... of each by name" has "node-2   cannot fence itself"
check "... in a plan too" exits 7 a plan -f "$dir/fenced.yaml"
said_of() { out=$(a show "svc/$1" -o json 2>&1); grep -qF -- "$2" <<<"$out"; }
check "an apply that waits for what cannot start ends by its time-out" exits 6 a apply --wait --timeout 2s -f "$dir/badsum.yaml"
check "... and has said why" has "image altered: its sha256 is ${good:0:16}..."
a apply -q --detach -f "$dir/nosource.yaml"
check "an image with another sha256 is not used" until_ok 15 said_of badsum image-checksum || echo "$out"
check "an image that is not there is said" until_ok 15 said_of nosource image-missing || echo "$out"
check "a person sees why" exits 0 a show svc/badsum
check "... with both sums" has "its sha256 is ${good:0:16}..."
check "nothing was started" [ "$(guests)" == "$alone" ]
a delete -q svc/badsum --yes
a delete -q svc/nosource --yes
check "they go when they are deleted" until_ok 15 eval 'svc_gone badsum && svc_gone nosource'

echo "# two guests, one on each node"
check "the service starts" exits 0 a apply --wait --timeout 30s -f "$dir/shop.yaml"
declare -A vm address
for node in node-1 node-2; do
  vm[$node]=$(lab $node list --name | grep '^shop-')
  address[$node]=$(a get vm "${vm[$node]}" -o json | grep -o "${network[$node]//./\\.}\.[0-9]*" | head -1)
done
check "one on each" [ "$(guests)" == "node-1:${vm[node-1]} node-2:${vm[node-2]} node-2:slow-vm-1 " ]
sed -i 's/, spread: true//' "$dir/shop.yaml"
check "from now on either could run on the other node too" exits 0 a apply -q --wait --timeout 10s -f "$dir/shop.yaml"
check "both serve" until_ok 10 eval 'answers "${address[node-1]}" && answers "${address[node-2]}"'
check "the entry point serves" until_ok 15 answers "$entry"

# Every change from now on, side by side: states of the nodes, guests, answers.
(
  while [[ ! -e $dir/enough ]]; do
    echo "$(now_ms) $(a get node -o csv --no-header | cut -d, -f1,2 | tr '\n' ' ')" >>"$dir/nodes"
    echo "$(now_ms) $(guests --state-running)" >>"$dir/guests"
    read -rt 0.4 <> <(:)
  done
) &
watcher=$!
cluster_pids+=("$watcher")
change_cap() { # NODE VM CPU PERCENT: how long until the kernel has it
  local begin
  begin=$(now_ms)
  a set -q "vm/$2" cpu="$3" || return 1
  until_ok 10 cap_is "$1" "$2" "$4" || { echo "        cap $(cap_of "$1" "$2") instead of $4"; return 1; }
  took=$(($(now_ms) - begin))
}
check "a cap changes while the other guest is shut down" change_cap node-2 "${vm[node-2]}" 0.31 31
check "... in less than 5 s ($took ms, $(($(now_ms) - stop_at)) ms after the order to stop)" [ "$took" -lt 5000 ]

echo "# kill -9 of the agent of node-1"
before=$(identity node-1 "${vm[node-1]}") haproxy_before=$(haproxies) all_before=$(guests)
generations() { a get vm -o json | grep -oE '"(vm|node|generation)": ?[^,]*' | tr -d '\n '; }
generations_before=$(generations)
after=$(a events -o name | tail -1)
kill -KILL "${agents[node-1]}"
wait "${agents[node-1]}" 2>/dev/null
killed_at=$(now_ms)
(
  while [[ ! -e $dir/enough-users ]]; do
    for place in "${address[node-1]}" "$entry"; do
      if answers "$place"; then echo ok; else echo "$(now_ms) no answer of $place"; fi
      read -rt 0.1 <> <(:)
    done
  done >"$dir/answers"
) &
users=$!
cluster_pids+=("$users")
alarm() { out=$(a events --after "$after" 2>&1); grep -q "confirm-dead node-1" <<<"$out"; }
check "an event names what to do" until_ok $((lease_s + margin_s + 8)) alarm
echo "        $(grep -F confirm-dead <<<"$out" | head -1)"
check "... and why" has "node node-1 is lost"
check "... and that the guest may still run" has "may still run"
check "the node counts as expired" node_is node-1 expired
check "a cap set by hand meanwhile is kept for later" exits 0 a set -q "vm/${vm[node-1]}" cpu=0.37
until_ok 30 eval '[[ $(now_ms) -ge '$((killed_at + 1000 * (lease_s + margin_s + 10)))' ]]'
check "nothing started in $(($(now_ms) - killed_at)) ms" [ "$(guests)" == "$all_before" ]
check "... nor was planned to" [ "$(generations)" == "$generations_before" ]
check "the guest is the same" [ "$(identity node-1 "${vm[node-1]}")" == "$before" ]

echo "# the agent returns"
start_agent node-1 --roles gateway
check "the node is up again" until_ok 15 node_is node-1 up
check "what was set meanwhile is effective" until_ok 15 cap_is node-1 "${vm[node-1]}" 37 || cap_of node-1 "${vm[node-1]}"
check "a cap is changed" change_cap node-1 "${vm[node-1]}" 0.43 43
shown() { out=$(a show "vm/${vm[node-1]}"); grep -A2 "as its node sees it" <<<"$out" | tail -1 | grep -q 0.43; }
check "... and shown as the node has it" until_ok 5 shown || echo "$out"
check "the guest is the same: $before" [ "$(identity node-1 "${vm[node-1]}")" == "$before" ]
check "so is the entry point's HAProxy" [ "$(haproxies)" == "$haproxy_before" ]
placed() { a events -o csv --no-header | grep ',vm-placed,' | grep -c "vm ${vm[node-1]} "; }
check "it was placed once in all" [ "$(placed)" == 1 ]
check "in the same generation" [ "$(generations)" == "$generations_before" ]
touch "$dir/enough-users"
wait "$users"
check "no request of $(wc -l <"$dir/answers") went without an answer" eval '! grep -v "^ok" "$dir/answers" | head -3 | grep .'
check "all the time both guests ran" eval '! grep -v "node-1:${vm[node-1]} .*node-2:${vm[node-2]} " "$dir/guests" | head -3 | grep .'

echo "# the node is really off: its agent and its guest are gone, and a person says so"
after=$(a events -o name | tail -1)
generation_of() { a get vm "$1" -o csv --no-header | cut -d, -f9; }
kill -KILL "${agents[node-1]}"
wait "${agents[node-1]}" 2>/dev/null
lab node-1 destroy "${vm[node-1]}" >/dev/null
# How long it had its lease decides between "expired" and "suspect": a person is asked in both.
check "a person is asked" until_ok $((lease_s + margin_s + 8)) alarm
check "confirm-dead" exits 0 a confirm-dead node-1 --yes
on_other() { [[ $(guests) == *"node-2:${vm[node-1]} "* ]]; }
check "its guest starts on node-2" until_ok 15 on_other
check "... and serves" until_ok 10 eval 'answers "$(a get vm "${vm[node-1]}" -o json | grep -o "${network[node-2]//./\\.}\.[0-9]*" | head -1)"'
check "... in a new generation" [ "$(generation_of "${vm[node-1]}")" == 2 ]
start_agent node-1 --roles gateway
check "the node is up again" until_ok 15 node_is node-1 up
cleared() { [[ -z $(ls "$dir/agent-node-1/disks") ]]; }
check "the old disk is removed, with the old guest" until_ok 15 cleared || ls "$dir/agent-node-1/disks"
check "... which is not started again" [ -z "$(lab node-1 list --all --name)" ]
check "the new one stays" on_other

echo "# the long operation ends"
stopped() { ! lab node-2 list --name | grep -q '^slow-'; }
check "what does not obey is powered off" until_ok 75 stopped
took=$(($(now_ms) - stop_at))
check "... after its time to obey ($took ms)" [ $took -ge 55000 ]
check "the service is stopped" exits 0 a wait svc/slow --for stopped --timeout 10s
touch "$dir/enough"
wait "$watcher"
check "all the time node-2 had its lease ($(wc -l <"$dir/nodes") looks)" eval '! grep -v "node-2,up" "$dir/nodes" | head -3 | grep .'
missed() { a events -o csv --no-header | grep -E "node $1 (is silent|is lost|is back|speaks)"; }
check "... and was never said to be silent, as node-1 was" eval 'missed node-1 >/dev/null && ! missed node-2'
check "... and no guest was on two nodes" eval '! awk "/shop-vm-1.*shop-vm-1|shop-vm-2.*shop-vm-2/" "$dir/guests" | grep .'

echo "# all ends"
a delete -q svc/slow --yes
a delete -q svc/shop --yes
check "services are deleted" until_ok 20 eval 'svc_gone shop && svc_gone slow'
check "no guests" until_ok 5 eval '[[ -z $(guests) ]]'
ours() { # processes other than this script and what it runs that name our folder
  grep -lF "$dir" /proc/[0-9]*/cmdline 2>/dev/null | while IFS=/ read -r _ _ pid _; do tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null; echo; done | grep -E "$1" | grep -v '^grep'
}
no_haproxy() { ! ours haproxy >/dev/null; }
check "no HAProxy" until_ok 10 no_haproxy || ours haproxy
for pid in "${agents[@]}" "$arbiterd_pid"; do
  kill "$pid"
  wait "$pid"
  check "process $pid ends well" [ $? == 0 ]
done
cluster_pids=()
cluster_cleanup
nothing() { ! ours . >/dev/null; }
check "no processes" until_ok 10 nothing || ours .
check "no mounts" eval '! grep -F "$dir" /proc/mounts'
check "no bridges and no interfaces of guests" eval '! ip -o link | grep -E "${bridge[node-1]}:|${bridge[node-2]}:|master (${bridge[node-1]}|${bridge[node-2]}) "'
check "no control groups" eval '! find /sys/fs/cgroup -type d -name "lxc-*-shop-vm-*" -o -type d -name "lxc-*-slow-vm-*" | grep .'
finish

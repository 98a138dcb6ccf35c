# SPDX-License-Identifier: Apache-2.0
# Sourced by run.sh, for the scenarios: an arbiterd on this machine, and Xen hosts under emulation whose
# agents, installed from our packages, connect to it. On top of tests/integration/cluster.sh (check, fail,
# until_ok, exits, has, a) and machine.sh:
#
#   lab_host N              host-N runs, its agent is connected; nothing to do when it does already
#   on N SCRIPT [SECONDS]   as root in dom0 of host-N: output and exit code
#   console N               what host-N's console said, each line after its time
#   guest N ADDRESS PATH    asks a guest over HTTP, from dom0 of host-N
#   fact N ADDRESS NAME     what the guest sees: boot, uptime, cpus, memory_kib, count
#   domain N VM FIELD       of Xen's own tools: id, mem, vcpus, state, time, cap, weight
#   domains N, present N VM, gone N VM, no_domains N   by xl list; all fail when it does not answer
#   powered_off N VM        its kernel shut down; nobody ended it
#   known WHAT VALUE...     fails the check WHAT when a value is empty: two empty ones would be equal
#   service NAME IMAGE COUNT [LINES]   prints a service file; lines over the defaults, as "vms.KEY: VALUE"
#   start_service NAME IMAGE COUNT [LINES], end_service NAME
#   vm_field VM FIELD, vm_wants VM FIELD   as the agent sees it, as the orchestrator wants it
# shellcheck shell=bash
. tests/integration/cluster.sh
. tests/xen/machine.sh
declare -A lab_up
lab_lease=30 lab_margin=5 lab_renew=1 # seconds; a host may stand still for ten of them

# Limits are for a quiet machine; who waits for a condition may wait longer beside other work.
lab_patience=${ARBITER_LAB_PATIENCE:-2}
# And a question that xl answers takes a good part of a second of dom0's CPU: it is not asked all the time.
until_ok() {
  local until=$((SECONDS + $1 * lab_patience))
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $until ]] || return 1
    read -rt 0.7 <> <(:)
  done
  return 0
}

lab_begin() {
  cluster_make
  chmod 711 "$dir"
  for part in xen vmlinux boot.cpio.gz; do ln -s "$cache/$part" "$dir/$part"; done
  local try
  for try in 1 2 3 4 5; do
    port_control=$((20000 + RANDOM % 10000))
    port_telemetry=$((port_control + 1))
    cluster_key host-1 agent
    cluster_key host-2 agent
    cluster_start listen.control="tcp://127.0.0.1:$port_control" listen.metrics=off \
      listen.telemetry="tcp://127.0.0.1:$port_telemetry" mode=act control_period=3s lease=${lab_lease}s \
      renew=${lab_renew}s lease_margin=${lab_margin}s suspect_after=12s snapshot=2s && break
    echo "port $port_control is taken, attempt $try"
  done
  lab_images >"$dir/site.yaml"
  a apply -q -f "$dir/site.yaml" || { echo "the images are not accepted"; exit 1; }
}

lab_images() {
  local common='console=hvc0 quiet mitigations=off cryptomgr.notests tsc=reliable raid=noautodetect audit=0 apparmor=0'
  image() { # NAME TYPE WORDS [KERNEL]
    printf -- '---\nversion: 1\nimage: %s\nformat: kernel\nkernel: %s\nramdisk: /lab/guest.cpio.gz\nguest_type: %s\ncommand_line: "%s"\n' \
      "$1" "${4:-/lab/vmlinux}" "$2" "$common $3"
  }
  image web pv lab.online
  image web-pvh pvh lab.online
  image burn pv "lab.online lab.burn"
  image burn-pvh pvh "lab.online lab.burn"
  image stubborn pv ""
  image full pv "lab.full"
  image nokernel pv "" /lab/no-such-kernel
  image badkernel pv "" /etc/passwd
}

in_lab() { (cd "$dir" && "$@"); }
on() { in_lab machine_run "host-$1" "$2" "${3:-60}"; }
console() { cat "$dir/host-$1.console"; }
node_is() { a get node -o csv --no-header 2>/dev/null | grep -q "^host-$1,$2,"; }

lab_config() { # N: files of its agent, as a tar archive
  local n=$1 root
  root=$(mktemp -d)
  mkdir -p "$root/etc/arbiter"
  cp "$dir/keys/host-$n.key" "$root/etc/arbiter/agent.key"
  cp "$dir/keys/arbiterd.pub" "$root/etc/arbiter/"
  cat >"$root/etc/arbiter/agent.yaml" <<YAML
node: host-$n
driver: "xen:tsc_mode=native,migrate=yes"
migrate: {address: 10.9.0.$n}
control: tcp://10.0.2.2:$port_control
telemetry: tcp://10.0.2.2:$port_telemetry
bridge: xenbr0
addresses: {first: 10.9.0.${n}01, last: 10.9.0.${n}30, prefix: 24, gateway: 10.9.0.$n}
roles: gateway
YAML
  mkdir -p "$root/etc/systemd/system/arbiter-agent.service.d"
  # Under emulation a whole host may stand still for longer than the unit's watchdog waits.
  printf '[Service]\nLimitCORE=infinity\nWatchdogSec=60\n' >"$root/etc/systemd/system/arbiter-agent.service.d/lab.conf"
  echo "$n" >"$root/etc/lab-number"
  tar -C "$root" --owner=0 --group=0 -cf - etc
  rm -rf "$root"
}

lab_host() {
  local n=$1 name=host-$1 since=$SECONDS
  [[ -z ${lab_up[$n]:-} ]] || return 0
  qemu-img create -q -f qcow2 -F qcow2 -b "$cache/installed.qcow2" "$dir/$name.qcow2" || return 1
  in_lab machine_resume "$name" "$name.qcow2" "$cache/installed.state" || { fail "$name goes on from its saved state"; return 1; }
  lab_up[$n]=1
  until_ok 60 on "$n" true 5 || { fail "$name answers"; return 1; }
  lab_config "$n" | in_lab machine_put "$name" || { fail "$name takes its files"; return 1; }
  # Dom0 before its guests, as on hosts of whom more is asked: libxl gives its scripts 40 s.
  on "$n" "date -s @$(date +%s) >/dev/null; /usr/lib/lab/lab-network; xl sched-credit2 -d 0 -w 4096; systemctl daemon-reload; systemctl enable -q arbiter-agent; systemctl restart arbiter-agent; sync" 60
  check "$name runs, and systemd has started its agent" until_ok 60 on "$n" "systemctl is-active arbiter-agent" || return 1
  check "... which is connected ($((SECONDS - since)) s in all)" until_ok 60 node_is "$n" up || return 1
}

# A host that lost power and gets it back: it boots.
lab_power_on() {
  in_lab machine_start "host-$1" "host-$1.qcow2"
}
lab_power_off() { in_lab machine_kill "host-$1"; }

cluster_cleanup() {
  local n
  for n in "${!lab_up[@]}"; do in_lab machine_kill "host-$n"; done
}

# Both consoles, and what the agents wrote.
lab_show() {
  local n
  for n in "${!lab_up[@]}"; do
    echo "--- console of host-$n"
    tail -n 25 "$dir/host-$n.console"
    echo "--- agent of host-$n"
    on "$n" "journalctl -b -u arbiter-agent --no-pager -o short-precise | tail -n 25; xl list; tail -n 4 /var/log/xen/console/*.log" 20
  done
  echo "--- events"
  a events | tail -n 15
}

guest() { on "$1" "exec 3<>/dev/tcp/$2/80 && printf 'GET $3 HTTP/1.0\r\n\r\n' >&3 && timeout 20 cat <&3" 30 | tr -d '\r'; }
fact() { guest "$1" "$2" /cgi-bin/facts | sed -n "s/^$3=//p"; }
answers() { [[ $(guest "$1" "$2" /healthz | tail -1) == ok ]]; }

domain() {
  local n=$1 vm=$2
  case $3 in
    cap | weight) on "$n" "xl sched-credit2 -d $vm" | awk -v field="$3" 'NR == 2 { print field == "cap" ? $4 : $3 }' ;;
    *) on "$n" "xl list $vm" | awk -v field="$3" 'NR == 2 { print field == "id" ? $2 : field == "mem" ? $3 : field == "vcpus" ? $4 : field == "state" ? $5 : $6 }' ;;
  esac
}
domain_is() { [[ $(domain "$1" "$2" "$3") == "$4" ]]; } # N VM FIELD VALUE
xl_list() { # N; without Domain-0 it is no answer
  local list
  list=$(on "$1" "xl list") && grep -q '^Domain-0 ' <<<"$list" && printf '%s\n' "$list"
}
domains() {
  local list
  list=$(xl_list "$1") && awk 'NR > 2 { print $1 }' <<<"$list" | tr '\n' ' '
}
present() { local now; now=$(domains "$1") && [[ " $now" == *" $2 "* ]]; }
gone() { local now; now=$(domains "$1") && [[ " $now" != *" $2 "* ]]; }
no_domains() { local now; now=$(domains "$1") && [[ -z $now ]]; }
no_store() { # N: Xen's store knows dom0 only
  local store
  store=$(on "$1" "xenstore-ls /local/domain") && grep -q '^0 ' <<<"$store" && ! grep -q '^[1-9]' <<<"$store"
}
no_vifs() { local links; links=$(on "$1" "ip -o link") && ! grep -q 'vif[0-9]' <<<"$links"; }
powered_off() { # N VM: the last word of its kernel
  on "$1" "tail -n 1 /var/log/xen/console/guest-$2.log | grep -q 'reboot: \(Power down\|System halted\)'"
}
known() {
  local value
  for value in "${@:2}"; do [[ -n $value ]] || { fail "$1"; return 1; }; done
}

service() {
  local name=$1 image=$2 count=$3 lines=${4:-} isolation=run
  local -A field=([vcpus]=1 [cpu]='{min: 0.8, max: 1}' [memory]=128MiB [port]=80)
  local entry='' target='{p95: 500ms, window: 10s}' key value
  while IFS=: read -r key value; do
    value=${value# }
    case $key in
      '') ;;
      isolation) isolation=$value ;;
      target) target=$value ;;
      entry) entry=$value ;;
      *) field[$key]=$value ;;
    esac
  done <<<"$lines"
  printf 'version: 1\nservice: %s\nkind: web\nisolation: %s\nobjective:\n  response_time: %s\n' "$name" "$isolation" "$target"
  [[ -z $entry ]] || printf 'entry: {listen: "%s", check_path: /healthz, check_every: 3s}\n' "$entry"
  printf 'vms:\n  - name: vm\n    count: %s\n    image: %s\n' "$count" "$image"
  for key in "${!field[@]}"; do printf '    %s: %s\n' "$key" "${field[$key]}"; done
}
start_service() {
  service "$@" >"$dir/$1.yaml"
  a apply -q --wait --timeout $((60 * lab_patience))s -f "$dir/$1.yaml"
}
end_service() {
  a delete -q "svc/$1" --yes
  until_ok 60 eval '! a get svc '"$1"' -o name >/dev/null 2>&1'
}
# One field of a VM's JSON: vm_field VM FIELD what its agent sees, vm_wants VM FIELD what is wanted. Caps in
# percent of a CPU, memory in MiB.
vm_wants() { a get vm "$1" -o json 2>/dev/null | sed '/"status": {/,$d' | lab_json "$2"; }
vm_field() { a get vm "$1" -o json 2>/dev/null | sed '1,/"status": {/d' | lab_json "$2"; }
lab_json() {
  sed -n "s/^ *\"$1\": \"\{0,1\}\([^\"]*\)\"\{0,1\},\{0,1\}\$/\1/p" | sed 's/,$//' | head -1 | awk -v field="$1" '
    field ~ /^cap/ { printf "%.0f\n", $1 * 100; next }
    field ~ /^memory/ { n = $1 + 0; print n * ($1 ~ /GiB/ ? 1024 : $1 ~ /KiB/ ? 1 / 1024 : 1); next }
    { print }'
}
address_of() { a get vm "$1" -o json 2>/dev/null | grep -o '10\.9\.0\.[0-9]*' | head -1; }
said() { out=$(a show "$1" -o json 2>&1); grep -qF -- "$2" <<<"$out"; } # TYPE/NAME TEXT

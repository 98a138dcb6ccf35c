# SPDX-License-Identifier: Apache-2.0
# Sourced: one emulated machine with Xen, in the current folder, where build.sh put its parts. Of a
# machine NAME there are NAME.console (each line with its time), NAME.monitor, NAME.pid, NAME.port.
#
#   machine_start NAME DISK [OPTION...]   starts QEMU: power on
#   machine_save NAME FILE, machine_resume NAME DISK FILE   goes on from a saved state, without a boot
#   machine_answers NAME                  the command port answers
#   machine_run NAME SCRIPT [SECONDS]     runs it there: output, and its exit code (255: no answer)
#   machine_put NAME <TAR, machine_get NAME PATH... >TAR
#   machine_monitor NAME COMMAND          QEMU's monitor
#   machine_kill NAME                     power loss
#   machine_until SECONDS COMMAND...      waits for a condition
# shellcheck shell=bash

# A hypervisor under pure emulation: what Xen's PV dom0 does not survive there is left out of the CPU, and
# the wide registers, whose contents do not always come through Xen's switches under this emulation.
machine_cpu=max,-smap,-smep,-la57,-pku,-xsave,-avx,-avx2,-fma,-f16c

machine_start() {
  local name=$1 disk=$2 dom0_mib=896
  shift 2
  rm -f "$name.monitor" "$name.port" "$name.pid" "$name.segment"
  # The peer's end of the segment may appear later, or never.
  local peer=host-2
  [[ $name == host-2 ]] && peer=host-1
  {
    exec qemu-system-x86_64 -nodefaults -display none -accel tcg,thread=multi -cpu $machine_cpu -smp 2 -m 3072 \
      -name "arbiter-lab-$name" -pidfile "$name.pid" -serial stdio -monitor "unix:$name.monitor,server=on,wait=off" \
      -netdev "dgram,id=segment,local.type=unix,local.path=$name.segment,remote.type=unix,remote.path=$peer.segment" \
      -device virtio-net-pci,netdev=segment,romfile=,mac=52:54:00:00:01:01 \
      -netdev user,id=machine,hostfwd=tcp:127.0.0.1:0-:2222,hostfwd=tcp:127.0.0.1:0-:8100 \
      -device virtio-net-pci,netdev=machine,romfile= \
      -drive "if=none,id=root,file=$disk,format=qcow2,cache=unsafe,discard=unmap" -device virtio-blk-pci,drive=root \
      -kernel xen -initrd "vmlinux console=hvc0 quiet net.ifnames=0 systemd.show_status=0,boot.cpio.gz" \
      -append "console=com1 com1=115200,8n1 dom0_mem=${dom0_mib}M,max:${dom0_mib}M loglvl=warning guest_loglvl=warning" \
      "$@" 2>&1 </dev/null
  } > >(while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "${line%$'\r'}"; done >>"$name.console") &
  disown # the shell has nothing to say about its end
  machine_until 20 test -S "$name.monitor" && machine_until 20 test -s "$name.pid"
}

# Goes on from what machine_save wrote; a start from there takes seconds: machine_resume NAME DISK STATE
machine_resume() {
  machine_start "$1" "$2" -incoming "exec:cat $3" || return 1
  machine_until 60 eval "machine_monitor $1 'info status' | grep -q 'status: paused\$'" || return 1
  machine_monitor "$1" cont
}

# Stops the machine and writes its memory and devices to FILE; its disk fits to that: machine_save NAME FILE
machine_save() {
  machine_monitor "$1" stop
  machine_monitor "$1" "migrate_set_parameter max-bandwidth 100G"
  machine_monitor "$1" "migrate \"exec:cat >$2\""
  machine_until 120 machine_saved "$1" || return 1
  machine_kill "$1"
}

# Ports of this machine that lead into the host: machine_port NAME PORT
machine_port() {
  machine_monitor "$1" "info usernet" | awk -v port="$2" '/HOST_FORWARD/ && $6 == port { print $4 }'
}

machine_monitor() {
  local out
  out=$( (printf '%s\n' "$2"; sleep 0.3) | socat -t 5 - "unix-connect:$1.monitor" 2>/dev/null) || return 1
  tr -d '\r' <<<"$out" | grep -v '^QEMU\|^(qemu)' || true
}

machine_saved() { machine_monitor "$1" "info migrate" | grep -q 'status: completed'; }

machine_open() { # opens connection $connection
  [[ -S $1.monitor ]] || return 1 # no such machine here: leave no empty file
  [[ -s $1.port ]] || { machine_port "$1" 2222 >"$1.port" && [[ -s $1.port ]]; } || return 1
  { exec {connection}<>"/dev/tcp/127.0.0.1/$(cat "$1.port")"; } 2>/dev/null
}

machine_run() {
  local name=$1 connection text code
  machine_open "$name" || return 255
  printf 'run %s\n' "$(base64 -w0 <<<"$2")" >&"$connection"
  text=$(timeout "${3:-120}" cat <&"$connection")
  exec {connection}>&-
  code=$(sed -n '$s/^lab-exit //p' <<<"$text")
  [[ -z $code ]] || text=$(sed '$d' <<<"$text")
  [[ -z $text ]] || printf '%s\n' "$text"
  return "${code:-255}"
}
machine_answers() { machine_run "$1" true 30 >/dev/null; }

machine_put() {
  local name=$1 connection size file
  file=$(mktemp)
  cat >"$file"
  size=$(stat -c %s "$file")
  machine_open "$name" || { rm -f "$file"; return 255; }
  { printf 'put %s\n' "$size"; cat "$file"; } >&"$connection"
  rm -f "$file"
  timeout 120 cat <&"$connection" | grep -q '^lab-exit 0'
}

machine_get() {
  local name=$1 connection
  shift
  machine_open "$name" || return 255
  printf 'get %s\n' "$*" >&"$connection"
  timeout 120 cat <&"$connection"
}

machine_kill() {
  local pid
  pid=$(cat "$1.pid" 2>/dev/null) || return 0
  if { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q "arbiter-lab-$1"; then
    kill -KILL "$pid"
    machine_until 10 eval "! kill -0 $pid 2>/dev/null"
  fi
  rm -f "$1.pid"
}

machine_until() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $until ]] || return 1
    read -rt 0.2 <> <(:)
  done
  return 0
}

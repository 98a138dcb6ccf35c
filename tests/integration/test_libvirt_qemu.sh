#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The libvirt driver with real machines: emulated ones with Debian's kernel, which serve HTTP. What is
# ordered must be felt in the guest or be seen by the host's kernel, and what fails must say why.
set -u
cd "$(dirname "$0")" || exit 1
. libvirtd/driver_test.sh

export PATH=$PATH:/usr/sbin:/sbin
for tool in qemu-system-x86_64 curl apt-get dpkg; do
    command -v $tool >/dev/null || { echo "qemu lab: $tool is not installed"; exit 77; }
done
[ -e /dev/net/tun ] || { echo "qemu lab: no /dev/net/tun"; exit 77; }
qemu/image.sh "${ARBITER_BUILD:?ARBITER_BUILD is not set}/tests/qemu-guest" "$work" || exit $?
libvirtd/start.sh "$work" qemu:///system || exit $?
. "$work/lab.env"
. ./driver_probe.sh
mkdir "$work/state"

machine="image=$work/disk.raw format=1 kernel=$work/vmlinuz ramdisk=$work/initrd bridge=$BRIDGE"
# fact ADDRESS KEY: what the guest itself sees.
fact() {
    get "$1/cgi-bin/facts" | tr ' ' '\n' | sed -n "s/^$2=//p"
}
# seen NAME KEY LOW HIGH: in a list now; for wait_for.
seen() {
    ask list
    [ -n "$(domain "$1" "$2")" ] && [ "$(domain "$1" "$2")" -ge "$3" ] && [ "$(domain "$1" "$2")" -le "$4" ]
}
# cpu_share UUID SECONDS [UUID]: sets share, CPU time per wall time in percent, and other, that of a
# second guest in the same window. Not in a subshell: that has no probe.
cpu_share() {
    ask list
    local first=$(domain "$1" cpu_ns) second=$(domain "${3:-$1}" cpu_ns) began=$(date +%s%N)
    sleep "$2" # the measuring window
    ask list
    local wall=$(($(date +%s%N) - began))
    share=$(awk -v cpu=$(($(domain "$1" cpu_ns) - first)) -v wall=$wall 'BEGIN { printf "%.1f", 100 * cpu / wall }')
    other=$(awk -v cpu=$(($(domain "${3:-$1}" cpu_ns) - second)) -v wall=$wall 'BEGIN { printf "%.1f", 100 * cpu / wall }')
}

probe_start "$URI" "$work/state" node-1
ask status
expect 'code=0 .*cpu_total=[1-9]' "the host has CPUs"
expect_equal $(($(value_of capabilities) & 1 << 5)) 0 "VCPUs are not declared"

echo "# a machine starts"
ask "create vm=web-1 uuid=$one generation=3 cap=100 memory=131072 vcpus=1 vcpus_max=2 $machine command_line=quiet address=$NETWORK.11/24"
expect 'create code=0' "create web-1"
ask list
expect_equal "$(domain $one vm) $(domain $one ours) $(domain $one generation)" "web-1 1 3" "identity"
expect_equal "$(domain $one state) $(domain $one cap) $(domain $one weight)" "paused 100 256" "made paused"
ask "resume vm=web-1 uuid=$one"
expect 'resume code=0' "resume"
wait_for 60 "web-1 answers" get 11/healthz
boot=$(fact 11 boot)
expect_equal "$(fact 11 disk) $(fact 11 cpus)" "image 1" "its disk is the image, its CPU is one"
ask list
expect_between "$(domain $one tx)" 100 1000000 "bytes sent are counted"
ask "create vm=web-1 uuid=$one generation=4 $machine"
expect 'create code=-17 reason=conflict' "what runs is not made twice"

echo "# caps are felt"
get 11/cgi-bin/burn
burns() {
    cpu_share $one 0.5
    [ "${share%.*}" -gt 50 ]
}
wait_for 20 "it burns" burns
for cap in 20 40; do
    ask "cap vm=web-1 uuid=$one cap=$cap"
    expect "cap code=0 .*value=$cap" "cap"
    cpu_share $one 3
    echo "cap $cap: $share % of a CPU"
    expect_between "$share" $((cap * 9 / 10)) $((cap * 11 / 10)) "CPU time with a cap of $cap"
done
ask "cap vm=web-1 uuid=$one cap=0"
expect 'cap code=-22' "a cap of 0 is refused, not taken for none"

echo "# pause"
ask "pause vm=web-1 uuid=$one"
expect 'pause code=0' "pause"
cpu_share $one 1
expect_between "$share" 0 1 "a paused guest gets no CPU"
expect_equal "$(domain $one state)" paused "state"
curl -s -m 1 "http://$NETWORK.11/healthz" >/dev/null && fail "a paused guest answers"
ask "resume vm=web-1 uuid=$one"
expect 'resume code=0' "resume"
wait_for 10 "it answers again" get 11/healthz
get 11/cgi-bin/burn?stop
ask "cap vm=web-1 uuid=$one cap=100"

echo "# memory by the balloon"
before=$(fact 11 total)
ask "memory vm=web-1 uuid=$one memory=98304"
expect 'memory code=0' "memory"
wait_for 20 "the balloon takes 32 MiB" seen $one memory 98304 98304
echo "memory 128 -> 96 MiB: the guest sees $before -> $(fact 11 total) KiB"
expect_between $((before - $(fact 11 total))) 32000 33500 "KiB that the guest no longer sees"
ask "memory vm=web-1 uuid=$one memory=131072"
wait_for 20 "it gets them back" seen $one memory 131072 131072
expect_equal "$(fact 11 total)" "$before" "the guest sees all of it again"

echo "# rates"
# took PAGE: milliseconds that it takes.
took() {
    local began=$(date +%s%N)
    get "$1" >/dev/null || fail "page $1"
    echo $((($(date +%s%N) - began) / 1000000))
}
ask "disk-rate vm=web-1 uuid=$one disk_rate=1024"
expect 'disk-rate code=0 .*value=1024' "disk rate"
get 11/cgi-bin/write >/dev/null # what a bucket holds that was full
ms=$(took 11/cgi-bin/write)
echo "disk rate 1 MiB/s: 2 MiB written in $ms ms"
expect_between "$ms" 1500 4000 "time to write 2 MiB with 1 MiB/s"
ask "disk-rate vm=web-1 uuid=$one disk_rate=0"
expect 'disk-rate code=0 .*value=0' "no disk rate"
ms=$(took 11/cgi-bin/write)
echo "no disk rate: $ms ms"
expect_between "$ms" 0 1400 "time to write 2 MiB without a rate"
head -c 1048576 /dev/zero >"$work/mebibyte"
# Sends 1 MiB to the guest, which reads it all before it answers.
send() {
    curl -sf -m 30 -H Expect: --data-binary "@$work/mebibyte" "http://$NETWORK.11/cgi-bin/sink"
}
sent_ms() {
    local began=$(date +%s%N)
    expect_equal "$(send)" 1048576 "bytes that the guest got"
    ms=$((($(date +%s%N) - began) / 1000000))
}
sent_ms
unlimited=$ms
ask "net-rate vm=web-1 uuid=$one net_rate=256"
expect 'net-rate code=0 .*value=256' "net rate"
note=${reply#*text=}
sent_ms
echo "network rate 256 KiB/s: 1 MiB received in $ms ms, without it in $unlimited ms"
expect_between "$ms" 3200 6000 "time to receive 1 MiB with 256 KiB/s"
if [ -z "$note" ]; then
    ms=$(took 11/mebibyte)
    echo "network rate 256 KiB/s: 1 MiB sent in $ms ms"
    expect_between "$ms" 2500 8000 "time to send 1 MiB with 256 KiB/s"
else
    echo "(this kernel cannot limit what a guest sends: $note)"
    expect 'text=only what it receives is limited: .*tc' "it is said, with the cause"
fi
ask list
expect_equal "$(domain $one net_rate)" 256 "net rate in the list"
ask "net-rate vm=web-1 uuid=$one net_rate=0"
expect 'net-rate code=0 .*value=0' "no net rate"
sent_ms
expect_between "$ms" 0 2500 "time to receive 1 MiB without a rate"

echo "# suspend, restore"
ask "cap vm=web-1 uuid=$one cap=70"
ask "suspend vm=web-1 uuid=$one"
expect 'suspend code=0' "suspend"
ask list
expect_equal "$(domain $one state) $(domain $one memory)" "suspended 0" "it holds nothing"
[ -s "$work/state/saved/$one" ] || fail "the file of a suspended guest"
get 11/healthz && fail "a suspended guest answers"
ask "restore vm=web-1 uuid=$one"
expect 'restore code=0' "restore"
wait_for 20 "it answers" get 11/healthz
expect_equal "$(fact 11 boot)" "$boot" "it goes on where it was"
ask list
expect_equal "$(domain $one state) $(domain $one cap) $(domain $one generation)" "running 70 3" "values are kept"
[ ! -e "$work/state/saved/$one" ] || fail "the file stays though it runs"

echo "# reboot, shutdown, start again"
ask "reboot vm=web-1 uuid=$one deadline_ms=20000"
expect 'reboot code=0 .*text=$' "reboot: the guest obeys the power button"
wait_for 60 "it answers after a reboot" get 11/healthz
[ "$(fact 11 boot)" != "$boot" ] || fail "a reboot that was none"
ask "shutdown vm=web-1 uuid=$one deadline_ms=20000"
expect 'shutdown code=0 .*text=$' "shutdown: the guest obeys the power button"
echo "shutdown in $(value_of ms) ms"
ask list
expect_equal "$(domain $one state) $(domain $one generation)" "stopped 3" "it stays known"
[ -e "$work/state/disks/$one" ] || fail "the disk of a stopped guest is kept"
ask "create vm=web-1 uuid=$one generation=5 cap=90 memory=131072 $machine command_line=quiet address=$NETWORK.11/24"
expect 'create code=0' "start again"
ask "resume vm=web-1 uuid=$one"
ask "vcpus vm=web-1 uuid=$one vcpus=2"
expect 'refused=-95 text=.*without KVM' "VCPUs are refused, with the reason"

echo "# a guest that obeys nothing"
ask "create vm=deaf-1 uuid=$two generation=1 cap=100 memory=131072 $machine command_line=acpi=off address=$NETWORK.12/24"
expect 'create code=0' "create deaf-1"
ask "resume vm=deaf-1 uuid=$two"
wait_for 60 "deaf-1 answers" get 12/healthz
wait_for 60 "web-1 answers" get 11/healthz
ask "memory vm=deaf-1 uuid=$two memory=98304"
expect 'memory code=0 .*value=131072' "accepted, and read back as not effective"

echo "# weight: both on one CPU"
for vm in web-1 deaf-1; do
    virsh_lab vcpupin $vm 0 0 --live >/dev/null || fail "pin $vm"
done
ask "weight vm=web-1 uuid=$one weight=768"
expect 'weight code=0 .*value=768' "weight"
ask "cap vm=web-1 uuid=$one cap=100"
get 11/cgi-bin/burn
get 12/cgi-bin/burn
cpu_share $one 4 $two
echo "weights 768 and 256 on one CPU: $share % and $other %"
expect_between "$(awk -v a="$share" -v b="$other" 'BEGIN { print a / (b + 0.01) }')" 2 4 "3 times the weight"
get 11/cgi-bin/burn?stop

ask "shutdown vm=deaf-1 uuid=$two deadline_ms=12000"
expect 'shutdown code=0 .*text=did not shut down .* powered off' "what does not obey is powered off"

echo "# kill -9, adoption, end"
kill -KILL "$probe_pid"
wait "$probe_pid" 2>/dev/null
expect_equal "$(get 11/healthz)" ok "the guest lives on"
probe_start "$URI" "$work/state" node-1
ask list
expect_equal "$(domain $one ours) $(domain $one generation) $(domain $one cap)" "1 5 100" "adopted"
ask "create vm=bad uuid=11111111-2222-4333-8444-00000000a004 ${machine/vmlinuz/nothing}"
expect 'create code=-[0-9]+ reason=driver .*text=create bad: start: .*nothing' "an absent kernel: libvirt's own words"
for uuid in $one $two; do
    ask "destroy vm=x uuid=$uuid discard=1"
    expect 'destroy code=0' "destroy"
done
expect_equal "$(virsh_lab list --all --name | tr -d '\n')" "" "no domain is left"
expect_equal "$(ls "$work/state/disks" "$work/state/saved" | grep -v :)" "" "no file is left"
expect_equal "$(ip -o link | grep -c 'arb0000')" 0 "no interface is left"
probe_stop

[ $failures = 0 ] || exit 1
echo "the libvirt driver works on qemu"

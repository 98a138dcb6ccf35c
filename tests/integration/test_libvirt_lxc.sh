#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The libvirt driver with real guests: lxc containers that serve HTTP. What is ordered must be felt in
# the guest, what fails must say why and leave nothing, and what is not ours stays untouched.
set -u
cd "$(dirname "$0")" || exit 1
. libvirtd/driver_test.sh

libvirtd/start.sh "$work" || exit $?
lxc/image.sh "$work" || exit $?
. "$work/lab.env"
. ./driver_probe.sh
mkdir "$work/state"

image="image=$work/guest.tar init=/init bridge=$BRIDGE gateway=$HOST_ADDRESS"
nothing_is_left() {
    expect_equal "$(virsh_lab list --all --name | grep -v '^stranger$' | tr -d '\n')" "" "$1: domains"
    expect_equal "$(ls "$work/state/disks" "$work/state/saved" | grep -v :)" "" "$1: files"
    expect_equal "$(ip -o link | grep -c 'arb0000')" 0 "$1: interfaces"
}

probe_start "$URI" "$work/state" node-1
ask status
expect 'code=0 .*cpu_total=[1-9]' "the host has CPUs"

echo "# two guests"
ask "create vm=web-1 uuid=$one generation=3 cap=20 $image address=$NETWORK.11/24"
expect 'create code=0' "create web-1"
ask "create vm=web-2 uuid=$two generation=1 cap=30 memory=49152 $image address=$NETWORK.12/24"
expect 'create code=0' "create web-2"
wait_for 10 "web-1 answers" get 11/healthz
wait_for 10 "web-2 answers" get 12/healthz
expect_equal "$(get 11/cgi-bin/work | cut -c1-4)" used "a page that costs CPU"
ask list
expect 'list code=0 .*domains=2' "list"
expect_equal "$(domain $one vm) $(domain $one ours) $(domain $one generation)" "web-1 1 3" "identity"
expect_equal "$(domain $one state) $(domain $one cap) $(domain $one weight)" "running 20 256" "web-1"
expect_equal "$(domain $two cap) $(domain $two memory)" "30 49152" "web-2"
expect_equal "$(domain $one address)" "$NETWORK.11/24" "its address is known"
expect_between "$(domain $one tx)" 100 1000000 "bytes sent are counted"
ask "create vm=web-1 uuid=$one generation=4 $image address=$NETWORK.11/24"
expect 'create code=-17 reason=conflict' "what runs is not made twice"

# cpu_share SECONDS: CPU time per wall time of web-1 in percent, while it is loaded.
cpu_share() {
    ask list
    local cpu=$(domain $one cpu_ns) wall=$(date +%s%N)
    sleep "$1" # the measuring window
    ask list
    awk -v cpu=$(($(domain $one cpu_ns) - cpu)) -v wall=$(($(date +%s%N) - wall)) \
        'BEGIN { printf "%.1f", 100 * cpu / wall }'
}

echo "# caps are felt"
curl -s -m 60 "http://$NETWORK.11/cgi-bin/work?ms=9000" >/dev/null &
load=$!
share=$(cpu_share 2)
echo "cap 20: $share % of a CPU"
expect_between "$share" 18 22 "speed with a cap of 20"
ask "cap vm=web-1 uuid=$one cap=40"
expect 'cap code=0 .*value=40' "cap"
share=$(cpu_share 2)
echo "cap 40: $share % of a CPU"
expect_between "$share" 36 44 "speed with a cap of 40"
ask "weight vm=web-1 uuid=$one weight=512"
expect 'weight code=0 .*value=512' "weight"
ask "cap vm=web-1 uuid=$one cap=0"
expect 'cap code=-22' "a cap of 0 is refused, not taken for none"
virsh_lab schedinfo web-1 --live --set vcpu_quota=-1 >/dev/null
ask list
expect_equal "$(domain $one cap)" none "a quota of -1 is no cap"
ask "cap vm=web-1 uuid=$one cap=40"

echo "# pause, memory, disk rate"
ask "pause vm=web-1 uuid=$one"
expect 'pause code=0' "pause"
share=$(cpu_share 1)
expect_between "$share" 0 0.5 "a paused guest gets no CPU"
ask list
expect_equal "$(domain $one state)" paused "state"
ask "resume vm=web-1 uuid=$one"
expect 'resume code=0' "resume"
ask "resume vm=web-1 uuid=$one"
expect 'resume code=0' "resume again"
ask "memory vm=web-1 uuid=$one memory=40960"
expect 'memory code=0 .*value=40960' "memory"
ask "memory vm=web-1 uuid=$one memory=100"
expect 'memory code=-5 reason=driver .*(busy|Failed)' "memory below what is used"
ask list
expect_equal "$(domain $one memory)" 40960 "a refused change changes nothing"
ask "vcpus vm=web-1 uuid=$one vcpus=2"
expect 'refused=-95' "what lxc cannot do is refused"
kill $load 2>/dev/null
wait $load 2>/dev/null
ask status
if (($(value_of capabilities) & 1 << 10)); then
    ask "disk-rate vm=web-2 uuid=$two disk_rate=1024"
    expect 'disk-rate code=0 .*value=1024' "disk rate"
    began=$(date +%s%N)
    get 12/cgi-bin/write >/dev/null || fail "a page that writes to the disk"
    ms=$((($(date +%s%N) - began) / 1000000))
    echo "disk rate 1 MiB/s: 2 MiB written in $ms ms"
    expect_between $ms 1500 4000 "time to write 2 MiB with 1 MiB/s"
    ask list
    expect_equal "$(domain $two disk_rate) $(domain $one disk_rate)" "1024 0" "disk rates"
    ask "disk-rate vm=web-2 uuid=$two disk_rate=0"
    expect 'disk-rate code=0 .*value=0' "no disk rate"
else
    echo "(no block device below $work that the kernel could limit: disk rate not tried)"
fi

echo "# kill -9 and adoption"
kill -KILL "$probe_pid"
wait "$probe_pid" 2>/dev/null
expect_equal "$(get 11/healthz)" ok "guests live on"
probe_start "$URI" "$work/state" node-1
ask list
expect_equal "$(domain $one ours) $(domain $one generation) $(domain $one cap)" "1 3 40" "adopted"

echo "# libvirtd hangs, dies, returns"
libvirtd=$(cat "$work/libvirtd.pid")
kill -STOP "$libvirtd"
ask "deadline_ms=700 cap vm=web-1 uuid=$one cap=35"
expect 'cap code=-110 reason=time-out' "a call into a libvirtd that hangs"
expect_between "$(value_of ms)" 650 1500 "time until that was reported"
ask "cap vm=web-1 uuid=$one cap=36"
expect 'refused=-16' "the lane is taken until libvirt comes back"
kill -CONT "$libvirtd"
cap_works() {
    ask "cap vm=web-1 uuid=$one cap=$1"
    grep -q "code=0 .*value=$1" <<<"$reply"
}
wait_for 10 "calls work again" cap_works 37
kill -KILL "$libvirtd"
wait_for 10 "libvirtd is gone" sh -c "! kill -0 $libvirtd"
ask list
expect 'list code=-107 reason=driver .*text=.*libvirt' "calls without libvirtd say so"
ask status
expect 'status code=-107' "so does the status"
expect_equal "$(get 11/healthz)" ok "guests live on"
libvirtd/start.sh "$work" || fail "libvirtd starts again"
wait_for 15 "the connection comes back" cap_works 38
ask list
expect_equal "$(domain $one generation) $(domain $two generation)" "3 1" "ours are known again"

echo "# shutdown, reboot, start again"
ask "shutdown vm=web-1 uuid=$one deadline_ms=10000"
expect 'shutdown code=0 .*text=$' "shutdown, asked for politely, after a restart of libvirtd"
ask list
expect_equal "$(domain $one state) $(domain $one generation)" "stopped 3" "it stays known"
[ -d "$work/state/disks/$one" ] || fail "the disk of a stopped guest is kept"
touch "$work/state/disks/$one/www/kept"
ask "create vm=web-1 uuid=$one generation=5 cap=25 $image address=$NETWORK.11/24"
expect 'create code=0' "start again"
wait_for 10 "it answers" get 11/kept
ask list
expect_equal "$(domain $one state) $(domain $one generation) $(domain $one cap)" "running 5 25" "new values"
ask "reboot vm=web-1 uuid=$one deadline_ms=10000"
expect 'reboot code=0' "reboot"
wait_for 10 "it answers after a reboot" get 11/kept
three=11111111-2222-4333-8444-00000000a003
ask "create vm=stubborn uuid=$three generation=1 ${image/init=\/init/init=/stubborn-init}"
expect 'create code=0' "create a guest that does not obey"
tell "& shutdown vm=stubborn uuid=$three deadline_ms=4000"
ask "cap vm=stubborn uuid=$three cap=15"
expect 'cap code=0 .*value=15' "a cap change during a long call"
expect_between "$(value_of ms)" 0 1000 "it is not delayed"
tell wait
answer
expect 'shutdown code=0 .*text=did not shut down .* powered off' "what does not obey is powered off"
ask "destroy vm=stubborn uuid=$three discard=1"

echo "# what is not ours"
mkdir -p "$work/stranger" && tar -xf "$work/guest.tar" -C "$work/stranger"
cat >"$work/stranger.xml" <<END
<domain type='lxc'><name>stranger</name><uuid>99999999-2222-4333-8444-00000000b001</uuid>
<memory unit='KiB'>32768</memory><vcpu>1</vcpu><os><type>exe</type><init>/stubborn-init</init></os>
<devices><filesystem type='mount'><source dir='$work/stranger'/><target dir='/'/></filesystem>
<console type='pty'/></devices></domain>
END
virsh_lab define "$work/stranger.xml" >/dev/null && virsh_lab start stranger >/dev/null
ask list
expect_equal "$(domain 99999999-2222-4333-8444-00000000b001 ours)" 0 "a stranger is listed as one"
ask status
expect 'cpu=[0-9]+ .*foreign=1' "it counts"
expect_equal $(($(value_of cpu_total) - $(value_of cpu))) 100 "its VCPU is not ours to give"
for call in pause shutdown "destroy discard=1" "cap cap=10" "create $image"; do
    ask "$call vm=stranger uuid=99999999-2222-4333-8444-00000000b001"
    expect 'code=-1 reason=conflict' "$call of a stranger"
done
expect_equal "$(virsh_lab domstate stranger)" running "it runs on"

echo "# what fails"
four=11111111-2222-4333-8444-00000000a004
ask "destroy vm=web-1 uuid=$one discard=1"
expect 'destroy code=0' "destroy"
ask "destroy vm=web-1 uuid=$one discard=1"
expect 'destroy code=0' "destroy again"
ask "destroy vm=web-2 uuid=$two"
ask list
expect_equal "$(domain $two state)" stopped "destroyed, disk kept"
ask "destroy vm=web-2 uuid=$two discard=1"
nothing_is_left "after destroy"
head -c 100000 "$work/guest.tar" | tr 'a-z' 'b-za' >"$work/broken.tar"
ask "create vm=bad uuid=$four ${image/guest.tar/broken.tar}"
expect 'create code=-5 reason=driver .*text=create bad: image.*tar:' "a broken image: tar's own words"
nothing_is_left "after a broken image"
ask "create vm=bad uuid=$four ${image/$BRIDGE/arbnobridge}"
expect 'create code=-[0-9]+ reason=driver .*text=create bad: start: .*arbnobridge' "an absent bridge: libvirt's own words"
nothing_is_left "after an absent bridge"
ask "create vm=bad uuid=$four ${image/init=\/init/init=/nonexistent} address=$NETWORK.13/24"
expect 'create code=-[0-9]+ reason=driver .*text=create bad: start: ' "an absent init: libvirt's own words"
nothing_is_left "after an absent init"
ask "create vm=bad<x uuid=$four $image address=&\"'>"
grep -q 'code=0' <<<"$reply" && ask list && expect_equal "$(domain $four ours)" 1 "markup in a text is only text"
ask "destroy vm=bad uuid=$four discard=1"
nothing_is_left "after markup"
probe_stop

[ $failures = 0 ] || exit 1
echo "the libvirt driver works on lxc"

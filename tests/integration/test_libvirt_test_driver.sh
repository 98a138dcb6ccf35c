#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The libvirt driver on test:///default, libvirt's own imitation of a hypervisor: the life cycle of a
# VM, with suspend to file, which lxc does not have. Amounts are not declared there: nobody obeys them.
set -u
cd "$(dirname "$0")" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. ./driver_probe.sh
if [ ! -e "$build/lib/arbiter/driver_libvirt.so" ]; then
    echo "the libvirt driver was not built"
    exit 77
fi
mkdir "$work/state"

vm="vm=web-1 uuid=11111111-2222-4333-8444-00000000c001"
uuid=${vm#*uuid=}
state() {
    ask list
    domain "$uuid" state
}

for wrong in "nonsense:///" "" "test:///nonexistent/file" "xen:///nowhere"; do
    output=$("$build/tests/driver_probe" "$build/lib/arbiter/driver_libvirt.so" "$wrong" \
        "$work/state" node-1 2>&1 </dev/null)
    expect_equal $? 1 "a URI that does not open ($wrong)"
    reply=$output
    expect 'driver_probe: .{10,}' "and says why"
done

probe_start test:///default "$work/state" node-1
ask status
expect 'code=0 driver="libvirt test:///default"' "status"
expect_equal "$(($(value_of capabilities) & ~0x1f))" 0 "only a life cycle is declared"
ask list
expect 'list code=0 .*domains=1' "the test host has one domain"
expect_equal "$(grep -c 'ours=0' <<<"$domains")" 1 "it is not ours"

ask "create $vm generation=7 address=10.0.0.5/24"
expect 'create code=0' "create"
ask list
case $(domain "$uuid" state) in
paused | running) ;;
*) fail "state after create: $reply $domains" ;;
esac
expect_equal "$(domain "$uuid" generation) $(domain "$uuid" ours)" "7 1" "identity"
ask "resume $vm"
expect 'resume code=0' "resume"
expect_equal "$(state)" running "state after resume"
ask "create $vm generation=8"
expect 'code=-17 reason=conflict' "what runs is not made twice"
ask "pause $vm"
expect_equal "$(state)" paused "state after pause"
ask "resume $vm"
ask "cap $vm cap=50"
expect 'refused=-95' "caps are not declared"
ask "migrate-out $vm"
expect 'refused=-95' "migration is not declared"

ask "suspend $vm"
expect 'suspend code=0' "suspend to file"
expect_equal "$(state)" suspended "state after suspend"
[ -s "$work/state/saved/$uuid" ] || fail "the saved file is there"
ask "restore $vm"
expect 'restore code=0' "restore"
expect_equal "$(state)" running "state after restore"
[ ! -e "$work/state/saved/$uuid" ] || fail "the saved file is gone"
ask "restore $vm"
expect 'restore code=-2' "nothing to restore"

ask "reboot $vm"
expect 'reboot code=0' "reboot"
expect_equal "$(state)" running "state after reboot"
ask "shutdown $vm"
expect 'shutdown code=0' "shutdown"
expect_equal "$(state)" stopped "state after shutdown"
ask "pause $vm"
expect 'pause code=-[0-9]+ reason=driver .*not running' "what is off is not paused: libvirt's own words"
ask "destroy $vm discard=1"
expect 'destroy code=0' "destroy"
expect_equal "$(state)" "" "it is gone"
ask "pause $vm"
expect 'pause code=-2 reason=not-found' "it is not found"
ask "cap vm=x uuid=../../etc/passwd"
expect 'refused=-' "a uuid that is none"
probe_stop

[ $failures = 0 ] || exit 1
echo "the libvirt driver works on test:///default"

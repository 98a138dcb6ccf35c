# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Migration: PV by save and restore over a stream, PVH live; the guest goes on where it was
lab_host 1 || return
lab_host 2 || return
a cordon -q host-2
start_service mig burn 1 'memory: 96MiB' || fail "the PV guest starts"
start_service migh web-pvh 1 'memory: 96MiB' || fail "the PVH guest starts"
a uncordon -q host-2
mig=$(address_of mig-vm-1) migh=$(address_of migh-vm-1)
until_ok 60 answers 1 "$mig" || fail "the PV guest serves"
until_ok 60 answers 1 "$migh" || fail "the PVH guest serves"
boot=$(fact 1 "$mig" boot) booth=$(fact 1 "$migh" boot)
known "both guests say which boot it is" "$boot" "$booth"
moved() { gone 1 "$1" && present 2 "$1"; }
since=$SECONDS
check "the PV guest moves" exits 0 a move -q mig-vm-1 host-2
check "... is on host-2 and no longer on host-1" until_ok 180 moved mig-vm-1
echo "        $((SECONDS - since)) s"
check "... goes on where it was" until_ok 60 eval '[[ $(fact 2 "$mig" boot) == "$boot" ]]'
since=$SECONDS
check "the PVH guest moves" exits 0 a move -q migh-vm-1 host-2
check "... is on host-2 and no longer on host-1" until_ok 300 moved migh-vm-1
echo "        $((SECONDS - since)) s"
check "... goes on where it was" until_ok 60 eval '[[ $(fact 2 "$migh" boot) == "$booth" ]]'
receiver_closed() { # the command port is always open
  out=$(on 2 "ss -Hltn") && grep -q ':2222 ' <<<"$out" && ! grep -vE ':(2222|8100) ' <<<"$out"
}
check "the receiver's port is closed again" receiver_closed
end_service mig
end_service migh

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Suspend to a file and restore, also while the balloon still moves: nothing is lost
lab_host 1 || return
start_service save burn 1 'memory: 160MiB' || { fail "the guest starts"; return; }
save=$(address_of save-vm-1)
until_ok 60 answers 1 "$save" || fail "the guest serves"
boot=$(fact 1 "$save" boot)
known "the guest says which boot it is" "$boot"
check "suspend" exits 0 a suspend -q vm/save-vm-1
check "... the domain is gone, its memory free" until_ok 60 gone 1 save-vm-1
check "... and the VM is suspended" until_ok 20 eval '[[ $(vm_field save-vm-1 state) == suspended ]]' || a get vm save-vm-1 -o json
check "restore" exits 0 a restore -q vm/save-vm-1
check "... goes on where it was" until_ok 90 eval '[[ $(fact 1 "$save" boot) == "$boot" ]]'
a set -q vm/save-vm-1 memory=112MiB
check "suspend while the balloon moves" eval 'a suspend -q vm/save-vm-1; [[ $? == 0 || $? == 1 ]]'
suspended_or_said() { gone 1 save-vm-1 && [[ $(vm_field save-vm-1 state) == suspended ]]; }
check "... waits for it, then saves" until_ok 120 suspended_or_said || a show vm/save-vm-1
check "restore" exits 0 a restore -q vm/save-vm-1
check "... goes on where it was: nothing is lost" until_ok 90 eval '[[ $(fact 1 "$save" boot) == "$boot" ]]'
check "... with the memory that was ordered" until_ok 60 domain_is 1 save-vm-1 mem 112
end_service save

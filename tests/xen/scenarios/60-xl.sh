# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Domains that a person starts with xl are never touched; ours, destroyed by xl, come back, once
lab_host 1 || return
on 1 "printf '%s\n' 'name=\"byhand\"' 'type=\"pv\"' 'kernel=\"/lab/vmlinuz\"' 'ramdisk=\"/lab/guest.cpio.gz\"' 'extra=\"console=hvc0 quiet\"' 'memory=96' >/root/byhand.cfg; xl create -q /root/byhand.cfg" 90 ||
  { fail "xl create"; return; }
byhand=$(domain 1 byhand id)
known "the domain by hand has an id" "$byhand"
start_service drift web 1 || { fail "the service starts"; return; }
drift=$(address_of drift-vm-1)
until_ok 60 answers 1 "$drift" || fail "the guest serves"
check "the domain by hand counts as foreign" until_ok 30 eval 'a get node host-1 -o json | grep -q "\"foreign_vms\": 1"'
boot=$(fact 1 "$drift" boot) uuid=$(on 1 "xl domid drift-vm-1 >/dev/null; xl vm-list | awk '\$3 == \"drift-vm-1\" { print \$1 }'")
known "the guest's boot and its uuid are known" "$boot" "$uuid"
on 1 "xl sched-credit2 -d drift-vm-1 -c 77"
xl_told() { a events | grep 'drift-vm-1' | grep -q "$1"; } # TEXT
check "a cap changed by xl is set right" until_ok 30 eval 'cap=$(domain 1 drift-vm-1 cap); [[ -n $cap && $cap != 77 ]]'
check "... which is reported as drift" until_ok 20 xl_told 'CPU cap was changed from outside, from .* to 77' || a events | grep drift-vm-1 | tail -5
on 1 "xl destroy drift-vm-1"
rebooted() { local now; now=$(fact 1 "$drift" boot); [[ -n $now && $now != "$boot" ]]; }
check "destroyed by xl, it comes back" until_ok 90 rebooted
check "... once, under its uuid" eval '[[ $(on 1 "xl vm-list" | grep -c "^$uuid") == 1 ]]' || on 1 "xl vm-list"
check "... and an event says so" until_ok 20 xl_told 'the guest .* it is started again' || a events | grep drift-vm-1 | tail -5
end_service drift
check "the domain by hand is untouched" [ "$(domain 1 byhand id)" == "$byhand" ]
on 1 "xl destroy byhand"
check "its CPU is offered again" until_ok 30 eval 'a get node host-1 -o json | grep -q "\"foreign_vms\": 0"'

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A PVH guest: cap, weight, VCPUs, memory, network, pause, suspend, reboot, shutdown, as Xen and the guest see them
lab_host 1 || return
start_service pvh web-pvh 1 $'cpu: {min: 0.5, max: 1}\nvcpus: 2\nmemory: 160MiB' || { fail "the guest starts"; return; }
pvh=$(address_of pvh-vm-1)
check "the guest serves" until_ok 60 answers 1 "$pvh"
pvh_boot=$(fact 1 "$pvh" boot) pvh_memory=$(fact 1 "$pvh" memory_kib)
known "the guest says which boot it is, and its memory" "$pvh_boot" "$pvh_memory" || return
check "cap and weight" exits 0 a set -q vm/pvh-vm-1 cpu=0.71 weight=512
check "... as Xen shows them" until_ok 20 eval 'domain_is 1 pvh-vm-1 cap 71 && domain_is 1 pvh-vm-1 weight 512'
pvh_cpus() { [[ $(fact 1 "$pvh" cpus) == "$1" ]]; }
check "two VCPUs" pvh_cpus 2
a set -q vm/pvh-vm-1 vcpus=1
check "VCPUs 2 -> 1, seen inside" until_ok 60 pvh_cpus 1
a set -q vm/pvh-vm-1 vcpus=2
check "VCPUs 1 -> 2, seen inside" until_ok 60 pvh_cpus 2
pvh_has() { now=$(fact 1 "$pvh" memory_kib); [[ -n $now && $now -ge $(($1 - 4096)) && $now -le $(($1 + 4096)) ]]; }
a set -q vm/pvh-vm-1 memory=120MiB
check "memory 160 -> 120 MiB, seen inside" until_ok 90 pvh_has $((pvh_memory - 40 * 1024)) || echo "        $now KiB of $pvh_memory"
a set -q vm/pvh-vm-1 memory=160MiB
check "memory 120 -> 160 MiB, seen inside" until_ok 90 pvh_has "$pvh_memory" || echo "        $now KiB of $pvh_memory"
a set -q vm/pvh-vm-1 net_rate=1MiB/s
check "its link has its limit" until_ok 30 on 1 'tc qdisc show | grep -q "qdisc tbf .*dev vif"'
check "pause" exits 0 a pause -q vm/pvh-vm-1
check "... as Xen shows it" until_ok 20 eval '[[ $(domain 1 pvh-vm-1 state) == *p* ]]'
check "resume" exits 0 a resume -q vm/pvh-vm-1
check "... serves again" until_ok 20 answers 1 "$pvh"
check "suspend" exits 0 a suspend -q vm/pvh-vm-1
check "... the domain is gone" until_ok 60 gone 1 pvh-vm-1
check "restore" exits 0 a restore -q vm/pvh-vm-1
check "... goes on where it was" until_ok 90 eval '[[ $(fact 1 "$pvh" boot) == "$pvh_boot" ]]'
check "reboot" exits 0 a reboot -q vm/pvh-vm-1
pvh_rebooted() { local now; now=$(fact 1 "$pvh" boot); [[ -n $now && $now != "$pvh_boot" ]]; }
check "... the guest has booted anew" until_ok 60 pvh_rebooted
check "shutdown, asked for politely" exits 0 a stop -q svc/pvh
check "... the guest has ended by itself" until_ok 60 eval 'gone 1 pvh-vm-1 && powered_off 1 pvh-vm-1'
end_service pvh
check "nothing of it is left" until_ok 60 no_domains 1 || domains 1

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Memory and VCPUs down and up, as the guest sees them; guests that do not obey are accepted, not effective
lab_host 1 || return
start_service many web 1 $'cpu: {min: 0.5, max: 1}\nvcpus: 2\nmemory: 160MiB' || { fail "the guest starts"; return; }
start_service stub stubborn 1 $'cpu: {min: 0.5, max: 1}\nvcpus: 2\nmemory: 128MiB' || { fail "the stubborn guest starts"; return; }
start_service full full 1 $'cpu: {min: 0.5, max: 1}\nmemory: 128MiB' || { fail "the full guest starts"; return; }
many=$(address_of many-vm-1) stub=$(address_of stub-vm-1)
until_ok 60 answers 1 "$many" || fail "the guest serves"
until_ok 60 answers 1 "$stub" || fail "the stubborn guest serves"
memory=$(fact 1 "$many" memory_kib)
guest_has() { now=$(fact 1 "$many" memory_kib); [[ -n $now ]] && awk -v n="$now" -v w="$1" 'BEGIN { exit !(n >= w - 4096 && n <= w + 4096) }'; }
check "memory 160 -> 120 MiB" exits 0 a set -q vm/many-vm-1 memory=120MiB
check "... seen inside the guest" until_ok 90 guest_has $((memory - 40 * 1024)) || echo "        $now KiB of $memory"
check "... and by Xen" until_ok 30 domain_is 1 many-vm-1 mem 120
check "memory up again" exits 0 a set -q vm/many-vm-1 memory=160MiB
check "... seen inside" until_ok 90 guest_has "$memory" || echo "        $now KiB of $memory"
check "the full guest has filled its memory" until_ok 60 on 1 "grep -q GUEST-FULL /var/log/xen/console/guest-full-vm-1.log"
a set -q vm/full-vm-1 memory=64MiB
check "a guest that gives none: accepted, not effective" until_ok 90 eval '[[ $(vm_field full-vm-1 memory_accepted) == 64 && $(vm_field full-vm-1 memory) != 64 ]]' || a get vm full-vm-1 -o json
check "... which is said" until_ok 60 eval '[[ -n $(vm_field full-vm-1 problem_text) ]]' || a show vm/full-vm-1
echo "        $(vm_field full-vm-1 problem_text)"

check "two VCPUs" [ "$(fact 1 "$many" cpus)" == 2 ]
cpus_are() { [[ $(fact 1 "$1" cpus) == "$2" ]]; }
check "VCPUs 2 -> 1" exits 0 a set -q vm/many-vm-1 vcpus=1
check "... seen inside" until_ok 60 cpus_are "$many" 1
check "VCPUs 1 -> 2" exits 0 a set -q vm/many-vm-1 vcpus=2
check "... seen inside" until_ok 60 cpus_are "$many" 2
check "... effective" until_ok 30 eval '[[ $(vm_field many-vm-1 vcpus) == 2 ]]'
a set -q vm/stub-vm-1 vcpus=1
check "a guest without hot-plug gives one up" until_ok 60 cpus_are "$stub" 1
until_ok 30 eval '[[ $(vm_field stub-vm-1 vcpus) == 1 ]]' || fail "that is reported"
a set -q vm/stub-vm-1 vcpus=2
check "... but never takes one: accepted, not effective" until_ok 60 eval '[[ $(vm_field stub-vm-1 vcpus_accepted) == 2 && $(vm_field stub-vm-1 vcpus) == 1 ]]' || a get vm stub-vm-1 -o json
check "... which is said" until_ok 60 eval '[[ -n $(vm_field stub-vm-1 problem_text) ]]' || a show vm/stub-vm-1
echo "        $(vm_field stub-vm-1 problem_text)"
check "the guest has one" cpus_are "$stub" 1
for name in many stub full; do end_service $name; done

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Wrong kernel, broken disk, too little memory, no bridge: the cause from libxl is in the error, nothing stays behind
lab_host 1 || return
free_before=$(on 1 "xl info free_memory")
known "xl says how much memory is free" "$free_before" || return
memory_back() { local free; free=$(on 1 "xl info free_memory") && [[ -n $free && $free -ge $((free_before - 2)) ]]; }
error_case() { # NAME IMAGE LINES TEXT WHAT
  service "$1" "$2" 1 "$3" >"$dir/$1.yaml"
  a apply -q --detach -f "$dir/$1.yaml"
  check "$5: the cause is said" until_ok 60 said "vm/$1-vm-1" "$4" || a show "vm/$1-vm-1"
  echo "        $(vm_field "$1-vm-1" problem_text)"
  end_service "$1"
}
error_case nokernel nokernel '' /lab/no-such-kernel "a kernel that is not there"
error_case badkernel badkernel '' 'Invalid kernel' "a kernel that is none"
printf 'version: 1\nimage: nodisk\nformat: raw\nsource: file:///lab/no-such-disk.raw\nsha256: %064d\nkernel: /lab/vmlinux\nguest_type: pv\n' 0 >"$dir/nodisk.yaml"
a apply -q -f "$dir/nodisk.yaml"
error_case nodisk nodisk '' no-such-disk.raw "an image that is not there"
printf 'version: 1\nimage: baddisk\nformat: raw\nsource: file:///lab/disk.raw\nsha256: %064d\nkernel: /lab/vmlinux\nguest_type: pv\n' 0 >"$dir/baddisk.yaml"
a apply -q -f "$dir/baddisk.yaml"
error_case baddisk baddisk '' 'its sha256 is' "an image that is not what it should be"
printf 'version: 1\nnetwork: nowhere\nbridge: no-such-bridge\n' >"$dir/nowhere.yaml"
a apply -q -f "$dir/nowhere.yaml"
error_case nobridge web 'network: nowhere' no-such-bridge "no bridge"
check "too much memory is refused in advance" eval 'service big web 1 "memory: 64GiB" >"$dir/big.yaml"; exits 7 a apply -q -f "$dir/big.yaml"' || echo "$out"
check "no domain is left" until_ok 30 no_domains 1 || domains 1
check "... nor anything in Xen's store" no_store 1
check "... and the memory is free again" until_ok 30 memory_back

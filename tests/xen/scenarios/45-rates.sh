# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Limits of a running guest's network and disk, as the guest feels them, and their end
lab_host 1 || return
cat >"$dir/disk.yaml" <<YAML
version: 1
image: disk
format: raw
source: file:///lab/disk.raw
sha256: $(on 1 "sha256sum /lab/disk.raw" | cut -d' ' -f1)
kernel: /lab/vmlinux
ramdisk: /lab/guest.cpio.gz
guest_type: pv
command_line: "console=hvc0 quiet"
YAML
a apply -q -f "$dir/disk.yaml" || { fail "an image with a disk is accepted"; return; }
start_service rates disk 1 || { fail "a guest with a disk starts"; return; }
rates=$(address_of rates-vm-1)
known "the guest has an address" "$rates" || return
check "a guest with a disk serves" until_ok 90 answers 1 "$rates"
rates_disk() { guest 1 "$rates" /cgi-bin/disk | sed -n 's/^seconds=//p'; }
rates_net() { # seconds for one mebibyte from the guest
  on 1 "since=\$EPOCHREALTIME; exec 3<>/dev/tcp/$rates/80; printf 'GET /mebibyte HTTP/1.0\r\n\r\n' >&3
    n=\$(timeout 50 cat <&3 | wc -c); [ \$n -ge 1048576 ] && echo \$since \$EPOCHREALTIME" 60 | awk '{ printf "%.2f\n", $2 - $1 }'
}
at_least() { awk -v n="$1" -v least="$2" 'BEGIN { exit !(n != "" && n + 0 >= least) }'; }
less_than() { awk -v n="$1" -v most="$2" 'BEGIN { exit !(n != "" && n + 0 < most) }'; }
rate_is() { [[ $(vm_field rates-vm-1 "$1") == "$2" ]]; }

net_free=$(rates_net) disk_free=$(rates_disk)
known "without limits both can be measured" "$net_free" "$disk_free"
check "a limit on the network" exits 0 a set -q vm/rates-vm-1 net_rate=128KiB/s
until_ok 30 rate_is net_rate 128KiB/s || fail "the agent reads it back: $(vm_field rates-vm-1 net_rate)"
net_slow=$(rates_net)
# A bucket may be full at the start; what is above the limit by more than that is seen.
check "... the guest's MiB takes 8 s at 128 KiB/s: $net_slow s, $net_free s without" at_least "$net_slow" 5
check "a limit on the disk" exits 0 a set -q vm/rates-vm-1 disk_rate=1MiB/s
until_ok 30 rate_is disk_rate 1MiB/s || fail "the agent reads it back: $(vm_field rates-vm-1 disk_rate)"
disk_slow=$(rates_disk)
check "... reading 4 MiB takes 4 s at 1 MiB/s: $disk_slow s, $disk_free s without" at_least "$disk_slow" 3
a set -q vm/rates-vm-1 net_rate=none disk_rate=none
until_ok 30 eval 'rate_is net_rate 0KiB/s && rate_is disk_rate 0KiB/s' || fail "the end of both is read back: $(vm_field rates-vm-1 net_rate) $(vm_field rates-vm-1 disk_rate)"
net_again=$(rates_net) disk_again=$(rates_disk)
check "without limits both are fast again: $net_again s, $disk_again s" eval 'less_than "$net_again" "$net_slow" && less_than "$disk_again" "$disk_slow"'
check "Xen's link has its limit from tc" eval 'a set -q vm/rates-vm-1 net_rate=1MiB/s && until_ok 20 on 1 "tc qdisc show | grep -qE \"qdisc (tbf|ingress|clsact|htb) .*dev vif\""' || on 1 "tc qdisc show"
end_service rates
check "nothing of it is left" until_ok 60 no_domains 1
check "... nor a loop device" eval '[[ -z $(on 1 "cat /sys/block/loop*/loop/backing_file 2>/dev/null") ]]'

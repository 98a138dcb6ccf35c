# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Upgrade, downgrade and purge of our packages, and their return, with a guest that never notices
lab_host 1 || return
start_service pack web 1 || { fail "the guest starts"; return; }
pack=$(address_of pack-vm-1)
check "a guest serves" until_ok 60 answers 1 "$pack"
pack_boot=$(fact 1 "$pack" boot) pack_id=$(domain 1 pack-vm-1 id)
known "the guest and Xen say who it is" "$pack_boot" "$pack_id" || return
pack_same() { [[ $(fact 1 "$pack" boot) == "$pack_boot" && $(domain 1 pack-vm-1 id) == "$pack_id" ]]; }
pack_version() { [[ $(on 1 "dpkg-query -W -f '\${Version}' arbiter-agent") == "$1" ]]; }
pack_pid() { on 1 "systemctl show arbiter-agent -p MainPID --value"; }
pack_installed=$(on 1 "dpkg-query -W -f '\${Version}' arbiter-agent")
# The same packages under a higher version.
pack_next=$pack_installed+lab1
mkdir -p "$dir/debs/lab/next"
for file in "${ours[@]}"; do
  dpkg-deb -R "$file" "$dir/debs/work" &&
    sed -i "s/^Version: .*/Version: $pack_next/; s/(= $pack_installed)/(= $pack_next)/g" "$dir/debs/work/DEBIAN/control" &&
    dpkg-deb --root-owner-group -Znone -b "$dir/debs/work" "$dir/debs/lab/next/$(basename "$file")" >/dev/null || fail "a package of a higher version"
  rm -rf "$dir/debs/work"
done
tar -C "$dir/debs" -cf - lab | in_lab machine_put host-1 || fail "the host takes the packages"

pack_old=$(pack_pid)
check "upgrade" exits 0 on 1 "dpkg -i /lab/next/*.deb" 200
check "... is installed" pack_version "$pack_next"
pack_restarted() { local now; now=$(pack_pid) && [[ $now -gt 0 && $now != "$pack_old" ]] && node_is 1 up; }
check "... and its agent runs, connected" until_ok 60 pack_restarted
check "... the guest never noticed" pack_same
pack_old=$(pack_pid)
check "downgrade" exits 0 on 1 "dpkg -i /lab/packages/*.deb" 200
check "... is installed" pack_version "$pack_installed"
check "... and its agent runs, connected" until_ok 60 pack_restarted
check "... the guest never noticed" pack_same
# To take the packages away and bring them back, with what the administrator has to keep.
on 1 "tar -cf /root/kept.tar -C / etc/arbiter var/lib/arbiter-agent"
check "purge" exits 0 on 1 "dpkg --purge arbiter-agent arbiter-agent-xen arbiter-agent-gateway arbiter-agent-images arbiter-agent-libvirt" 200
check "... no agent runs" on 1 "! pidof arbiter-agent && ! [ -e /usr/sbin/arbiter-agent ]"
check "... its key is gone" on 1 "! [ -e /etc/arbiter/agent.key ]"
check "... the guest never noticed" pack_same
check "installed again, with the old key" exits 0 on 1 "tar -xf /root/kept.tar -C /; dpkg --force-confold -i /lab/packages/*.deb; systemctl start arbiter-agent" 200
check "... the node is up" until_ok 60 node_is 1 up
check "... and has adopted its guest: a cap is changed" exits 0 a set -q vm/pack-vm-1 cpu=0.43
check "... as Xen shows" until_ok 20 domain_is 1 pack-vm-1 cap 43
check "... the guest never noticed" pack_same
end_service pack

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The driver libvirt on xen:///system, where libvirtd owns the domains: what it declares works, the rest is refused
lab_host 1 || return
libvirt_with() { # DRIVER MIGRATE: the agent goes on with it
  on 1 "systemctl stop arbiter-agent; sed -i 's|^driver: .*|driver: \"$1\"|; s|^#*migrate:|$2|' /etc/arbiter/agent.yaml; systemctl start arbiter-agent" 60 >/dev/null
}
libvirt_driver() { a get node host-1 -o json | grep -q "\"driver\": \"$1" && node_is 1 up; }
# libvirt knows no CPU as small as the emulated one: what that lacks is taken out of its smallest model.
# The rest of its package, with units and a group, is not here.
on 1 'sed -i /vme/d /usr/share/libvirt/cpu_map/x86_486.xml
  printf "unix_sock_group=\"root\"\nauth_unix_rw=\"none\"\nlog_outputs=\"3:file:/var/log/libvirtd.log\"\n" >/run/libvirtd.conf
  mkdir -p /etc/libvirt; mv /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so /run/
  libvirtd -d -f /run/libvirtd.conf -p /run/lab-libvirtd.pid' 30
check "libvirtd runs" until_ok 30 on 1 '[ -S /run/libvirt/libvirt-sock ]' || on 1 "cat /var/log/libvirtd.log"
libvirt_with libvirt:xen:///system '#migrate:'
check "the agent runs with libvirt's driver of Xen" until_ok 60 libvirt_driver libvirt
check "a guest is created" start_service virt web 1 $'cpu: {min: 1, max: 1}\nvcpus: 2\nmemory: 160MiB'
virt=$(address_of virt-vm-1)
check "... serves ($virt)" until_ok 60 answers 1 "$virt"
check "... and xl lists it" present 1 virt-vm-1
virt_boot=$(fact 1 "$virt" boot) virt_memory=$(fact 1 "$virt" memory_kib)
known "the guest says which boot it is" "$virt_boot" "$virt_memory" || virt_boot=unknown virt_memory=0
check "pause" exits 0 a pause -q vm/virt-vm-1
check "... as Xen shows it" until_ok 20 eval '[[ $(domain 1 virt-vm-1 state) == *p* ]]'
check "resume" exits 0 a resume -q vm/virt-vm-1
check "... serves again" until_ok 20 answers 1 "$virt"
virt_cpus() { [[ $(fact 1 "$virt" cpus) == "$1" ]]; }
check "VCPUs 2 -> 1" exits 0 a set -q vm/virt-vm-1 vcpus=1
check "... seen inside" until_ok 60 virt_cpus 1
a set -q vm/virt-vm-1 vcpus=2
check "VCPUs 1 -> 2, seen inside" until_ok 60 virt_cpus 2
check "memory 160 -> 120 MiB" exits 0 a set -q vm/virt-vm-1 memory=120MiB
check "... as Xen shows it" until_ok 60 domain_is 1 virt-vm-1 mem 120
check "... seen inside the guest" eval '[[ $(fact 1 "$virt" memory_kib) -lt $((virt_memory - 36 * 1024)) ]]'
check "suspend" exits 0 a suspend -q vm/virt-vm-1
check "... the domain is gone" until_ok 60 gone 1 virt-vm-1
check "restore" exits 0 a restore -q vm/virt-vm-1
check "... goes on where it was" until_ok 90 eval '[[ $(fact 1 "$virt" boot) == "$virt_boot" ]]'
check "reboot" exits 0 a reboot -q vm/virt-vm-1
virt_rebooted() { local now; now=$(fact 1 "$virt" boot); [[ -n $now && $now != "$virt_boot" ]]; }
check "... the guest has booted anew" until_ok 60 virt_rebooted
check "a cap is refused" exits 7 a set -q vm/virt-vm-1 cpu=0.5 || echo "        $out"
check "a limit on the network too" exits 7 a set -q vm/virt-vm-1 net_rate=128KiB/s || echo "        $out"
check "shutdown, asked for politely" exits 0 a stop -q svc/virt
check "... the guest has ended by itself" until_ok 60 eval 'gone 1 virt-vm-1 && powered_off 1 virt-vm-1'
end_service virt
check "nothing of it is left" until_ok 60 no_domains 1 || domains 1
on 1 'kill $(cat /run/lab-libvirtd.pid)'
libvirt_with 'xen:tsc_mode=native,migrate=yes' 'migrate:'
check "the agent runs with the driver xen again" until_ok 60 libvirt_driver xen

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Create, list, adopt after kill -9 of the agent, pause, reboot, destroy; PV and PVH
lab_host 1 || return
check "a PV and a PVH guest are created" start_service life web 1
check "... the second kind too" start_service lifeh web-pvh 1
check "xl lists both" eval 'present 1 life-vm-1 && present 1 lifeh-vm-1' || domains 1
pv=$(address_of life-vm-1) pvh=$(address_of lifeh-vm-1)
known "the agent tells both addresses" "$pv" "$pvh"
check "both have an address and serve HTTP ($pv, $pvh)" until_ok 60 eval 'answers 1 "$pv" && answers 1 "$pvh"'
check "the caps are those of Arbiter" eval 'cap=$(vm_field life-vm-1 cap); [[ -n $cap ]] && domain_is 1 life-vm-1 cap "$cap"'
domid=$(domain 1 life-vm-1 id) boot=$(fact 1 "$pv" boot)
known "Xen and the guest say who they are" "$domid" "$boot"
on 1 "systemctl kill -s KILL arbiter-agent"
check "after kill -9 systemd starts the agent again" until_ok 30 on 1 "systemctl is-active arbiter-agent && [ \$(systemctl show arbiter-agent -p NRestarts --value) -ge 1 ]"
check "the node is up" until_ok 30 node_is 1 up
check "the agent has adopted its guest: a cap is changed" exits 0 a set -q vm/life-vm-1 cpu=0.82
check "... and Xen shows it" until_ok 20 domain_is 1 life-vm-1 cap 82
check "it is the same domain" [ "$(domain 1 life-vm-1 id)" == "$domid" ]
check "... and the guest never noticed" [ "$(fact 1 "$pv" boot)" == "$boot" ]

check "pause" exits 0 a pause -q vm/life-vm-1
check "... as Xen shows it" until_ok 20 eval '[[ $(domain 1 life-vm-1 state) == *p* ]]'
check "resume" exits 0 a resume -q vm/life-vm-1
check "... serves again" until_ok 20 answers 1 "$pv"
check "reboot" exits 0 a reboot -q vm/life-vm-1
rebooted() { local now; now=$(fact 1 "$pv" boot); [[ -n $now && $now != "$boot" ]]; }
check "... the guest has booted anew" until_ok 60 rebooted
check "... under its name, once" [ "$(on 1 'xl list' | grep -c '^life-vm-1 ')" == 1 ]
check "a person's cap is still in force" until_ok 20 domain_is 1 life-vm-1 cap 82
check "weight" exits 0 a set -q vm/life-vm-1 weight=512
check "... as Xen shows it" until_ok 20 domain_is 1 life-vm-1 weight 512
check "shutdown, asked for politely" exits 0 a stop -q svc/life
check "... the guest has ended by itself" until_ok 60 eval 'gone 1 life-vm-1 && powered_off 1 life-vm-1'
end_service life
end_service lifeh
check "both are destroyed" until_ok 60 no_domains 1 || domains 1
check "nothing of them is left in Xen's store" no_store 1
check "... nor on the bridge" no_vifs 1

# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Hosts that are lost: agent killed, agent stopped (the hypervisor reboots the host), power loss
lab_host 1 || return
lab_host 2 || return
fail_serves() { answers "$1" "$(address_of "$2")"; }
start_fence() { # N NAME IMAGE ISOLATION
  local other=$((3 - $1))
  a cordon -q host-$other
  start_service "$2" "$3" 1 "isolation: $4" || fail "$2 starts on host-$1"
  a uncordon -q host-$other
  until_ok 60 fail_serves "$1" "$2-vm-1" || fail "$2 serves"
}
start_fence 1 guard web fence
start_fence 1 loose stubborn run
boot=$(fact 1 "$(address_of guard-vm-1)" boot)
generation=$(vm_field guard-vm-1 generation)
fail_pid() { on 1 "systemctl show arbiter-agent -p MainPID --value"; }
fail_host() { on 1 "cat /proc/sys/kernel/random/boot_id"; }
fail_uptime() { on 1 "cut -d. -f1 /proc/uptime"; }
fail_old_pid=$(fail_pid) fail_old_host=$(fail_host)
known "the VM, its host and its agent say who they are" "$boot" "$generation" "$fail_old_pid" "$fail_old_host" || return

on 1 "systemctl kill -s KILL arbiter-agent"
fail_old_uptime=$(fail_uptime)
fail_returned() { local now; now=$(fail_pid) && [[ $now -gt 0 && $now != "$fail_old_pid" ]] && node_is 1 up; }
check "an agent that is killed returns" until_ok 60 fail_returned
fail_lived_on() { # as long as a lease, and its end, could take
  local now
  now=$(fail_uptime) && [[ -n $fail_old_uptime && $now -ge $((fail_old_uptime + lab_lease + lab_margin)) && $(fail_host) == "$fail_old_host" ]]
}
check "... within the lease: the host does not reboot" until_ok 120 fail_lived_on
check "... and nothing happens to its protected VM" eval '[[ $(fact 1 "$(address_of guard-vm-1)" boot) == "$boot" && $(vm_field guard-vm-1 generation) == "$generation" ]]'

# When arbiterd said so last, in seconds: KIND NAME
fail_said_at() {
  a events -o json | tr -d '\n' | tr '{' '\n' | grep -- "$1" | grep -- "$2" | tail -1 | grep -o '"wall_ms": *[0-9]*' | grep -o '[0-9]*$' | awk '{ printf "%.3f\n", $1 / 1000 }'
}
console_lines=$(console 1 | wc -l)
fail_since=$EPOCHREALTIME
on 1 'kill -STOP $(systemctl show arbiter-agent -p MainPID --value)'
# systemd would end a stopped agent by its own watchdog and start it again: the hypervisor is to do it alone.
on 1 "systemctl kill -s STOP arbiter-agent" 10
fail_rebooted() { fail_reboot=$(console 1 | tail -n +"$((console_lines + 1))" | grep -m1 -i 'watchdog timer fired') && [[ -n $fail_reboot ]]; }
check "the agent stops: the hypervisor reboots host-1" until_ok 90 fail_rebooted
fail_lost() { [[ -n $(fail_said_at node-lost host-1) ]]; }
check "... and its node is lost" until_ok 60 fail_lost
fail_at=$(fail_said_at node-lost host-1)
awk -v stop="$fail_since" -v reboot="${fail_reboot%% *}" -v lost="$fail_at" 'BEGIN { printf "        agent stopped at 0 s, host-1 rebooted at %.1f s, its lease was out at %.1f s\n", reboot - stop, lost - stop }'
check "... only after the reboot: nothing runs there when it could be started elsewhere" awk -v r="${fail_reboot%% *}" -v p="$fail_at" 'BEGIN { exit !(r > 0 && p > r) }'
check "the protected VM starts on host-2" until_ok 180 present 2 guard-vm-1 || a show vm/guard-vm-1
check "... once" [ "$(on 2 'xl list' | grep -c '^guard-vm-1 ')" == 1 ]
check "host-1 boots, systemd starts its agent" until_ok 240 node_is 1 up
check "... and the protected VM is not up there, too" [ "$(on 1 'xl list' | grep -c '^guard-vm-1 ')" == 0 ]

lab_power_off 1
fail_down() { node_is 1 expired || node_is 1 down; }
check "power loss of host-1: its node is lost" until_ok 120 fail_down || a get node
check "... and its VM with isolation run waits" [ "$(on 2 'xl list' | grep -c '^loose-vm-1 ')" == 0 ]
check "a person says that it is off" exits 0 a confirm-dead -q host-1
check "... and the VM runs on host-2" until_ok 180 present 2 loose-vm-1 || a show vm/loose-vm-1
check "... once, as the protected one" [ "$(on 2 'xl list' | grep -cE '^(guard|loose)-vm-1 ')" == 2 ]
unset 'lab_up[1]'
end_service guard
end_service loose

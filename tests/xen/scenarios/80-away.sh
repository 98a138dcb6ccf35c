# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Guests that crash, reboot or power off while the agent is down are handled when it returns
lab_host 1 || return
for name in crash reboot; do
  printf -- '---\nversion: 1\nimage: %s\nformat: kernel\nkernel: /lab/vmlinux\nramdisk: /lab/guest.cpio.gz\nguest_type: pv\ncommand_line: "console=hvc0 quiet lab.exit=40:%s"\n' $name $name
done >"$dir/exit.yaml"
a apply -q -f "$dir/exit.yaml"
for name in crash reboot; do
  service go$name $name 1 >"$dir/go$name.yaml"
  a apply -q --detach -f "$dir/go$name.yaml"
done
check "two guests run that will end by themselves" until_ok 90 eval 'answers 1 "$(address_of gocrash-vm-1)" && answers 1 "$(address_of goreboot-vm-1)"'
away_crash=$(domain 1 gocrash-vm-1 id) away_reboot=$(domain 1 goreboot-vm-1 id)
on 1 "systemctl stop arbiter-agent" 40
# A domain whose guest is gone has the state "s" or "c" for ever, or is not there at all.
ended() {
  local list state
  list=$(xl_list 1) || return 1
  state=$(awk -v vm="$1" '$1 == vm { print $5 }' <<<"$list")
  [[ $state != *[rbp]* ]]
}
check "both end while the agent is down" until_ok 150 eval 'ended gocrash-vm-1 && ended goreboot-vm-1' || on 1 "xl list"
on 1 "xl list" | sed 's/^/        /'
on 1 "systemctl start arbiter-agent" 40
again() { local id; id=$(domain 1 "$1" id); [[ -n $id && $id != "$2" ]]; }
check "the crashed one runs again" until_ok 90 again gocrash-vm-1 "$away_crash"
check "the rebooted one too" until_ok 90 again goreboot-vm-1 "$away_reboot"
check "each once" eval '[[ $(on 1 "xl list" | grep -c "go.*-vm-1") == 2 ]]' || on 1 "xl list"
end_service gocrash
end_service goreboot

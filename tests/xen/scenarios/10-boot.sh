# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A host whose agent systemd has started, from our packages, is connected and fit
lab_host 1 || return
boot_unit=$(on 1 "systemctl show arbiter-agent -p Type -p WatchdogUSec --value" | tr "\n" " ")
check "the unit is of type notify, with a watchdog: $boot_unit" eval '[[ $boot_unit == "notify "[1-9]* ]]'
check "its driver is xen" eval 'a get node host-1 -o json | grep -q "\"driver\": \"xen"'
check "arbiter-agent check finds nothing to repair" exits 0 on 1 "arbiter-agent check" 60
echo "$out" | sed 's/^/        /'
out=$(a get node host-1 -o json)
check "it offers CPU and memory" eval 'grep -qE "\"cpu\": [0-9.]*[1-9]" <<<"$out" && grep -qE "\"memory\": \"[1-9]" <<<"$out"' || echo "$out"
check "dom0 is the only domain" no_domains 1

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ends what start.sh DIR started: its guests, its libvirtd, its bridge. Leaves DIR to the caller.
set -u
dir=$(realpath -m "${1:?usage: stop.sh DIR}")
[ -e "$dir/lab.env" ] || exit 0
. "$dir/lab.env"

# The guests by the controllers that libvirtd noted, whether it lives or not. Ending a guest's init
# ends the guest.
for file in "$dir"/run/lxc/*.pid; do
    [ -e "$file" ] || continue
    controller=$(cat "$file")
    [ "$(cat "/proc/$controller/comm" 2>/dev/null)" = libvirt_lxc ] || continue
    for init in $(cat "/proc/$controller/task/$controller/children"); do
        kill -KILL "$init"
    done
    for _ in $(seq 50); do
        kill -0 "$controller" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$controller" 2>/dev/null
done

for file in "$dir"/run/qemu/*.pid; do
    [ -e "$file" ] || continue
    machine=$(cat "$file")
    case $(cat "/proc/$machine/comm" 2>/dev/null) in
    qemu-system*) kill -KILL "$machine" ;;
    esac
done

if [ -s "$dir/libvirtd.pid" ]; then
    pid=$(cat "$dir/libvirtd.pid")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = libvirtd ]; then
        kill -CONT "$pid"
        kill "$pid"
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null
    fi
fi
ip link delete "$BRIDGE" 2>/dev/null
# The cgroups of ended guests; those with processes in them cannot be removed.
find /sys/fs/cgroup -depth -type d -path '*/machine*' -name '*' -exec rmdir {} + 2>/dev/null
rm -f "$dir/lab.env" "$dir/libvirtd.pid"
exit 0

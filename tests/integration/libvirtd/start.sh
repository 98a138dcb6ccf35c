#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Starts a libvirtd of our own, and a bridge for its guests: start.sh DIR [URI, default lxc:///]
# Everything that it keeps is under DIR; it never meets a libvirtd of the system, whose folders are
# covered by ours in a mount namespace. Writes DIR/lab.env (URI, BRIDGE, NETWORK, HOST_ADDRESS).
# Called again with the same DIR it starts libvirtd anew for the guests that are there.
# Its machines are emulated, also where there is a KVM: so they behave the same on every host.
# Exit 77, with the reason, where such guests cannot work.
set -u
dir=$(realpath -m "${1:?usage: start.sh DIR [URI]}")
uri=${2:-lxc:///}

skip() {
    echo "${uri%%:*} lab: $1"
    exit 77
}
fail() {
    echo "${uri%%:*} lab: $1" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || skip "needs root"
for tool in libvirtd virsh unshare ip busybox; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
done
unshare -m true 2>/dev/null || skip "mount namespaces are not allowed here"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    grep -qw cpu /sys/fs/cgroup/cgroup.controllers || skip "cgroup v2 without the cpu controller"
else
    for controller in cpu memory freezer; do
        [ -w /sys/fs/cgroup/$controller/cgroup.procs ] || skip "no cgroup controller $controller"
    done
fi

mkdir -p "$dir"/{etc,run,lib,log,cache,socket} || fail "cannot make $dir"
chmod 711 "$dir"

choose_bridge() {
    local number
    for number in $(shuf -i 1-250); do
        if ! ip -o address | grep -q "inet 10\.97\.$number\."; then
            NETWORK=10.97.$number
            BRIDGE=arbt$number
            ip link add "$BRIDGE" type bridge 2>/dev/null && return 0
        fi
    done
    return 1
}

if [ ! -e "$dir/lab.env" ]; then
    choose_bridge || skip "cannot add a bridge: $(ip link add arbt0 type bridge 2>&1)"
    if ! { ip address add "$NETWORK.1/24" dev "$BRIDGE" && ip link set "$BRIDGE" up; }; then
        ip link delete "$BRIDGE"
        fail "cannot set up bridge $BRIDGE"
    fi
    # Without a socket= of our own the client would look for a libvirtd of the system.
    cat >"$dir/lab.env" <<END
URI='$uri?socket=$dir/socket/libvirt-sock'
BRIDGE=$BRIDGE
NETWORK=$NETWORK
HOST_ADDRESS=$NETWORK.1
END
fi
. "$dir/lab.env"

cat >"$dir/libvirtd.conf" <<END
unix_sock_dir = "$dir/socket"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "3:file:$dir/log/libvirtd.log"
END
# Without virtlogd, which is the system's; security_driver: labels of the system's guests.
cat >"$dir/etc/qemu.conf" <<END
stdio_handler = "file"
security_driver = "none"
namespaces = []
END
cat >"$dir/libvirtd.sh" <<'END'
# In a mount namespace of its own: our folders in the places that are built into libvirtd, and a
# cgroup v1 tree without the two hierarchies that it stumbles over.
dir=$1
for hierarchy in unified systemd; do
    if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && mountpoint -q /sys/fs/cgroup/$hierarchy; then
        umount /sys/fs/cgroup/$hierarchy || exit 1
    fi
done
for pair in etc:/etc/libvirt lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt \
    run:/run/libvirt; do
    mkdir -p "${pair#*:}" && mount --bind "$dir/${pair%%:*}" "${pair#*:}" || exit 1
done
if [ -e /dev/kvm ]; then # a file that cannot be written is no KVM to libvirt
    mount --bind "$dir/libvirtd.conf" /dev/kvm && mount -o remount,bind,ro /dev/kvm || exit 1
fi
exec libvirtd -f "$dir/libvirtd.conf" -p "$dir/libvirtd.pid"
END
# All guests together weigh more than what else runs on this machine, so that what a cap gives is
# there and a measurement means something on a busy one too.
if [ -w /sys/fs/cgroup/cpu/cpu.shares ] && mkdir -p /sys/fs/cgroup/cpu/machine; then
    echo 65536 >/sys/fs/cgroup/cpu/machine/cpu.shares
fi

rm -f "$dir/libvirtd.pid"
first=
nice -n -10 true 2>/dev/null && first="nice -n -10"
setsid $first unshare -m sh "$dir/libvirtd.sh" "$dir" >"$dir/log/start.log" 2>&1 </dev/null &

for _ in $(seq 100); do
    if virsh -c "$URI" version >/dev/null 2>&1 && [ -s "$dir/libvirtd.pid" ]; then
        exit 0
    fi
    kill -0 $! 2>/dev/null || break
    sleep 0.1
done
cat "$dir/log/start.log" "$dir/log/libvirtd.log" >&2 2>/dev/null
"$(dirname "$0")/stop.sh" "$dir"
fail "libvirtd did not come up"

# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts that drive the libvirt driver with real guests, in this folder's parent: $work is a
# folder of the test's own, and at its end nothing of it is left. Then start.sh, $work/lab.env and
# driver_probe.sh.
#   get ADDRESS-END/PAGE   asks a guest over HTTP
#   virsh_lab WORDS...     asks the lab's libvirtd
# shellcheck shell=bash
work=$(mktemp -d)
clean_up() {
    [ -z "${probe_pid:-}" ] || kill -KILL "$probe_pid" 2>/dev/null
    libvirtd/stop.sh "$work"
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

one=11111111-2222-4333-8444-00000000a001
two=11111111-2222-4333-8444-00000000a002
get() {
    curl -sf -m 20 "http://$NETWORK.$1"
}
virsh_lab() {
    virsh -q -c "$URI" "$@"
}

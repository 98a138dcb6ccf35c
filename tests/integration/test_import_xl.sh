#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# arbiter import-xl: what it makes of xl.cfg files is taken by a real orchestrator: the administrator's
# objects by apply, the services by plan.
. tests/integration/cluster.sh

[[ -f $build/lib/arbiter/driver_libvirt.so ]] || { echo "the libvirt driver is not built"; exit 77; }
cluster_make
head -c 3000000 /dev/urandom >"$dir/web.img"
cat >"$dir/web.cfg" <<END
# as xen-tools writes it
kernel = '/boot/vmlinuz'
ramdisk = '/boot/initrd.img'
extra = 'quiet'
vcpus = '2'
memory = '256'
root = '/dev/xvda2 ro'
disk = [
  'file:$dir/web.img,xvda2,w',
  'file:$dir/swap.img,xvda1,w',
]
name = 'Web'
vif = [ 'mac=00:16:3E:6B:1E:11,bridge=xenbr0,rate=80Mb/s' ]
on_crash = 'restart'
END
cat >"$dir/probe.cfg" <<END
type = "pvh"
name = "probe"
kernel = "/srv/vmlinuz"
ramdisk = "/srv/probe.cpio.gz"
memory = 128
vif = [ 'bridge=xenbr0' ]
END
printf 'builder = "hvm"\nname = "win"\nmemory = lots\nvif = "x"\n' >"$dir/win.cfg"
import() { "$bin/arbiter" import-xl "$@"; }

echo "--- to standard output"
import "$dir/web.cfg" "$dir/probe.cfg" >"$dir/all.yaml" 2>"$dir/said"
check "exit 0" test $? = 0
out=$(<"$dir/all.yaml")
check "the checksum is sha256sum's" has "$(sha256sum <"$dir/web.img" | cut -d' ' -f1)"
check "the root moves to the disk that a VM has" has "root=/dev/xvda ro quiet"
check "a guest without disk is all kernel" has "format: kernel"
check "it stays PVH" has "guest_type: pvh"
out=$(<"$dir/said")
check "warnings have file and line" has "web.cfg:14: warning: on_crash"
check "and say what is lost" has "web.cfg:10: warning: disk: a VM has one disk"

echo "--- to a folder"
check "exit 0" exits 0 import "$dir/web.cfg" "$dir/probe.cfg" --out "$dir/made" --node dom0-1 -q
check "one file for the administrator, one for each service" test "$(ls "$dir/made" | tr '\n' ' ')" = "probe.yaml site.yaml web.yaml "
check "nothing is written over" exits 8 import "$dir/web.cfg" --out "$dir/made" -q
check "it says what is there" has "exists already"

cluster_start mode=act listen.metrics=off
cluster_agent dom0-1 libvirt:test:///default -s bridge=xenbr0
until_ok 20 a wait node/dom0-1 --for up --timeout 1s
check "plan without the administrator's objects is infeasible or refused" test "$(a plan -f "$dir/made/web.yaml" >/dev/null 2>&1; echo $?)" != 0
check "the administrator applies his file" exits 0 a apply -f "$dir/made/site.yaml"
check "the objects are there" exits 0 a get image web
check "plan takes the service" exits 0 a plan -f "$dir/made/web.yaml"
check "and places its VM on the node with the disk" has "web-vm-1"
check "apply takes it" exits 0 a apply -f "$dir/made/web.yaml" --detach
check "its VM is there" exits 0 a get vm web-vm-1 -o json
check "on that node" has '"dom0-1"'
check "a guest without disk needs a node with the driver xen" exits 7 a plan -f "$dir/made/probe.yaml"
check "and that is the only thing that is short" has "does not run images of this format"
check "in one service" exits 0 import "$dir/web.cfg" --service shop --kind cluster --out "$dir/shop" --node dom0-1 -q
check "which apply takes, too" exits 0 a apply -f "$dir/shop" --detach
check "with its groups" exits 0 a get vm --service shop -o name
check "named after the guests" has "shop-web-1"

echo "--- what is wrong is told at once"
check "exit 2" exits 2 import "$dir/win.cfg" "$dir/none.cfg" "$dir/web.cfg" --out "$dir/not"
check "HVM with a way out" has "win.cfg:1: an HVM guest"
check "a value that is none" has "win.cfg:3: expected a string in quotes"
check "a list that is none" has "win.cfg:4: vif: expected a list"
check "a file that is not there" has "none.cfg"
check "nothing is written" test ! -e "$dir/not"
rm "$dir/web.img"
check "a disk that is not here" exits 2 import "$dir/web.cfg"
check "is why it must run on its dom0" has "run this on the dom0 that has it"
check "no file" exits 2 import
check "a kind that cannot be" exits 2 import "$dir/probe.cfg" --kind queue
finish

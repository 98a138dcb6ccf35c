#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes what the lab boots, in FOLDER: build.sh FOLDER PACKAGE.deb...
#   xen, vmlinux, boot.cpio.gz    the hypervisor, dom0's kernel and its first steps
#   disk.raw                      root of dom0: Debian, Xen's tools, the guests; nothing of Arbiter
#   ready.qcow2, ready.state      a host that has booted, as QEMU saved it
#   installed.qcow2, .state       the same with Arbiter's packages: where every lab starts
# Each step is made again only when its inputs have changed; all of them take about five minutes.
# Needs root (debootstrap) and Debian's packages; nothing is installed on this machine.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath -m "${1:?usage: build.sh FOLDER PACKAGE.deb...}")
shift
mkdir -p "$folder"
cd "$folder"
. "$here/machine.sh"
listed() { awk -v group="$1" '$1 == group { print $2 }' "$here/packages.txt"; }

# made STAMP INPUT...: true when the step's inputs are those of the last time; else clears the stamp.
made() {
  local stamp=$1
  shift
  sum=$(cat "$@" | sha256sum)
  [[ -f $stamp && $(cat "$stamp") == "$sum" ]] && return 0
  rm -f "$stamp"
  return 1
}
done_with() { echo "$sum" >"$1"; }
say() { echo "lab: $*"; }

if ! made root.stamp "$here/packages.txt"; then
  say "unpacking Debian (2 min)"
  ! mountpoint -q root/proc || umount root/proc
  rm -rf root packages unpacked
  debootstrap --variant=minbase --include="$(listed host | paste -sd,)" bookworm root \
    "${ARBITER_DEBIAN:-http://deb.debian.org/debian}" >debootstrap.log 2>&1 || { tail -5 debootstrap.log; exit 1; }
  # debootstrap knows one suite; with this machine's sources the hosts get the updates that we are built with.
  cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d /etc/apt/preferences.d root/etc/apt/
  [[ ! -d /usr/share/keyrings ]] || cp -rn /usr/share/keyrings root/usr/share/
  cp -L /etc/resolv.conf root/etc/
  { chroot root apt-get update && DEBIAN_FRONTEND=noninteractive chroot root apt-get -y --no-install-recommends dist-upgrade; } \
    >upgrade.log 2>&1 || { tail -5 upgrade.log; exit 1; }
  kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ { print $2; exit }')
  mkdir -p packages unpacked
  (cd packages && apt-get download -q -o APT::Sandbox::User=root xen-hypervisor-4.17-amd64 "$kernel" >../download.log 2>&1) ||
    { cat download.log; exit 1; }
  for package in packages/*.deb; do dpkg -x "$package" unpacked; done
  gunzip -c unpacked/boot/xen-4.17-amd64.gz >xen
  cp unpacked/boot/vmlinuz-* vmlinuz
  # Unpacked, as it is inside: under emulation that takes longer than all the rest of a guest's start.
  begin=$(LC_ALL=C grep -obUaP -m1 '\xFD7zXZ\x00' vmlinuz | head -1 | cut -d: -f1)
  # What follows the stream is no part of it: xz says so, and has written all of the kernel by then.
  tail -c "+$((begin + 1))" vmlinuz | xz -dc >vmlinux 2>/dev/null || true
  [[ $(head -c 4 vmlinux) == $'\x7fELF' ]] || { say "no kernel in vmlinuz"; exit 1; }
  done_with root.stamp
fi
version=$(cd unpacked/lib/modules && echo *)
modules=unpacked/lib/modules/$version
export PATH=$PATH:/usr/sbin:/sbin

# carry FOLDER MODULE...: copies modules, with what they need, in the order in which they load.
carry() {
  local into=$1 name path
  shift
  mkdir -p "$into"
  for name in "$@"; do
    modprobe -d "$PWD/unpacked" -S "$version" --show-depends "$name" 2>/dev/null | awk '$1 == "insmod" { print $2 }'
  done | awk '!seen[$0]++' | while read -r path; do
    name=$(basename "$path" .ko)
    cp "$path" "$into/$name.ko"
    echo "$name"
  done >"$into/order"
}
pack() { (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --reproducible 2>/dev/null | gzip -1n); }

if ! made disk.stamp root.stamp "$here/build.sh" "$here"/dom0/* "$here"/guest/*; then
  say "making the hosts' disk"
  depmod -b "$PWD/unpacked" "$version"
  rm -rf boot guest dom0
  mkdir -p boot/bin guest/{bin,www/cgi-bin}
  cp "$(command -v busybox)" boot/bin/
  cp "$(command -v busybox)" guest/bin/
  install -m 755 "$here/dom0/initramfs-init" boot/init
  carry boot/modules virtio_pci virtio_blk crc32c_generic ext4
  pack boot >boot.cpio.gz

  install -m 755 "$here/guest/init" guest/init
  carry guest/modules xen-netfront xen-blkfront
  install -m 755 "$here/guest/facts" "$here/guest/disk" guest/www/cgi-bin/
  cc -O2 -static -o guest/www/cgi-bin/work "$here/guest/work.c"
  echo ok >guest/www/healthz
  head -c 1048576 /dev/zero >guest/www/mebibyte

  cp -a root dom0
  rm -rf dom0/usr/share/{doc,man,locale,info,zoneinfo} dom0/var/cache/apt dom0/var/lib/apt/lists/* dom0/debootstrap
  mkdir -p dom0/lib/modules dom0/lab dom0/usr/lib/lab dom0/var/log/journal
  cp -a "$modules" dom0/lib/modules/
  find "dom0/lib/modules/$version/kernel" -name '*.ko' | grep -v -E 'xen|bridge/bridge|/stp\.ko|/llc\.ko|virtio|failover|vxlan|udp_tunnel|/sch_|/act_|/cls_|block/loop|veth|nft|nf_|x_tables|nfnetlink|libcrc32c|tun\.ko|dm-|md/|ifb\.ko|ext4|mbcache|jbd2|crc' | xargs rm -f
  depmod -b "$PWD/dom0" "$version"
  pack guest >dom0/lab/guest.cpio.gz
  cp vmlinuz vmlinux dom0/lab/
  head -c 8388608 /dev/urandom >dom0/lab/disk.raw # where a page of zeros could be left out
  install -m 755 "$here/dom0/lab-command" "$here/dom0/lab-network" dom0/usr/lib/lab/
  install -m 644 "$here"/dom0/*.service dom0/etc/systemd/system/
  printf '%s\n' xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs xen-netback xen-blkback bridge virtio_net loop >dom0/etc/modules-load.d/lab.conf
  echo 'xenfs /proc/xen xenfs defaults,nofail 0 0' >dom0/etc/fstab
  printf 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"\nXENSTORED=/usr/lib/xen-4.17/bin/xenstored\n' >>dom0/etc/default/xen
  mkdir -p dom0/var/log/xen/console
  printf '[Journal]\nStorage=persistent\nForwardToConsole=no\nSystemMaxUse=32M\n' >dom0/etc/systemd/journald.conf
  # What a host in a lab does not need, or must not have (xendomains brings domains back at boot).
  systemctl --root="$PWD/dom0" -q enable lab-network.service lab-command.service
  systemctl --root="$PWD/dom0" -q mask xendomains.service systemd-udevd.service systemd-udev-trigger.service \
    systemd-udev-settle.service systemd-udevd-kernel.socket systemd-udevd-control.socket apt-daily.timer \
    apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-tmpfiles-clean.timer getty@tty1.service console-getty.service serial-getty@hvc0.service \
    systemd-logind.service getty-static.service systemd-random-seed.service systemd-update-utmp.service dev-mqueue.mount \
    dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount modprobe@fuse.service modprobe@dm_mod.service \
    modprobe@efi_pstore.service kmod-static-nodes.service haproxy.service nftables.service
  systemctl --root="$PWD/dom0" -q set-default multi-user.target
  echo host >dom0/etc/hostname
  rm -f disk.raw
  truncate -s 3G disk.raw
  mke2fs -q -F -t ext4 -J size=8 -E root_owner=0:0,hash_seed=00000000-0000-0000-0000-000000000001 -d dom0 disk.raw
  rm -rf dom0
  done_with disk.stamp
fi

# keep NAME: saves the machine NAME, where every start from it begins.
keep() {
  machine_run "$1" 'sync; echo 3 >/proc/sys/vm/drop_caches'
  machine_save "$1" "$1.state" || { say "QEMU did not save the host: $(machine_monitor "$1" 'info migrate')"; exit 1; }
}

if ! made ready.stamp disk.stamp "$here/machine.sh"; then
  say "booting a host to save it (1 to 3 min)"
  rm -f ready.qcow2 ready.state ready.console
  qemu-img create -q -f qcow2 -F raw -b "$folder/disk.raw" ready.qcow2
  trap 'machine_kill ready' EXIT
  machine_start ready ready.qcow2
  machine_until 400 machine_answers ready &&
    machine_run ready 'systemctl is-system-running --wait && xl list' 200 || {
    tail -40 ready.console
    say "the host did not come up: $(machine_run ready 'systemctl --failed --no-legend')"
    exit 1
  }
  say "booted in $(machine_run ready 'cut -d" " -f1 /proc/uptime') s"
  keep ready
  done_with ready.stamp
fi

if ! made installed.stamp ready.stamp "$@"; then
  say "installing Arbiter's packages on a host"
  rm -f installed.qcow2 installed.state installed.console
  qemu-img create -q -f qcow2 -F qcow2 -b "$folder/ready.qcow2" installed.qcow2
  trap 'machine_kill installed' EXIT
  machine_resume installed installed.qcow2 ready.state && machine_until 60 machine_answers installed ||
    { say "the saved host does not go on"; exit 1; }
  debs=$(mktemp -d)
  mkdir -p "$debs/lab/packages"
  cp "$@" "$debs/lab/packages/"
  tar -C "$debs" -cf - lab | machine_put installed
  rm -rf "$debs"
  machine_run installed "date -s @$(date +%s) >/dev/null; dpkg -i /lab/packages/*.deb" 300 ||
    { say "the packages cannot be installed"; exit 1; }
  keep installed
  done_with installed.stamp
fi
say "ready in $folder"

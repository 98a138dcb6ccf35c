#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes what the test machines start with: image.sh CACHE DIR
#   DIR/vmlinuz     Debian's kernel, of a package that is unpacked in CACHE and not installed
#   DIR/initrd      a static busybox, our init, the kernel's virtio drivers; pages as guest-init says
#   DIR/disk.raw    8 MiB, "image" in its first line
# Exit 77, with the reason, where the kernel cannot be fetched.
set -eu
cache=$(realpath -m "${1:?usage: image.sh CACHE DIR}")
dir=$(realpath -m "${2:?usage: image.sh CACHE DIR}")
here=$(dirname "$(realpath "$0")")
skip() {
    echo "qemu lab: $1"
    exit 77
}
busybox=$(command -v busybox)
for applet in httpd acpid cpio; do
    "$busybox" --list | grep -qx $applet || skip "this busybox has no $applet"
done

mkdir -p "$cache" "$dir"
if [ ! -e "$cache/unpacked/boot" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends:/ { print $2; exit }')
    [ -n "$package" ] || skip "apt knows no package linux-image-cloud-amd64"
    (cd "$cache" && apt-get download -q -o APT::Sandbox::User=root "$package" >download.log 2>&1) ||
        skip "cannot fetch $package: $(tail -n 1 "$cache/download.log")"
    rm -rf "$cache/part"
    dpkg -x "$cache/$package"_*.deb "$cache/part"
    rm "$cache/$package"_*.deb
    mv "$cache/part" "$cache/unpacked"
fi
cp "$cache"/unpacked/boot/vmlinuz-* "$dir/vmlinuz"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,modules,www/cgi-bin,etc/acpi/PWRF}
install -m 755 "$busybox" "$root/bin/busybox"
install -m 755 "$here/guest-init" "$root/init"
install -m 755 "$here"/{facts,burn,sink,write} "$root/www/cgi-bin/"
printf '#!/bin/sh\nexec poweroff -f\n' >"$root/etc/acpi/PWRF/00000080"
chmod 755 "$root/etc/acpi/PWRF/00000080"
echo ok >"$root/www/healthz"
head -c 1048576 /dev/zero >"$root/www/mebibyte"
# In the order in which they load, as each needs what is before it.
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover \
    net_failover virtio_net virtio_blk virtio_balloon button evdev; do
    find "$cache/unpacked/lib/modules" -name "$module.ko" -exec cp {} "$root/modules/" \;
    [ -e "$root/modules/$module.ko" ] || skip "the kernel of $cache/unpacked has no module $module"
    echo $module >>"$root/modules/order"
done
(cd "$root" && find . | LC_ALL=C sort | busybox cpio -o -H newc 2>/dev/null | gzip -1n) >"$dir/initrd"
echo image >"$dir/disk.raw"
truncate -s 8M "$dir/disk.raw"
chmod 644 "$dir"/{vmlinuz,initrd,disk.raw}

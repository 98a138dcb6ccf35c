#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the image of the test guests, DIR/guest.tar: image.sh DIR
# A static busybox, our init (and one that does not obey), a cheap page (/healthz) and one that costs CPU (/cgi-bin/work?ms=12) and
# one that writes to the disk (/cgi-bin/write).
set -eu
dir=$(realpath -m "${1:?usage: image.sh DIR}")
here=$(dirname "$(realpath "$0")")
busybox=$(command -v busybox)
if ! "$busybox" --list | grep -qx httpd; then
    echo "lxc lab: this busybox has no httpd"
    exit 77
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$dir" "$root"/{bin,dev,proc,sys/fs/cgroup,tmp,www/cgi-bin}
install -m 755 "$busybox" "$root/bin/busybox"
for applet in sh ip httpd sleep cat; do
    ln -s busybox "$root/bin/$applet"
done
install -m 755 "$here/guest-init" "$root/init"
install -m 755 "$here/stubborn-init" "$root/stubborn-init"
cc -O2 -static -o "$root/www/cgi-bin/work" "$here/guest_work.c"
cat >"$root/www/cgi-bin/write" <<'END'
#!/bin/sh
# Writes 2 MiB to the disk, past the page cache.
printf 'Content-Type: text/plain\r\n\r\n'
busybox dd if=/dev/zero of=/tmp/written bs=65536 count=32 oflag=direct 2>&1
END
chmod 755 "$root/www/cgi-bin/write"
echo ok >"$root/www/healthz"
# The same content is the same file, whenever it is built.
tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$dir/guest.tar" .

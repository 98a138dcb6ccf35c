#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs, upgrades, downgrades, removes and purges the packages in a view of this machine that is thrown away
# (an overlay in a mount namespace; dpkg and the packages' own scripts are real, systemctl only writes down what
# it is asked). Guests must not notice any of it: their disks, their saved images, their processes.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [[ ${1:-} != inside ]]; then
  [[ $(id -u) == 0 ]] || { echo "needs root to mount"; exit 77; }
  . tests/checks/packages.sh
  view=$(mktemp -d)
  trap 'rm -rf "$view"' EXIT
  unshare -m bash "$0" inside "$view" "$packages"
  exit
fi

view=$2 packages=$3
mount --make-rprivate / && mount -t tmpfs none "$view" && mkdir "$view"/{upper,work,root,debs} &&
  mount -t overlay overlay -o "lowerdir=/,upperdir=$view/upper,workdir=$view/work" "$view/root" ||
  { echo "this kernel or user cannot mount an overlay"; exit 77; }
root=$view/root
mount --bind /proc "$root/proc" && mount --bind /dev "$root/dev" && mount -t tmpfs none "$root/run" && mkdir -p "$root/run/systemd/system" || exit 1
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}
rm -f "$root/usr/sbin/policy-rc.d"
mv "$root/usr/bin/systemctl" "$root/usr/bin/systemctl.real"
cat >"$root/usr/bin/systemctl" <<'END'
#!/bin/sh
case "$*" in
  --root=*) exec systemctl.real "$@" ;;
  *is-enabled*) echo enabled ;;
  *is-active*) ;;
  *) echo "$*" | sed 's/--system //;s/--quiet //' >>/run/asked ;;
esac
END
chmod 755 "$root/usr/bin/systemctl"
# The index of manual pages takes its time, and is not ours.
printf '#!/bin/sh\n' >"$root/var/lib/dpkg/info/man-db.postinst"

# again VERSION: the same packages as another version.
again() {
  local deb name
  mkdir -p "$view/debs/$1"
  for deb in "$packages"/*.deb; do
    name=$(basename "$deb" | cut -d_ -f1)
    dpkg-deb -R "$deb" "$view/again"
    sed -i "s/^Version: .*/Version: $1/;s/\(arbiter-[a-z]* (= \)[^)]*/\1$1/g" "$view/again/DEBIAN/control"
    dpkg-deb -Znone -b "$view/again" "$view/debs/$1/${name}_$1.deb" >/dev/null
    rm -rf "$view/again"
  done
}
again 1.0
again 1.1
mkdir -p "$root/tmp/debs" && mount --bind "$view/debs" "$root/tmp/debs"
apt() { chroot "$root" env DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io "$@" >"$view/dpkg.log" 2>&1; }
debs() { (cd "$view/debs" && printf '/tmp/debs/%s\n' "$1"/*.deb); } # VERSION
installed() { chroot "$root" dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' 'arbiter-*' 2>/dev/null | awk '$3 == "installed" { print $1, $2 }'; }

state=$root/var/lib/arbiter-agent
uuid=11111111-2222-4333-8444-00000000d001
guests() { (cd "$state" && find disks saved memory -type f -exec stat -c '%n %i %Y %a' {} + -exec sha256sum {} +) 2>&1; }
untouched() { # WHAT
  [[ $(guests) == "$before" ]] || fail "$1 changed what belongs to guests: $(diff <(echo "$before") <(guests))"
  kill -0 "$guest" 2>/dev/null || fail "$1 ended a guest"
  # What systemd is asked concerns our own daemons, and never ends more than their main process.
  local other
  other=$(grep -vE '^(daemon-reload|((try-)?restart|start|stop) arbiter(d|-agent)\.service( arbiter(d|-agent)\.service)?)$' "$root/run/asked")
  [[ -z $other ]] || fail "$1 asked systemd for: $other"
}
asked() { grep -qE "$1 .*$2" "$root/run/asked" || fail "$3: systemd was asked only for $(tr '\n' ';' <"$root/run/asked")"; }

echo "# install"
apt -i $(debs 1.0) || { tail -5 "$view/dpkg.log"; grep -q 'dependency problems' "$view/dpkg.log" && { echo "a package that ours need is not installed here"; exit 77; }; exit 1; }
[[ $(installed | wc -l) == 7 ]] || fail "installed: $(installed)"
chroot "$root" getent passwd arbiter >/dev/null || fail "there is no user arbiter"
[[ $(stat -c '%a %U' "$root/etc/arbiter/arbiterd.key") == "600 root" ]] || fail "the key is $(stat -c '%a %U' "$root/etc/arbiter/arbiterd.key")"
[[ $(stat -c '%a' "$root/etc/arbiter/arbiterd.pub" "$root/etc/arbiter/keyring" "$root/etc/arbiter" | tr '\n' ' ') == "644 644 755 " ]] || fail "public keys cannot be read"
owners() { chroot "$root" stat -c '%a %U' /var/lib/arbiter /var/lib/arbiter-agent /run/arbiter | tr '\n' ' '; }
[[ $(owners) == "700 arbiter 711 root 750 arbiter " ]] ||
  fail "folders: $(owners)"
for unit in arbiterd arbiter-agent; do
  [[ -L $root/etc/systemd/system/multi-user.target.wants/$unit.service ]] || fail "$unit is not enabled"
done
asked start arbiterd "after the first installation"
chroot "$root" arbiterd --check-config || fail "arbiterd does not like its settings"
tried() { chroot "$root" arbiter-agent "$@" --node n --key /etc/arbiter/none 2>&1; }
grep -q 'driver_' <<<"$(tried --driver none)" && fail "driver none is not found: $(tried --driver none)"
grep -q 'is its package installed' <<<"$(tried --driver imaginary)" || fail "a missing driver: $(tried --driver imaginary)"

# A guest: a process that works on its disk, a saved image, what the agent remembers, what it fetched.
mkdir -p "$state/disks/$uuid" "$state/saved" "$state/images"
head -c 100000 /dev/urandom >"$state/disks/$uuid/disk.raw"
echo saved >"$state/saved/$uuid"
echo memory >"$state/memory"
echo image >"$state/images/0123.part"
(cd "$state/disks/$uuid" && exec sleep 600 <disk.raw >/dev/null 2>&1) &
guest=$!
trap 'kill "$guest" 2>/dev/null; umount -l "$view"' EXIT
before=$(guests)
key=$(sha256sum <"$root/etc/arbiter/arbiterd.key")
echo 'node: here' >>"$root/etc/arbiter/agent.yaml"

for change in "upgrade 1.1" "downgrade 1.0"; do
  echo "# $change"
  : >"$root/run/asked"
  apt -i $(debs "${change#* }") || { fail "$change"; tail -5 "$view/dpkg.log"; }
  [[ $(installed | grep -c " ${change#* }\$") == 7 ]] || fail "$change: $(installed)"
  untouched "$change"
  asked '(re)?start' arbiter-agent "$change"
  [[ $(sha256sum <"$root/etc/arbiter/arbiterd.key") == "$key" ]] || fail "$change made another key"
  tail -1 "$root/etc/arbiter/agent.yaml" | grep -qx 'node: here' || fail "$change lost the settings"
done

echo "# the driver goes, the agent stays; the agent goes, the guests stay"
: >"$root/run/asked"
apt -r arbiter-agent-xen arbiter-agent-libvirt || fail "removing drivers"
untouched "removing the drivers"
apt -r arbiter-agent-gateway arbiter-agent-images arbiter-agent || fail "removing the agent"
untouched "removing the agent"
asked stop arbiter-agent "removing the agent"
apt -i /tmp/debs/1.1/arbiter-agent_1.1.deb /tmp/debs/1.1/arbiter-agent-xen_1.1.deb || fail "installing again"
untouched "installing again"

echo "# purge"
: >"$root/run/asked"
echo secret >"$root/etc/arbiter/agent.key"
apt -P arbiter-agent-xen arbiter-agent arbiter-agent-libvirt arbiter-agent-gateway arbiter-agent-images arbiter-server arbiter-client || { fail purge; tail -5 "$view/dpkg.log"; }
untouched purge
grep -q 'disks of guests are kept' "$view/dpkg.log" || fail "purge does not say what it leaves"
[[ ! -e $state/images ]] || fail "fetched images are left"
[[ ! -e $root/etc/arbiter/arbiterd.key && ! -e $root/etc/arbiter/agent.key ]] || fail "keys are left"
left=$(find "$view/upper" \( -path '*arbiter*' ! -path "*/arbiter-agent/disks*" ! -path '*/arbiter-agent/saved*' ! -path '*/tmp/*' ! -name arbiter-agent \) ! -type c)
[[ -z $left ]] || fail "left behind: $left"
kill "$guest" && rm -rf "$state/disks" "$state/saved"
apt -i /tmp/debs/1.0/arbiter-agent_1.0.deb && apt -P arbiter-agent || fail "a second life"
[[ ! -e $state ]] || fail "without guests the state folder is left: $(find "$state")"

[[ $failures == 0 ]] || exit 1
echo "packages come and go, guests stay"

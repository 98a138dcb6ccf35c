#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The lab: real Xen hosts under emulation, installed from our packages, against an arbiterd here.
#   tests/xen/run.sh                    all scenarios
#   tests/xen/run.sh --scenario NAME    one, or several with more --scenario
#   tests/xen/run.sh --keep             at the end the hosts stay up until Enter is pressed
#   tests/xen/run.sh --list             what there is
#   tests/xen/run.sh --packages FOLDER  our packages, as they are; without it they are built
# $ARBITER_XEN (build/xen) keeps what was built.
# Exit 0 all held, 1 not, 77 cannot run here, with the reason on the last line.
set -u
cd "$(dirname "$0")/../.." || exit 1
skip() { echo "skipped: $1"; exit 77; }
scenarios=() keep=0 packages=
while [[ $# -gt 0 ]]; do
  case $1 in
    --scenario) scenarios+=("$2"); shift ;;
    --keep) keep=1 ;;
    --packages) packages=$(realpath "$2") || exit 2; shift ;;
    --list)
      for file in tests/xen/scenarios/*.sh; do
        printf '%-12s %s\n' "$(basename "$file" .sh | sed 's/^[0-9]*-//')" "$(sed -n '3s/^# //p' "$file")"
      done
      exit 0
      ;;
    -h | --help) sed -n '4,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $1; see $0 --help" >&2; exit 2 ;;
  esac
  shift
done
PATH=$PATH:/usr/sbin:/sbin
[[ $(id -u) == 0 ]] || skip "the lab unpacks Debian by debootstrap: needs root"
for tool in dpkg-buildpackage dh qemu-system-x86_64 qemu-img debootstrap socat cpio depmod mke2fs busybox xz cc; do
  command -v $tool >/dev/null || skip "$tool is not installed: deploy/install-packages.sh xen build package"
done
cache=$(realpath -m "${ARBITER_XEN:-build/xen}")
mkdir -p "$cache"
exec 8>"$cache/lock"
flock -n 8 || skip "another lab uses $cache"
if [[ -z $packages ]]; then
  packages=$PWD/build/packages
  deploy/build-packages.sh --no-install --no-lint --output "$packages" >"$cache/packages.log" 2>&1 ||
    { tail -5 "$cache/packages.log"; echo "FAILED  our packages are built"; exit 1; }
fi
ours=()
for package in arbiter-agent arbiter-agent-xen arbiter-agent-gateway arbiter-agent-images; do
  ours+=("$packages/${package}"_[0-9]*.deb)
done
tests/xen/build.sh "$cache" "${ours[@]}" || exit 1
. tests/xen/lab.sh
# arbiterd and arbiter come from the same packages; they are unpacked, not installed.
rm -rf "$cache/here"
for package in arbiter-server arbiter-client; do dpkg -x "$packages/${package}"_[0-9]*.deb "$cache/here" || exit 1; done
bin=$cache/here/usr/bin
[[ -x $bin/arbiterd ]] || ln -s ../sbin/arbiterd "$bin/arbiterd"
lab_begin
all=(tests/xen/scenarios/*.sh) table=()
[[ ${#scenarios[@]} -gt 0 ]] || for file in "${all[@]}"; do scenarios+=("$(basename "$file" .sh)"); done
for name in "${scenarios[@]}"; do
  files=(tests/xen/scenarios/"$name".sh tests/xen/scenarios/*-"$name".sh)
  [[ -f ${files[0]} ]] || files=("${files[1]}")
  [[ -f ${files[0]} ]] || { echo "no scenario $name; see --list" >&2; exit 2; }
  run_name=$(basename "${files[0]}" .sh | sed 's/^[0-9]*-//')
  echo "# $run_name: $(sed -n '3s/^# //p' "${files[0]}") ($SECONDS s)"
  run_failures=$failures run_checks=$checks run_since=$SECONDS
  . "${files[0]}"
  table+=("$(printf '%-10s %3d of %3d held, %4d s' "$run_name" \
    $((checks - run_checks - failures + run_failures)) $((checks - run_checks)) $((SECONDS - run_since)))")
  [[ $failures == "$run_failures" ]] || lab_show
done
printf '# %s\n' "${table[@]}" "$SECONDS s in all"
if [[ $keep == 1 ]]; then
  echo "arbiter: $bin/arbiter -H ipc://$dir/api --key $dir/keys/root.key --server-key $dir/keys/arbiterd.pub"
  for n in "${!lab_up[@]}"; do echo "host-$n: commands at 127.0.0.1:$(cat "$dir/host-$n.port"), see tests/xen/machine.sh; monitor $dir/host-$n.monitor"; done
  echo "Enter ends the lab"
  read -r
fi
finish

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The lab: real Xen hosts under emulation, installed from our packages, against an arbiterd here.
#   tests/xen/run.sh                    all scenarios
#   tests/xen/run.sh --scenario NAME    one, or several with more --scenario
#   tests/xen/run.sh --keep             at the end the hosts stay up until Enter is pressed
#   tests/xen/run.sh --jobs N           so many labs side by side (2); what measures or needs two hosts comes last
#   tests/xen/run.sh --attempts N       a scenario that fails is made again, in a new lab; the last time counts
#   tests/xen/run.sh --list             what there is
#   tests/xen/run.sh --packages FOLDER  our packages, as they are; without it they are built
# $ARBITER_XEN (build/xen) keeps what was built.
# Exit 0 all held, 1 not, 77 cannot run here, with the reason on the last line.
set -u
cd "$(dirname "$0")/../.." || exit 1
skip() { echo "skipped: $1"; exit 77; }
scenarios=() keep=0 packages='' jobs=2 attempts=1
while [[ $# -gt 0 ]]; do
  case $1 in
    --scenario) scenarios+=("$2"); shift ;;
    --keep) keep=1 ;;
    --jobs) jobs=$2; shift ;;
    --attempts) attempts=$2; shift ;;
    --packages) packages=$(realpath "$2") || exit 2; shift ;;
    --list)
      for file in tests/xen/scenarios/*.sh; do
        printf '%-12s %s\n' "$(basename "$file" .sh | sed 's/^[0-9]*-//')" "$(sed -n '3s/^# //p' "$file")"
      done
      exit 0
      ;;
    -h | --help) sed -n '4,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
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
for package in arbiter-agent arbiter-agent-xen arbiter-agent-gateway arbiter-agent-images arbiter-agent-libvirt; do
  ours+=("$packages/${package}"_[0-9]*.deb)
done
tests/xen/build.sh "$cache" "${ours[@]}" || exit 1
. tests/xen/lab.sh
# arbiterd and arbiter come from the same packages; they are unpacked, not installed.
rm -rf "$cache/here"
for package in arbiter-server arbiter-client; do dpkg -x "$packages/${package}"_[0-9]*.deb "$cache/here" || exit 1; done
bin=$cache/here/usr/bin
[[ -x $bin/arbiterd ]] || ln -s ../sbin/arbiterd "$bin/arbiterd"

scenario_file() { # NAME
  local file
  for file in tests/xen/scenarios/"$1".sh tests/xen/scenarios/*-"$1".sh; do
    [[ ! -f $file ]] || { echo "$file"; return 0; }
  done
  return 1
}
[[ ${#scenarios[@]} -gt 0 ]] || for file in tests/xen/scenarios/*.sh; do scenarios+=("$(basename "$file" .sh)"); done
beside=() alone=() # alone: those that need two hosts, and those that say so because they measure
for name in "${scenarios[@]}"; do
  file=$(scenario_file "$name") || { echo "no scenario $name; see --list" >&2; exit 2; }
  if grep -q '^lab_host 2\|^# Alone' "$file"; then alone+=("$file"); else beside+=("$file"); fi
done
[[ $keep == 0 && ${#beside[@]} -gt 1 && $(nproc) -gt 1 ]] || jobs=1

run_scenario() { # FILE: in this lab; a line of the table goes to the file "table"
  local run_name run_failures=$failures run_checks=$checks run_since=$SECONDS
  run_name=$(basename "$1" .sh | sed 's/^[0-9]*-//')
  echo "# $run_name: $(sed -n '3s/^# //p' "$1") ($SECONDS s)"
  . "$1"
  [[ $failures == "$run_failures" ]] || lab_show
  printf '%-10s %3d of %3d held, %4d s\n' "$run_name" $((checks - run_checks - failures + run_failures)) \
    $((checks - run_checks)) $((SECONDS - run_since)) >>"$run/table"
}

# next QUEUE: takes the first line of a file that the labs share.
next() {
  exec 6>"$run/lock"
  flock 6
  head -1 "$1"
  sed -i 1d "$1"
  exec 6>&-
}

run_queue() { # FILE: scenarios until none is left; what each one says comes out in one piece
  local file
  while file=$(next "$1") && [[ -n $file ]]; do
    if [[ $jobs == 1 ]]; then
      run_scenario "$file"
    else
      run_scenario "$file" >"$run/said-$number" 2>&1
      exec 6>"$run/lock"
      flock 6
      cat "$run/said-$number"
      exec 6>&-
    fi
  done
}
run_lab() { # NUMBER QUEUE...: a lab of its own
  local number=$1 queue
  shift
  lab_begin
  for queue in "$@"; do run_queue "$queue"; done
}

run=$cache/run
rm -rf "$run"
mkdir -p "$run"
: >"$run/table"
# What failed, by the last line of each in the table.
failed_scenarios() { awk '{ bad[$1] = $2 != $4; order[NR] = $1 } END { for (i = 1; i <= NR; i++) if (bad[order[i]] && !told[order[i]]++) print order[i] }' "$run/table"; }
for file in "${beside[@]+"${beside[@]}"}"; do echo "$file"; done >"$run/beside"
for file in "${alone[@]+"${alone[@]}"}"; do echo "$file"; done >"$run/alone"
if [[ $keep == 1 ]]; then
  run_lab 1 "$run/beside" "$run/alone"
else
  labs=()
  trap 'kill $(jobs -p) 2>/dev/null; exit 1' INT TERM
  for ((number = 1; number <= jobs; number++)); do
    (run_lab $number "$run/beside") &
    labs+=("$!")
  done
  wait "${labs[@]}"
  jobs=1
  [[ ! -s $run/alone ]] || (run_lab 1 "$run/alone")
fi
for ((attempt = 2; attempt <= attempts; attempt++)); do
  for name in $(failed_scenarios); do
    echo "# $name failed: attempt $attempt, on new hosts"
    scenario_file "$name" >"$run/again"
    (run_lab 1 "$run/again")
  done
done
sed 's/^/# /' "$run/table"
echo "# $SECONDS s in all"
if [[ $keep == 1 ]]; then
  echo "arbiter: $bin/arbiter -H ipc://$dir/api --key $dir/keys/root.key --server-key $dir/keys/arbiterd.pub"
  for n in "${!lab_up[@]}"; do echo "host-$n: commands at 127.0.0.1:$(cat "$dir/host-$n.port"), see tests/xen/machine.sh; monitor $dir/host-$n.monitor"; done
  echo "Enter ends the lab"
  read -r
fi
# Of each scenario its last line counts.
awk '{ held[$1] = $2; of[$1] = $4 } END { for (name in of) { h += held[name]; o += of[name] } print h " of " o " held"; exit h != o }' "$run/table"

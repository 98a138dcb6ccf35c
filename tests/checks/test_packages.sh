#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: one command builds them, lintian has nothing to say, each has what it should and needs
# no more than that, and the manual pages know every option.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/checks/packages.sh
work=$(mktemp -d /tmp/arbiter-packages-XXXXXX) # mandoc takes what stands behind a dot for a section
trap 'rm -rf "$work"' EXIT
mkdir "$work/control"

echo "# what is inside"
for deb in "$packages"/*.deb; do dpkg-deb -x "$deb" "$work/root" && dpkg-deb -e "$deb" "$work/control/$(dpkg-deb -f "$deb" Package)"; done
holds() { # PACKAGE PATH...
  local name=$1 path
  shift
  dpkg-deb -c "$(package "$name")" | awk '{ print $6 }' >"$work/list"
  for path in "$@"; do grep -qx "./$path" "$work/list" || fail "$name has no $path"; done
}
holds arbiter-server usr/sbin/arbiterd lib/systemd/system/arbiterd.service usr/lib/sysusers.d/arbiter-server.conf \
  usr/lib/tmpfiles.d/arbiter-server.conf etc/arbiter/arbiterd.yaml usr/share/man/man8/arbiterd.8.gz usr/share/man/man5/arbiterd.yaml.5.gz
holds arbiter-agent usr/sbin/arbiter-agent lib/systemd/system/arbiter-agent.service usr/lib/tmpfiles.d/arbiter-agent.conf \
  etc/arbiter/agent.yaml etc/needrestart/conf.d/arbiter.conf usr/share/man/man8/arbiter-agent.8.gz usr/share/man/man5/arbiter-agent.yaml.5.gz
holds arbiter-agent-xen usr/lib/arbiter/driver_xen.so usr/lib/arbiter/migration_stream.so
holds arbiter-agent-libvirt usr/lib/arbiter/driver_libvirt.so
holds arbiter-agent-gateway usr/lib/arbiter/driver_none.so
holds arbiter-agent-images usr/lib/arbiter/image_transfer.so
holds arbiter-client usr/bin/arbiter usr/share/bash-completion/completions/arbiter usr/share/zsh/vendor-completions/_arbiter \
  usr/share/fish/vendor_completions.d/arbiter.fish usr/share/arbiter/proto/client.proto usr/share/man/man1/arbiter.1.gz usr/share/man/man5/arbiter-service.5.gz
for module in build/packages-objects/objects/lib/arbiter/*.so; do
  [[ -e $work/root/usr/lib/arbiter/$(basename "$module") ]] || fail "$(basename "$module") is in no package"
done

echo "# what a dom0 gets"
needs() { dpkg-deb -f "$(package "$1")" Depends | tr ',|' '\n\n' | awk '{ print $1 }' | sort -u; }
# libssl3 is on every Debian 12 with systemd, which depends on it.
allowed='arbiter-agent|libssl3|libc6|libczmq4|libzmq5|libprotobuf-c1|libsystemd0|libyaml-0-2|libxen[a-z]*[0-9.]*'
for name in arbiter-agent arbiter-agent-xen; do
  more=$(needs "$name" | grep -vxE "$allowed")
  [[ -z $more ]] || fail "$name depends also on $more"
done
whole=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
  $({ needs arbiter-agent; needs arbiter-agent-xen; } | grep -v '^arbiter' | sort -u) 2>/dev/null | grep -v '^ ')
[[ $(wc -l <<<"$whole") -gt 10 ]] || echo "(apt knows no packages here: what they depend on was not looked at)"
wrong=$(grep -E '^(libcurl|curl|haproxy|libvirt|python|libncurses|libsqlite)' <<<"$whole")
[[ -z $wrong ]] || fail "a dom0 gets also $wrong"
echo "arbiter-agent and arbiter-agent-xen need $({ needs arbiter-agent; needs arbiter-agent-xen; } | sort -u | tr '\n' ' ')"

echo "# what is needed to build"
listed=$(awk '$1 == "build" && $2 !~ /^(gcc|libc6-dev)$/ { print $2 }' deploy/packages.txt | sort)
build_depends=$(sed -n '/^Build-Depends:/,/^$/p' deploy/debian/control | tr ',' '\n' | sed 's/^Build-Depends://;s/ //g' | grep -vE '^(debhelper-compat|dh-sequence).*|^$' | sort)
[[ $listed == "$build_depends" ]] || fail "deploy/packages.txt and Build-Depends differ: $(diff <(echo "$listed") <(echo "$build_depends"))"
same=$(sed -n 's/^project(arbiter VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
[[ $(dpkg-parsechangelog -l deploy/debian/changelog -S Version) == "$same" ]] || fail "the changelog is not of version $same"

echo "# settings as installed"
# Every setting stands there, commented out, with the value that it has anyway.
: >"$work/nothing"
for pair in arbiterd:arbiterd arbiter-agent:agent; do
  program=$work/root/usr/sbin/${pair%:*} file=$work/root/etc/arbiter/${pair#*:}.yaml
  sed -n 's/^#\( \{0,2\}[a-z_]*:.*\)/\1/p' "$file" >"$work/uncommented.yaml"
  "$program" --config "$work/nothing" --print-config >"$work/defaults" || fail "$program does not start"
  "$program" --config "$work/uncommented.yaml" --print-config >"$work/written" || fail "$file is not valid"
  "$program" --config "$file" --check-config || fail "$file is not valid as installed"
  diff "$work/defaults" "$work/written" || fail "$file does not say the defaults"
  [[ $(sed 's/:.*//;s/ //g' "$work/defaults" | sort) == "$(sed 's/:.*//;s/ //g' "$work/uncommented.yaml" | sort)" ]] || fail "$file lacks a setting"
done

echo "# manual pages"
pages=$(find "$work/root/usr/share/man" -name '*.gz')
for page in $pages; do
  zcat "$page" >"$work/page"
  complaint=$(mandoc -T lint -W warning "$work/page" 2>&1; LC_ALL=C.UTF-8 MANWIDTH=90 man --warnings -E UTF-8 -l "$work/page" 2>&1 >/dev/null)
  [[ -z $complaint ]] || fail "$(basename "$page"): $complaint"
done
text() { LC_ALL=C.UTF-8 MANWIDTH=200 man -E UTF-8 -l "$work/root/usr/share/man/man${1##*.}/$1.gz" 2>/dev/null | col -bx; }
knows() { # PAGE OPTION...
  local page=$1 option
  shift
  text "$page" >"$work/text"
  [[ $# -gt 5 ]] || fail "$page: no options were found to look for"
  for option in "$@"; do
    grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" "$work/text" || fail "$page does not know $option"
  done
}
options() { grep -oE -- '(^|[ ,[(])-(-[a-z][a-z-]+|[a-zA-Z?])\b' | sed 's/^[^-]*//' | sort -u; }
knows arbiterd.8 $("$work/root/usr/sbin/arbiterd" --help | options)
knows arbiter-agent.8 $({ "$work/root/usr/sbin/arbiter-agent" --help; "$work/root/usr/sbin/arbiter-agent" check --help; } | options)
knows arbiter.1 $({ "$work/root/usr/bin/arbiter" --help; sed -n 's/^    {"\([a-zA-Z-]*\)", OPTION_[A-Z]*,.*/\1/p' orchestrator/client/options.c |
  sed 's/^..*$/--&/;s/^--\(.\)$/-\1/'; } | options)
verbs=$("$work/root/usr/bin/arbiter" help | sed -n '/^Start here/,/^Common/s/^  \([a-z-]*\) .*/\1/p')
knows arbiter.1 $verbs
settings() { "$1" --config "$work/nothing" --print-config | awk '/^[a-z_]+:$/ { o = $1; sub(":", ".", o); next } { n = $1; sub(":", "", n); print (/^ / ? o : "") n }'; }
knows arbiterd.yaml.5 $(settings "$work/root/usr/sbin/arbiterd")
knows arbiter-agent.yaml.5 $(settings "$work/root/usr/sbin/arbiter-agent")
knows arbiter-service.5 objective.response_time.p95 profile points vms.cpu.min entry.listen queue.task_cpu sha256 bridge nodes cordoned weight mode

echo "# completion"
complete() { # WORDS...
  bash -c '. "$0/usr/share/bash-completion/completions/arbiter"; PATH=$0/usr/bin:$PATH; shift 0; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _arbiter; echo "${COMPREPLY[*]}"' "$work/root" "$@"
}
[[ $(complete arbiter app) == apply ]] || fail "completion of a verb: $(complete arbiter app)"
[[ $(complete arbiter mode a) == "advise act" ]] || fail "completion of a word: $(complete arbiter mode a)"

[[ $failures == 0 ]] || exit 1
echo "$(ls "$packages"/*.deb | wc -l) packages are as they should be"

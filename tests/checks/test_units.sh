#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The units of systemd: valid, fenced in as far as they can be, and a stop of the agent leaves its guests.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

# exposure UNIT LIMIT: in tenths, as systemd-analyze counts (0 none, 100 all).
exposure() {
  local tenths
  tenths=$(systemd-analyze security --no-pager --offline=true "deploy/systemd/$1" 2>/dev/null | sed -n 's/.*exposure level for .*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
  echo "$1: exposure ${tenths:-unknown} tenths, at most $2"
  [[ -n $tenths && $((10#$tenths)) -le $2 ]] || fail "$1 is exposed too much: ${tenths:-unknown} tenths, at most $2"
}
exposure arbiterd.service 20
exposure arbiter-agent.service 62

# verify wants the programs where the units say they are.
mkdir -p "$work/usr/sbin" "$work/bin" "$work/lib/systemd/system"
cp deploy/systemd/*.service "$work/lib/systemd/system/"
for program in usr/sbin/arbiterd usr/sbin/arbiter-agent bin/kill; do printf '#!/bin/sh\n' >"$work/$program" && chmod 755 "$work/$program"; done
for target in sysinit basic shutdown network-online multi-user; do printf '[Unit]\nDescription=%s\n' $target >"$work/lib/systemd/system/$target.target"; done
for socket in system.slice -.slice; do printf '[Slice]\n' >"$work/lib/systemd/system/$socket"; done
for unit in arbiterd arbiter-agent; do
  complaint=$(systemd-analyze verify --root="$work" --man=no "$unit.service" 2>&1 | grep -F "$unit.service")
  [[ -z $complaint ]] || fail "$complaint"
done

has() { # UNIT LINE
  grep -qxF -- "$2" "deploy/systemd/$1.service" || fail "$1.service has no $2"
}
has_not() { # UNIT PATTERN WHY
  ! grep -qE -- "$2" "deploy/systemd/$1.service" || fail "$1.service has $2: $3"
}
for unit in arbiterd arbiter-agent; do
  has $unit Type=notify
  has $unit Restart=always
  grep -q '^WatchdogSec=[0-9]' deploy/systemd/$unit.service || fail "$unit.service has no watchdog"
done
has arbiterd LoadCredential=arbiterd.key:/etc/arbiter/arbiterd.key
has arbiter-agent LoadCredential=agent.key:/etc/arbiter/agent.key
has arbiter-agent KillMode=process
has_not arbiter-agent '^(ExecStop|ExecStopPost)=' "a stop would do more than end the agent"
has_not arbiter-agent '^Conflicts=' "the stop of another unit could end guests"
has_not arbiter-agent '^(PrivateDevices|ProtectClock)=yes|^DeviceAllow=|^DevicePolicy=(closed|strict)' "/dev/xen is out of reach"
has_not arbiter-agent '^Memory(Max|High)=' "device models of guests are in the same group"
has_not arbiter-agent '^ProtectSystem=strict' "/var/log/xen and /run are written by device models"

# Users and folders.
for file in deploy/systemd/*.sysusers; do
  mkdir -p "$work/users/etc"
  systemd-sysusers --root="$work/users" "$PWD/$file" >/dev/null 2>&1 || fail "$file is not valid"
  grep -q '^arbiter:' "$work/users/etc/passwd" && grep -q '^arbiter:' "$work/users/etc/group" || fail "$file makes no user and group arbiter"
done
grep -q "^User=arbiter$" deploy/systemd/arbiterd.service || fail "arbiterd does not run as arbiter"
if [[ $(id -u) == 0 ]]; then
  for file in deploy/systemd/*.tmpfiles; do
    complaint=$(systemd-tmpfiles --root="$work/users" --create "$PWD/$file" 2>&1) || fail "$file: $complaint"
  done
  [[ $(stat -c %a "$work/users/var/lib/arbiter-agent") == 711 ]] || fail "device models do not reach the disks"
  [[ $(stat -c %a "$work/users/run/arbiter") == 750 ]] || fail "the sockets are open to everybody"
fi
# needrestart reads Perl.
if command -v perl >/dev/null; then
  perl -e 'our %nrconf; do "./deploy/needrestart/arbiter.conf"; die $@ if $@; my ($re) = keys %{$nrconf{override_rc}}; exit("arbiter-agent.service" =~ /$re/ ? 0 : 1)' ||
    fail "needrestart would not find the agent in its hints"
fi

[[ $failures == 0 ]] || exit 1
echo "the units are valid and fenced in"

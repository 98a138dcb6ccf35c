# SPDX-License-Identifier: Apache-2.0
# For scripts that drive a driver: source it, then
# shellcheck shell=bash
#   probe_start URI STATE NODE; ask LINE; expect PATTERN WHAT; domain UUID|NAME KEY; probe_stop
# The completion of the last ask is in $reply, the lines of its domains in $domains.
build=${ARBITER_BUILD:?ARBITER_BUILD is not set}
failures=0

probe_start() {
    coproc PROBE { exec "$build/tests/driver_probe" "$build/lib/arbiter/driver_libvirt.so" "$@"; }
    probe_pid=$PROBE_PID
    probe_in=${PROBE[1]}
    probe_out=${PROBE[0]}
}

probe_stop() {
    eval "exec $probe_in>&-"
    wait "$probe_pid"
    expect_equal $? 0 "the probe ends cleanly"
}

# Reads one completion.
answer() {
    local line count
    domains=
    reply=
    read -r -t 60 -u "$probe_out" reply || reply="no answer"
    [[ $reply =~ domains=([0-9]+) ]] || return 0
    for ((count = BASH_REMATCH[1]; count > 0; count--)); do
        read -r -t 10 -u "$probe_out" line
        domains+=$line$'\n'
    done
}

tell() {
    echo "$1" >&"$probe_in"
}

ask() {
    tell "$1"
    answer
}

fail() {
    echo "FAILED: $1"
    failures=$((failures + 1))
}

# The last reply matches a pattern of grep -E.
expect() {
    grep -Eq -- "$1" <<<"$reply" || fail "$2: wanted $1, got: $reply"
}

expect_equal() {
    [ "$1" = "$2" ] || fail "$3: wanted $2, got $1"
}

expect_between() {
    awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x >= low && x <= high) }' ||
        fail "$4: wanted $2 to $3, got $1"
}

# domain UUID|NAME KEY: a value of a domain in $domains.
domain() {
    grep -E " (uuid|vm)=$1 " <<<"$domains" | grep -o " $2=[^ ]*" | cut -d= -f2-
}

# value_of KEY: of the last reply.
value_of() {
    grep -o " $1=[^ ]*" <<<"$reply" | head -n 1 | cut -d= -f2-
}

# wait_for LIMIT_S WHAT COMMAND...: until the command succeeds.
wait_for() {
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $until ]; then
            fail "$what"
            return 1
        fi
        sleep 0.1
    done
}

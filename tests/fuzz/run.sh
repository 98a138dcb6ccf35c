#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target for some seconds, two at a time: run.sh FOLDER SECONDS.
# Prints "ok TARGET executions" or "FAILED TARGET file"; new inputs stay in the build tree.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 seconds=$2
one() {
  local target=$1 name work
  name=$(basename "$target")
  work=$folder/work-$name
  mkdir -p "$work/found" "$work/crash"
  local corpus=("$work/found")
  [[ -d $here/corpus/$name ]] && corpus+=("$here/corpus/$name")
  if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$work/crash/" "${corpus[@]}" >"$work/log" 2>&1; then
    echo "ok $name $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") executions"
  else
    echo "FAILED $name $(ls "$work/crash" | tail -1) in $work"
    tail -30 "$work/log"
    return 1
  fi
}
export -f one
export folder seconds here
ls "$folder"/fuzz_* 2>/dev/null | grep -v '\.' | xargs -P 2 -I{} bash -c 'one {}'

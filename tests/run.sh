#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests. Installs what is missing, builds, runs, and ends with one line:
#   tests: N passed, N failed, N skipped
#
#   tests/run.sh              everything that CI runs
#   tests/run.sh --quick      unit tests, threads and simulator only
#   tests/run.sh --long       fuzzing 30 min per target, more seeds
#   tests/run.sh --xen        also the lab of real Xen hosts under emulation, tests/xen (half an hour)
#   tests/run.sh --no-install the packages are there already
set -u
cd "$(dirname "$0")/.." || exit 1
quick=0 long=0 install=1 xen=0
for word in "$@"; do
  case $word in
    --quick) quick=1 ;;
    --long) long=1 ;;
    --xen) xen=1 ;;
    --no-install) install=0 ;;
    -h | --help) sed -n '4,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $word; see $0 --help" >&2; exit 2 ;;
  esac
done
if [[ $install == 1 ]]; then
  if [[ $quick == 1 ]]; then deploy/install-packages.sh build test || exit 1
  else deploy/install-packages.sh build test check package || exit 1; fi
  [[ $quick == 1 || $xen == 0 ]] || deploy/install-packages.sh xen || exit 1
fi
export ARBITER_LONG=$long
passed=0 failed=0 skipped=0 failures=() skips=() notes=()
begin=$SECONDS
mkdir -p build/log

step() { printf '%5d s  %s\n' $((SECONDS - begin)) "$*"; }
fail() { failed=$((failed + 1)); failures+=("$1"); echo "         FAILED: $1"; }

# build PRESET [CC]: a build that warns is a failure.
build() {
  local preset=$1 log=build/log/build-$1.log
  step "build $preset"
  if cmake --preset "$preset" >"$log" 2>&1 && cmake --build build/"$preset" >>"$log" 2>&1; then return 0; fi
  grep -E 'error|FAILED' "$log" | head -20
  fail "build $preset (build/log/build-$preset.log)"
  return 1
}

# run_tests PRESET LABEL...: ctest of these labels; every Criterion test counts by itself.
run_tests() {
  local preset=$1 label log
  shift
  for label in "$@"; do
    log=build/log/test-$preset-$label.log
    step "test $preset: $label"
    ctest --test-dir build/"$preset" -L "^$label\$" -E test_main_job --verbose --no-tests=ignore >"$log" 2>&1
    count_tests "$log" "$preset/$label"
  done
}

# The main job measures response times of real guests on a shared machine: one failed attempt is said and
# made again, whole, when there is time; the last one counts.
second_attempt_until=2400 # seconds from the start
run_main_job() {
  local log attempt
  for attempt in 1 2; do
    log=build/log/test-main-job-$attempt.log
    step "test release: the main job on real guests, attempt $attempt (about 9 min)"
    ctest --test-dir build/release -R test_main_job --verbose --no-tests=ignore >"$log" 2>&1 && break
    [[ $attempt == 1 ]] || break
    echo "         attempt 1 failed, see $log"
    if [[ $((SECONDS - begin)) -gt $second_attempt_until ]]; then
      notes+=("main-job: failed, and not attempted again after $second_attempt_until s")
      break
    fi
    notes+=("main-job: attempt 1 failed (see $log), attempt 2 counts")
  done
  count_tests "$log" main-job
  cat build/release/main-job/*.txt 2>/dev/null | head -40
}

# Real Xen hosts under emulation: each check counts. A scenario that failed is made again on new hosts, which
# is said; the last time counts.
run_xen_lab() {
  local log=build/log/test-xen-lab.log line code held
  step "test packages: the Xen lab (about 30 min)"
  tests/xen/run.sh --attempts 2 >"$log" 2>&1
  code=$?
  held=$(sed -nE 's/^([0-9]+) of [0-9]+ held$/\1/p' "$log" | tail -1)
  passed=$((passed + ${held:-0}))
  if [[ $code == 77 ]]; then
    skipped=$((skipped + 1))
    skips+=("xen-lab: $(tail -1 "$log")")
  elif [[ $code != 0 ]]; then
    while read -r line; do fail "xen-lab: $line (see $log)"; done < <(sed -n 's/^FAILED *//p' "$log")
    grep -q '^FAILED' "$log" || fail "xen-lab ended with $code (see $log)"
  fi
  while read -r line; do notes+=("xen-lab: $line (see $log)"); done < <(sed -nE 's/^# (.* failed: attempt .*)/\1/p' "$log")
  sed -n 's/^# \([a-z]* *[0-9]* of .*\)/         \1/p' "$log"
}

count_tests() {
  local log=$1 what=$2 line name number inside
  # Criterion: "[====] Synthesis: Tested: 5 | Passing: 5 | Failing: 0 | Crashing: 0"
  inside=$(sed -nE 's/.*Synthesis: Tested: ([0-9]+) \| Passing: ([0-9]+) \| Failing: ([0-9]+) \| Crashing: ([0-9]+).*/\2/p' "$log" | awk '{n += $1} END {print n + 0}')
  local programs
  programs=$(grep -c 'Synthesis: Tested' "$log")
  local ok
  ok=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed ' "$log")
  local extra=$((ok - programs))
  [[ $extra -ge 0 ]] || extra=0
  passed=$((passed + inside + extra))
  while read -r name; do
    [[ -n $name ]] || continue
    fail "$what $name (see $log)"
    grep -E "\[----\]|\[FAIL\]|Assertion|ERROR|runtime error|FAILED" "$log" | head -12
  done < <(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.*\*\*\*(Failed|Timeout|Exception.*|Not Run).*/\1/p' "$log")
  # The reason is the last line that this test wrote; ctest puts its number before each, and words of its own.
  while read -r number name; do
    [[ -n $name ]] || continue
    skipped=$((skipped + 1))
    line=$(sed -n "s/^$number: //p" "$log" |
      grep -vE '^(Test command|Working Directory|Environment variables|Test timeout computed to be):|^ [A-Z_]+=' | grep . | tail -1)
    line=${line#skipped: }
    skips+=("$name: ${line:-no reason given}")
  done < <(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#([0-9]+): ([^ ]+) \.*\*\*\*Skipped.*/\1 \2/p' "$log")
}

if build asan; then run_tests asan unit threads; fi
if build release; then
  run_tests release sim
  if [[ $quick == 0 ]]; then
    run_tests release checks integration
    run_main_job
    [[ $xen == 0 ]] || run_xen_lab
  fi
fi
if [[ $quick == 0 ]]; then
  if build tsan; then run_tests tsan threads; fi
  if build fuzz; then
    seconds=60
    [[ $long == 1 ]] && seconds=1800
    step "fuzz: $seconds s per target"
    if tests/fuzz/run.sh build/fuzz/fuzz "$seconds" >build/log/fuzz.log 2>&1; then
      passed=$((passed + $(grep -c '^ok ' build/log/fuzz.log)))
    else
      passed=$((passed + $(grep -c '^ok ' build/log/fuzz.log)))
      grep '^FAILED' build/log/fuzz.log
      fail "fuzz (build/log/fuzz.log)"
    fi
  fi
fi
step "done"
for line in "${notes[@]+"${notes[@]}"}"; do echo "note     $line"; done
for line in "${skips[@]+"${skips[@]}"}"; do echo "skipped  $line"; done
for line in "${failures[@]+"${failures[@]}"}"; do echo "failed   $line"; done
echo "tests: $passed passed, $failed failed, $skipped skipped"
[[ $failed == 0 && $passed -gt 0 ]]

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# arbiter bench: its table, its JSON and its picture from short runs, and what it says of words that
# it does not know.
set -u
cd "$(dirname "$0")/../.." || exit 1
arbiter=${ARBITER_BUILD:?}/bin/arbiter scenarios=tests/sim/scenarios
[[ -x $ARBITER_BUILD/bin/arbiter-sim ]] || { echo "arbiter-sim is not built"; exit 77; }
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(mktemp -d) bad=0
trap 'rm -rf "$work"' EXIT
say() { echo "FAILED $1"; bad=1; }
# run CODE WORDS...: the exit code; what it says is in out and err
run() {
  local code=$1 got
  shift
  "$arbiter" bench "$@" >"$work/out" 2>"$work/err" </dev/null
  got=$?
  [[ $got == "$code" ]] || say "bench $*: exit $got, not $code: $(cat "$work/err")"
}

# A short copy: five minutes of the spike on four nodes.
sed 's/duration: 5m/duration: 90s/' $scenarios/web-spike.yaml >"$work/short.yaml"
run 0 "$work/short.yaml" --scheduler default,equal --seeds 1-2
[[ $(wc -l <"$work/out") == 3 ]] || say "the table has $(wc -l <"$work/out") lines, not 3"
for heading in SCHEDULER RUNS "under 50 %" "mean level" lowest changes moves "CPU min" "decide ms"; do
  head -1 "$work/out" | grep -qF -- "$heading" || say "the table has no column $heading"
done
grep -Eq '^default +2 .*±' "$work/out" || say "no line of default: $(cat "$work/out")"
grep -Eq '^equal +2 .*±' "$work/out" || say "no line of equal"

run 0 "$work/short.yaml" --scheduler default,equal --seeds 1-2 -o json
python3 - "$work/out" <<'END' || say "the JSON is not what was expected"
import json, sys
tree = json.load(open(sys.argv[1]))
names = [row["scheduler"] for row in tree["schedulers"]]
assert names == ["default", "equal"], names
assert tree["seeds"] == "1-2", tree["seeds"]
for row in tree["schedulers"]:
    assert row["runs"] == 2, row
    assert 0 <= row["under_50"]["mean"] <= 1 and 0 < row["mean_level"]["mean"] <= 1, row
    assert row["cpu_s"]["mean"] > 0 and row["cpu_s"]["sd"] >= 0, row
END

if command -v gnuplot >/dev/null; then
  run 0 "$work/short.yaml" --scheduler default --seeds 1 --plot "$work/plot.svg"
  python3 - "$work/plot.svg" <<'END' || say "the picture is no SVG with lines"
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert root.tag.endswith("svg"), root.tag
assert sum(1 for item in root.iter() if item.tag.endswith("path")) > 3
END
else
  echo "no gnuplot: the picture was not drawn"
fi

run 2 "$work/short.yaml" --scheduler entitlment --seeds 1
grep -qF 'did you mean "entitlement"?' "$work/err" || say "no suggestion: $(cat "$work/err")"
run 2 "$work/none.yaml" --scheduler default --seeds 1
grep -qF "none.yaml" "$work/err" || say "it does not say which scenario is missing: $(cat "$work/err")"
run 2 "$work/short.yaml" --scheduler default --seeds 3-1

# W1 to W9 are all there and can be read; a minute of each.
for number in 1 2 3 5 6 7 8 9; do
  file=$(echo $scenarios/w$number-*.yaml)
  [[ -f $file ]] || { say "no scenario W$number"; continue; }
  sed -E 's/^( +)duration: .*/\1duration: 60s/; s/at: 5m/at: 30s/' "$file" >"$work/w.yaml"
  run 0 "$work/w.yaml" --scheduler default --seeds 1
done
[[ -f $scenarios/xcom-40min.yaml ]] || say "no scenario W4"
exit $bad

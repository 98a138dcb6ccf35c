#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# arbiter optimize: answers against a second opinion and golden files, mistakes, exit codes; and
# arbiter bench with programs beside it that do not do their part.
set -u
cd "$(dirname "$0")/../.." || exit 1
arbiter=${ARBITER_BUILD:?}/bin/arbiter golden=tests/golden/optimize
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(mktemp -d) bad=0
trap 'rm -rf "$work"' EXIT
say() { echo "FAILED $1"; bad=1; }
# expect CODE WHAT WORDS...: the exit code, and text that stderr has
expect() {
  local code=$1 text=$2
  shift 2
  "$arbiter" optimize "$@" >"$work/out" 2>"$work/err" </dev/null
  local got=$?
  [[ $got == "$code" ]] || say "optimize $*: exit $got, not $code"
  grep -qF -- "$text" "$work/err" || say "optimize $*: stderr has no \"$text\": $(cat "$work/err")"
}

examples=()
for file in deploy/examples/problem-*; do
  name=$(basename "$file")
  examples+=("${name%.*}=$file")
done
python3 tests/integration/optimize_check.py "$arbiter" $golden "${examples[@]}" || bad=1

# All mistakes at once, each with its path.
expect 2 "18 mistakes" $golden/mistakes.yaml
sed "s|^$golden/||" "$work/err" | diff $golden/mistakes.txt - || say "the mistakes are told differently"
expect 2 "expected one file"
expect 2 "cannot open" "$work/none.json"
echo '{"version": 1, "nodes": [' >"$work/cut.json"
expect 2 "line 2, column" "$work/cut.json"
printf 'version: 1\nversion: 1\n' >"$work/twice.yaml"
expect 2 "line 2, column 1: the key is there twice" "$work/twice.yaml"
printf 'a: &a [*a]\n' >"$work/loop.yaml"
expect 2 "inside its anchor" "$work/loop.yaml"
expect 3 'did you mean "batch"' deploy/examples/problem-cluster.yaml --how-many batsh
{
  printf 'version: 1\nnodes: [{name: n1, cpu_pct: 2000}]\nservices:\n'
  printf -- '- {name: s, coupling: sum, model: {kind: reciprocal, demand_pct: 30}, vms: [{node: n1}'
  printf ', {node: n1}%.0s' {1..1024}
  printf ']}\n'
} >"$work/many.yaml"
expect 2 "service s has 1025 VMs whose CPU adds up, more than SUM_VMS_MAX (1024)" "$work/many.yaml" --how-many s

# Minimums that do not fit: the nodes and the numbers.
sed 's/min_cap_pct: 50/min_cap_pct: 390/; s/min_cap_pct: 20/min_cap_pct: 390/' \
  deploy/examples/problem-cluster.yaml >"$work/short.yaml"
expect 7 "node xen1: its VMs need at least 880 % of CPU, it has 800 %" "$work/short.yaml"
"$arbiter" optimize -o json "$work/short.yaml" 2>/dev/null | grep -q '"code": 7' || say "no error object"
sed 's/mem_mib: 16384/mem_mib: 2048/' deploy/examples/problem-cluster.yaml >"$work/memory.yaml"
expect 7 "3584 MiB of memory, it has 2048 MiB" "$work/memory.yaml"
for short in short=no-cpu memory=no-memory; do
  "$arbiter" optimize -o json "$work/${short%=*}.yaml" 2>/dev/null | grep -q "\"${short#*=}\"" ||
    say "${short%=*}.yaml: the reason is not ${short#*=}"
done

# People: 80 columns.
for file in deploy/examples/problem-*; do
  "$arbiter" optimize "$file" >"$work/table" || say "$file: no table"
  awk 'length > 80 {bad = 1; print} END {exit bad}' "$work/table" || say "$file: wider than 80 columns"
done
"$arbiter" optimize -o csv deploy/examples/problem-overload.yaml | head -1 |
  grep -qx service,node,cap_pct,r_pct,x,level,sacrificed,missing_pct || say "another CSV header"
sed 's/name: gold/name: "say \\"au\\", twice"/; s/\bn1\b/"n,1"/' deploy/examples/problem-overload.yaml |
  "$arbiter" optimize -o csv - | grep -q '^"say ""au"", twice","n,1",' || say "CSV has names without quotes"
"$arbiter" optimize - <deploy/examples/problem-overload.yaml | grep -q sacrificed || say "nothing is sacrificed"

# A simulator of $SERVICES services, beside a copy of the client.
mkdir "$work/bench" "$work/tmp" "$work/it's"
cp "$arbiter" "$work/bench/arbiter"
cat >"$work/bench/arbiter-sim" <<'END'
#!/bin/sh
while [ "$1" != --series ] && [ $# -gt 1 ]; do shift; done
{
  echo time_s,service,level,cap_pct,used_pct,requests_per_s
  for time in 0 60 120; do
    i=0
    while [ $((i += 1)) -le "$SERVICES" ]; do
      echo "$time.000,service-with-a-name-that-is-as-long-as-many-are-$i,0.900000,100,50.0,1.00"
    done
  done
} >"$2"
echo '{"mean_level": 0.9}'
END
chmod +x "$work/bench/arbiter-sim"
gnuplot_is() { printf '#!/bin/sh\n%s\n' "$1" >"$work/bench/gnuplot" && chmod +x "$work/bench/gnuplot"; }
# bench CODE SERVICES WHAT: the exit code, text that stderr has, and no folder stays
bench() {
  SERVICES=$2 TMPDIR=${folder:-$work/tmp} PATH=${path:-$work/bench:$PATH} "$work/bench/arbiter" bench any \
    --scheduler a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p --plot "$work/plot.svg" >"$work/out" 2>"$work/err"
  local got=$?
  [[ $got == "$1" ]] || say "bench, $3: exit $got, not $1"
  [[ $(cat "$work/err") == *"$3"* ]] || say "bench: stderr has no \"$3\": $(cat "$work/err")"
  [[ -z $(ls "${folder:-$work/tmp}") ]] || say "bench, $3: a temporary folder stays"
}
# More than a pipe holds, so it is written to after its end.
for end in 'exit 0' 'exit 1'; do
  gnuplot_is "$end"
  bench 1 32 "--plot: gnuplot failed on"
done
gnuplot_is "exec cat >'$work/script'"
bench 0 32 ""
grep -qE "'[^']*/0\.csv' using \(\\\$1/60\):\(strcol\(2\) eq '[^']*-32' \? \\\$3 : NaN\)" "$work/script" ||
  say "bench: gnuplot does not choose the lines of a service"
grep -q '"<' "$work/script" && say "bench: a shell reads the series"
bench 1 33 "more than BENCH_SERVICES_MAX (32) services"
folder="$work/it's" bench 1 1 "a quote in the temporary folder"
rm "$work/bench/gnuplot"
path=$work/bench bench 1 1 "gnuplot is not installed"
if command -v gnuplot >/dev/null; then
  bench 0 2 ""
  grep -qE "d='M[^M]* L[^M]* L" "$work/plot.svg" || say "bench: the points of a service are not joined"
fi
rm "$work/bench/arbiter-sim"
path=$work/bench bench 1 1 "it comes with a build tree and is in no package"
[[ $bad == 0 ]] && echo "optimize answers as it must"
exit $bad

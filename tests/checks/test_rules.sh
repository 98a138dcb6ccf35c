#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rules of CONTRIBUTING.md that a script can see.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
say() { echo "$1"; bad=1; }
sources=$(git ls-files '*.c' '*.h')
[[ -n $sources ]] || { echo "git lists no sources here: nothing was looked at"; exit 1; }
for file in $sources; do
  [[ -f $file ]] || continue
  head -1 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || say "$file: the first line is not the SPDX line"
  [[ $(wc -l <"$file") -le 500 ]] || say "$file: over 500 lines; look for the second thing inside"
done
for file in $(git ls-files '*.sh' '*.proto' 'CMakeLists.txt' '*/CMakeLists.txt'); do
  head -3 "$file" | grep -q 'SPDX-License-Identifier' || say "$file: no SPDX line"
done
grep -nP '\t' $sources && say "tabs in C sources"
grep -nE '^.{97,}' $sources && say "lines over 96 columns"
grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $sources && say "open work marked in the code instead of an issue"
grep -nE '\b(usleep|nanosleep|sleep) ?\(' $(git ls-files '*.c' | grep -v '^common/io/clock.c') && say "sleeping outside common/io/clock.c"
grep -nE 'clock_gettime|gettimeofday|[^_a-z]time ?\(NULL' $(git ls-files '*.c' | grep -vE '^(common/io/clock.c|tests/)') && say "clocks are read in common/io/clock.c only"
for name in $(git ls-files | xargs -n1 basename); do
  case $name in util*|misc*|helper*|common.c|utils*) say "a file named $name says nothing about what is inside" ;; esac
done
for folder in common common/io proto schedulers orchestrator node-agent tests deploy; do
  [[ -f $folder/README.md ]] || say "$folder has no README.md that says what belongs there"
done
[[ $bad == 0 ]] && echo "rules hold in $(wc -w <<<"$sources") files"
exit $bad

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy (configuration in .clang-tidy) and cppcheck over everything that is shipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang-tidy >/dev/null || { echo "skipped: clang-tidy is not installed"; exit 77; }
build=build/tidy
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang -DARBITER_TESTS=OFF >/dev/null || exit 1
ninja -C $build arbiter_proto >/dev/null || exit 1 # the generated headers
files=$(git ls-files '*.c' | grep -v '^tests/')
log=$build/clang-tidy.log
printf '%s\n' $files | xargs -P "$(nproc)" -n 1 clang-tidy -quiet -p $build >$log 2>/dev/null
tidy=$?
grep -E 'warning:|error:' $log | sort -u | head -60
cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
  --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE -I. -j "$(nproc)" $files
cpp=$?
echo "$(wc -w <<<"$files") files analysed: clang-tidy $tidy, cppcheck $cpp"
[[ $tidy == 0 && $cpp == 0 ]]

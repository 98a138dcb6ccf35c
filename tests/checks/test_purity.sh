#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The pure libraries use no clock, no I/O and no writable globals: their undefined symbols must be in a
# short list of libc and libm, and they may define no writable data.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=build/purity
# A plain build: sanitizers and fortification would add symbols of their own.
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DARBITER_TESTS=OFF >/dev/null || exit 1
ninja -C $build arbiter_common arbiter_schedulers arbiter_orchestrator_core arbiter_agent_core >/dev/null ||
  { ninja -C $build arbiter_common arbiter_schedulers arbiter_orchestrator_core arbiter_agent_core | tail -5; exit 1; }
libc="memcpy memccpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strrchr strstr strspn strcspn strcpy strncpy strtoull strtoul strtol strtoll strtod
snprintf vsnprintf qsort bsearch calloc malloc realloc free abort __assert_fail __errno_location __stack_chk_fail __isoc99_sscanf __ctype_b_loc
sqrt fabs floor ceil round lround llround fmax fmin isnan exp log log1p expm1 asinh pow fmod hypot rint lrint llrint trunc cbrt _GLOBAL_OFFSET_TABLE_"
# malloc belongs to create functions and to the solver; a core's step is held to none by review and by
# the simulator's determinism check.
bad=0
for name in common schedulers orchestrator_core agent_core; do
  archive=$build/libarbiter_$name.a
  own=$(nm --defined-only $build/libarbiter_*.a 2>/dev/null | awk 'NF == 3 {print $3}' | sort -u)
  while read -r symbol; do
    [[ -n $symbol ]] || continue
    grep -qxF -- "$symbol" <<<"$own" && continue
    grep -qwF -- "$symbol" <<<"$libc" && continue
    echo "libarbiter_$name.a uses $symbol"; bad=1
  done < <(nm -u "$archive" 2>/dev/null | awk '$1 == "U" {print $2}' | sort -u)
  # Tables of constant pointers lie in .data.rel.ro: written by the loader, then read-only.
  while read -r line; do echo "libarbiter_$name.a has a writable global: $line"; bad=1; done \
    < <(nm --format=sysv --defined-only "$archive" 2>/dev/null | awk -F'|' '$7 ~ /^\.(data|bss|tdata|tbss)/ && $7 !~ /^\.data\.rel\.ro/ {print $1, $7}')
done
# The check itself must see something: the clock reader is not pure.
ninja -C $build arbiter_common_io >/dev/null 2>&1
nm -u $build/libarbiter_common_io.a | grep -q clock_gettime || { echo "nm shows nothing: the check is broken"; exit 1; }
[[ $bad == 0 ]] && echo "4 libraries are pure"
exit $bad

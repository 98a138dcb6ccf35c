#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same seed gives the same trace, byte for byte: twice with one program, and with gcc and
# clang, unoptimized and optimized.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${ARBITER_BUILD:-build/release}
generator=()
if command -v ninja > /dev/null; then
    generator=(-G Ninja)
fi
traces=$(mktemp -d)
trap 'rm -rf "$traces"' EXIT
scenarios=(tests/sim/scenarios/*.yaml)

trace() { # SIM NAME
    for scenario in "${scenarios[@]}"; do
        "$1" "$scenario" --seed 42 --period 30s --trace "$traces/$2.$(basename "$scenario")" \
            > /dev/null
    done
}

for compiler in gcc clang; do
    if ! command -v "$compiler" > /dev/null; then
        echo "$compiler is not installed"
        exit 77
    fi
    for level in O0 O2; do
        folder=$build/sim-$compiler-$level
        cmake -S . -B "$folder" "${generator[@]}" -DCMAKE_C_COMPILER="$compiler" \
            -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="-$level" > "$traces/log" 2>&1 ||
            { cat "$traces/log"; exit 1; }
        cmake --build "$folder" --target arbiter-sim --parallel 2 > "$traces/log" 2>&1 ||
            { tail -n 30 "$traces/log"; exit 1; }
        trace "$folder/bin/arbiter-sim" "$compiler-$level"
    done
done
trace "$build/sim-gcc-O2/bin/arbiter-sim" again

failed=0
for scenario in "${scenarios[@]}"; do
    name=$(basename "$scenario")
    [ -s "$traces/gcc-O0.$name" ] || { echo "$name: the trace is empty"; failed=1; }
    for other in gcc-O2 clang-O0 clang-O2 again; do
        if ! cmp "$traces/gcc-O0.$name" "$traces/$other.$name"; then
            failed=1
        fi
    done
    echo "$name: $(wc -l < "$traces/gcc-O0.$name") lines, $(tail -n 1 "$traces/gcc-O0.$name")"
done
# Another seed must differ: the comparison can fail.
"$build/sim-gcc-O2/bin/arbiter-sim" "${scenarios[0]}" --seed 43 --period 30s \
    --trace "$traces/other" > /dev/null
if cmp -s "$traces/other" "$traces/again.$(basename "${scenarios[0]}")"; then
    echo "two seeds give the same trace"
    failed=1
fi
exit $failed

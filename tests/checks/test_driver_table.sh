#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deploy/drivers.md is what the drivers declare now, no cell is empty, and the tests that it names are there.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${ARBITER_BUILD:-build/release}
[[ -x $build/tests/driver_abilities ]] || { echo "driver_abilities is not built"; exit 77; }
table=$(mktemp)
trap 'rm -f "$table"' EXIT
python3 tests/checks/driver_table.py "$build" >"$table" || exit 1
grep -nE '\| +\|' "$table" && { echo "empty cells"; exit 1; }
diff deploy/drivers.md "$table" || { echo "make it anew: tests/checks/driver_table.py $build >deploy/drivers.md"; exit 1; }
echo "$(grep -c '^| ' "$table") rows, no cell is empty"

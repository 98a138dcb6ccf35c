#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Layout is clang-format's business.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang-format >/dev/null || { echo "skipped: clang-format is not installed"; exit 77; }
clang-format --dry-run --Werror $(git ls-files '*.c' '*.h') 2>&1 | grep -E 'error' | head -40
exit "${PIPESTATUS[0]}"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All benchmarks, each beside its yardstick. Usage: tests/bench/run.sh [FOLDER-ON-A-DISK]
# Builds the release preset. The machine should have nothing else to do.
set -u
cd "$(dirname "$0")/../.." || exit 1
cmake --preset release >/dev/null && cmake --build build/release >/dev/null || exit 1
export ARBITER_BUILD=$PWD/build/release
echo "$(uname -m), $(nproc) CPUs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1 /proc/loadavg)"
tests/bench/idle.sh
build/release/bench/bench_requests "${1:-.}"
build/release/bench/bench_telemetry
tests/bench/xcom.sh
build/release/bench/bench_optimizer
# Only where GLPK, Ipopt and NLopt are installed (deploy/install-packages.sh bench).
if [[ -x build/release/bench/bench_peers ]]; then build/release/bench/bench_peers; fi

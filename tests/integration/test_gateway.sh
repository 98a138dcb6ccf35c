#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The gateway with real HAProxies on loopback: weights, drain, adoption, reload, response times.
set -eu
cd "$(dirname "$0")/../.."
probe="${ARBITER_BUILD:-build}/tests/gateway_probe"
for need in /usr/sbin/haproxy "$(command -v httperf || echo httperf)" "$probe"; do
    if [ ! -x "$need" ]; then
        echo "no $need"
        exit 77
    fi
done
exec python3 tests/integration/gateway_test.py "$probe" "$@"

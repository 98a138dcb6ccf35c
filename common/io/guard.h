// SPDX-License-Identifier: Apache-2.0
/*
 * The ZAP handler of this process: every connection to a bound socket is asked for its key
 * here, and without an answer there is no connection (option ZMQ_ZAP_ENFORCE_DOMAIN on every
 * bound socket). Starts before any bind; its self-test connects with a random key, which must
 * be refused, and with a known one, which must be admitted; otherwise the daemon does not
 * start.
 */
#ifndef COMMON_IO_GUARD_H
#define COMMON_IO_GUARD_H

#include <stdint.h>

#include "common/err.h"
#include "common/io/keys.h"

/* Once per process. The keyring must outlive the guard and every socket that was bound
 * meanwhile. */
int guard_start(const struct keyring *keyring, struct err *err);
/* From here on nobody is admitted any more. */
void guard_stop(void);

/* NULL while no guard runs; then nothing may listen. */
const struct keyring *guard_keyring(void);

/* Connections that were asked for, since the start. */
struct guard_counters {
    uint64_t admitted;
    uint64_t refused; /* unknown key, or a role that the domain does not admit */
    uint64_t cut_off; /* connections over TCP whose messages did not end */
};
void guard_counters(struct guard_counters *out);

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * What every message starts with. A receiver refuses a message whose min_version is above its
 * own version; inside one version fields are only added.
 */
#ifndef COMMON_MESSAGE_HEADER_H
#define COMMON_MESSAGE_HEADER_H

#include <stdint.h>

#define PROTOCOL_VERSION 1

struct header {
    uint32_t version;     /* of the sender */
    uint32_t min_version; /* that a receiver must have to understand this message */
    uint64_t epoch;       /* of the orchestrator; 0 from clients */
    uint64_t sequence;    /* per sender and socket, from 1: a gap is a loss */
};

#endif

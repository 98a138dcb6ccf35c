// SPDX-License-Identifier: Apache-2.0
/*
 * What is kept with each domain of ours so that a new agent knows it again: who it is and what
 * the guest was told. One line, the same in xenstore and in the state folder:
 * "1 made NODE VM GENERATION ADDRESS GATEWAY", "-" for an empty value. The second word is
 * "making" until the domain is whole: what an agent that was killed left half done is known by
 * it. Pure.
 */
#ifndef NODE_AGENT_IO_XEN_DOMAIN_MARK_H
#define NODE_AGENT_IO_XEN_DOMAIN_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"

#define DOMAIN_MARK_KEY  "arbiter" /* below /local/domain/N */
#define DOMAIN_MARK_SIZE 512

struct domain_mark {
    bool made; /* false: being made, or left half made */
    char node[NAME_SIZE];
    char vm[NAME_SIZE];
    uint64_t generation;
    char address[ADDRESS_SIZE]; /* "10.0.0.11/24" or empty */
    char gateway[ADDRESS_SIZE];
};

/* -EINVAL: a value has a character that a mark cannot hold. */
int domain_mark_format(const struct domain_mark *mark, char out[DOMAIN_MARK_SIZE]);

/* 0, or -EINVAL when it is not one of ours. */
int domain_mark_parse(const char *text, struct domain_mark *out);

#endif

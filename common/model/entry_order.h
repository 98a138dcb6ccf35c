// SPDX-License-Identifier: Apache-2.0
/* What a gateway is to run for one service: the whole entry point, every time ("make it so").
 */
#ifndef COMMON_MODEL_ENTRY_ORDER_H
#define COMMON_MODEL_ENTRY_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/model/service.h"

struct entry_server {
    char vm[NAME_SIZE];
    char address[ADDRESS_SIZE]; /* IP address of the guest */
    uint32_t port;
    uint32_t weight; /* 1..256, follows the granted CPU */
    bool drain;      /* finish what it has, send nothing new */
};

struct entry_order {
    uint64_t operation;
    char service[NAME_SIZE];
    bool remove; /* take the entry point away */
    struct entry entry;
    uint32_t window_ms; /* over which percentiles are taken */
    uint32_t servers_count;
    struct entry_server servers[ENTRY_SERVERS_MAX];
};

struct entry_status {
    char service[NAME_SIZE];
    uint64_t operation_done;
    bool up; /* listens */
    uint32_t servers_up;
    char problem_text[TEXT_SIZE]; /* empty: all well */
};

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * A measured value of a node, a VM or an entry point. Only its newest value counts; what is
 * missing is unknown, never zero.
 */
#ifndef COMMON_MODEL_METRIC_H
#define COMMON_MODEL_METRIC_H

#include <stdint.h>

#include "common/limits.h"

#define METRICS(X)                                                                             \
    X(METRIC_UNSPECIFIED, "unspecified")                                                       \
    X(METRIC_NODE_CPU_PCT, "node-cpu-pct") /* used by all guests */                            \
    X(METRIC_NODE_MEMORY_FREE_KIB, "node-memory-free-kib")                                     \
    X(METRIC_CPU_PCT, "cpu-pct") /* used by a VM */                                            \
    X(METRIC_MEMORY_KIB, "memory-kib")                                                         \
    X(METRIC_NET_RX_KIB_S, "net-rx-kib-s")                                                     \
    X(METRIC_NET_TX_KIB_S, "net-tx-kib-s")                                                     \
    X(METRIC_DISK_READ_KIB_S, "disk-read-kib-s")                                               \
    X(METRIC_DISK_WRITE_KIB_S, "disk-write-kib-s")                                             \
    X(METRIC_RESPONSE_MEAN_MS, "response-mean-ms") /* of a VM or an entry, in its window */    \
    X(METRIC_RESPONSE_P50_MS, "response-p50-ms")                                               \
    X(METRIC_RESPONSE_P95_MS, "response-p95-ms")                                               \
    X(METRIC_REQUEST_RATE, "request-rate") /* requests per second */                           \
    X(METRIC_ERROR_SHARE, "error-share")   /* 0..1 */                                          \
    X(METRIC_TASKS_DONE, "tasks-done")     /* since the start of this generation */            \
    X(METRIC_SPEED_RATIO, "speed-ratio")   /* of a rank, 1: undisturbed */                     \
    X(METRIC_STEAL_PCT, "steal-pct")                                                           \
    X(METRIC_CUSTOM_1, "custom-1")                                                             \
    X(METRIC_CUSTOM_2, "custom-2")                                                             \
    X(METRIC_CUSTOM_3, "custom-3")                                                             \
    X(METRIC_CUSTOM_4, "custom-4")

enum metric_kind {
#define METRIC_MEMBER(name, word) name,
    METRICS(METRIC_MEMBER)
#undef METRIC_MEMBER
        METRIC_KIND_COUNT
};

enum metric_subject {
    METRIC_SUBJECT_UNSPECIFIED = 0,
    METRIC_SUBJECT_NODE = 1,
    METRIC_SUBJECT_VM = 2,    /* name of the VM */
    METRIC_SUBJECT_ENTRY = 3, /* name of the service */
};

struct metric {
    enum metric_subject subject;
    char name[NAME_SIZE];
    enum metric_kind kind;
    double value;
    uint32_t age_ms; /* of the measurement when it was sent */
};

const char *metric_kind_word(enum metric_kind kind);

#endif

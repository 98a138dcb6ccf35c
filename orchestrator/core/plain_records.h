// SPDX-License-Identifier: Apache-2.0
/*
 * Records of the cluster that are little more than what a person wrote: a spec, whose name is
 * the key of their table, and who wrote it when. Included by state.h, for the core alone.
 */
#ifndef ORCHESTRATOR_CORE_PLAIN_RECORDS_H
#define ORCHESTRATOR_CORE_PLAIN_RECORDS_H

#include "common/model/object.h"
#include "schedulers/profile.h"

struct record_meta {
    char owner[NAME_SIZE];
    uint64_t revision;
    int64_t changed_wall_ms;
};

struct image_record {
    struct image spec;
    struct record_meta meta;
};
struct storage_record {
    struct storage spec;
    struct record_meta meta;
};
struct network_record {
    struct network spec;
    struct record_meta meta;
};
struct profile_record {
    struct profile spec;
    struct record_meta meta;
    struct profile_table table; /* of spec.points */
};
/* What minimum counts and minimum caps add up to: this is what quotas limit. */
struct service_need {
    uint64_t cpu_pct;
    uint64_t memory_kib;
    uint64_t vms;
};
struct agreement_record {
    struct agreement spec;
    struct record_meta meta;
    struct service_need used; /* by all services of its provider */
};

#endif

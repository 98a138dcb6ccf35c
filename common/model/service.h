// SPDX-License-Identifier: Apache-2.0
/*
 * A service: a group of VMs with one objective and one entry point, as its provider describes
 * it in a file. Field names are those of proto/objects.proto; a unit suffix names the parser
 * that the text form uses (_ms: "200ms", _kib: "1GiB", _pct: CPU in cores "0.5" or percent of
 * one CPU "50%", _permille: "95%"). Zero means "not given" unless a comment says otherwise.
 */
#ifndef COMMON_MODEL_SERVICE_H
#define COMMON_MODEL_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"

enum service_kind {
    SERVICE_KIND_UNSPECIFIED = 0,
    SERVICE_KIND_WEB = 1,     /* requests through an entry point; CPU of its VMs adds up */
    SERVICE_KIND_QUEUE = 2,   /* independent tasks with a deadline; CPU of its VMs adds up */
    SERVICE_KIND_CLUSTER = 3, /* ranks in step: the slowest VM sets the pace */
};

enum isolation {
    ISOLATION_UNSPECIFIED = 0,
    ISOLATION_RUN =
        1, /* never stopped on lease expiry, never restarted elsewhere unconfirmed */
    ISOLATION_FENCE = 2, /* stopped by its node when the lease ends, then restarted elsewhere */
};

enum disk_kind {
    DISK_KIND_UNSPECIFIED = 0,
    DISK_KIND_COPY = 1,   /* made from the image on the node, lost with it */
    DISK_KIND_SHARED = 2, /* on a storage that several nodes declare */
    DISK_KIND_LOCAL = 3,  /* pins the VM to its node */
};

enum when_done {
    WHEN_DONE_UNSPECIFIED = 0,
    WHEN_DONE_STOP = 1, /* stop the VMs when the queue is empty */
    WHEN_DONE_KEEP = 2,
};

/* What may become of a service that gets its minimum since not all floors fit. */
enum when_sacrificed {
    WHEN_SACRIFICED_UNSPECIFIED = 0,
    WHEN_SACRIFICED_RUN = 1,     /* it keeps its minimum */
    WHEN_SACRIFICED_PAUSE = 2,   /* its VMs may be paused: no CPU, their memory stays */
    WHEN_SACRIFICED_SUSPEND = 3, /* its VMs may be saved to files of their nodes */
};

/* Exactly one of mean, p50, p95 is given. */
struct response_time {
    uint32_t mean_ms;
    uint32_t p50_ms;
    uint32_t p95_ms;
    uint32_t window_ms; /* over which the statistic is taken; default 30 s */
};

/* Shape of the service-level function (paper, section 5, formula 1); x is measured / target. */
struct level_curve {
    double a; /* steepness, default 10 */
    double b; /* x of the middle, default 1 */
    double w; /* half of the height, default 0.5 */
};

struct objective {
    bool has_response_time;
    struct response_time response_time;
    uint32_t error_share_permille; /* a second parameter: share of failed requests, target */
    int64_t deadline_wall_ms;      /* of a queue; absolute, ms since 1970 */
    uint32_t within_ms;            /* of a queue; the deadline counted from the start */
    uint32_t speed_permille; /* of a cluster: share of the speed with all VCPUs to itself */
    uint32_t weight;         /* against the same provider's others; default 1 */
    bool has_curve;
    struct level_curve curve;
};

/* The one address at which users reach the service. Only kind web has one. */
struct entry {
    char listen[ADDRESS_SIZE];  /* "10.0.8.10:80" */
    char check_path[PATH_SIZE]; /* of a health check by HTTP GET; empty: TCP connect */
    uint32_t check_every_ms;    /* default 2 s */
};

struct count_range {
    uint32_t min;
    uint32_t max;
};

struct cap_range {
    uint32_t min_pct; /* percent of one CPU */
    uint32_t max_pct;
};

struct vm_disk {
    enum disk_kind kind;     /* default copy */
    char storage[NAME_SIZE]; /* of shared and local */
    uint64_t size_kib;       /* 0: the image's */
    uint64_t rate_kib_s;     /* limit, 0: none */
};

/* VMs of a service that are alike. */
struct vm_group {
    char name[NAME_SIZE];
    struct count_range count; /* default 1; a range means that the manager may choose */
    char image[NAME_SIZE];
    uint32_t vcpus;       /* default: enough for cpu.max */
    uint32_t vcpus_min;   /* the manager may take VCPUs offline down to this; default: vcpus */
    struct cap_range cpu; /* the manager moves the cap in this range */
    uint64_t memory_kib;  /* at most */
    uint64_t memory_min_kib; /* the manager moves the memory in this range; default: memory */
    uint32_t port;           /* where the guest serves, for the entry point */
    bool has_disk;
    struct vm_disk disk;
    char network[NAME_SIZE]; /* empty: the node's default bridge */
    uint64_t net_rate_kib_s; /* limit, 0: none */
    bool spread;             /* not two on one node */
};

/* A job in uniform tasks; the guests report tasks done. */
struct queue {
    uint64_t tasks;       /* in all */
    uint32_t task_cpu_ms; /* CPU time of one task on a CPU of speed 1 */
};

struct service {
    uint32_t version; /* of this schema: 1 */
    char service[NAME_SIZE];
    enum service_kind kind;
    struct objective objective;
    char scheduler[NAME_SIZE]; /* empty: the one of the kind */
    enum isolation isolation;  /* default run */
    bool has_entry;
    struct entry entry;
    bool has_queue;
    struct queue queue;
    enum when_done when_done;
    enum when_sacrificed when_sacrificed; /* default run */
    uint32_t vms_count;
    struct vm_group vms[VM_GROUPS_MAX];
    char profile[NAME_SIZE]; /* of its application, as measured; empty: none, it is learnt */
};

/* Fills what was not given: every default named above. */
void service_set_defaults(struct service *service);

/* The one that is given; 0: none is. */
uint32_t response_time_target_ms(const struct response_time *time);

/* What a VM of the group starts with and keeps: the lower end of its range of memory. */
uint64_t service_least_memory_kib(const struct vm_group *group);

#endif

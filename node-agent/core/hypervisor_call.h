// SPDX-License-Identifier: Apache-2.0
/* Calls of a hypervisor driver as plain data: what agents ask for and what comes back. */
#ifndef NODE_AGENT_CORE_HYPERVISOR_CALL_H
#define NODE_AGENT_CORE_HYPERVISOR_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/metric.h"
#include "common/model/node_status.h"
#include "common/model/vm.h"

enum hypervisor_call_kind {
    HYPERVISOR_CALL_UNSPECIFIED = 0,
    /* short */
    HYPERVISOR_CALL_LIST = 1, /* every domain, with readings */
    HYPERVISOR_CALL_CAP = 2,
    HYPERVISOR_CALL_WEIGHT = 3,
    HYPERVISOR_CALL_VCPUS = 4,
    HYPERVISOR_CALL_MEMORY = 5,
    HYPERVISOR_CALL_NET_RATE = 6,
    HYPERVISOR_CALL_DISK_RATE = 7,
    HYPERVISOR_CALL_PAUSE = 8,
    HYPERVISOR_CALL_RESUME = 9,
    HYPERVISOR_CALL_DESTROY = 10, /* at once; disk kept unless absent is ordered */
    HYPERVISOR_CALL_LOAD_SHARE =
        11, /* model only: the share of the service's load that comes here */
    HYPERVISOR_CALL_MIGRATE_LISTEN = 12, /* opens a port for the MIGRATE_IN that follows */
    /* long */
    HYPERVISOR_CALL_CREATE = 16, /* made paused, then resumed by order */
    HYPERVISOR_CALL_SHUTDOWN = 17,
    HYPERVISOR_CALL_REBOOT = 18,
    HYPERVISOR_CALL_SUSPEND =
        19, /* to a file of the state folder, whole and verified, then given up */
    HYPERVISOR_CALL_RESTORE = 20,
    /* Streams the VM to the receiver and ends when that has all of it: then our copy is
     * suspended and stays so. On a failure it goes on as before. */
    HYPERVISOR_CALL_MIGRATE_OUT = 21,
    /* Waits for the sender, makes the VM from its stream, paused. A failure leaves nothing. */
    HYPERVISOR_CALL_MIGRATE_IN = 22,
};

/* An agent begins no more long calls at once, and a driver has room for so many: one that
 * waited for others behind the driver's door would spend its own time limit there. */
#define HYPERVISOR_LONG_CALLS_MAX 4

/* True for the kinds of the long lane. */
bool hypervisor_call_is_long(enum hypervisor_call_kind kind);
const char *hypervisor_call_word(enum hypervisor_call_kind kind);
/* What a driver must have declared for it; CAPABILITY_MODEL where real ones never do. */
enum capability hypervisor_call_capability(enum hypervisor_call_kind kind);
/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" in lower case: fit to be a part of a path. */
bool hypervisor_is_uuid(const char *text);

struct hypervisor_call {
    uint64_t id; /* chosen by the agent, unique; comes back */
    enum hypervisor_call_kind kind;
    int64_t deadline_ms; /* boot time: the driver gives up and completes with TIME_OUT */
    /* The VM as ordered: identity and every value. CAP uses order.cap_pct, and so on. */
    struct vm_order order;
    char image_path[PATH_SIZE]; /* CREATE: the verified local file; empty for model images */
    char address[ADDRESS_SIZE]; /* CREATE: "10.0.0.11/24" for the guest; empty: none */
    char gateway[ADDRESS_SIZE]; /* CREATE: default route of the guest; empty: none */
    char peer[ADDRESS_SIZE];    /* MIGRATE_OUT: host:port of the receiver; LISTEN: own host */
    char peer_key[NAME_SIZE];   /* MIGRATE_OUT: one-time key */
    bool discard_disk;          /* DESTROY: with its copy disk and saved file */
};

/* One domain as the hypervisor shows it. */
struct domain_reading {
    char uuid[UUID_SIZE];
    char vm[NAME_SIZE]; /* empty: a foreign domain */
    uint64_t generation;
    bool ours;
    enum run_state state;
    uint32_t cap_pct; /* UINT32_MAX: no cap */
    uint32_t weight;
    uint32_t vcpus;             /* online */
    uint64_t memory_kib;        /* actual */
    uint64_t memory_target_kib; /* asked for */
    uint64_t net_rate_kib_s;
    uint64_t disk_rate_kib_s;
    uint64_t cpu_time_ns;
    uint64_t net_rx_bytes; /* counters since the start; UINT64_MAX: unknown */
    uint64_t net_tx_bytes;
    uint64_t disk_read_bytes;
    uint64_t disk_write_bytes;
    char address[ADDRESS_SIZE]; /* as known to the driver; empty: unknown */
    /* What only a model guest can say; NAN otherwise. */
    double response_mean_ms;
    double response_p50_ms;
    double response_p95_ms;
    double request_rate;
    double error_share;
    double tasks_done;
    double speed_ratio;
};

/* Zeros, and unknown where zero would be a reading. */
void domain_reading_clear(struct domain_reading *out);

struct domain_list {
    int64_t read_at_ms; /* boot time */
    uint32_t count;
    struct domain_reading domains[VMS_PER_NODE_MAX];
};

struct hypervisor_completion {
    uint64_t id;
    enum hypervisor_call_kind kind;
    int code;                 /* 0 or negative errno; -ETIMEDOUT: the deadline passed */
    enum reason reason;       /* REASON_NONE when code is 0 */
    char text[TEXT_SIZE * 2]; /* with the hypervisor's own lines */
    uint64_t value;           /* short calls that set something: what reading back showed */
    char peer[ADDRESS_SIZE];  /* MIGRATE_LISTEN: host:port that is open now */
    char peer_key[NAME_SIZE]; /* MIGRATE_LISTEN: made for one connection */
    struct domain_list *list; /* LIST: the driver's memory, valid until the next complete() */
};

#endif

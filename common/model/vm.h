// SPDX-License-Identifier: Apache-2.0
/*
 * A VM, three times: as the orchestrator wants it (vm, stored), as it orders it from an agent
 * (vm_order, complete: "make it so"), and as the agent sees it (vm_status).
 * A VM's identity is uuid + generation; a generation is one assignment to a node.
 */
#ifndef COMMON_MODEL_VM_H
#define COMMON_MODEL_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/model/reason.h"
#include "common/model/service.h"

enum run_state {
    RUN_STATE_UNSPECIFIED = 0,
    RUN_STATE_RUNNING = 1,
    RUN_STATE_PAUSED = 2,    /* in memory, gets no CPU */
    RUN_STATE_SUSPENDED = 3, /* saved to a file of its node, no memory */
    RUN_STATE_STOPPED = 4,   /* shut down; disk kept */
    RUN_STATE_ABSENT = 5,    /* gone, with its copy disk */
    RUN_STATE_CRASHED = 6,   /* observed only */
    RUN_STATE_UNKNOWN = 7,   /* observed only: the driver cannot say */
};

/* How a guest of Xen is run. */
enum guest_type {
    GUEST_TYPE_UNSPECIFIED = 0, /* the driver's choice: pvh */
    GUEST_TYPE_PV = 1,          /* needs a kernel that knows Xen, and nothing of the CPU */
    GUEST_TYPE_PVH = 2,         /* uses the CPU's virtualization */
};

/* Where a VM stands between "wanted" and "assigned to a node". */
enum vm_phase {
    VM_PHASE_UNSPECIFIED = 0,
    VM_PHASE_WAITING = 1,  /* no node yet; waiting_reason says why */
    VM_PHASE_ASSIGNED = 2, /* node and generation are durable */
    VM_PHASE_RECOVERING =
        3,                 /* its node is lost; waits for the proof that the old one is dead */
    VM_PHASE_MOVING = 4,   /* from node to move_to */
    VM_PHASE_REMOVING = 5, /* to be destroyed, then forgotten */
};

struct vm {
    uint32_t version;
    char vm[NAME_SIZE]; /* service-group-number */
    char uuid[UUID_SIZE];
    char service[NAME_SIZE];
    char group[NAME_SIZE];
    uint32_t number; /* within the group, from 1 */
    enum vm_phase phase;
    enum reason waiting_reason;
    char node[NAME_SIZE];
    char move_to[NAME_SIZE];
    uint64_t generation; /* 0: never assigned */
    enum run_state desired;
    uint64_t reboots; /* ordered so far; an agent reboots when it has done fewer */
    uint32_t cap_pct; /* percent of one CPU, never 0 */
    uint32_t weight;  /* of the hypervisor's scheduler, 1..65535, default 256 */
    uint32_t vcpus;
    uint64_t memory_kib;
    uint64_t net_rate_kib_s;      /* 0: none */
    uint64_t disk_rate_kib_s;     /* 0: none */
    uint32_t load_share_permille; /* of the service's load that the entry point sends here */
    bool live; /* MOVING: it goes over as it is, by a stream between agents */
    uint64_t reserved_generation; /* newest that was reserved for a receiver, also of a copy
                                     that never ran */
    bool cap_pinned;              /* a person set the cap: the manager leaves it */
    bool paused_by_manager;       /* or suspended: the manager takes it back */
    int64_t pinned_until_wall_ms; /* to its node, after a move by hand; 0: not */
};

/*
 * Everything an agent needs to bring one VM into the ordered state, whatever state it finds.
 * Sent again until vm_status shows it. Refused when epoch or generation are older than what it
 * knows.
 */
struct vm_order {
    uint64_t operation; /* shown to people as op-N */
    char vm[NAME_SIZE];
    char uuid[UUID_SIZE];
    char service[NAME_SIZE];
    enum service_kind service_kind;
    uint64_t generation;
    enum isolation isolation;
    enum run_state desired;
    uint64_t reboots;
    uint32_t cap_pct;
    uint32_t weight;
    uint32_t vcpus;
    uint32_t vcpus_max;
    uint64_t memory_kib;
    uint64_t memory_max_kib;
    uint64_t net_rate_kib_s;
    uint64_t disk_rate_kib_s;
    uint32_t load_share_permille;
    uint32_t port;
    char bridge[NAME_SIZE]; /* empty: the node's default */
    enum disk_kind disk_kind;
    char storage_path[PATH_SIZE];
    uint64_t disk_size_kib;
    uint32_t image_format; /* enum image_format */
    char image[NAME_SIZE];
    char image_source[URL_SIZE];
    char image_sha256[SHA256_SIZE];
    char kernel[PATH_SIZE];
    char ramdisk[PATH_SIZE];
    char command_line[TEXT_SIZE];
    char init[PATH_SIZE];
    struct queue queue;         /* of the service, for guests of the model */
    char migrate_to[NAME_SIZE]; /* empty: stays */
    enum guest_type guest_type;
    char vif_script[PATH_SIZE]; /* empty: Xen's own for bridges */
    /* A migration: the receiver (migrate_from) waits for the VM and keeps it paused; the sender
     * (migrate_to) streams it to peer, keeps its own copy suspended, and runs it again only by
     * another order. */
    char migrate_from[NAME_SIZE];
    char address[ADDRESS_SIZE]; /* migrate_from: of the guest, which keeps it */
    char peer[ADDRESS_SIZE];    /* migrate_to: host:port of the receiver */
    char peer_key[NAME_SIZE];   /* migrate_to: good for one connection */
};

/* Observed. Accepted: the hypervisor took it. Effective: reading back or the guest shows it. */
struct vm_status {
    char vm[NAME_SIZE];
    char uuid[UUID_SIZE];
    uint64_t generation;
    enum run_state state;
    uint64_t operation_done; /* newest order that is wholly effective */
    uint64_t reboots_done;
    uint32_t cap_pct_accepted;
    uint32_t cap_pct; /* effective, read back; UINT32_MAX: no cap */
    uint32_t weight;
    uint32_t vcpus_accepted;
    uint32_t vcpus; /* online */
    uint64_t memory_kib_accepted;
    uint64_t memory_kib; /* actual */
    uint64_t net_rate_kib_s;
    uint64_t disk_rate_kib_s;
    uint64_t cpu_time_ms;       /* since its start */
    char address[ADDRESS_SIZE]; /* in the guest network; empty: none */
    bool busy;                  /* a long operation is under way */
    enum reason problem;        /* REASON_NONE: all well */
    char problem_text[TEXT_SIZE];
    char peer[ADDRESS_SIZE];  /* where the receiver of a migration waits; empty: it does not */
    char peer_key[NAME_SIZE]; /* made by the receiver, for this one connection */
};

const char *run_state_word(enum run_state state);

#endif

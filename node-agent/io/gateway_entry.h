// SPDX-License-Identifier: Apache-2.0
/*
 * One entry point of the gateway: its folder, its HAProxy, and what is going on between them. A
 * state machine that never waits; gateway.c calls it when one of its descriptors is ready or
 * its deadline has come.
 *
 *   PROBE --answers--> SERVE --frame differs--> CHECK --good--> RELOAD --new worker answers-->
 * SERVE |                  |  ^                   |  | | nobody there     |
 * +------refused------+  +--good, nothing runs--> START --> PROBE v                  | order:
 * remove                                     | CHECK                v refused    v STOP
 * --ended--> GONE                     CHECK, START --> REST --> PROBE
 */
#ifndef NODE_AGENT_IO_GATEWAY_ENTRY_H
#define NODE_AGENT_IO_GATEWAY_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/message/node_message.h"
#include "common/model/entry_order.h"
#include "node-agent/core/request_window.h"
#include "node-agent/io/haproxy_cli.h"
#include "node-agent/io/haproxy_config.h"
#include "node-agent/io/haproxy_process.h"
#include "node-agent/io/haproxy_servers.h"

#define ENTRY_PUBLISH_MS 1000

enum entry_phase {
    ENTRY_PHASE_PROBE = 1,  /* does a HAProxy answer in the folder? */
    ENTRY_PHASE_CHECK = 2,  /* haproxy -c reads the new configuration */
    ENTRY_PHASE_START = 3,  /* haproxy goes into the background */
    ENTRY_PHASE_SERVE = 4,  /* it runs; its servers are brought to those of the order */
    ENTRY_PHASE_RELOAD = 5, /* it was told to read its configuration anew */
    ENTRY_PHASE_STOP = 6,   /* it was told to end */
    ENTRY_PHASE_REST = 7,   /* something failed; again at next_ms */
    ENTRY_PHASE_GONE = 8,   /* nothing is left */
};

enum entry_talk {
    ENTRY_TALK_STATE = 1,    /* what runs, with which servers */
    ENTRY_TALK_COMMANDS = 2, /* change servers */
    ENTRY_TALK_RELOAD = 3,
    ENTRY_TALK_MASTER = 4, /* which process to end */
};

/* The same for all entry points. */
struct entry_host {
    const char *haproxy;
    int folder_fd; /* of the gateway */
    int epoll_fd;
    struct haproxy_host limits;
    int64_t log_pause_ms;           /* between two looks at a log that is being written */
    char text[HAPROXY_CONFIG_SIZE]; /* scratch */
};

struct gateway_entry {
    uint32_t slot; /* comes back from epoll */
    enum entry_phase phase;
    bool has_order;
    struct entry_order order;       /* the newest that is valid */
    char refusal[TEXT_SIZE];        /* why the newest is not valid; empty: it is */
    char frame[FRAME_SIZE];         /* of the order */
    char frame_checked[FRAME_SIZE]; /* of the configuration that was checked last */
    char frame_refused[FRAME_SIZE]; /* HAProxy would not have it; tried again at
                                       refused_until_ms */
    int64_t refused_until_ms;
    char frame_runs[FRAME_SIZE]; /* of the HAProxy that runs; empty: unknown or none */
    char listen_runs[ADDRESS_SIZE];
    uint64_t written_hash; /* of the text in haproxy.cfg; 0: unknown */
    int folder_fd;
    int log_fd;
    int64_t log_ms; /* of the next look at the log; INT64_MAX: epoll tells */
    struct haproxy_cli cli;
    enum entry_talk talk;
    struct haproxy_run run;
    int process_fd;   /* pidfd of the HAProxy that is being ended; -1 */
    int stop_signals; /* sent so far */
    int64_t phase_deadline_ms;
    int64_t reload_again_ms;
    int64_t next_ms;           /* of the next conversation or trial */
    uint32_t rounds;           /* of commands since the order came */
    char complaint[TEXT_SIZE]; /* the first that HAProxy answered to a command */
    struct server_table table;
    struct request_window window;
    int64_t publish_ms;
    struct entry_status status;
    struct entry_status reported;
    bool report; /* status has to be told even if it is the same */
};

/* Makes or opens the folder and binds the log socket. The entry is zeroed but for slot. */
int entry_open(struct gateway_entry *entry, struct entry_host *host, const char *service,
               int64_t now_ms, struct err *err);
/* Leaves HAProxy running. */
void entry_close(struct gateway_entry *entry);

void entry_apply(struct gateway_entry *entry, struct entry_host *host,
                 const struct entry_order *order, int64_t now_ms);
void entry_run(struct gateway_entry *entry, struct entry_host *host, int64_t now_ms);
int64_t entry_deadline_ms(const struct gateway_entry *entry);

/* False: not due or nothing known. */
bool entry_metrics(struct gateway_entry *entry, int64_t now_ms, struct metrics *out);

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * Judges whether a host is fit for an agent: facts in, one line for each thing that was looked
 * at out, with what to do where it is not fit. Pure, so that Xen hosts of every kind are tested
 * without Xen; node-agent/io/check*.c gathers the facts and prints the lines.
 *
 * What could not be read stays unknown (enum fact) and is told as that, never as fine.
 */
#ifndef NODE_AGENT_CORE_HOST_CHECK_H
#define NODE_AGENT_CORE_HOST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/model/node_status.h"

enum fact {
    FACT_UNKNOWN = 0, /* could not be read */
    FACT_NO = 1,
    FACT_YES = 2,
};

/* How a connection to the orchestrator went. */
enum reach {
    REACH_UNTRIED = 0, /* a key could not be read */
    REACH_UP = 1,      /* both keys were accepted */
    REACH_SILENT = 2,  /* nobody answered in time */
    REACH_REFUSED = 3, /* it does not admit our key here */
    REACH_STRANGER = 4 /* it hung up: another key than the one we expect, or no Arbiter */
};

/* A service of the system that may get in our way. */
enum unit_state {
    UNIT_UNKNOWN = 0,
    UNIT_ABSENT = 1,
    UNIT_OFF = 2, /* installed, not started at boot */
    UNIT_ON = 3,
    UNIT_MASKED = 4,
};

struct xen_facts {
    enum fact dom0;    /* /proc/xen/capabilities has control_d */
    char version[48];  /* "4.17.7", empty: unknown */
    enum fact details; /* "xl info" answered: the members up to free_memory_kib */
    char details_problem[TEXT_SIZE];
    char scheduler[32];           /* "credit2" */
    char command_line[TEXT_SIZE]; /* of Xen */
    uint64_t free_memory_kib;
    enum fact xenstored; /* runs */
    enum fact xenconsoled;
    enum fact xenbus;          /* xenstore's device can be opened */
    enum fact hypercalls;      /* so can the device for hypercalls */
    enum fact watchdog_taken;  /* xenwatchdogd runs */
    uint64_t dom0_current_kib; /* as the balloon driver says; 0: unknown */
    uint64_t dom0_target_kib;
    enum unit_state xendomains;
    enum fact vif_script; /* /etc/xen/scripts/vif-bridge */
};

struct driver_facts {
    bool opened;
    char problem[TEXT_SIZE * 2]; /* why it did not open, or why nothing can be read */
    bool status_known;
    struct node_status status;  /* as the driver says: before the reserve */
    struct node_status offered; /* as the agent would report it */
};

struct host_facts {
    char node[NAME_SIZE];
    char driver[NAME_SIZE]; /* "xen", "libvirt", "model", "none"; empty: none is named */
    bool runs_xen;          /* this kernel runs on Xen */
    bool gateway;           /* role */
    struct xen_facts xen;
    struct driver_facts opened;
    enum unit_state libvirt_guests;
    /* the network of guests */
    char bridge[NAME_SIZE]; /* empty: guests get no network */
    enum fact bridge_exists;
    enum fact bridge_is_bridge; /* and no plain interface */
    enum fact bridge_up;
    uint32_t bridge_ports;
    /* the host */
    enum fact clock_synchronized;
    char state[PATH_SIZE];
    enum fact state_exists;
    enum fact state_writable; /* or can be made */
    uint64_t state_free_kib;
    uint64_t images_kib; /* that the cache of images may take */
    enum fact agent_runs;
    char haproxy[PATH_SIZE];
    enum fact haproxy_runs; /* the program can be executed */
    /* the orchestrator */
    char control[URL_SIZE];
    char telemetry[URL_SIZE];
    char key_problem[TEXT_SIZE * 2]; /* empty: both key files were read */
    char public_key[NAME_SIZE];      /* ours */
    char server_key[PATH_SIZE];      /* its file */
    enum reach control_reach;
    enum reach telemetry_reach;
};

enum check_state {
    CHECK_OK = 1,
    CHECK_NOTE = 2,    /* works; worth knowing */
    CHECK_PROBLEM = 3, /* does not work, or will hurt */
};

struct check_line {
    const char *name; /* "xen", "state", ... */
    enum check_state state;
    char text[TEXT_SIZE * 2];
    char action[TEXT_SIZE * 2]; /* what to do; empty for CHECK_OK */
};

#define CHECK_LINES_MAX 24

struct host_report {
    uint32_t count;
    uint32_t problems;
    struct check_line lines[CHECK_LINES_MAX];
};

void host_check(const struct host_facts *facts, struct host_report *out);

const char *check_state_word(enum check_state state); /* "ok", "note", "problem" */

#endif

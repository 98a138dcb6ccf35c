// SPDX-License-Identifier: Apache-2.0
/*
 * arbiter-agent check: a doctor for this host. check.c has the command, check_facts.c,
 * check_xen.c and check_reach.c gather, node-agent/core/host_check.h judges, check_print.c
 * prints. Nothing is changed on the host.
 */
#ifndef NODE_AGENT_IO_CHECK_H
#define NODE_AGENT_IO_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "node-agent/core/host_check.h"
#include "node-agent/io/agent_settings.h"

/* "arbiter-agent check ...": argv[0] is the program, argv[1] "check". Returns the exit code: 0:
 * fit; 1: a line says what to do; 2: usage or settings. */
int check_run(int argc, char **argv);

/* ---- gathering: what cannot be read stays unknown ---- */

/* root: "" or, in tests, a folder with recorded /sys, /proc, /etc, ... */
void check_facts_host(struct host_facts *facts, const struct agent_settings *settings,
                      const char *root);
void check_facts_xen(struct xen_facts *xen, const char *root);
/* "xl info", at most a few seconds. */
void check_facts_xl(struct xen_facts *xen);
/* Opens the driver's module with a state folder of its own, away from a running agent's. */
void check_facts_driver(struct host_facts *facts, const struct agent_settings *settings);
/* Connects with the agent's key, at most limit_ms. */
void check_facts_reach(struct host_facts *facts, const struct agent_settings *settings,
                       int limit_ms);

/* ---- what gatherers share: check_read.c ---- */

/* The first line of root + path. False: it cannot be read. */
bool check_read_line(const char *root, const char *path, char *out, size_t size);
enum fact check_path_exists(const char *root, const char *path);
/* A process of that name (comm) runs. */
enum fact check_process_runs(const char *root, const char *name);
/* Of a service NAME.service, from systemd's folders and the links of init. */
enum unit_state check_unit_state(const char *root, const char *name);

/* ---- printing ---- */

void check_print_text(FILE *out, const struct host_report *report, bool color);
void check_print_json(FILE *out, const char *node, const struct host_report *report);

#endif

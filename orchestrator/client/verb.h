// SPDX-License-Identifier: Apache-2.0
/* The verbs of the command line. Adding one: a function, and a line in the table of verbs.c. */
#ifndef ORCHESTRATOR_CLIENT_VERB_H
#define ORCHESTRATOR_CLIENT_VERB_H

#include "orchestrator/client/client.h"

struct verb {
    const char *name;
    const char *group; /* heading in the help */
    const char *usage; /* behind "arbiter NAME" */
    const char *summary;
    const char *details; /* options and examples, for "help NAME" */
    /* Words behind the verb, options removed. Returns the exit code. */
    int (*run)(struct client *client, int count, char **words);
};

const struct verb *verb_find(const char *name);
/* Says that there is no such verb, and which one was meant. Returns the exit code. */
int verb_unknown(const struct client *client, const char *word);
void verb_print_names(void); /* one a line, for completion */

/* ---- what verbs share ---- */

/* One list of objects, as "get" prints it. */
int verb_get_objects(struct client *client, enum object_kind kind, const char *name);
/* The whole status in the format that was asked for. */
int verb_print_status(struct client *client);
/* Two lines: "mode ACT   4/4 nodes up ...", then the levels. */
void verb_print_head(FILE *out, const struct cluster_status *status);
/* "d-12" */
bool verb_parse_decision(const char *word, uint64_t *id);

int verb_init(struct client *client, int count, char **words);
int verb_import_xl(struct client *client, int count, char **words);
int verb_explain(struct client *client, int count, char **words);
int verb_plan(struct client *client, int count, char **words);
int verb_apply(struct client *client, int count, char **words);
int verb_get(struct client *client, int count, char **words);
int verb_show(struct client *client, int count, char **words);
int verb_status(struct client *client, int count, char **words);
int verb_top(struct client *client, int count, char **words);
int verb_events(struct client *client, int count, char **words);
int verb_why(struct client *client, int count, char **words);
int verb_set(struct client *client, int count, char **words);
int verb_start(struct client *client, int count, char **words);
int verb_stop(struct client *client, int count, char **words);
int verb_pause(struct client *client, int count, char **words);
int verb_resume(struct client *client, int count, char **words);
int verb_suspend(struct client *client, int count, char **words);
int verb_restore(struct client *client, int count, char **words);
int verb_reboot(struct client *client, int count, char **words);
int verb_delete(struct client *client, int count, char **words);
int verb_move(struct client *client, int count, char **words);
int verb_cordon(struct client *client, int count, char **words);
int verb_uncordon(struct client *client, int count, char **words);
int verb_drain(struct client *client, int count, char **words);
int verb_confirm_dead(struct client *client, int count, char **words);
int verb_wait(struct client *client, int count, char **words);
int verb_mode(struct client *client, int count, char **words);
int verb_keys(struct client *client, int count, char **words);
int verb_optimize(struct client *client, int count, char **words);
int verb_bench(struct client *client, int count, char **words);
int verb_version(struct client *client, int count, char **words);
int verb_help(struct client *client, int count, char **words);
int verb_completion(struct client *client, int count, char **words);
int verb_complete(struct client *client, int count, char **words);

#endif

// SPDX-License-Identifier: Apache-2.0
/* The options of the command line; they may stand before and behind the verb. */
#ifndef ORCHESTRATOR_CLIENT_OPTIONS_H
#define ORCHESTRATOR_CLIENT_OPTIONS_H

#include "orchestrator/client/client.h"

#define OPTIONS_HELP    (-1)
#define OPTIONS_VERSION (-2)

/* Fills the client; the other words go to words[0..*count). 0, OPTIONS_*, or an exit code,
 * told. */
int options_read(struct client *client, int argc, char **argv, char **words, int *count);

#endif

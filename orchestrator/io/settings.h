// SPDX-License-Identifier: Apache-2.0
/* The settings of arbiterd: defaults, then its file and drop-ins, then the command line. */
#ifndef ORCHESTRATOR_IO_SETTINGS_H
#define ORCHESTRATOR_IO_SETTINGS_H

#include "orchestrator/io/loop.h"

struct daemon_settings {
    struct loop_settings loop;
    int log_level; /* enum log_level */
    int mode;      /* enum mode minus 1 */
};

/* 0: go on; 1: nothing more to do (--check-config, --print-config); -EINVAL: told on stderr. */
int daemon_settings_read(struct daemon_settings *settings, int argc, char **argv);

#endif

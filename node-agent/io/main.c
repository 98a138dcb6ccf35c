// SPDX-License-Identifier: Apache-2.0
/* arbiter-agent: runs the VMs and entry points of one host. */
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "node-agent/io/agent_loop.h"
#include "node-agent/io/agent_settings.h"
#include "node-agent/io/check.h"

int main(int argc, char **argv)
{
    struct agent_settings settings;
    if (argc > 1 && strcmp(argv[1], "check") == 0) {
        return check_run(argc, argv);
    }
    int rc = agent_settings_read(&settings, argc, argv);
    if (rc != 0) {
        return rc < 0 ? 2 : EXIT_SUCCESS;
    }
    log_init("arbiter-agent", (enum log_level)settings.log_level);
    struct err err = {0};
    struct agent_loop *loop = agent_loop_create(&settings, &err);
    if (loop == NULL) {
        log_line(LOG_LEVEL_ERROR, "cannot start: %s", err.text);
        return EXIT_FAILURE;
    }
    rc = agent_loop_run(loop, &err);
    if (rc != 0) {
        log_line(LOG_LEVEL_ERROR, "stopped: %s", err.text);
    }
    agent_loop_destroy(loop);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

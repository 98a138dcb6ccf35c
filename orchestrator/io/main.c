// SPDX-License-Identifier: Apache-2.0
/* arbiterd: the orchestrator. */
#include <stdio.h>
#include <stdlib.h>

#include "common/io/log.h"
#include "orchestrator/io/loop.h"
#include "orchestrator/io/settings.h"

int main(int argc, char **argv)
{
    struct daemon_settings settings;
    int rc = daemon_settings_read(&settings, argc, argv);
    if (rc != 0) {
        return rc < 0 ? 2 : EXIT_SUCCESS;
    }
    log_init("arbiterd", (enum log_level)settings.log_level);
    struct err err = {0};
    struct loop *loop = loop_create(&settings.loop, &err);
    if (loop == NULL) {
        log_line(LOG_LEVEL_ERROR, "cannot start: %s", err.text);
        return EXIT_FAILURE;
    }
    rc = loop_run(loop, &err);
    if (rc != 0) {
        log_line(LOG_LEVEL_ERROR, "stopped: %s", err.text);
    }
    loop_destroy(loop);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

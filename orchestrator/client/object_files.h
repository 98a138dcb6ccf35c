// SPDX-License-Identifier: Apache-2.0
/* Objects from a file, a folder (all *.yaml and *.json in the order of their names) or "-". */
#ifndef ORCHESTRATOR_CLIENT_OBJECT_FILES_H
#define ORCHESTRATOR_CLIENT_OBJECT_FILES_H

#include "orchestrator/client/client.h"

struct object_list {
    struct object *objects;
    size_t count;
    size_t capacity;
    bool failed; /* no memory */
};

/* All mistakes of all files are told; then nothing is loaded. Returns the exit code. Objects
 * that others refer to come first: images, storages, networks, agreements, nodes, then
 * services. */
int object_files_read(struct client *client, const char *path, struct object_list *out);
void object_list_finish(struct object_list *list);

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * Guests of xl as objects of Arbiter: an image, a network and perhaps a storage, which only the
 * administrator writes, and a service. Pure.
 */
#ifndef ORCHESTRATOR_CLIENT_XL_OBJECTS_H
#define ORCHESTRATOR_CLIENT_XL_OBJECTS_H

#include "common/model/object.h"
#include "orchestrator/client/xl_guest.h"

#define XL_FILES_MAX 64

/* One file: its guest, and what only a look at the disk can say. */
struct xl_source {
    const char *file;
    struct xl_guest guest;
    char sha256[SHA256_SIZE]; /* of the disk; empty: the guest has none */
    struct xl_messages *messages;
};

struct xl_wishes {
    const char *service; /* all guests as groups of this one; NULL: a service each */
    const char *node;    /* that keeps the disks: local; NULL: copies, lost with their node */
    enum service_kind kind;
};

#define XL_OBJECTS_MAX (4u * XL_FILES_MAX)

struct xl_objects {
    uint32_t count;
    struct object objects[XL_OBJECTS_MAX]; /* images, networks and storages before services */
};

/* 0, or -EINVAL with mistakes in the messages of the sources. */
int xl_objects_make(struct xl_source *sources, uint32_t count, const struct xl_wishes *wishes,
                    struct xl_objects *out);

#endif

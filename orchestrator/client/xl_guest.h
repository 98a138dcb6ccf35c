// SPDX-License-Identifier: Apache-2.0
/*
 * What an xl.cfg file says about its guest, as far as Arbiter has a place for it. Pure. What it
 * has no place for is told, with what it would have meant.
 */
#ifndef ORCHESTRATOR_CLIENT_XL_GUEST_H
#define ORCHESTRATOR_CLIENT_XL_GUEST_H

#include "common/model/object.h"
#include "orchestrator/client/xl_config.h"
#include "orchestrator/client/xl_device.h"

struct xl_guest {
    char name[NAME_SIZE]; /* as Arbiter can have it */
    bool unread;          /* a part of the file could not be read */
    bool hvm;             /* was told as a mistake */
    enum guest_type type;
    char kernel[PATH_SIZE];
    char ramdisk[PATH_SIZE];
    char command_line[TEXT_SIZE];
    uint64_t memory_kib;
    uint32_t vcpus;
    uint32_t cap_pct; /* 0: none */
    bool has_disk;
    struct xl_disk disk; /* the one that is carried over */
    bool has_vif;
    struct xl_vif vif;
};

/* Reads the settings of a parsed file. 0, or -EINVAL with every mistake told. When parsing told
 * some already, nothing is called missing: it may be what could not be read. */
int xl_guest_read(struct xl_config *config, struct xl_guest *out, struct xl_messages *messages);

/* ---- parts of it ---- */

/* xl_guest_devices.c: the disk and the interface. */
void xl_guest_take_devices(struct xl_config *config, struct xl_guest *out,
                           struct xl_messages *messages);
/* The text of a setting; NULL: not given or told as a mistake. */
const char *xl_guest_text(struct xl_config *config, const char *name,
                          struct xl_messages *messages);
/* A name of ours of whatever text: small letters, digits, "-" and "." inside. Returns its
 * length; 0: there is none. */
size_t xl_guest_name(char out[NAME_SIZE], const char *from);
/* Printable ASCII; false: a mistake was told. */
bool xl_guest_is_plain(const struct xl_value *value, const char *text, const char *name,
                       struct xl_messages *messages);
/* xl_keys.c: tells every setting that nobody asked for. */
void xl_keys_tell_unused(const struct xl_config *config, struct xl_messages *messages);

#endif

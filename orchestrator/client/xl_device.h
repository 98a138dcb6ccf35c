// SPDX-License-Identifier: Apache-2.0
/* The little languages inside xl.cfg: one disk and one network interface. Pure. */
#ifndef ORCHESTRATOR_CLIENT_XL_DEVICE_H
#define ORCHESTRATOR_CLIENT_XL_DEVICE_H

#include "orchestrator/client/xl_config.h"

struct xl_disk {
    int line;
    char target[PATH_SIZE]; /* a path; empty: an empty drive */
    char format[16];        /* "raw" when not given */
    char vdev[16];          /* "xvda2" */
    bool read_only;
    bool cdrom;
    bool scripted; /* a script makes the device from the target */
};

struct xl_vif {
    int line;
    char bridge[PATH_SIZE];
    uint64_t rate_kib_s; /* 0: none */
    char mac[32];
    char ip[ADDRESS_SIZE];
    char script[PATH_SIZE];
};

/* 0, or -EINVAL with mistakes told. */
int xl_disk_parse(const char *text, int line, struct xl_disk *out,
                  struct xl_messages *messages);
int xl_vif_parse(const char *text, int line, struct xl_vif *out, struct xl_messages *messages);

/* "10Mb/s", "250KB/s@50ms" in KiB per second, at least 1; 0: not a rate. */
uint64_t xl_rate_parse(const char *text);

#endif

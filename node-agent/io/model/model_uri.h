// SPDX-License-Identifier: Apache-2.0
/* What stands behind "model:" on a command line: "cpus=2,memory=2GiB,boot=500ms,load=/path". */
#ifndef NODE_AGENT_IO_MODEL_MODEL_URI_H
#define NODE_AGENT_IO_MODEL_MODEL_URI_H

#include "common/err.h"
#include "common/limits.h"
#include "node-agent/core/host_model.h"

struct model_uri {
    struct host_model_config host;
    char load[PATH_SIZE]; /* file of "service requests_per_s" lines; empty: none */
};

/* seed: used unless the text names one. -EINVAL with the key that is wrong. */
int model_uri_parse(const char *text, uint64_t seed, struct model_uri *out, struct err *err);

#endif

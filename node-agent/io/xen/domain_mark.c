// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/domain_mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "1"
#define EMPTY   "-"
#define MADE    "made"
#define MAKING  "making"

static const char *shown(const char *value)
{
    return value[0] == '\0' ? EMPTY : value;
}

static int is_word(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at > '~') {
            return 0;
        }
    }
    return strcmp(value, EMPTY) != 0;
}

int domain_mark_format(const struct domain_mark *mark, char out[DOMAIN_MARK_SIZE])
{
    if (!is_word(mark->node) || !is_word(mark->vm) || !is_word(mark->address) ||
        !is_word(mark->gateway) || mark->node[0] == '\0' || mark->vm[0] == '\0') {
        return -EINVAL;
    }
    (void)snprintf(out, DOMAIN_MARK_SIZE, "%s %s %s %s %" PRIu64 " %s %s", VERSION,
                   mark->made ? MADE : MAKING, mark->node, mark->vm, mark->generation,
                   shown(mark->address), shown(mark->gateway));
    return 0;
}

/* Takes the next word from *at. -EINVAL: there is none, or it is not one that is written. */
static int take_word(const char **at, char *out, size_t size)
{
    *at += strspn(*at, " ");
    size_t length = strcspn(*at, " \n");
    if (length == 0 || length >= size) {
        return -EINVAL;
    }
    memcpy(out, *at, length);
    out[length] = '\0';
    *at += length;
    if (strcmp(out, EMPTY) == 0) {
        out[0] = '\0';
    }
    return is_word(out) ? 0 : -EINVAL;
}

int domain_mark_parse(const char *text, struct domain_mark *out)
{
    struct domain_mark mark = {0};
    char version[4];
    char made[8];
    char generation[24];
    const char *at = text;
    if (take_word(&at, version, sizeof version) != 0 || strcmp(version, VERSION) != 0 ||
        take_word(&at, made, sizeof made) != 0 ||
        take_word(&at, mark.node, sizeof mark.node) != 0 ||
        take_word(&at, mark.vm, sizeof mark.vm) != 0 ||
        take_word(&at, generation, sizeof generation) != 0 ||
        take_word(&at, mark.address, sizeof mark.address) != 0 ||
        take_word(&at, mark.gateway, sizeof mark.gateway) != 0 || mark.node[0] == '\0' ||
        mark.vm[0] == '\0' || at[strspn(at, " \n")] != '\0') {
        return -EINVAL;
    }
    mark.made = strcmp(made, MADE) == 0;
    if (!mark.made && strcmp(made, MAKING) != 0) {
        return -EINVAL;
    }
    char *end = NULL;
    errno = 0;
    mark.generation = strtoull(generation, &end, 10);
    if (errno != 0 || *end != '\0' || generation[0] < '0' || generation[0] > '9') {
        return -EINVAL;
    }
    *out = mark;
    return 0;
}

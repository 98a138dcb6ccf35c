// SPDX-License-Identifier: Apache-2.0
/* Reading in the tests of the text form: a good service, and what is taken from a text. */
#ifndef TESTS_UNIT_PROTO_READ_TEXT_H
#define TESTS_UNIT_PROTO_READ_TEXT_H

#include <criterion/criterion.h>
#include <string.h>

#include "proto/text.h"

static struct text_mistakes mistakes;

struct taken {
    uint32_t count;
    struct object objects[4];
};

static inline void take(void *context, const struct object *object)
{
    struct taken *taken = context;
    if (taken->count < 4) {
        taken->objects[taken->count] = *object;
    }
    taken->count++;
}

static inline struct taken read_good(const char *text)
{
    static struct taken taken;
    taken.count = 0;
    int rc = text_read_objects(text, strlen(text), take, &taken, &mistakes);
    cr_assert_eq(rc, 0, "%d:%d: %s: %s\n%s", mistakes.items[0].line, mistakes.items[0].column,
                 mistakes.items[0].path, mistakes.items[0].text, text);
    return taken;
}

static const char web[] = "version: 1\n"
                          "service: shop\n"
                          "kind: web\n"
                          "objective:\n"
                          "  response_time: {p95: 200ms, window: 60s}   # or mean: 120ms\n"
                          "  weight: 2\n"
                          "entry:\n"
                          "  listen: 10.0.8.10:80\n"
                          "  check_path: /healthz\n"
                          "vms:\n"
                          "  - name: web\n"
                          "    count: {min: 2, max: 4}\n"
                          "    image: debian12-mapserver\n"
                          "    vcpus: 2\n"
                          "    cpu: {min: 0.5, max: 2.0}\n"
                          "    memory: 1GiB\n"
                          "    port: 80\n"
                          "    net_rate: 10MiB/s\n"
                          "    spread: true\n";

#endif

// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/model/model_uri.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_SIZE (PATH_SIZE + 32)

enum unit { UNIT_NONE, UNIT_MS, UNIT_KIB };

struct suffix {
    enum unit unit;
    const char *text;
    double factor;
};

static const struct suffix suffixes[] = {
    {UNIT_NONE, "", 1},         {UNIT_MS, "ms", 1},   {UNIT_MS, "s", 1000},
    {UNIT_MS, "min", 60000},    {UNIT_KIB, "KiB", 1}, {UNIT_KIB, "MiB", 1024},
    {UNIT_KIB, "GiB", 1048576},
};

/* A number with its unit, from low to high in the smallest unit. */
static int parse_number(const char *text, enum unit unit, double low, double high, double *out)
{
    char *end = NULL;
    if (*text < '0' || *text > '9') {
        return -EINVAL;
    }
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || !isfinite(value)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (suffixes[i].unit == unit && strcmp(suffixes[i].text, end) == 0) {
            value *= suffixes[i].factor;
            *out = value;
            return value >= low && value <= high ? 0 : -ERANGE;
        }
    }
    return -EINVAL;
}

struct key {
    const char *name;
    enum unit unit;
    double low;
    double high;
    const char *example;
};

enum key_index {
    KEY_CPUS,
    KEY_MEMORY,
    KEY_BOOT,
    KEY_SHUTDOWN,
    KEY_CALL,
    KEY_REQUEST_CPU,
    KEY_SPEED_SIGMA,
    KEY_SPEED_EVERY,
    KEY_SEED,
    KEY_COUNT
};

static const struct key keys[KEY_COUNT] = {
    [KEY_CPUS] = {"cpus", UNIT_NONE, 1, 1024, "2"},
    [KEY_MEMORY] = {"memory", UNIT_KIB, 1024, 1e12, "2GiB"},
    [KEY_BOOT] = {"boot", UNIT_MS, 0, 3600000, "500ms"},
    [KEY_SHUTDOWN] = {"shutdown", UNIT_MS, 0, 3600000, "300ms"},
    [KEY_CALL] = {"call", UNIT_MS, 0, 60000, "10ms"},
    [KEY_REQUEST_CPU] = {"request_cpu", UNIT_MS, 0.001, 1e6, "10ms"},
    [KEY_SPEED_SIGMA] = {"speed_sigma", UNIT_NONE, 0, 1, "0.05"},
    [KEY_SPEED_EVERY] = {"speed_every", UNIT_MS, 100, 3600000, "10s"},
    [KEY_SEED] = {"seed", UNIT_NONE, 0, 1e15, "1"},
};

static int parse_item(const char *item, double *values, char *load, struct err *err)
{
    const char *equals = strchr(item, '=');
    if (equals == NULL) {
        return err_set(err, -EINVAL, "\"%s\": expected name=value", item);
    }
    size_t length = (size_t)(equals - item);
    if (length == 4 && strncmp(item, "load", 4) == 0) {
        (void)snprintf(load, PATH_SIZE, "%s", equals + 1);
        return 0;
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &keys[i];
        if (strlen(key->name) == length && strncmp(item, key->name, length) == 0) {
            int rc = parse_number(equals + 1, key->unit, key->low, key->high, &values[i]);
            return rc == 0 ? 0
                           : err_set(err, -EINVAL, "\"%s\": %s, e.g. %s=%s", item,
                                     rc == -ERANGE ? "out of range" : "not understood",
                                     key->name, key->example);
        }
    }
    return err_set(err, -EINVAL,
                   "\"%s\": unknown; there are cpus, memory, boot, shutdown, call, "
                   "request_cpu, speed_sigma, speed_every, seed, load",
                   item);
}

int model_uri_parse(const char *text, uint64_t seed, struct model_uri *out, struct err *err)
{
    double values[KEY_COUNT] = {2, 2097152, 500, 300, 10, 10, 0, 10000, (double)seed};
    char load[PATH_SIZE] = "";
    bool seed_given = false;
    while (*text != '\0') {
        char item[ITEM_SIZE];
        size_t length = strcspn(text, ",");
        if (length >= sizeof item) {
            return err_set(err, -EINVAL, "a part of the model's text is longer than %d bytes",
                           ITEM_SIZE - 1);
        }
        memcpy(item, text, length);
        item[length] = '\0';
        int rc = parse_item(item, values, load, err);
        if (rc != 0) {
            return rc;
        }
        seed_given = seed_given || strncmp(item, "seed=", 5) == 0;
        text += length + (text[length] == ',' ? 1 : 0);
    }
    *out = (struct model_uri){.host = {.cpus = (uint32_t)values[KEY_CPUS],
                                       .memory_kib = (uint64_t)values[KEY_MEMORY],
                                       .boot_ms = (uint32_t)values[KEY_BOOT],
                                       .shutdown_ms = (uint32_t)values[KEY_SHUTDOWN],
                                       .call_ms = (uint32_t)values[KEY_CALL],
                                       .request_cpu_ms = values[KEY_REQUEST_CPU],
                                       .speed_sigma = values[KEY_SPEED_SIGMA],
                                       .speed_every_ms = (uint32_t)values[KEY_SPEED_EVERY],
                                       .seed = seed_given ? (uint64_t)values[KEY_SEED] : seed}};
    (void)snprintf(out->load, sizeof out->load, "%s", load);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The seeds of the fuzz targets: each file under tests/fuzz/corpus/TARGET is read by the
 * decoder that the target feeds, and must be accepted, so that the fuzzers start from messages
 * that get through the gate. ARBITER_WRITE_CORPUS=1 writes them anew after a change of the
 * schema.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "proto/codec_parts.h"
#include "random_message.h"

#define SEEDS 16

struct target {
    const char *name;
    const struct message_binding *binding;
};

static const struct target targets[] = {
    {"fuzz_node_message", &node_message_binding},
    {"fuzz_request", &request_binding},
    {"fuzz_reply", &reply_binding},
    {"fuzz_event", &event_message_binding},
    {"fuzz_record", &stored_record_binding},
    {"fuzz_scheduler_message", &scheduler_message_binding},
};

static void seed_path(const struct target *target, int number, char *out, size_t size)
{
    (void)snprintf(out, size, "tests/fuzz/corpus/%s/seed-%02d", target->name, number);
}

static void write_seed(const struct target *target, int number)
{
    char path[128];
    (void)snprintf(path, sizeof path, "tests/fuzz/corpus/%s", target->name);
    (void)mkdir(path, 0755);
    seed_path(target, number, path, sizeof path);
    struct rng rng;
    rng_init(&rng, (uint64_t)number * 7919 + 1);
    void *plain = calloc(1, target->binding->plain_size);
    struct bytes bytes = {0};
    do { /* small ones: a fuzzer learns more from them */
        memset(plain, 0, target->binding->plain_size);
        random_message(&rng, false, target->binding, plain);
        cr_assert_eq(codec_encode(target->binding, plain, &bytes, NULL), 0);
    } while (bytes.size > 3000);
    if (target->binding == &reply_binding) {
        static struct item item;
        memset(&item, 0, sizeof item);
        random_message(&rng, false, &item_binding, &item);
        cr_assert_eq(codec_append_item(&bytes, &item, NULL), 0);
    }
    FILE *out = fopen(path, "wb");
    cr_assert_not_null(out, "%s", path);
    cr_assert_eq(fwrite(bytes.data, 1, bytes.size, out), bytes.size);
    cr_assert_eq(fclose(out), 0);
    bytes_finish(&bytes);
    free(plain);
}

static void read_seed(const struct target *target, int number)
{
    char path[128];
    seed_path(target, number, path, sizeof path);
    FILE *in = fopen(path, "rb");
    cr_assert_not_null(in, "%s: run with ARBITER_WRITE_CORPUS=1 from the top folder", path);
    static unsigned char data[1 << 16];
    size_t size = fread(data, 1, sizeof data, in);
    (void)fclose(in);
    struct err err = {0};
    void *plain = calloc(1, target->binding->plain_size);
    int rc = target->binding == &reply_binding
                 ? codec_decode_reply(data, size, plain, NULL, NULL, &err)
                 : codec_decode(target->binding, data, size, plain, &err);
    cr_assert_eq(rc, 0, "%s: %s", path, err.text);
    free(plain);
}

Test(fuzz_corpus, every_seed_is_a_good_message)
{
    bool write = getenv("ARBITER_WRITE_CORPUS") != NULL;
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++) {
        for (int number = 0; number < SEEDS; number++) {
            if (write) {
                write_seed(&targets[t], number);
            }
            read_seed(&targets[t], number);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/codec.h"
#include "proto/codec_parts.h"
#include "random_message.h"

#define ROUNDS 40

/* A new seed each run, printed when it fails; SEED=N repeats one. */
static uint64_t choose_seed(void)
{
    const char *given = getenv("SEED");
    return given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

static void round_trip(const struct message_binding *binding, uint64_t seed, bool full)
{
    struct rng rng;
    rng_init(&rng, seed);
    void *first = calloc(1, binding->plain_size);
    void *second = calloc(1, binding->plain_size);
    random_message(&rng, full, binding, first);
    struct bytes bytes = {0};
    struct bytes again = {0};
    struct err err = {0};
    cr_assert_eq(codec_encode(binding, first, &bytes, &err), 0, "%s, SEED=%" PRIu64 ": %s",
                 binding->name, seed, err.text);
    cr_assert_eq(codec_decode(binding, bytes.data, bytes.size, second, &err), 0,
                 "%s, SEED=%" PRIu64 ": %s", binding->name, seed, err.text);
    cr_assert_eq(memcmp(first, second, binding->plain_size), 0, "%s, SEED=%" PRIu64,
                 binding->name, seed);
    cr_assert_eq(codec_encode(binding, second, &again, &err), 0);
    cr_assert_eq(again.size, bytes.size);
    cr_assert(bytes.size == 0 || memcmp(again.data, bytes.data, bytes.size) == 0);
    bytes_finish(&bytes);
    bytes_finish(&again);
    free(first);
    free(second);
}

Test(codec, every_message_survives_a_round_trip_with_random_content)
{
    uint64_t seed = choose_seed();
    printf("SEED=%" PRIu64 "\n", seed);
    for (size_t m = 0; message_bindings_all()[m] != NULL; m++) {
        for (uint64_t i = 0; i < ROUNDS; i++) {
            round_trip(message_bindings_all()[m], seed + i * 1000003 + m, false);
        }
    }
}

Test(codec, every_message_survives_a_round_trip_at_its_largest)
{
    for (size_t m = 0; message_bindings_all()[m] != NULL; m++) {
        for (uint64_t i = 0; i < 12; i++) { /* so that each member of a union has its turn */
            round_trip(message_bindings_all()[m], i, true);
        }
    }
}

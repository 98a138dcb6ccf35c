// SPDX-License-Identifier: Apache-2.0
/* Many threads look keys up while others add keys and load files: nobody ever sees half a
 * table. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/keyring_view.h"
#include "common/io/keys.h"

enum { READERS = 2, ROUNDS = 40, KEYS = 50 };

#define REQUIRE(condition)                                                                     \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,            \
                          #condition);                                                         \
            _exit(1);                                                                          \
        }                                                                                      \
    } while (0)

static struct keyring *keyring;
static struct key_pair always; /* in every table */
static struct key_pair never;
static atomic_bool is_over;
static atomic_long lookups;

static void *reader(void *argument)
{
    (void)argument;
    uint64_t version = 0;
    while (!atomic_load(&is_over)) {
        struct principal principal;
        REQUIRE(keyring_find(keyring, always.public_text, &principal) == 0);
        REQUIRE(strcmp(principal.name, "always") == 0);
        REQUIRE(keyring_find(keyring, never.public_text, &principal) != 0);
        struct keyring_view *view = keyring_view_take(keyring);
        REQUIRE(keyring_view_version(view) >= version);
        version = keyring_view_version(view);
        REQUIRE(keyring_view_find(view, always.public_text) != NULL);
        keyring_view_drop(view);
        (void)atomic_fetch_add(&lookups, 1);
    }
    return NULL;
}

static void make_file(char *path)
{
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    FILE *file = fdopen(fd, "w");
    REQUIRE(file != NULL);
    REQUIRE(fprintf(file, "always agent %s\n", always.public_text) > 0);
    for (int i = 0; i < KEYS; i++) {
        struct key_pair pair;
        REQUIRE(key_pair_generate(&pair, NULL) == 0);
        REQUIRE(fprintf(file, "node-%d agent %s\n", i, pair.public_text) > 0);
    }
    REQUIRE(fclose(file) == 0);
}

int main(void)
{
    keyring = keyring_create();
    REQUIRE(key_pair_generate(&always, NULL) == 0);
    REQUIRE(key_pair_generate(&never, NULL) == 0);
    char path[] = "/tmp/arbiter-keyring-XXXXXX";
    make_file(path);
    REQUIRE(keyring_load(keyring, path, NULL) == 0);
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, reader, NULL) == 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        struct principal added = {.name = "added", .role = ROLE_PROVIDER};
        struct key_pair pair;
        REQUIRE(key_pair_generate(&pair, NULL) == 0);
        memcpy(added.public_text, pair.public_text, KEY_TEXT_SIZE);
        REQUIRE(keyring_add(keyring, &added, NULL) == 0);
        REQUIRE(keyring_load(keyring, path, NULL) == 0); /* and it is gone again */
        REQUIRE(keyring_find(keyring, pair.public_text, &added) != 0);
    }
    while (atomic_load(&lookups) < READERS) {
        (void)sched_yield(); /* until every reader has had a turn */
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < READERS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    REQUIRE(unlink(path) == 0);
    keyring_destroy(keyring);
    (void)printf("ok %ld lookups beside %d changes\n", atomic_load(&lookups), ROUNDS * 2);
    return 0;
}

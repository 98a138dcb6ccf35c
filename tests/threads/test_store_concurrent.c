// SPDX-License-Identifier: Apache-2.0
// link: arbiter_orchestrator_io
/* The store's two threads: commits follow each other while the loop's side looks up answers,
 * asks for space and closes the store with a batch under way. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/poll.h"
#include "orchestrator/io/store.h"

#define ROUNDS  200
#define REPLIES 20

static const struct store_driver *driver;

static void request_id_of(int number, uint8_t out[REQUEST_ID_BYTES])
{
    memset(out, 0, REQUEST_ID_BYTES);
    memcpy(out, &number, sizeof number);
    out[15] = 1;
}

static void add_reply(struct batch *batch, int number)
{
    struct stored_reply reply = {.principal = "alice", .wall_ms = 1000};
    request_id_of(number, reply.request_id);
    reply.content_hash = (uint64_t)number;
    reply.reply.header = (struct header){PROTOCOL_VERSION, PROTOCOL_VERSION, 0, 0};
    reply.reply.reason = REASON_NONE;
    struct effect effect = {.type = EFFECT_PUT_REPLY, .stored_reply = &reply};
    struct err err = {0};
    int rc = batch_add_write(batch, &effect, &err);
    assert(rc == 0);
    (void)rc;
}

static void fill(struct batch *batch, int round)
{
    batch_clear(batch);
    for (int i = 0; i < REPLIES; i++) {
        add_reply(batch, round * REPLIES + i);
    }
}

/* Looks up what is committed while the next batch is being committed. */
static struct batch *wait_finished(struct store *store, int committed,
                                   struct stored_reply *found)
{
    int64_t until_ms = clock_boot_ms() + 20000;
    struct batch *finished = NULL;
    while (finished == NULL && clock_boot_ms() < until_ms) {
        uint8_t id[REQUEST_ID_BYTES];
        if (committed > 0) {
            request_id_of(committed - 1, id);
            assert(driver->find_reply(store, "alice", id, found) == 1);
            assert(found->content_hash == (uint64_t)(committed - 1));
        }
        assert(driver->has_space(store));
        finished = driver->finished(store);
    }
    return finished;
}

int main(void)
{
    char folder[] = "/tmp/arbiter-store-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    driver = store_driver_find("sqlite");
    struct err err = {0};
    struct store_settings settings = {.folder = folder, .free_bytes_min = 4096};
    struct store *store = driver->open(&settings, &err);
    struct batch *batches[2] = {batch_create(), batch_create()};
    struct stored_reply *found = calloc(1, sizeof *found);
    if (store == NULL || batches[0] == NULL || batches[1] == NULL || found == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct batch *batch = batches[round % 2];
        fill(batch, round);
        int rc = driver->commit(store, batch);
        assert(rc == 0);
        rc = driver->commit(store, batches[(round + 1) % 2]);
        assert(rc == -EBUSY);
        const struct batch *finished = wait_finished(store, round * REPLIES, found);
        assert(finished == batch && batch->code == 0);
        (void)rc;
        (void)finished;
    }
    fill(batches[0], ROUNDS);
    (void)driver->commit(store, batches[0]); /* close() finishes it */
    driver->close(store);
    store = driver->open(&settings, &err);
    assert(store != NULL);
    uint8_t id[REQUEST_ID_BYTES];
    request_id_of((ROUNDS + 1) * REPLIES - 1, id);
    assert(driver->find_reply(store, "alice", id, found) == 1);
    driver->close(store);
    free(found);
    batch_destroy(batches[0]);
    batch_destroy(batches[1]);
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        return 1;
    }
    (void)printf("store: %d commits\n", ROUNDS + 1);
    return 0;
}

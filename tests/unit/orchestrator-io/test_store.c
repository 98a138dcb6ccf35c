// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/poll.h"
#include "orchestrator/io/batch.h"
#include "orchestrator/io/store.h"

static char folder[] = "/tmp/arbiter-store-XXXXXX";
static const struct store_driver *driver;
static struct store *store;

static void open_store(const struct store_settings *settings)
{
    struct err err = {0};
    store = driver->open(settings, &err);
    cr_assert_not_null(store, "%s", err.text);
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    driver = store_driver_find("sqlite");
    open_store(&(struct store_settings){.folder = folder, .free_bytes_min = 4096});
}

static void tear_down(void)
{
    driver->close(store);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(store, .init = set_up, .fini = tear_down, .timeout = 60);

/* Commits and waits; returns the batch's code. */
static int commit(struct batch *batch)
{
    cr_assert_eq(driver->commit(store, batch), 0);
    int64_t until_ms = clock_boot_ms() + 20000;
    struct batch *finished = NULL;
    while (finished == NULL && clock_boot_ms() < until_ms) {
        struct poll_item item = {.fd = driver->fd(store)};
        (void)poll_wait(&item, 1, until_ms);
        finished = driver->finished(store);
    }
    cr_assert_eq(finished, batch);
    return batch->code;
}

static void add_node(struct batch *batch, const char *name, bool cordoned)
{
    struct node node = {.version = 1, .cordoned = cordoned};
    (void)snprintf(node.node, sizeof node.node, "%s", name);
    struct effect effect = {.type = EFFECT_PUT_OBJECT};
    effect.object = (struct object_ref){.kind = OBJECT_KIND_NODE,
                                        .name = node.node,
                                        .owner = "root",
                                        .revision = 7,
                                        .changed_wall_ms = 1000,
                                        .body = &node};
    struct err err = {0};
    cr_assert_eq(batch_add_write(batch, &effect, &err), 0, "%s", err.text);
}

static void add_event(struct batch *batch, uint64_t id, const char *owner, int64_t wall_ms)
{
    struct event_record event = {
        .id = id, .wall_ms = wall_ms, .kind = EVENT_KIND_CHANGED, .reason = REASON_PERSON};
    (void)snprintf(event.owner, sizeof event.owner, "%s", owner);
    (void)snprintf(event.service, sizeof event.service, "shop");
    (void)snprintf(event.text, sizeof event.text, "event %llu", (unsigned long long)id);
    struct effect effect = {.type = EFFECT_PUT_EVENT, .event = &event};
    struct err err = {0};
    cr_assert_eq(batch_add_write(batch, &effect, &err), 0, "%s", err.text);
}

struct loaded {
    int objects;
    struct object last;
};

static void take(void *context, const struct stored_record *record)
{
    struct loaded *loaded = context;
    if (record->kind == STORED_KIND_OBJECT) {
        loaded->objects++;
        loaded->last = record->object;
    }
}

static struct loaded load(void)
{
    struct loaded loaded = {0};
    struct err err = {0};
    cr_assert_eq(driver->load(store, 5000, take, &loaded, &err), 0, "%s", err.text);
    return loaded;
}

Test(store, what_was_committed_is_loaded_again)
{
    struct batch *batch = batch_create();
    add_node(batch, "xen1", true);
    add_node(batch, "xen2", false);
    cr_assert_eq(commit(batch), 0);
    driver->close(store);
    open_store(&(struct store_settings){.folder = folder, .free_bytes_min = 4096});
    struct loaded loaded = load();
    cr_assert_eq(loaded.objects, 2);
    cr_assert_str_eq(loaded.last.node.node, "xen2");
    cr_assert_str_eq(loaded.last.owner, "root");
    cr_assert_eq(loaded.last.revision, 7);
    batch_destroy(batch);
}

Test(store, a_deleted_object_stays_deleted)
{
    struct batch *batch = batch_create();
    add_node(batch, "xen1", false);
    cr_assert_eq(commit(batch), 0);
    batch_clear(batch);
    struct effect effect = {.type = EFFECT_DELETE_OBJECT};
    effect.object = (struct object_ref){.kind = OBJECT_KIND_NODE, .name = "xen1", .owner = ""};
    cr_assert_eq(batch_add_write(batch, &effect, NULL), 0);
    cr_assert_eq(commit(batch), 0);
    cr_assert_eq(load().objects, 0);
    batch_destroy(batch);
}

Test(store, every_start_has_a_higher_epoch_and_ids_go_on)
{
    uint64_t epoch[2] = {0};
    uint64_t event = 0;
    uint64_t decision = 0;
    struct err err = {0};
    struct batch *batch = batch_create();
    cr_assert_eq(driver->begin_epoch(store, &epoch[0], &event, &decision, &err), 0);
    cr_assert_eq(event, 1);
    add_event(batch, 41, "alice", 100);
    cr_assert_eq(commit(batch), 0);
    cr_assert_eq(driver->begin_epoch(store, &epoch[1], &event, &decision, &err), 0);
    cr_assert_eq(epoch[1], epoch[0] + 1);
    cr_assert_eq(event, 42);
    batch_destroy(batch);
}

static void add_reply(struct batch *batch, const char *principal, uint8_t id, uint64_t hash)
{
    struct stored_reply reply = {.content_hash = hash, .wall_ms = 1000};
    (void)snprintf(reply.principal, sizeof reply.principal, "%s", principal);
    reply.request_id[0] = id;
    reply.reply.header.version = PROTOCOL_VERSION;
    reply.reply.header.min_version = PROTOCOL_VERSION;
    reply.reply.reason = REASON_NONE;
    (void)snprintf(reply.reply.text, sizeof reply.reply.text, "done");
    struct effect effect = {.type = EFFECT_PUT_REPLY, .stored_reply = &reply};
    struct err err = {0};
    cr_assert_eq(batch_add_write(batch, &effect, &err), 0, "%s", err.text);
}

Test(store, the_answer_to_a_request_id_is_found_for_its_principal_only)
{
    struct batch *batch = batch_create();
    struct stored_reply *found = calloc(1, sizeof *found);
    uint8_t id[REQUEST_ID_BYTES] = {9};
    add_reply(batch, "alice", 9, 77);
    cr_assert_eq(batch_find_request(batch, "alice", id)->content, 77);
    cr_assert_null(batch_find_request(batch, "bob", id));
    cr_assert_eq(driver->find_reply(store, "alice", id, found), 0, "not before the commit");
    cr_assert_eq(commit(batch), 0);
    cr_assert_eq(driver->find_reply(store, "alice", id, found), 1);
    cr_assert_eq(found->content_hash, 77);
    cr_assert_str_eq(found->reply.text, "done");
    cr_assert_eq(driver->find_reply(store, "bob", id, found), 0);
    free(found);
    batch_destroy(batch);
}

static void count_event(void *context, const struct item *item)
{
    int *count = context;
    cr_assert_eq(item->kind, ITEM_KIND_EVENT);
    (*count)++;
}

static int read_events(const char *owner, uint64_t after, uint32_t limit, uint64_t *next)
{
    struct batch *batch = batch_create();
    struct request *request = calloc(1, sizeof *request);
    struct reply reply = {
        .header = {.version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION},
        .reason = REASON_NONE};
    request->method = METHOD_EVENTS;
    request->after = after;
    request->limit = limit;
    struct effect effect = {.type = EFFECT_REPLY};
    effect.reply.reply = &reply;
    effect.reply.request = request;
    effect.reply.owner = owner;
    cr_assert_eq(batch_add_read(batch, WRITE_READ_EVENTS, &effect, (struct bus_route){0}), 0);
    int code = commit(batch);
    cr_assert_eq(code, 0, "%d", code);
    const void *data = NULL;
    size_t size = 0;
    batch_message_data(batch, &batch->messages[0], &data, &size);
    struct reply *decoded = calloc(1, sizeof *decoded);
    int count = 0;
    struct err err = {0};
    cr_assert_eq(codec_decode_reply(data, size, decoded, count_event, &count, &err), 0, "%s",
                 err.text);
    *next = decoded->next;
    free(decoded);
    free(request);
    batch_destroy(batch);
    return count;
}

Test(store, events_are_read_in_pages_and_by_owner)
{
    struct batch *batch = batch_create();
    for (uint64_t id = 1; id <= 10; id++) {
        add_event(batch, id, id % 2 == 0 ? "alice" : "bob", (int64_t)id);
    }
    cr_assert_eq(commit(batch), 0);
    uint64_t next = 0;
    int n = read_events(NULL, 0, 4, &next);
    cr_assert_eq(n, 4, "%d next %d", n, (int)next);
    cr_assert_eq(next, 4);
    cr_assert_eq(read_events(NULL, next, 100, &next), 6);
    cr_assert_eq(next, 0);
    cr_assert_eq(read_events("alice", 0, 100, &next), 5);
    batch_destroy(batch);
}

Test(store, old_events_go_in_slices)
{
    driver->close(store);
    open_store(&(struct store_settings){
        .folder = folder, .free_bytes_min = 4096, .keep_ms = 1000, .keep_bytes = 1u << 30});
    struct batch *batch = batch_create();
    for (uint64_t id = 1; id <= 300; id++) {
        add_event(batch, id, "", 10);
    }
    cr_assert_eq(commit(batch), 0);
    for (uint64_t i = 0; i < 140; i++) { /* time passes with what is written */
        batch_clear(batch);
        add_event(batch, 301 + i, "", 100000);
        cr_assert_eq(commit(batch), 0);
    }
    uint64_t next = 0;
    int n = read_events(NULL, 0, 0, &next);
    cr_assert_eq(n, 140, "%d", n);
    batch_destroy(batch);
}

Test(store, events_and_decisions_are_bounded_by_bytes)
{
    driver->close(store);
    const struct store_settings settings = {
        .folder = folder, .free_bytes_min = 4096, .keep_bytes = 20000};
    open_store(&settings);
    struct batch *batch = batch_create();
    uint64_t id = 0;
    for (int round = 0; round < 200; round++) {
        batch_clear(batch);
        for (int i = 0; i < 20; i++) {
            add_event(batch, ++id, "", 1000); /* none is old */
        }
        cr_assert_eq(commit(batch), 0);
    }
    uint64_t next = 0;
    int kept = read_events(NULL, 0, 0, &next);
    size_t each = batch->writes[0].body_size;
    cr_expect_gt(kept * (int)each, 20000 - 64 * 20 * (int)each, "%d of %zu", kept, each);
    cr_expect_lt((uint64_t)kept * each, 20000 + 64 * 20 * each, "%d of %zu", kept, each);
    cr_expect_lt(kept, 2000, "%d", kept);
    uint64_t last = id;
    while (kept > 1 && id < last + 20000) { /* whatever goes, the newest id stays known */
        driver->close(store);
        open_store(&(struct store_settings){
            .folder = folder, .free_bytes_min = UINT64_MAX / 4, .keep_bytes = 1});
        batch_clear(batch);
        add_event(batch, ++id, "", 1000);
        cr_assert_eq(commit(batch), 0);
        kept = read_events(NULL, 0, 0, &next);
    }
    uint64_t decision = 0;
    struct err err = {0};
    cr_assert_eq(driver->next_ids(store, &next, &decision, &err), 0);
    cr_assert_eq(next, id + 1);
    batch_destroy(batch);
}

Test(store, answers_to_request_ids_go_after_their_time)
{
    driver->close(store);
    open_store(&(struct store_settings){
        .folder = folder, .free_bytes_min = 4096, .keep_replies_ms = 5000});
    struct batch *batch = batch_create();
    struct stored_reply *found = calloc(1, sizeof *found);
    uint8_t id[REQUEST_ID_BYTES] = {9};
    add_reply(batch, "alice", 9, 77);
    cr_assert_eq(commit(batch), 0);
    for (uint64_t i = 1; i <= 140; i++) {
        batch_clear(batch);
        add_event(batch, i, "", i <= 70 ? 5500 : 7000);
        cr_assert_eq(commit(batch), 0);
        if (i == 70) {
            cr_assert_eq(driver->find_reply(store, "alice", id, found), 1, "too early");
        }
    }
    cr_assert_eq(driver->find_reply(store, "alice", id, found), 0);
    free(found);
    batch_destroy(batch);
}

Test(store, a_newer_schema_is_refused)
{
    driver->close(store);
    char command[256];
    (void)snprintf(command, sizeof command, "sqlite3 %s/arbiter.db 'PRAGMA user_version = 99'",
                   folder);
    cr_assert_eq(system(command), 0);
    struct err err = {0};
    store = driver->open(&(struct store_settings){.folder = folder}, &err);
    cr_assert_null(store);
    cr_assert_not_null(strstr(err.text, "newer version"), "%s", err.text);
}

Test(store, a_damaged_file_is_refused)
{
    struct batch *batch = batch_create();
    for (int i = 0; i < 200; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%d", i);
        add_node(batch, name, false);
    }
    cr_assert_eq(commit(batch), 0);
    driver->close(store);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/arbiter.db", folder);
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    char noise[4096];
    memset(noise, 0x5a, sizeof noise);
    for (long page = 1; page < 6; page++) {
        cr_assert_eq(fseek(file, page * 4096, SEEK_SET), 0);
        cr_assert_eq(fwrite(noise, 1, sizeof noise, file), sizeof noise);
    }
    cr_assert_eq(fclose(file), 0);
    struct err err = {0};
    store = driver->open(&(struct store_settings){.folder = folder}, &err);
    cr_assert_null(store);
    batch_destroy(batch);
}

/* Needs root for a file system of its own. */
Test(store, a_full_disk_refuses_the_commit_and_loses_nothing_acknowledged)
{
    if (geteuid() != 0) {
        cr_skip("mounting a small tmpfs needs root");
    }
    driver->close(store);
    cr_assert_eq(mount("tmpfs", folder, "tmpfs", 0, "size=16m"), 0);
    open_store(&(struct store_settings){.folder = folder, .free_bytes_min = 1u << 20});
    struct batch *batch = batch_create();
    int acknowledged = 0;
    int code = 0;
    while (code == 0 && acknowledged < 100000) {
        batch_clear(batch);
        for (int i = 0; i < 64; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "n%06d", acknowledged + i);
            add_node(batch, name, false);
        }
        code = commit(batch);
        acknowledged += code == 0 ? 64 : 0;
    }
    cr_expect_eq(code, -ENOSPC, "code %d after %d", code, acknowledged);
    cr_expect_not(driver->has_space(store));
    cr_expect_eq(load().objects, acknowledged);
    driver->close(store);
    open_store(&(struct store_settings){.folder = folder, .free_bytes_min = 1u << 20});
    cr_expect_eq(load().objects, acknowledged);
    driver->close(store);
    store = NULL;
    cr_assert_eq(umount(folder), 0);
    batch_destroy(batch);
}

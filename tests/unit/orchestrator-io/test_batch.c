// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/batch.h"

static struct batch *batch;

static void set_up(void)
{
    batch = batch_create();
    cr_assert_not_null(batch);
}

static void tear_down(void)
{
    batch_destroy(batch);
    batch_destroy(NULL);
}

TestSuite(batch, .init = set_up, .fini = tear_down, .timeout = 30);

static void add_reply(uint8_t id, uint64_t hash)
{
    struct stored_reply reply = {.content_hash = hash, .principal = "alice"};
    reply.request_id[0] = id;
    reply.reply.header = (struct header){PROTOCOL_VERSION, PROTOCOL_VERSION, 0, 0};
    reply.reply.reason = REASON_NONE;
    struct effect effect = {.type = EFFECT_PUT_REPLY, .stored_reply = &reply};
    struct err err = {0};
    cr_assert_eq(batch_add_write(batch, &effect, &err), 0, "%s", err.text);
}

Test(batch, messages_keep_their_bytes_and_order_while_it_grows)
{
    for (int i = 0; i < 300; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "m%d", i);
        cr_assert_not_null(
            batch_add_message(batch, TARGET_ROUTE_CONTROL, text, strlen(text) + 1));
    }
    cr_assert_eq(batch->messages_count, 300);
    cr_assert_eq(batch->answers_count, 0);
    for (uint32_t i = 0; i < 300; i++) {
        char text[16];
        const void *data = NULL;
        size_t size = 0;
        (void)snprintf(text, sizeof text, "m%u", i);
        batch_message_data(batch, &batch->messages[i], &data, &size);
        cr_assert_eq(size, strlen(text) + 1);
        cr_assert_str_eq(data, text);
    }
}

Test(batch, requests_are_found_by_id_with_their_content)
{
    for (uint8_t id = 1; id <= 200; id++) {
        add_reply(id, id * 1000u);
    }
    uint8_t id[REQUEST_ID_BYTES] = {77};
    const struct batch_request *found = batch_find_request(batch, "alice", id);
    cr_assert_not_null(found);
    cr_assert_eq(found->content, 77000);
    cr_assert_null(batch_find_request(batch, "bob", id));
    id[0] = 201;
    cr_assert_null(batch_find_request(batch, "alice", id));
    batch_clear(batch);
    id[0] = 77;
    cr_assert_null(batch_find_request(batch, "alice", id));
}

Test(batch, reads_count_as_answers_and_not_as_changes)
{
    struct request request = {.method = METHOD_EVENTS};
    struct reply reply = {.reason = REASON_NONE};
    struct effect effect = {.type = EFFECT_REPLY};
    effect.reply.request = &request;
    effect.reply.reply = &reply;
    cr_assert_eq(batch_add_read(batch, WRITE_READ_EVENTS, &effect, (struct bus_route){0}), 0);
    cr_assert_eq(batch->writes_count, 1);
    cr_assert_eq(batch->changes_count, 0);
    cr_assert_eq(batch->answers_count, 1);
    cr_assert_not(batch->messages[0].is_change);
    batch_clear(batch);
    cr_assert_eq(batch->answers_count, 0);
}

Test(batch, a_decision_is_filed_once_under_each_of_its_names)
{
    struct decision decision = {.id = 5, .service = "shop"};
    decision.levels_count = 2;
    (void)snprintf(decision.levels[0].service, NAME_SIZE, "shop");
    (void)snprintf(decision.levels[1].service, NAME_SIZE, "mail");
    struct effect effect = {.type = EFFECT_PUT_DECISION, .decision = &decision};
    (void)batch_add_write(batch, &effect, NULL);
    cr_assert_eq(batch->writes[0].refs_count, 2);
    cr_assert_str_eq(batch->refs[batch->writes[0].refs], "shop");
    cr_assert_str_eq(batch->refs[batch->writes[0].refs + 1], "mail");
}

Test(batch, an_effect_that_is_no_write_is_refused)
{
    struct effect effect = {.type = EFFECT_SOLVE};
    struct err err = {0};
    cr_assert_eq(batch_add_write(batch, &effect, &err), -EINVAL);
}

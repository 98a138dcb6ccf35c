// SPDX-License-Identifier: Apache-2.0
/* A reply whose bytes are not what an orchestrator sends. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/codec_parts.h"
#include "random_message.h"

static struct reply reply;

static void never(void *context, const struct item *item)
{
    (void)context;
    (void)item;
    cr_assert_fail("an item of a bad reply was taken");
}

static struct bytes good_head(void)
{
    struct reply head = {.code = REPLY_DONE};
    struct bytes bytes = {0};
    cr_assert_eq(codec_encode_reply(&head, &bytes, NULL), 0);
    return bytes;
}

static void refused(const char *tail, size_t size)
{
    struct bytes bytes = good_head();
    struct err err = {0};
    cr_assert_eq(bytes_append(&bytes, tail, size), 0);
    int rc = codec_decode_reply(bytes.data, bytes.size, &reply, never, NULL, &err);
    cr_assert_eq(rc, -EBADMSG, "%d", rc);
    cr_assert_neq(err.text[0], '\0');
    bytes_finish(&bytes);
}

Test(codec_reply, items_that_are_cut_off_are_refused)
{
    refused("\xA2", 1);         /* half a tag */
    refused("\xA2\x06", 2);     /* no length */
    refused("\xA2\x06\x05", 3); /* no content */
    refused("\xA2\x06\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12);
    refused("\xA2\x06\x00", 3); /* an item of no kind */
}

Test(codec_reply, a_head_with_unknown_wire_types_is_refused)
{
    refused("\x0B", 1);         /* group */
    refused("\x0F", 1);         /* no such type */
    refused("\x78", 1);         /* number without value */
    refused("\x79\x01\x02", 3); /* fixed64 cut off */
    refused("\x7D\x01\x02", 3); /* fixed32 cut off */
    refused("\x7A\x05\x01", 3); /* bytes cut off */
    refused("\x78\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 13); /* 12 bytes */
}

Test(codec_reply, fields_of_a_later_version_are_passed_over)
{
    struct bytes bytes = good_head();
    struct err err = {0};
    cr_assert_eq(
        bytes_append(&bytes, "\xF8\x01\x07\xF9\x01--------\xFD\x01----\xFA\x01\x02xx", 24), 0);
    cr_assert_eq(codec_decode_reply(bytes.data, bytes.size, &reply, never, NULL, &err), 0, "%s",
                 err.text);
    bytes_finish(&bytes);
}

Test(codec_reply, a_reply_over_the_limit_is_not_read)
{
    unsigned char *zeros = calloc(1, CODEC_MESSAGE_BYTES_MAX + 1);
    struct err err = {0};
    cr_assert_eq(
        codec_decode_reply(zeros, CODEC_MESSAGE_BYTES_MAX + 1, &reply, never, NULL, &err),
        -EMSGSIZE);
    free(zeros);
}

Test(codec_reply, items_may_be_encoded_before_their_head)
{
    struct item item = {.kind = ITEM_KIND_PLACEMENT};
    struct bytes items = {0};
    struct bytes bytes = good_head();
    cr_assert_eq(codec_append_item(&items, &item, NULL), 0);
    cr_assert_eq(bytes_append(&bytes, items.data, items.size), 0);
    cr_assert_eq(codec_decode_reply(bytes.data, bytes.size, &reply, NULL, NULL, NULL), 0);
    bytes_finish(&items);
    bytes_finish(&bytes);
}

/* ---- the calls that are not tested elsewhere ---- */

Test(codec_calls, each_call_encodes_and_decodes_its_message)
{
    struct bytes bytes = {0};
    struct rng rng;
    rng_init(&rng, 3);

    static struct request request;
    static struct request request_out;
    random_message(&rng, false, &request_binding, &request);
    cr_assert_eq(codec_encode_request(&request, &bytes, NULL), 0);
    cr_assert_eq(codec_decode_request(bytes.data, bytes.size, &request_out, NULL), 0);
    cr_assert_eq(codec_request_hash(&request), codec_request_hash(&request_out));

    static struct event_message event;
    static struct event_message event_out;
    random_message(&rng, false, &event_message_binding, &event);
    cr_assert_eq(codec_encode_event(&event.header, &event.event, &bytes, NULL), 0);
    cr_assert_eq(
        codec_decode_event(bytes.data, bytes.size, &event_out.header, &event_out.event, NULL),
        0);
    cr_assert_eq(memcmp(&event, &event_out, sizeof event), 0);
    cr_assert_eq(codec_decode_event(bytes.data, bytes.size - 1, &event_out.header,
                                    &event_out.event, NULL),
                 -EBADMSG);

    static struct stored_record record;
    static struct stored_record record_out;
    random_message(&rng, false, &stored_record_binding, &record);
    cr_assert_eq(codec_encode_record(&record, &bytes, NULL), 0);
    cr_assert_eq(codec_decode_record(bytes.data, bytes.size, &record_out, NULL), 0);
    cr_assert_eq(memcmp(&record, &record_out, sizeof record), 0);

    static struct scheduler_message message;
    static struct scheduler_message message_out;
    random_message(&rng, false, &scheduler_message_binding, &message);
    cr_assert_eq(codec_encode_scheduler_message(&message, &bytes, NULL), 0);
    cr_assert_eq(codec_decode_scheduler_message(bytes.data, bytes.size, &message_out, NULL), 0);
    cr_assert_eq(memcmp(&message, &message_out, sizeof message), 0);
    bytes_finish(&bytes);
}

Test(codec_calls, the_largest_request_has_a_hash_of_its_own)
{
    static struct request request;
    struct rng rng;
    rng_init(&rng, 5);
    uint64_t seen[40];
    for (size_t i = 0; i < 40; i++) {
        memset(&request, 0, sizeof request);
        random_message(&rng, true, &request_binding, &request);
        seen[i] = codec_request_hash(&request);
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(seen[i], seen[j]);
        }
    }
}

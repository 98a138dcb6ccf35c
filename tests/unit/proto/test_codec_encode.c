// SPDX-License-Identifier: Apache-2.0
/* What encoding refuses and repairs; replies with items; the hash of a request; the arena. */
#include <errno.h>
#include <string.h>

#include "bytes_by_hand.h"
#include "proto/arena.h"
#include "proto/syntax.h"

/* ---- encoding ---- */

Test(codec_encode, what_decoding_refuses_is_not_encoded)
{
    static struct node_message message;
    struct bytes bytes = {0};
    struct err err = {0};
    message.type = NODE_MESSAGE_METRICS;
    message.metrics.metrics_count = 1;
    cr_assert_eq(codec_encode_node_message(&message, &bytes, &err), -EINVAL);
    cr_assert_str_eq(err.text, "node_message.metrics.metrics[0].subject: missing");
    message.metrics.metrics_count = METRICS_PER_MESSAGE_MAX + 1;
    cr_assert_eq(codec_encode_node_message(&message, &bytes, &err), -EINVAL);
    message.type = (enum node_message_type)77;
    cr_assert_eq(codec_encode_node_message(&message, &bytes, &err), -EINVAL);
    message.type = NODE_MESSAGE_HEARTBEAT;
    memset(message.heartbeat.incarnation, 'a', sizeof message.heartbeat.incarnation);
    cr_assert_eq(codec_encode_node_message(&message, &bytes, &err), -EINVAL);
    cr_assert_eq(bytes.size, 0);
    bytes_finish(&bytes);
}

Test(codec_encode, prose_is_repaired_because_a_report_must_arrive)
{
    static struct node_message message = {.type = NODE_MESSAGE_RESULT};
    static struct node_message out;
    message.result.state = RESULT_STATE_FAILED;
    memset(message.result.text, 'x', sizeof message.result.text - 1);
    memcpy(message.result.text, "libxl:\x1B[1m \xFF\nline two\x01", 21);
    message.result.text[sizeof message.result.text - 2] = '\xC3'; /* cut in the middle */
    struct bytes bytes = {0};
    struct err err = {0};
    cr_assert_eq(codec_encode_node_message(&message, &bytes, &err), 0, "%s", err.text);
    cr_assert_eq(codec_decode_node_message(bytes.data, bytes.size, &out, &err), 0, "%s",
                 err.text);
    cr_assert_eq(memcmp(out.result.text, "libxl:?[1m ?\nline two?", 21), 0);
    cr_assert_eq(out.result.text[sizeof out.result.text - 2], '?');
    bytes_finish(&bytes);
}

Test(codec_encode, an_empty_header_gets_the_version)
{
    static struct node_message message = {.type = NODE_MESSAGE_PARK};
    static struct node_message out;
    struct bytes bytes = {0};
    cr_assert_eq(codec_encode_node_message(&message, &bytes, NULL), 0);
    cr_assert_eq(codec_decode_node_message(bytes.data, bytes.size, &out, NULL), 0);
    cr_assert_eq(out.header.version, PROTOCOL_VERSION);
    cr_assert_eq(out.header.min_version, 1);
    bytes_finish(&bytes);
}

/* ---- replies ---- */

struct taken {
    uint32_t count;
    uint64_t sum;
};

static void take_event(void *context, const struct item *item)
{
    struct taken *taken = context;
    cr_assert_eq(item->kind, ITEM_KIND_EVENT);
    taken->count++;
    cr_assert_eq(item->event.id, taken->count);
    taken->sum += item->event.id;
}

static struct bytes reply_with_events(uint64_t count)
{
    struct reply reply = {.code = REPLY_DONE, .facts_count = 1, .facts = {"a fact"}};
    struct bytes bytes = {0};
    struct err err = {0};
    cr_assert_eq(codec_encode_reply(&reply, &bytes, &err), 0, "%s", err.text);
    for (uint64_t id = 1; id <= count; id++) {
        struct item item = {.kind = ITEM_KIND_EVENT};
        item.event.id = id;
        item.event.kind = EVENT_KIND_MODE;
        cr_assert_eq(codec_append_item(&bytes, &item, &err), 0, "%s", err.text);
    }
    return bytes;
}

Test(codec_encode, items_come_back_in_order)
{
    struct bytes bytes = reply_with_events(REPLY_ITEMS_MAX);
    static struct reply reply;
    struct taken taken = {0};
    struct err err = {0};
    cr_assert_eq(codec_decode_reply(bytes.data, bytes.size, &reply, take_event, &taken, &err),
                 0, "%s", err.text);
    cr_assert_eq(taken.count, REPLY_ITEMS_MAX);
    cr_assert_str_eq(reply.facts[0], "a fact");
    cr_assert_eq(codec_decode_reply(bytes.data, bytes.size, &reply, NULL, NULL, &err), 0);
    bytes_finish(&bytes);
}

Test(codec_encode, an_encoded_reply_with_items_is_one_protobuf_message)
{
    struct bytes bytes = reply_with_events(5);
    const ProtobufCMessageDescriptor *descriptor = reply_binding.descriptor;
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, NULL, bytes.size, bytes.data);
    cr_assert_not_null(message);
    const ProtobufCFieldDescriptor *items =
        protobuf_c_message_descriptor_get_field_by_name(descriptor, "items");
    size_t count = 0;
    memcpy(&count, (const unsigned char *)message + items->quantifier_offset, sizeof count);
    cr_assert_eq(count, 5);
    protobuf_c_message_free_unpacked(message, NULL);
    bytes_finish(&bytes);
}

Test(codec_encode, no_item_is_taken_when_one_is_bad)
{
    struct bytes bytes = reply_with_events(5);
    put_varint(&bytes, CODEC_ITEMS_TAG);
    put(&bytes, "\x02\x32\x00", 3); /* an event without id and kind */
    static struct reply reply;
    struct taken taken = {0};
    struct err err = {0};
    cr_assert_eq(codec_decode_reply(bytes.data, bytes.size, &reply, take_event, &taken, &err),
                 -EBADMSG);
    cr_assert_eq(taken.count, 0);
    bytes_finish(&bytes);
    bytes = reply_with_events(REPLY_ITEMS_MAX + 1);
    cr_assert_eq(codec_decode_reply(bytes.data, bytes.size, &reply, take_event, &taken, &err),
                 -EBADMSG);
    bytes_finish(&bytes);
    bytes = reply_with_events(2);
    put_number(&bytes, 5, 1); /* a field of the reply behind its items */
    cr_assert_eq(codec_decode_reply(bytes.data, bytes.size, &reply, take_event, &taken, &err),
                 -EBADMSG);
    cr_assert_eq(taken.count, 0);
    bytes_finish(&bytes);
}

Test(codec_encode, a_reply_does_not_grow_beyond_the_limit)
{
    struct bytes bytes = reply_with_events(0);
    static struct item item = {.kind = ITEM_KIND_DECISION};
    item.decision.id = 1;
    item.decision.caps_count = DECISION_CHANGES_MAX;
    for (int i = 0; i < DECISION_CHANGES_MAX; i++) {
        memset(item.decision.caps[i].vm, 'a', NAME_SIZE - 1);
        memset(item.decision.caps[i].service, 'b', NAME_SIZE - 1);
        memset(item.decision.caps[i].node, 'c', NAME_SIZE - 1);
    }
    int rc = 0;
    size_t before = 0;
    for (int i = 0; i < 1000 && rc == 0; i++) {
        before = bytes.size;
        rc = codec_append_item(&bytes, &item, NULL);
    }
    cr_assert_eq(rc, -EMSGSIZE);
    cr_assert_eq(bytes.size, before);
    cr_assert_leq(bytes.size, CODEC_MESSAGE_BYTES_MAX);
    bytes_finish(&bytes);
}

/* ---- what "the same request" means ---- */

Test(codec_encode, the_hash_of_a_request_leaves_out_header_and_id)
{
    static struct request request = {.method = METHOD_MODE, .mode = MODE_ACT};
    uint64_t first = codec_request_hash(&request);
    request.header.sequence = 77;
    request.request_id[3] = 1;
    cr_assert_eq(codec_request_hash(&request), first);
    request.mode = MODE_HOLD;
    cr_assert_neq(codec_request_hash(&request), first);
    request.mode = MODE_ACT;
    request.has_object = true;
    request.object.kind = OBJECT_KIND_NODE;
    cr_assert_neq(codec_request_hash(&request), first);
}

/* ---- the arena ---- */

Test(codec_encode, the_arena_refuses_what_does_not_fit_and_knows_its_blocks)
{
    unsigned char memory[256];
    struct arena arena;
    arena_init(&arena, memory, sizeof memory);
    void *block = arena_alloc(&arena, 13);
    cr_assert_not_null(block);
    cr_assert_eq(arena_block_size(&arena, block), 13);
    cr_assert_eq(arena_block_size(&arena, "elsewhere"), 0);
    cr_assert_null(arena_alloc(&arena, SIZE_MAX));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX - 4));
    cr_assert_null(arena_alloc(&arena, 240));
    cr_assert(arena.full);
    cr_assert_not_null(arena_alloc(&arena, 100));
}

Test(codec_encode, names_have_their_syntax)
{
    static const char *const good[] = {"a", "0", "shop-web-1", "a.b", "xen1.lab"};
    static const char *const bad[] = {"",  "-a",  "a-",  ".a",      "a.",
                                      "A", "a_b", "a b", "\xC3\xA9"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert_null(syntax_mistake(SYNTAX_NAME, good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_not_null(syntax_mistake(SYNTAX_NAME, bad[i]), "%s", bad[i]);
    }
    cr_assert_null(syntax_mistake(SYNTAX_UUID, "01234567-89ab-cdef-0123-456789abcdef"));
    cr_assert_not_null(syntax_mistake(SYNTAX_UUID, "01234567-89ab-cdef-0123-456789abcdeF"));
    cr_assert_not_null(syntax_mistake(SYNTAX_UUID, "0123456789ab-cdef-0123-456789abcdef--"));
    cr_assert_not_null(syntax_mistake(SYNTAX_SHA256, "abc"));
    cr_assert_not_null(syntax_mistake(SYNTAX_PATH, "etc/passwd"));
}

// SPDX-License-Identifier: Apache-2.0
#include "proto/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/client.pb-c.h"
#include "proto/codec_parts.h"
#include "proto/walk.h"

#define STACK_BYTES       ((size_t)16 << 10) /* enough for all but the largest messages */
#define DECODE_BYTES_BASE ((size_t)4 << 10)  /* budget = 8 x input + this, at most ... */
#define DECODE_BYTES_MAX  ((size_t)1 << 20)  /* ... this; a full snapshot needs a fifth of it */
#define DECODE_FACTOR     8
#define ENCODE_BYTES_MAX  ((size_t)256 << 10) /* a full snapshot with repaired prose fits */
#define FNV_OFFSET        14695981039346656037ull
#define FNV_PRIME         1099511628211ull

void bytes_finish(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

static int bytes_reserve(struct bytes *bytes, size_t more)
{
    if (more > SIZE_MAX / 2 - bytes->size) {
        return -ENOMEM;
    }
    size_t needed = bytes->size + more;
    if (needed <= bytes->capacity) {
        return 0;
    }
    size_t capacity = needed > bytes->capacity * 2 ? needed : bytes->capacity * 2;
    unsigned char *data = (unsigned char *)realloc(bytes->data, capacity);
    if (data == NULL) {
        return -ENOMEM;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

int bytes_append(struct bytes *bytes, const void *data, size_t size)
{
    int rc = bytes_reserve(bytes, size);
    if (rc == 0 && size > 0) {
        memcpy(bytes->data + bytes->size, data, size);
        bytes->size += size;
    }
    return rc;
}

/* ---- plain to bytes ---- */

#define VARINT_SIZE_MAX 10

static size_t varint_write(unsigned char *out, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80u) {
        out[size++] = (unsigned char)(value | 0x80u);
        value >>= 7;
    }
    out[size++] = (unsigned char)value;
    return size;
}

/* How a message stands in the buffer: as it is, or with the tag and length of an item of a
 * reply. */
enum framing { FRAMING_NONE, FRAMING_ITEM };

static int pack_behind(const ProtobufCMessage *message, enum framing framing, struct bytes *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    unsigned char prefix[2 * VARINT_SIZE_MAX];
    size_t prefix_size = 0;
    if (framing == FRAMING_ITEM) {
        prefix_size = varint_write(prefix, CODEC_ITEMS_TAG);
        prefix_size += varint_write(prefix + prefix_size, size);
    }
    if (size > CODEC_MESSAGE_BYTES_MAX ||
        out->size + prefix_size + size > CODEC_MESSAGE_BYTES_MAX) {
        return -EMSGSIZE;
    }
    int rc = bytes_reserve(out, prefix_size + size);
    if (rc == 0 && prefix_size + size > 0) {
        memcpy(out->data + out->size, prefix, prefix_size);
        (void)protobuf_c_message_pack(message, out->data + out->size + prefix_size);
        out->size += prefix_size + size;
    }
    return rc;
}

static int encode_in(struct arena *arena, const struct message_binding *binding,
                     const void *plain, enum framing framing, struct bytes *out,
                     struct err *err)
{
    ProtobufCMessage *message = NULL;
    int rc = message_build(binding, plain, arena, &message, err);
    if (rc == 0) {
        rc = message_check(binding, message, NULL, err);
    }
    if (rc != 0) {
        return rc == -ENOMEM ? rc : -EINVAL;
    }
    rc = pack_behind(message, framing, out);
    return rc == 0 ? 0 : err_set(err, rc, "%s: %s", binding->name, strerrordesc_np(-rc));
}

static int encode_behind(const struct message_binding *binding, const void *plain,
                         enum framing framing, struct bytes *out, struct err *err)
{
    unsigned char stack[STACK_BYTES];
    struct arena arena;
    arena_init(&arena, stack, sizeof stack);
    int rc = encode_in(&arena, binding, plain, framing, out, err);
    if (!arena.full) {
        return rc;
    }
    void *memory = malloc(ENCODE_BYTES_MAX);
    if (memory == NULL) {
        return err_set(err, -ENOMEM, "%s: no memory", binding->name);
    }
    arena_init(&arena, memory, ENCODE_BYTES_MAX);
    rc = encode_in(&arena, binding, plain, framing, out, err);
    free(memory);
    return rc;
}

int codec_encode(const struct message_binding *binding, const void *plain, struct bytes *out,
                 struct err *err)
{
    out->size = 0;
    return encode_behind(binding, plain, FRAMING_NONE, out, err);
}

/* ---- bytes to plain ---- */

static int decode_in(struct arena *arena, const struct message_binding *binding,
                     const struct bytes *in, void *out, struct err *err)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(binding->descriptor, &allocator, in->size, in->data);
    if (message == NULL && arena->full) {
        return err_set(err, -EBADMSG, "%s: needs more than %zu bytes of memory for %zu",
                       binding->name, arena->size, in->size);
    }
    if (message == NULL) {
        return err_set(err, -EBADMSG, "%s: not a message of this type", binding->name);
    }
    int rc = message_check(binding, message, arena, err);
    if (rc == 0 && out != NULL) {
        message_fill(binding, message, out);
    }
    return rc;
}

int codec_decode(const struct message_binding *binding, const void *data, size_t size,
                 void *out, struct err *err)
{
    if (size > CODEC_MESSAGE_BYTES_MAX) {
        return err_set(err, -EMSGSIZE, "%s: %zu bytes are more than %u", binding->name, size,
                       CODEC_MESSAGE_BYTES_MAX);
    }
    size_t budget = size * DECODE_FACTOR + DECODE_BYTES_BASE;
    budget = budget < DECODE_BYTES_MAX ? budget : DECODE_BYTES_MAX;
    union {
        const void *constant;
        unsigned char *data;
    } input = {.constant = data};
    struct bytes in = {.data = input.data, .size = size};
    unsigned char stack[STACK_BYTES];
    struct arena arena;
    if (budget <= sizeof stack) {
        arena_init(&arena, stack, budget);
        return decode_in(&arena, binding, &in, out, err);
    }
    void *memory = malloc(budget);
    if (memory == NULL) {
        return err_set(err, -ENOMEM, "%s: no memory", binding->name);
    }
    arena_init(&arena, memory, budget);
    int rc = decode_in(&arena, binding, &in, out, err);
    free(memory);
    return rc;
}

/* ---- the messages ---- */

int codec_encode_node_message(const struct node_message *message, struct bytes *out,
                              struct err *err)
{
    return codec_encode(&node_message_binding, message, out, err);
}

int codec_decode_node_message(const void *data, size_t size, struct node_message *out,
                              struct err *err)
{
    return codec_decode(&node_message_binding, data, size, out, err);
}

int codec_encode_request(const struct request *request, struct bytes *out, struct err *err)
{
    return codec_encode(&request_binding, request, out, err);
}

int codec_decode_request(const void *data, size_t size, struct request *out, struct err *err)
{
    return codec_decode(&request_binding, data, size, out, err);
}

struct hash_buffer {
    ProtobufCBuffer base;
    uint64_t hash;
};

static void hash_append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    struct hash_buffer *hasher = (struct hash_buffer *)buffer;
    for (size_t i = 0; i < size; i++) {
        hasher->hash = (hasher->hash ^ data[i]) * FNV_PRIME;
    }
}

uint64_t codec_request_hash(const struct request *request)
{
    unsigned char stack[STACK_BYTES];
    struct arena arena;
    arena_init(&arena, stack, sizeof stack);
    struct hash_buffer hasher = {.base = {.append = hash_append}, .hash = FNV_OFFSET};
    ProtobufCMessage *message = NULL;
    if (message_build(&request_binding, request, &arena, &message, NULL) != 0) {
        return hasher.hash; /* a request that was never decoded; no two are the same request */
    }
    Arbiter__Request *generated = (Arbiter__Request *)message;
    generated->header = NULL;
    generated->request_id = (ProtobufCBinaryData){0};
    (void)protobuf_c_message_pack_to_buffer(message, &hasher.base);
    return hasher.hash;
}

int codec_encode_reply(const struct reply *reply, struct bytes *out, struct err *err)
{
    return codec_encode(&reply_binding, reply, out, err);
}

int codec_append_item(struct bytes *reply, const struct item *item, struct err *err)
{
    return encode_behind(&item_binding, item, FRAMING_ITEM, reply, err);
}

int codec_encode_event(const struct header *header, const struct event_record *event,
                       struct bytes *out, struct err *err)
{
    struct event_message message = {.header = *header, .event = *event};
    return codec_encode(&event_message_binding, &message, out, err);
}

int codec_decode_event(const void *data, size_t size, struct header *header,
                       struct event_record *out, struct err *err)
{
    struct event_message message;
    int rc = codec_decode(&event_message_binding, data, size, &message, err);
    if (rc == 0) {
        *header = message.header;
        *out = message.event;
    }
    return rc;
}

int codec_encode_record(const struct stored_record *record, struct bytes *out, struct err *err)
{
    return codec_encode(&stored_record_binding, record, out, err);
}

int codec_decode_record(const void *data, size_t size, struct stored_record *out,
                        struct err *err)
{
    return codec_decode(&stored_record_binding, data, size, out, err);
}

int codec_encode_scheduler_message(const struct scheduler_message *message, struct bytes *out,
                                   struct err *err)
{
    return codec_encode(&scheduler_message_binding, message, out, err);
}

int codec_decode_scheduler_message(const void *data, size_t size, struct scheduler_message *out,
                                   struct err *err)
{
    return codec_decode(&scheduler_message_binding, data, size, out, err);
}

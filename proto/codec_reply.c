// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a reply: its items are cut out of the bytes and decoded one by one, each with a
 * budget of its own, so that a reply of any size needs memory for one item. They come last on
 * the wire.
 */
#include <errno.h>

#include "proto/codec_parts.h"

struct cursor {
    const unsigned char *data;
    size_t size;
    size_t at;
};

static bool read_varint(struct cursor *cursor, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->size; shift += 7) {
        unsigned char byte = cursor->data[cursor->at++];
        value |= (uint64_t)(byte & 0x7Fu) << shift;
        if (byte < 0x80u) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct cursor *cursor, uint64_t bytes)
{
    if (bytes > cursor->size - cursor->at) {
        return false;
    }
    cursor->at += (size_t)bytes;
    return true;
}

/* Behind the value of a field of this wire type. */
static bool skip_value(struct cursor *cursor, unsigned wire_type)
{
    uint64_t number = 0;
    switch (wire_type) {
    case 0: return read_varint(cursor, &number);
    case 1: return skip(cursor, 8);
    case 2: return read_varint(cursor, &number) && skip(cursor, number);
    case 5: return skip(cursor, 4);
    default: return false;
    }
}

/* Where the items begin; the end when there are none. */
static bool find_items(struct cursor *cursor)
{
    while (cursor->at < cursor->size) {
        size_t start = cursor->at;
        uint64_t tag = 0;
        if (!read_varint(cursor, &tag)) {
            return false;
        }
        if (tag == CODEC_ITEMS_TAG) {
            cursor->at = start;
            return true;
        }
        if (!skip_value(cursor, (unsigned)(tag & 7u))) {
            return false;
        }
    }
    return true;
}

/* Decodes what is left of the items. take NULL: only checks. */
static int read_items(struct cursor cursor, struct item *item,
                      void (*take)(void *context, const struct item *item), void *context,
                      struct err *err)
{
    uint32_t count = 0;
    while (cursor.at < cursor.size) {
        uint64_t tag = 0;
        uint64_t size = 0;
        if (!read_varint(&cursor, &tag) || tag != CODEC_ITEMS_TAG ||
            !read_varint(&cursor, &size) || size > cursor.size - cursor.at) {
            return err_set(err, -EBADMSG,
                           "reply.items: cut off, or followed by something else");
        }
        if (++count > REPLY_ITEMS_MAX) {
            return err_set(err, -EBADMSG, "reply.items: more than %d", REPLY_ITEMS_MAX);
        }
        int rc = codec_decode(&item_binding, cursor.data + cursor.at, (size_t)size,
                              take == NULL ? NULL : item, err);
        if (rc != 0) {
            return rc;
        }
        if (take != NULL) {
            take(context, item);
        }
        cursor.at += (size_t)size;
    }
    return 0;
}

int codec_decode_reply(const void *data, size_t size, struct reply *out,
                       void (*take)(void *context, const struct item *item), void *context,
                       struct err *err)
{
    if (size > CODEC_MESSAGE_BYTES_MAX) {
        return err_set(err, -EMSGSIZE, "reply: %zu bytes are more than %u", size,
                       CODEC_MESSAGE_BYTES_MAX);
    }
    struct cursor cursor = {.data = (const unsigned char *)data, .size = size};
    if (!find_items(&cursor)) {
        return err_set(err, -EBADMSG, "reply: not a message of this type");
    }
    struct item item;
    int rc = codec_decode(&reply_binding, data, cursor.at, NULL, err);
    if (rc == 0) {
        rc = read_items(cursor, &item, NULL, NULL, err);
    }
    if (rc == 0) {
        rc = codec_decode(&reply_binding, data, cursor.at, out, err);
    }
    if (rc == 0 && take != NULL) {
        rc = read_items(cursor, &item, take, context, err);
    }
    return rc;
}

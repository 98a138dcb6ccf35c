// SPDX-License-Identifier: Apache-2.0
/* Fields of a message, written without the library. */
#ifndef TESTS_UNIT_PROTO_BYTES_BY_HAND_H
#define TESTS_UNIT_PROTO_BYTES_BY_HAND_H

#include <criterion/criterion.h>

#include "proto/codec_parts.h"

static inline void put(struct bytes *out, const char *bytes, size_t size)
{
    cr_assert_eq(bytes_append(out, bytes, size), 0);
}

static inline void put_varint(struct bytes *out, uint64_t value)
{
    do {
        char byte = (char)((value & 0x7Fu) | (value >= 0x80u ? 0x80u : 0u));
        put(out, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static inline void put_number(struct bytes *out, uint32_t number, uint64_t value)
{
    put_varint(out, number << 3);
    put_varint(out, value);
}

static inline void put_bytes(struct bytes *out, uint32_t number, const void *data, size_t size)
{
    put_varint(out, (number << 3) | 2u);
    put_varint(out, size);
    put(out, data, size);
}

#endif

// SPDX-License-Identifier: Apache-2.0
/*
 * Random plain data of any message that passes every check, made from the bindings alone, so
 * that a new field is tested without a word here. The memory must be zeroed before.
 */
#ifndef TESTS_UNIT_PROTO_RANDOM_MESSAGE_H
#define TESTS_UNIT_PROTO_RANDOM_MESSAGE_H

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/rng.h"
#include "proto/bindings.h"

#define RANDOM_PENDING_MAX 4096

struct random_pending {
    const struct message_binding *binding;
    unsigned char *plain;
};

struct random_maker {
    struct rng *rng;
    bool full; /* every array to its end, every string to its size */
    uint32_t pending_count;
    struct random_pending pending[RANDOM_PENDING_MAX];
};

static inline uint64_t random_below(struct random_maker *maker, uint64_t limit)
{
    return rng_next(maker->rng) % limit;
}

static inline void random_characters(struct random_maker *maker, char *out, size_t length,
                                     const char *alphabet)
{
    for (size_t i = 0; i < length; i++) {
        out[i] = alphabet[random_below(maker, strlen(alphabet))];
    }
}

static inline void random_string(struct random_maker *maker, const struct field_binding *field,
                                 char *out)
{
    if (!maker->full && !field->required && random_below(maker, 4) == 0) {
        return;
    }
    size_t length =
        maker->full ? field->size - 1 : 1 + (size_t)random_below(maker, field->size - 1);
    switch (field->syntax) {
    case SYNTAX_ANY:
        random_characters(maker, out, length, "abc XYZ.:/\"'\\{}%");
        if (length > 4) {
            memcpy(out, "\xC3\xA9\xE2\x82\xAC", length > 5 ? 5 : 2); /* two characters */
        }
        break;
    case SYNTAX_NAME: random_characters(maker, out, length, "abcxyz0189"); break;
    case SYNTAX_WORD: random_characters(maker, out, length, "abcxyz0189_"); break;
    case SYNTAX_UUID:
        random_characters(maker, out, UUID_SIZE - 1, "0123456789abcdef");
        out[8] = out[13] = out[18] = out[23] = '-';
        break;
    case SYNTAX_SHA256:
        random_characters(maker, out, SHA256_SIZE - 1, "0123456789abcdef");
        break;
    case SYNTAX_PATH:
        random_characters(maker, out, length, "abc/._-");
        out[0] = '/';
        break;
    }
}

static inline uint64_t random_number(struct random_maker *maker,
                                     const struct field_binding *field, uint64_t top)
{
    bool may_be_zero = !field->required && field->when_zero == 0;
    if (may_be_zero && random_below(maker, 4) == 0) {
        return 0;
    }
    uint64_t low = field->max != 0 && field->min > 0 ? field->min : 1;
    uint64_t high = field->max != 0 && field->max < top ? field->max : top;
    switch (random_below(maker, 4)) {
    case 0: return low;
    case 1: return high;
    default:
        return high - low == UINT64_MAX ? rng_next(maker->rng)
                                        : low + random_below(maker, high - low + 1);
    }
}

static inline double random_double(struct random_maker *maker,
                                   const struct field_binding *field)
{
    if (field->unknown && random_below(maker, 3) == 0) {
        return (double)NAN;
    }
    double share = (double)random_below(maker, 1000001) / 1e6;
    if (field->low < field->high) {
        return field->low + share * (field->high - field->low);
    }
    return (share - 0.5) * 1e9;
}

static inline uint32_t random_count(struct random_maker *maker,
                                    const struct field_binding *field)
{
    uint32_t least = field->required ? 1 : 0;
    uint32_t count =
        maker->full ? field->count_max : (uint32_t)random_below(maker, field->count_max + 1);
    return count < least ? least : count;
}

static inline void random_later(struct random_maker *maker,
                                const struct message_binding *binding, unsigned char *plain)
{
    assert(maker->pending_count < RANDOM_PENDING_MAX);
    maker->pending[maker->pending_count++] = (struct random_pending){binding, plain};
}

static inline void random_leaf(struct random_maker *maker, const struct field_binding *field,
                               unsigned char *plain)
{
    unsigned char *at = plain + field->offset;
    switch (field->kind) {
    case FIELD_STRING: random_string(maker, field, (char *)at); break;
    case FIELD_STRINGS: {
        uint32_t count = random_count(maker, field);
        memcpy(plain + field->other_offset, &count, sizeof count);
        for (uint32_t i = 0; i < count; i++) {
            random_string(maker, field, (char *)at + (size_t)i * field->size);
        }
        break;
    }
    case FIELD_BYTES:
        if (random_below(maker, 2) == 0) {
            for (uint32_t i = 0; i < field->size; i++) {
                at[i] = (unsigned char)random_below(maker, 256);
            }
        }
        break;
    case FIELD_U32: {
        uint32_t value = (uint32_t)random_number(maker, field, UINT32_MAX);
        memcpy(at, &value, sizeof value);
        break;
    }
    case FIELD_U64:
    case FIELD_I64: {
        uint64_t value = random_number(maker, field, UINT64_MAX);
        memcpy(at, &value, sizeof value);
        break;
    }
    case FIELD_DOUBLE: {
        double value = random_double(maker, field);
        memcpy(at, &value, sizeof value);
        break;
    }
    case FIELD_BOOL: at[0] = (unsigned char)random_below(maker, 2); break;
    case FIELD_ENUM: {
        uint32_t first = field->required ? 1 : 0;
        uint64_t pick = random_below(maker, field->words->values_count - first);
        int value = field->words->values[first + pick].value;
        memcpy(at, &value, sizeof value);
        break;
    }
    case FIELD_MESSAGE: random_later(maker, field->message, at); break;
    case FIELD_OPTIONAL:
        if (maker->full || field->required || random_below(maker, 2) == 0) {
            plain[field->other_offset] = 1;
            random_later(maker, field->message, at);
        }
        break;
    case FIELD_MESSAGES: {
        uint32_t count = random_count(maker, field);
        memcpy(plain + field->other_offset, &count, sizeof count);
        for (uint32_t i = 0; i < count; i++) {
            random_later(maker, field->message, at + (size_t)i * field->size);
        }
        break;
    }
    case FIELD_MEMBER: break; /* chosen once for all members */
    case FIELD_ITEMS: break;
    }
}

/* One member of the union, if the message has one. */
static inline void random_member(struct random_maker *maker,
                                 const struct message_binding *binding, unsigned char *plain)
{
    uint32_t members[64];
    uint32_t count = 0;
    for (uint32_t i = 0; i < binding->fields_count; i++) {
        if (binding->fields[i].kind == FIELD_MEMBER) {
            members[count++] = i;
        }
    }
    if (count == 0) {
        return;
    }
    const struct field_binding *field = &binding->fields[members[random_below(maker, count)]];
    memcpy(plain + field->other_offset, &field->value, sizeof field->value);
    random_later(maker, field->message, plain + field->offset);
}

/* Fills one message; with full the largest one that there is. */
static inline void random_message(struct rng *rng, bool full,
                                  const struct message_binding *binding, void *plain)
{
    static struct random_maker maker;
    maker.rng = rng;
    maker.full = full;
    maker.pending_count = 0;
    random_later(&maker, binding, (unsigned char *)plain);
    while (maker.pending_count > 0) {
        struct random_pending next = maker.pending[--maker.pending_count];
        for (uint32_t i = 0; i < next.binding->fields_count; i++) {
            random_leaf(&maker, &next.binding->fields[i], next.plain);
        }
        random_member(&maker, next.binding, next.plain);
    }
}

#endif

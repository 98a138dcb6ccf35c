// SPDX-License-Identifier: Apache-2.0
/* What decoding refuses, and what it may cost. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bytes_by_hand.h"
#include "random_message.h"

static void put_message(struct bytes *out, uint32_t number, struct bytes *inner)
{
    put_bytes(out, number, inner->data, inner->size);
    inner->size = 0;
}

#define NUMBER_HEADER    1
#define NUMBER_METRICS   16
#define NUMBER_HEARTBEAT 15

static void put_header(struct bytes *out, uint64_t min_version)
{
    struct bytes header = {0};
    put_number(&header, 1, PROTOCOL_VERSION);
    put_number(&header, 2, min_version);
    put_message(out, NUMBER_HEADER, &header);
    bytes_finish(&header);
}

/* A heartbeat with this incarnation, whatever its bytes. */
static struct bytes heartbeat(const char *incarnation, size_t size)
{
    struct bytes out = {0};
    struct bytes inner = {0};
    put_header(&out, 1);
    put_bytes(&inner, 1, incarnation, size);
    put_message(&out, NUMBER_HEARTBEAT, &inner);
    bytes_finish(&inner);
    return out;
}

static struct node_message untouched;

/* Refused with this text, and the output is as it was. */
static void refused(struct bytes *bytes, int code, const char *text)
{
    static struct node_message message;
    memset(&message, 0x5A, sizeof message);
    memset(&untouched, 0x5A, sizeof untouched);
    struct err err = {0};
    int rc = codec_decode_node_message(bytes->data, bytes->size, &message, &err);
    cr_assert_eq(rc, code, "%d: %s", rc, err.text);
    cr_assert_not_null(strstr(err.text, text), "\"%s\" is not in \"%s\"", text, err.text);
    cr_assert_eq(memcmp(&message, &untouched, sizeof message), 0);
    bytes_finish(bytes);
}

static void accepted(struct bytes *bytes)
{
    static struct node_message message;
    struct err err = {0};
    cr_assert_eq(codec_decode_node_message(bytes->data, bytes->size, &message, &err), 0, "%s",
                 err.text);
    bytes_finish(bytes);
}

Test(codec_hostile, a_good_heartbeat_by_hand_is_accepted)
{
    struct bytes bytes = heartbeat("boot-1", 6);
    accepted(&bytes);
}

Test(codec_hostile, strings_with_a_nul_are_refused)
{
    struct bytes bytes = heartbeat("abc\0def", 7);
    refused(&bytes, -EBADMSG, "node_message.heartbeat.incarnation: holds a NUL");
    bytes = heartbeat("\0", 1);
    refused(&bytes, -EBADMSG, "holds a NUL");
    bytes = heartbeat("abc\0", 4);
    refused(&bytes, -EBADMSG, "holds a NUL");
}

Test(codec_hostile, strings_that_are_not_utf8_or_hold_controls_are_refused)
{
    static const char *const bad[] = {"\xFF",
                                      "a\xC3",
                                      "\xC0\xAF",
                                      "\xE0\x80\x80",
                                      "\xED\xA0\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80",
                                      "\x80",
                                      "\xE2\x82",
                                      "tab\there",
                                      "line\nfeed",
                                      "\x1B[2J",
                                      "\x7F",
                                      "\xC2\x85",
                                      "\xF0\x80\x80\x80",
                                      "\xC3\x28"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bytes bytes = heartbeat(bad[i], strlen(bad[i]));
        refused(&bytes, -EBADMSG, "not UTF-8 without control characters");
    }
    struct bytes bytes = heartbeat("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9);
    accepted(&bytes);
}

Test(codec_hostile, a_string_that_does_not_fit_is_refused)
{
    char text[NAME_SIZE + 1];
    memset(text, 'a', sizeof text);
    struct bytes bytes = heartbeat(text, NAME_SIZE - 1);
    accepted(&bytes);
    bytes = heartbeat(text, NAME_SIZE);
    refused(&bytes, -EBADMSG, "64 bytes are more than 63");
}

Test(codec_hostile, a_required_string_must_not_be_empty)
{
    struct bytes bytes = heartbeat("", 0);
    refused(&bytes, -EBADMSG, "heartbeat.incarnation: missing");
}

Test(codec_hostile, a_message_for_a_later_version_is_refused_before_anything_else)
{
    struct bytes bytes = {0};
    put_header(&bytes, PROTOCOL_VERSION + 1);
    put_bytes(&bytes, 99, "new", 3);
    refused(&bytes, -EPROTONOSUPPORT, "needs protocol version 2, this program has 1");
}

Test(codec_hostile, a_message_without_header_or_content_is_refused)
{
    struct bytes bytes = {0};
    refused(&bytes, -EBADMSG, "node_message.header: missing");
    put_header(&bytes, 1);
    refused(&bytes, -EBADMSG, "of a kind that this version lacks");
    put_header(&bytes, 1);
    put_bytes(&bytes, 99, "new", 3);
    refused(&bytes, -EBADMSG, "of a kind that this version lacks");
}

static struct bytes one_metric(uint64_t subject, uint64_t kind, double value)
{
    struct bytes out = {0};
    struct bytes list = {0};
    struct bytes metric = {0};
    put_header(&out, 1);
    put_number(&metric, 1, subject);
    put_bytes(&metric, 2, "vm", 2);
    put_number(&metric, 3, kind);
    put_varint(&metric, (4u << 3) | 1u);
    char raw[sizeof value];
    memcpy(raw, &value, sizeof value);
    put(&metric, raw, sizeof raw);
    put_message(&list, 1, &metric);
    put_message(&out, NUMBER_METRICS, &list);
    bytes_finish(&metric);
    bytes_finish(&list);
    return out;
}

Test(codec_hostile, values_that_an_enumeration_does_not_have_are_refused)
{
    struct bytes bytes = one_metric(METRIC_SUBJECT_VM, METRIC_CPU_PCT, 50.0);
    accepted(&bytes);
    bytes = one_metric(METRIC_SUBJECT_VM, METRIC_KIND_COUNT, 50.0);
    refused(&bytes, -EBADMSG, "metrics.metrics[0].kind: unknown value 21 of metric_kind");
    bytes = one_metric(METRIC_SUBJECT_VM, 999, 50.0);
    refused(&bytes, -EBADMSG, "unknown value 999");
    bytes = one_metric(METRIC_SUBJECT_VM, UINT64_MAX, 50.0);
    refused(&bytes, -EBADMSG, "unknown value -1");
    bytes = one_metric(0, METRIC_CPU_PCT, 50.0);
    refused(&bytes, -EBADMSG, "metrics.metrics[0].subject: missing");
}

Test(codec_hostile, infinity_is_refused_and_nan_means_unknown)
{
    struct bytes bytes = one_metric(METRIC_SUBJECT_VM, METRIC_CPU_PCT, (double)INFINITY);
    refused(&bytes, -EBADMSG, "value: not a finite number");
    bytes = one_metric(METRIC_SUBJECT_VM, METRIC_CPU_PCT, -(double)NAN);
    static struct node_message message;
    cr_assert_eq(codec_decode_node_message(bytes.data, bytes.size, &message, NULL), 0);
    cr_assert(isnan(message.metrics.metrics[0].value));
    bytes_finish(&bytes);
}

Test(codec_hostile, more_elements_than_the_array_has_are_refused)
{
    struct bytes out = {0};
    struct bytes list = {0};
    struct bytes metric = {0};
    put_header(&out, 1);
    for (int i = 0; i <= METRICS_PER_MESSAGE_MAX; i++) {
        put_number(&metric, 1, METRIC_SUBJECT_VM);
        put_bytes(&metric, 2, "a-vm-with-a-name-of-some-length", 31);
        put_number(&metric, 3, METRIC_CPU_PCT);
        put_message(&list, 1, &metric);
    }
    put_message(&out, NUMBER_METRICS, &list);
    refused(&out, -EBADMSG, "metrics.metrics: 33 elements are more than 32");
    bytes_finish(&metric);
    bytes_finish(&list);
}

/* 1 MiB of empty metrics would be 20 MiB of structs. */
Test(codec_hostile, memory_has_a_budget)
{
    struct bytes out = {0};
    struct bytes list = {0};
    put_header(&out, 1);
    for (int i = 0; i < 400000; i++) {
        put_bytes(&list, 1, "", 0);
    }
    put_message(&out, NUMBER_METRICS, &list);
    cr_assert_lt(out.size, CODEC_MESSAGE_BYTES_MAX);
    refused(&out, -EBADMSG, "of memory");
    bytes_finish(&list);
}

Test(codec_hostile, a_message_over_the_limit_is_not_even_read)
{
    struct bytes out = {0};
    char *zeros = calloc(1, CODEC_MESSAGE_BYTES_MAX + 1);
    put(&out, zeros, CODEC_MESSAGE_BYTES_MAX + 1);
    free(zeros);
    refused(&out, -EMSGSIZE, "1048577 bytes are more than 1048576");
}

Test(codec_hostile, deep_nesting_is_not_followed)
{
    struct bytes inner = {0};
    struct bytes outer = {0};
    put_bytes(&inner, 16, "", 0);
    for (int i = 0; i < 5000; i++) {
        put_bytes(&outer, 16, inner.data, inner.size);
        struct bytes swap = inner;
        inner = outer;
        outer = swap;
        outer.size = 0;
    }
    struct bytes message = {0};
    put_header(&message, 1);
    put_bytes(&message, 16, inner.data, inner.size);
    bytes_finish(&outer);
    bytes_finish(&inner);
    static struct node_message out;
    struct err err = {0};
    int rc = codec_decode_node_message(message.data, message.size, &out, &err);
    cr_assert(rc == 0 || rc == -EBADMSG, "%d", rc); /* unknown fields are passed over */
    bytes_finish(&message);
}

Test(codec_hostile, a_length_beyond_the_end_is_refused)
{
    struct bytes bytes = {0};
    put_header(&bytes, 1);
    put(&bytes, "\x7A\xFF\xFF\xFF\xFF\x07", 6);
    refused(&bytes, -EBADMSG, "not a message of this type");
}

/* Each prefix of each kind of message: refused or, at a border between fields, accepted. */
Test(codec_hostile, truncated_messages_do_no_harm)
{
    struct rng rng;
    rng_init(&rng, 11);
    for (int round = 0; round < 40; round++) {
        static struct node_message message;
        static struct node_message out;
        memset(&message, 0, sizeof message);
        random_message(&rng, false, &node_message_binding, &message);
        struct bytes bytes = {0};
        cr_assert_eq(codec_encode_node_message(&message, &bytes, NULL), 0);
        size_t step = 1 + bytes.size / 200;
        for (size_t size = 0; size < bytes.size; size += step) {
            unsigned char *copy = malloc(size + 1); /* so that reading beyond the end is seen */
            memcpy(copy, bytes.data, size);
            (void)codec_decode_node_message(copy, size, &out, NULL);
            free(copy);
        }
        bytes_finish(&bytes);
    }
}

Test(codec_hostile, flipped_bits_do_no_harm)
{
    struct rng rng;
    rng_init(&rng, 12);
    for (int round = 0; round < 300; round++) {
        for (size_t m = 0; message_bindings_all()[m] != NULL; m++) {
            const struct message_binding *binding = message_bindings_all()[m];
            if (binding->plain_size > 20000 && round % 10 != 0) {
                continue;
            }
            void *plain = calloc(1, binding->plain_size);
            random_message(&rng, false, binding, plain);
            struct bytes bytes = {0};
            cr_assert_eq(codec_encode(binding, plain, &bytes, NULL), 0);
            for (int flip = 0; flip < 3 && bytes.size > 0; flip++) {
                bytes.data[rng_below(&rng, bytes.size)] ^=
                    (unsigned char)(1u << rng_below(&rng, 8));
            }
            if (codec_decode(binding, bytes.data, bytes.size, plain, NULL) == 0) {
                struct bytes again = {0};
                cr_assert_eq(codec_encode(binding, plain, &again, NULL), 0);
                bytes_finish(&again);
            }
            bytes_finish(&bytes);
            free(plain);
        }
    }
}

/* ---- what a hostile message may cost ---- */

/* Whatever one MiB holds, it is refused or read in a time that no service level notices. */
Test(codec_hostile, a_full_mebibyte_of_anything_is_cheap)
{
    static const struct {
        const char *name;
        const char *unit;
        size_t size;
    } fillings[] = {
        {"unknown numbers", "\xF8\x07\x00", 3},
        {"empty headers", "\x0A\x00", 2},
        {"empty metrics lists", "\x82\x01\x00", 3},
        {"nested lengths", "\x82\x01\xFF\xFF\x3F", 5},
        {"unknown bytes", "\xFA\x07\x01x", 4},
        {"zeros", "\x00", 1},
    };
    unsigned char *data = malloc(CODEC_MESSAGE_BYTES_MAX);
    static struct node_message out;
    for (size_t f = 0; f < sizeof fillings / sizeof fillings[0]; f++) {
        size_t size = 0;
        while (size + fillings[f].size <= CODEC_MESSAGE_BYTES_MAX) {
            memcpy(data + size, fillings[f].unit, fillings[f].size);
            size += fillings[f].size;
        }
        struct timespec begin;
        struct timespec end;
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        cr_assert_eq(codec_decode_node_message(data, size, &out, NULL), -EBADMSG, "%s",
                     fillings[f].name);
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        double ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
                    (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
        cr_assert_lt(ms, 100.0, "%s: %.1f ms", fillings[f].name,
                     ms); /* 5 ms without sanitizers */
        printf("%s: %.2f ms\n", fillings[f].name, ms);
    }
    free(data);
}

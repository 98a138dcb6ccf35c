// SPDX-License-Identifier: Apache-2.0
/* What every target for a kind of message asserts: what decodes can be encoded, and that form
 * decodes to the same bytes again. */
#ifndef TESTS_FUZZ_FUZZ_CODEC_H
#define TESTS_FUZZ_FUZZ_CODEC_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_message(const struct message_binding *binding, const uint8_t *data,
                                size_t size)
{
    void *plain = calloc(1, binding->plain_size);
    struct bytes first = {0};
    struct bytes second = {0};
    struct err err = {0};
    if (codec_decode(binding, data, size, plain, &err) == 0) {
        assert(codec_encode(binding, plain, &first, &err) == 0);
        memset(plain, 0, binding->plain_size);
        assert(codec_decode(binding, first.data, first.size, plain, &err) == 0);
        assert(codec_encode(binding, plain, &second, &err) == 0);
        assert(first.size == second.size);
        assert(first.size == 0 || memcmp(first.data, second.data, first.size) == 0);
    } else {
        assert(err.text[0] != '\0');
    }
    bytes_finish(&first);
    bytes_finish(&second);
    free(plain);
}

#endif

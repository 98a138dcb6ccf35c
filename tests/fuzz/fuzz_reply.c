// SPDX-License-Identifier: Apache-2.0
// link: arbiter_proto
/* Bytes from an orchestrator, as the client reads them: a reply and its items. */
#include "fuzz_codec.h"

struct copy {
    struct bytes bytes;
    uint32_t count;
};

static void take(void *context, const struct item *item)
{
    struct copy *copy = (struct copy *)context;
    assert(codec_append_item(&copy->bytes, item, NULL) == 0 ||
           copy->bytes.size > CODEC_MESSAGE_BYTES_MAX / 2);
    copy->count++;
}

static void count(void *context, const struct item *item)
{
    (void)item;
    (*(uint32_t *)context)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply reply;
    struct copy items = {0};
    struct bytes bytes = {0};
    struct err err = {0};
    memset(&reply, 0, sizeof reply);
    if (codec_decode_reply(data, size, &reply, take, &items, &err) == 0) {
        uint32_t counted = 0;
        assert(codec_encode_reply(&reply, &bytes, &err) == 0);
        assert(bytes_append(&bytes, items.bytes.data, items.bytes.size) == 0);
        assert(codec_decode_reply(bytes.data, bytes.size, &reply, count, &counted, &err) == 0);
        assert(counted == items.count);
    } else {
        assert(items.count == 0);
        assert(err.text[0] != '\0');
    }
    bytes_finish(&items.bytes);
    bytes_finish(&bytes);
    return 0;
}

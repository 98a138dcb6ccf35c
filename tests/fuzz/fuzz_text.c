// SPDX-License-Identifier: Apache-2.0
// link: arbiter_proto
/* A file of a person: what is read can be written, and that text reads to the same object. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text_mistakes mistakes;

static char *write_object(const struct object *object)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert(out != NULL);
    assert(text_write_object(out, TEXT_YAML, object) == 0);
    assert(fclose(out) == 0);
    return text;
}

static void compare(void *context, const struct object *object)
{
    char *again = write_object(object);
    assert(strcmp(again, (const char *)context) == 0);
    free(again);
}

static void take(void *context, const struct object *object)
{
    (void)context;
    static struct stored_record record;
    static struct text_mistakes inner;
    struct bytes bytes = {0};
    struct err err = {0};
    record = (struct stored_record){.kind = STORED_KIND_OBJECT, .object = *object};
    assert(codec_encode_record(&record, &bytes, &err) == 0);
    bytes_finish(&bytes);
    char *text = write_object(object);
    assert(text_read_objects(text, strlen(text), compare, text, &inner) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int rc = text_read_objects((const char *)data, size, take, NULL, &mistakes);
    assert((rc == 0) == (mistakes.count == 0));
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// link: arbiter_client
/* An xl.cfg file: whatever it holds, it ends in mistakes or in objects that apply would take.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/xl_objects.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct xl_config config;
static struct xl_messages messages;
static struct xl_source source;
static struct xl_objects objects;
static struct text_mistakes mistakes;

static void count(void *context, const struct object *object)
{
    uint32_t *objects_count = context;
    (void)object;
    ++*objects_count;
}

static void check_written(void)
{
    char *text = NULL;
    size_t size = 0;
    uint32_t read_back = 0;
    FILE *out = open_memstream(&text, &size);
    assert(out != NULL);
    for (uint32_t i = 0; i < objects.count; i++) {
        (void)fputs(i > 0 ? "---\n" : "", out);
        assert(text_write_object(out, TEXT_YAML, &objects.objects[i]) == 0);
    }
    assert(fclose(out) == 0);
    memset(&mistakes, 0, sizeof mistakes);
    int rc = text_read_objects(text, size, count, &read_back, &mistakes);
    if (rc != 0) {
        (void)fprintf(stderr, "%s: %s\n%s", mistakes.items[0].path, mistakes.items[0].text,
                      text);
    }
    assert(rc == 0 && read_back == objects.count);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&messages, 0, sizeof messages);
    memset(&source, 0, sizeof source);
    source.file = "fuzz.cfg";
    source.messages = &messages;
    int rc = xl_config_parse((const char *)data, size, &config, &messages);
    assert((rc == 0) == (messages.mistakes == 0));
    rc = xl_guest_read(&config, &source.guest, &messages);
    if (rc != 0 || messages.mistakes > 0) {
        return 0;
    }
    if (source.guest.has_disk) {
        memset(source.sha256, 'a', SHA256_SIZE - 1);
    }
    struct xl_wishes wishes = {.kind = SERVICE_KIND_WEB,
                               .node = size % 2 == 0 ? "dom0-1" : NULL,
                               .service = size % 3 == 0 ? "shop" : NULL};
    if (xl_objects_make(&source, 1, &wishes, &objects) == 0) {
        check_written();
    }
    return 0;
}

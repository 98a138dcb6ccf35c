// SPDX-License-Identifier: Apache-2.0
// link: arbiter_agent_io
/*
 * Files of our own that may be damaged or written by hand; the first byte says which: 'm' what
 * an agent remembers, 'k' a keyring, 's' settings. What is read is in its limits; settings that
 * are printed read as the same.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/io/keyring_file.h"
#include "node-agent/io/memory_file.h"
#include "proto/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory with these bytes; its path. */
static const char *file_with(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        assert(fd >= 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    assert(ftruncate(fd, 0) == 0);
    assert(pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}

static void read_memory(const uint8_t *data, size_t size)
{
    static struct agent_memory memory;
    struct err err = {0};
    if (memory_file_read(file_with(data, size), &memory, &err) != 0) {
        assert(err.text[0] != '\0');
        return;
    }
    assert(memory.vms_count <= VMS_PER_NODE_MAX && memory.lent_count <= VMS_PER_NODE_MAX);
    assert(memory.entries_count <= ENTRY_SERVERS_MAX);
    for (uint32_t i = 0; i < memory.vms_count; i++) {
        assert(strnlen(memory.orders[i].vm, NAME_SIZE) < NAME_SIZE);
        assert(strnlen(memory.addresses[i], ADDRESS_SIZE) < ADDRESS_SIZE);
    }
}

static void read_keyring(const uint8_t *data, size_t size)
{
    struct principal *list = NULL;
    size_t count = 0;
    struct err err = {0};
    if (keyring_file_read(file_with(data, size), &list, &count, &err) != 0) {
        assert(err.text[0] != '\0');
        return;
    }
    assert(count <= KEYRING_PRINCIPALS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(principal_check(&list[i], &err) == 0);
    }
    free(list);
}

struct target {
    char text[32];
    uint32_t count;
    uint32_t duration_ms;
    uint64_t size_kib;
    uint32_t cpu_pct;
    bool on;
    int word;
};

static const char *const words[] = {"low", "high", NULL};

#define AT(field) offsetof(struct target, field)

static const struct setting table[] = {
    {"text", SETTING_TEXT, AT(text), sizeof((struct target *)0)->text, 0, 0, NULL, "a text"},
    {"of.count", SETTING_COUNT, AT(count), 0, 0, 0, NULL, "how many"},
    {"of.duration", SETTING_DURATION, AT(duration_ms), 0, 0, 0, NULL, "how long"},
    {"size", SETTING_SIZE, AT(size_kib), 0, 0, 0, NULL, "how large"},
    {"cpu", SETTING_CPU, AT(cpu_pct), 0, 0, 0, NULL, "how fast"},
    {"on", SETTING_SWITCH, AT(on), 0, 0, 1, NULL, "whether"},
    {"word", SETTING_WORD, AT(word), 0, 0, 1, words, "which"},
};
#define TABLE_COUNT (sizeof table / sizeof *table)

static char *print(const struct target *target)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert(out != NULL);
    settings_print(out, table, TABLE_COUNT, target);
    assert(fclose(out) == 0);
    return text;
}

static void read_settings(const uint8_t *data, size_t size)
{
    static struct text_mistakes mistakes;
    struct target target = {0};
    struct target again = {0};
    mistakes.count = 0;
    const int rc =
        settings_read((const char *)data, size, table, TABLE_COUNT, &target, &mistakes);
    assert((rc == 0) == (mistakes.count == 0));
    if (rc != 0) {
        return;
    }
    char *text = print(&target);
    if (settings_read(text, strlen(text), table, TABLE_COUNT, &again, &mistakes) != 0) {
        (void)fprintf(stderr, "%s: %s\n%s", mistakes.items[0].path, mistakes.items[0].text,
                      text);
        abort();
    }
    char *text_again = print(&again);
    assert(strcmp(text, text_again) == 0);
    assert(strcmp(target.text, again.text) == 0);
    free(text);
    free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0]) {
    case 'm': read_memory(data + 1, size - 1); break;
    case 'k': read_keyring(data + 1, size - 1); break;
    case 's': read_settings(data + 1, size - 1); break;
    default: break;
    }
    return 0;
}

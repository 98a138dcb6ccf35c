// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/model/object.h"
#include "node-agent/io/memory_file.h"

static char folder[64];
static char path[128];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/arbiter-memory-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/memory", folder);
}

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

static struct agent_memory *make_memory(uint32_t vms, uint32_t entries)
{
    struct agent_memory *memory = calloc(1, sizeof *memory);
    cr_assert_not_null(memory);
    memory->epoch_seen = 18446744073709551615u;
    memory->vms_count = vms;
    for (uint32_t i = 0; i < vms; i++) {
        struct vm_order *order = &memory->orders[i];
        order->operation = i + 1;
        (void)snprintf(order->vm, NAME_SIZE, "web-%u", i);
        (void)snprintf(order->uuid, UUID_SIZE, "00000000-0000-4000-8000-%012u", i);
        (void)snprintf(order->service, NAME_SIZE, "web");
        order->service_kind = SERVICE_KIND_WEB;
        order->generation = 3;
        order->isolation = ISOLATION_RUN;
        order->desired = RUN_STATE_RUNNING;
        order->cap_pct = 50 + i;
        order->weight = 256;
        order->vcpus = 1;
        order->vcpus_max = 2;
        order->memory_kib = 262144;
        order->memory_max_kib = 262144;
        order->load_share_permille = 10;
        order->disk_kind = DISK_KIND_COPY;
        order->image_format = IMAGE_FORMAT_MODEL;
        (void)snprintf(order->image, NAME_SIZE, "web");
        (void)snprintf(memory->addresses[i], ADDRESS_SIZE, "10.0.0.%u", i + 1);
    }
    memory->entries_count = entries;
    for (uint32_t i = 0; i < entries; i++) {
        struct entry_order *entry = &memory->entries[i];
        entry->operation = i + 1;
        (void)snprintf(entry->service, NAME_SIZE, "web-%u", i);
        (void)snprintf(entry->entry.listen, ADDRESS_SIZE, "10.0.8.%u:80", i + 1);
        entry->entry.check_every_ms = 2000;
        entry->window_ms = 5000;
        entry->servers_count = 1;
        entry->servers[0] = (struct entry_server){"vm-1", "10.0.0.1", 80, 1, false};
    }
    return memory;
}

Test(memory_file, what_was_written_is_read_again, .init = make_folder, .fini = remove_folder)
{
    struct agent_memory *memory = make_memory(VMS_PER_NODE_MAX, ENTRY_SERVERS_MAX);
    memory->lent_count = VMS_PER_NODE_MAX;
    for (uint32_t i = 0; i < memory->lent_count; i++) {
        (void)snprintf(memory->lent[i], ADDRESS_SIZE, "10.0.1.%u", i + 1);
    }
    struct agent_memory *back = calloc(1, sizeof *back);
    struct err err = {0};
    cr_assert_eq(memory_file_write(path, memory, &err), 0, "%s", err.text);
    cr_assert_eq(memory_file_read(path, back, &err), 0, "%s", err.text);
    cr_assert_eq(back->epoch_seen, memory->epoch_seen);
    cr_assert_eq(back->vms_count, memory->vms_count);
    cr_assert_eq(back->entries_count, memory->entries_count);
    for (uint32_t i = 0; i < memory->vms_count; i++) {
        cr_assert_str_eq(back->orders[i].uuid, memory->orders[i].uuid);
        cr_assert_eq(back->orders[i].cap_pct, memory->orders[i].cap_pct);
        cr_assert_eq(back->orders[i].generation, memory->orders[i].generation);
        cr_assert_str_eq(back->addresses[i], memory->addresses[i]);
    }
    cr_assert_eq(back->lent_count, memory->lent_count);
    for (uint32_t i = 0; i < memory->lent_count; i++) {
        cr_assert_str_eq(back->lent[i], memory->lent[i]);
    }
    for (uint32_t i = 0; i < memory->entries_count; i++) {
        cr_assert_str_eq(back->entries[i].service, memory->entries[i].service);
        cr_assert_eq(back->entries[i].servers[0].port, 80);
    }
    struct stat stat_out;
    cr_assert_eq(stat(path, &stat_out), 0);
    cr_assert_eq(stat_out.st_mode & 077u, 0, "others may not read it");
    free(memory);
    free(back);
}

Test(memory_file, a_missing_file_is_told_apart_from_a_damaged_one, .init = make_folder,
     .fini = remove_folder)
{
    struct agent_memory *back = calloc(1, sizeof *back);
    cr_assert_eq(memory_file_read(path, back, NULL), -ENOENT);
    free(back);
}

/* Every file cut short, and every byte of the head changed, is refused and never crashes. */
Test(memory_file, a_damaged_file_is_refused, .init = make_folder, .fini = remove_folder)
{
    struct agent_memory *memory = make_memory(2, 1);
    struct agent_memory *back = calloc(1, sizeof *back);
    cr_assert_eq(memory_file_write(path, memory, NULL), 0);
    char text[4096];
    FILE *file = fopen(path, "re");
    size_t size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    cr_assert_lt(size, sizeof text);
    uint32_t whole_at_a_boundary = 0;
    for (size_t cut = 0; cut < size; cut++) {
        file = fopen(path, "we");
        cr_assert_eq(fwrite(text, 1, cut, file), cut);
        (void)fclose(file);
        int rc = memory_file_read(path, back, NULL);
        whole_at_a_boundary += rc == 0 ? 1 : 0;
        cr_assert(rc == 0 || rc == -EBADMSG, "cut at %zu: %d", cut, rc);
    }
    /* Behind the head and behind each VM: the file is replaced as a whole, so that never is. */
    cr_assert_eq(whole_at_a_boundary, 3);
    for (size_t i = 0; i < 22; i++) {
        char changed[4096];
        memcpy(changed, text, size);
        changed[i] = (char)(changed[i] ^ 0x15);
        file = fopen(path, "we");
        (void)fwrite(changed, 1, size, file);
        (void)fclose(file);
        cr_assert_eq(memory_file_read(path, back, NULL), -EBADMSG, "byte %zu", i);
    }
    free(memory);
    free(back);
}

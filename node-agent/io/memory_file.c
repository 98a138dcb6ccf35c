// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/memory_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/file.h"
#include "common/io/scope.h"
#include "proto/codec.h"

#define HEAD           "arbiter-agent memory 1 epoch %" PRIu64 "\n"
#define HEAD_PARKED    "arbiter-agent memory 1 epoch %" PRIu64 " parked\n"
#define HEAD_SIZE_MAX  64
#define FILE_BYTES_MAX (16u << 20)
#define LENGTH_BYTES   4

static int append_block(struct bytes *file, const void *data, size_t size)
{
    unsigned char length[LENGTH_BYTES] = {
        (unsigned char)(size >> 24), (unsigned char)(size >> 16 & 255),
        (unsigned char)(size >> 8 & 255), (unsigned char)(size & 255)};
    int rc = bytes_append(file, length, sizeof length);
    return rc == 0 ? bytes_append(file, data, size) : rc;
}

static int append_orders(const struct agent_memory *memory, struct node_message *message,
                         struct bytes *file, struct err *err)
{
    struct bytes block = {0};
    int rc = 0;
    message->type = NODE_MESSAGE_VM_ORDER;
    for (uint32_t i = 0; i < memory->vms_count && rc == 0; i++) {
        message->vm_order = memory->orders[i];
        rc = codec_encode_node_message(message, &block, err);
        rc = rc == 0 ? append_block(file, block.data, block.size) : rc;
        const char *address = memory->addresses[i];
        rc = rc == 0 ? append_block(file, address, strnlen(address, ADDRESS_SIZE)) : rc;
    }
    message->type = NODE_MESSAGE_ENTRY_ORDER;
    for (uint32_t i = 0; i < memory->entries_count && rc == 0; i++) {
        message->entry_order = memory->entries[i];
        rc = codec_encode_node_message(message, &block, err);
        rc = rc == 0 ? append_block(file, block.data, block.size) : rc;
    }
    bytes_finish(&block);
    for (uint32_t i = 0; i < memory->lent_count && rc == 0; i++) {
        const char *address = memory->lent[i];
        rc = append_block(file, "", 0);
        rc = rc == 0 ? append_block(file, address, strnlen(address, ADDRESS_SIZE)) : rc;
    }
    return rc;
}

static void fill_header(struct node_message *message)
{
    message->header = (struct header){.version = PROTOCOL_VERSION,
                                      .min_version = PROTOCOL_VERSION,
                                      .epoch = 1,
                                      .sequence = 1};
}

static int make_head(char head[HEAD_SIZE_MAX], const struct agent_memory *memory)
{
    return memory->parked ? snprintf(head, HEAD_SIZE_MAX, HEAD_PARKED, memory->epoch_seen)
                          : snprintf(head, HEAD_SIZE_MAX, HEAD, memory->epoch_seen);
}

int memory_file_write(const char *path, const struct agent_memory *memory, struct err *err)
{
    struct node_message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        return err_set(err, -ENOMEM, "no memory to remember by");
    }
    fill_header(message);
    char head[HEAD_SIZE_MAX];
    int length = make_head(head, memory);
    struct bytes file = {0};
    int rc = bytes_append(&file, head, (size_t)length);
    rc = rc == 0 ? append_orders(memory, message, &file, err) : rc;
    rc = rc == 0 ? file_replace(path, file.data, file.size, 0600, err) : rc;
    bytes_finish(&file);
    free(message);
    return rc;
}

struct reader {
    const unsigned char *at;
    size_t left;
};

static int next_block(struct reader *reader, const unsigned char **data, size_t *size)
{
    if (reader->left < LENGTH_BYTES) {
        return -EBADMSG;
    }
    const unsigned char *l = reader->at;
    *size = (size_t)l[0] << 24 | (size_t)l[1] << 16 | (size_t)l[2] << 8 | (size_t)l[3];
    if (*size > reader->left - LENGTH_BYTES) {
        return -EBADMSG;
    }
    *data = reader->at + LENGTH_BYTES;
    reader->at += LENGTH_BYTES + *size;
    reader->left -= LENGTH_BYTES + *size;
    return 0;
}

static int read_address(struct reader *reader, char out[ADDRESS_SIZE])
{
    const unsigned char *data = NULL;
    size_t size = 0;
    if (next_block(reader, &data, &size) != 0 || size >= ADDRESS_SIZE) {
        return -EBADMSG;
    }
    memset(out, 0, ADDRESS_SIZE);
    memcpy(out, data, size);
    return 0;
}

/* An address behind an empty block. */
static int read_lent(struct reader *reader, struct agent_memory *out)
{
    if (out->lent_count == VMS_PER_NODE_MAX ||
        read_address(reader, out->lent[out->lent_count]) != 0) {
        return -EBADMSG;
    }
    out->lent_count++;
    return 0;
}

static int read_vm(struct reader *reader, const struct node_message *message,
                   struct agent_memory *out)
{
    if (out->vms_count == VMS_PER_NODE_MAX ||
        read_address(reader, out->addresses[out->vms_count]) != 0) {
        return -EBADMSG;
    }
    out->orders[out->vms_count] = message->vm_order;
    out->vms_count++;
    return 0;
}

static int read_orders(struct reader *reader, struct node_message *message,
                       struct agent_memory *out)
{
    while (reader->left > 0) {
        const unsigned char *data = NULL;
        size_t size = 0;
        if (next_block(reader, &data, &size) != 0) {
            return -EBADMSG;
        }
        if (size == 0) {
            if (read_lent(reader, out) != 0) {
                return -EBADMSG;
            }
            continue;
        }
        if (codec_decode_node_message(data, size, message, NULL) != 0) {
            return -EBADMSG;
        }
        if (message->type == NODE_MESSAGE_VM_ORDER) {
            if (read_vm(reader, message, out) != 0) {
                return -EBADMSG;
            }
        } else if (message->type == NODE_MESSAGE_ENTRY_ORDER &&
                   out->entries_count < ENTRY_SERVERS_MAX) {
            out->entries[out->entries_count++] = message->entry_order;
        } else {
            return -EBADMSG;
        }
    }
    return 0;
}

int memory_file_read(const char *path, struct agent_memory *out, struct err *err)
{
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    int rc = file_read(path, FILE_BYTES_MAX, &text, &size, err);
    if (rc != 0) {
        return rc;
    }
    struct node_message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        return err_set(err, -ENOMEM, "no memory to read %s", path);
    }
    out->vms_count = 0;
    out->entries_count = 0;
    out->lent_count = 0;
    int head = 0;
    const char *line_end = memchr(text, '\n', size < HEAD_SIZE_MAX ? size : HEAD_SIZE_MAX);
    char canonical[HEAD_SIZE_MAX] = "";
    char *number_end = NULL;
    const char *epoch = line_end == NULL ? NULL : strstr(text, "epoch ");
    if (epoch != NULL) {
        out->epoch_seen = strtoull(epoch + strlen("epoch "), &number_end, 10);
        out->parked = *number_end == ' ';
        head = make_head(canonical, out);
    }
    struct reader reader = {0};
    bool fine = head > 0 && (size_t)head <= size && memcmp(text, canonical, (size_t)head) == 0;
    if (fine) {
        reader.at = (const unsigned char *)text + head;
        reader.left = size - (size_t)head;
        fine = read_orders(&reader, message, out) == 0;
    }
    free(message);
    if (!fine) {
        return err_set(err, -EBADMSG,
                       "%s is damaged; move it away to start without it: VMs that run here are "
                       "then reported to the orchestrator, which adopts them",
                       path);
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct batch *batch_create(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->record = calloc(1, sizeof *batch->record);
    if (batch->record == NULL) {
        free(batch);
        return NULL;
    }
    return batch;
}

static void release_parts(struct batch *batch)
{
    for (uint32_t i = 0; i < batch->writes_count; i++) {
        free(batch->writes[i].request);
    }
    for (uint32_t i = 0; i < batch->messages_count; i++) {
        bytes_finish(&batch->messages[i].own);
        free(batch->messages[i].reply);
    }
}

void batch_destroy(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    release_parts(batch);
    free(batch->writes);
    free(batch->messages);
    free(batch->refs);
    free(batch->requests);
    bytes_finish(&batch->bodies);
    bytes_finish(&batch->encoded);
    free(batch->record);
    free(batch);
}

void batch_clear(struct batch *batch)
{
    release_parts(batch);
    batch->code = 0;
    batch->answers_count = 0;
    batch->writes_count = 0;
    batch->changes_count = 0;
    batch->messages_count = 0;
    batch->refs_count = 0;
    batch->requests_count = 0;
    batch->bodies.size = 0;
}

/* Room for one more element; NULL on -ENOMEM. */
static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t element)
{
    if (count < *capacity) {
        return array;
    }
    uint32_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *larger = realloc(array, (size_t)wanted * element);
    if (larger != NULL) {
        *capacity = wanted;
    }
    return larger;
}

static uint64_t request_key(const char *principal, const uint8_t request_id[REQUEST_ID_BYTES])
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *c = principal; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    }
    for (int i = 0; i < REQUEST_ID_BYTES; i++) {
        hash = (hash ^ request_id[i]) * 1099511628211u;
    }
    return hash;
}

static int add_request_key(struct batch *batch, const struct stored_reply *reply)
{
    struct batch_request *requests = grow(batch->requests, batch->requests_count,
                                          &batch->requests_capacity, sizeof *requests);
    if (requests == NULL) {
        return -ENOMEM;
    }
    batch->requests = requests;
    requests[batch->requests_count++] =
        (struct batch_request){.key = request_key(reply->principal, reply->request_id),
                               .content = reply->content_hash};
    return 0;
}

static struct write *add_write(struct batch *batch)
{
    struct write *writes =
        grow(batch->writes, batch->writes_count, &batch->writes_capacity, sizeof *writes);
    if (writes == NULL) {
        return NULL;
    }
    batch->writes = writes;
    struct write *write = &writes[batch->writes_count++];
    memset(write, 0, sizeof *write);
    return write;
}

static int add_ref(struct batch *batch, struct write *write, const char *name)
{
    if (name[0] == '\0' || write->refs_count == WRITE_REFS_MAX) {
        return 0;
    }
    for (uint32_t i = 0; i < write->refs_count; i++) {
        if (strcmp(batch->refs[write->refs + i], name) == 0) {
            return 0;
        }
    }
    char(*refs)[NAME_SIZE] =
        grow(batch->refs, batch->refs_count, &batch->refs_capacity, sizeof *refs);
    if (refs == NULL) {
        return -ENOMEM;
    }
    batch->refs = refs;
    (void)snprintf(refs[batch->refs_count++], NAME_SIZE, "%s", name);
    write->refs_count++;
    return 0;
}

/* The service that caused it, those whose level it moves, and the nodes: what `why` asks by. */
static int add_decision_refs(struct batch *batch, struct write *write,
                             const struct decision *decision)
{
    write->refs = batch->refs_count;
    int rc = add_ref(batch, write, decision->service);
    for (uint32_t i = 0; rc == 0 && i < decision->levels_count; i++) {
        rc = add_ref(batch, write, decision->levels[i].service);
    }
    for (uint32_t i = 0; rc == 0 && i < decision->caps_count; i++) {
        rc = add_ref(batch, write, decision->caps[i].service);
        if (rc == 0) {
            rc = add_ref(batch, write, decision->caps[i].node);
        }
    }
    return rc;
}

static int fill_object(struct stored_record *record, const struct object_ref *ref)
{
    static const size_t sizes[OBJECT_KIND_COUNT] = {
        [OBJECT_KIND_SERVICE] = sizeof(struct service),
        [OBJECT_KIND_VM] = sizeof(struct vm),
        [OBJECT_KIND_NODE] = sizeof(struct node),
        [OBJECT_KIND_IMAGE] = sizeof(struct image),
        [OBJECT_KIND_STORAGE] = sizeof(struct storage),
        [OBJECT_KIND_NETWORK] = sizeof(struct network),
        [OBJECT_KIND_AGREEMENT] = sizeof(struct agreement),
        [OBJECT_KIND_SETTINGS] = sizeof(struct settings),
        [OBJECT_KIND_PROFILE] = sizeof(struct profile),
    };
    size_t size = sizes[ref->kind];
    if (size == 0) {
        return -EINVAL;
    }
    record->kind = STORED_KIND_OBJECT;
    record->object.kind = ref->kind;
    record->object.revision = ref->revision;
    record->object.changed_wall_ms = ref->changed_wall_ms;
    (void)snprintf(record->object.owner, sizeof record->object.owner, "%s", ref->owner);
    memcpy(&record->object.service, ref->body, size);
    return 0;
}

static int encode_body(struct batch *batch, struct write *write,
                       const struct stored_record *record, struct err *err)
{
    int rc = codec_encode_record(record, &batch->encoded, err);
    if (rc == 0) {
        write->body = batch->bodies.size;
        write->body_size = batch->encoded.size;
        rc = bytes_append(&batch->bodies, batch->encoded.data, batch->encoded.size);
    }
    return rc;
}

static void name_write(struct write *write, const char *name, const char *owner)
{
    (void)snprintf(write->name, sizeof write->name, "%s", name);
    (void)snprintf(write->owner, sizeof write->owner, "%s", owner);
}

/* Fills the write and the record that is its body. 1: no body is needed. */
static int fill_write(struct batch *batch, const struct effect *effect, struct write *write,
                      struct stored_record *record)
{
    switch (effect->type) {
    case EFFECT_PUT_OBJECT:
        write->kind = WRITE_PUT_OBJECT;
        write->object_kind = effect->object.kind;
        name_write(write, effect->object.name, effect->object.owner);
        return fill_object(record, &effect->object);
    case EFFECT_DELETE_OBJECT:
        write->kind = WRITE_DELETE_OBJECT;
        write->object_kind = effect->object.kind;
        name_write(write, effect->object.name, "");
        return 1;
    case EFFECT_PUT_DECISION:
        write->kind = WRITE_PUT_DECISION;
        write->id = effect->decision->id;
        write->wall_ms = effect->decision->wall_ms;
        record->kind = STORED_KIND_DECISION;
        record->decision = *effect->decision;
        return add_decision_refs(batch, write, effect->decision);
    case EFFECT_PUT_EVENT:
        write->kind = WRITE_PUT_EVENT;
        write->id = effect->event->id;
        write->wall_ms = effect->event->wall_ms;
        name_write(write, effect->event->service, effect->event->owner);
        record->kind = STORED_KIND_EVENT;
        record->event = *effect->event;
        return 0;
    case EFFECT_PUT_PROGRESS:
        write->kind = WRITE_PUT_SMALL;
        write->stored_kind = record->kind = STORED_KIND_PROGRESS;
        name_write(write, effect->progress->service, "");
        record->progress = *effect->progress;
        return 0;
    case EFFECT_PUT_NODE_EPOCH:
        write->kind = WRITE_PUT_SMALL;
        write->stored_kind = record->kind = STORED_KIND_NODE_EPOCH;
        name_write(write, effect->node_epoch->node, "");
        record->node_epoch = *effect->node_epoch;
        return 0;
    case EFFECT_PUT_REPLY:
        write->kind = WRITE_PUT_REPLY;
        write->hash = effect->stored_reply->content_hash;
        write->wall_ms = effect->stored_reply->wall_ms;
        memcpy(write->request_id, effect->stored_reply->request_id, REQUEST_ID_BYTES);
        name_write(write, effect->stored_reply->principal, "");
        record->kind = STORED_KIND_REPLY;
        record->reply = *effect->stored_reply;
        return add_request_key(batch, effect->stored_reply);
    case EFFECT_SEND:
    case EFFECT_REPLY:
    case EFFECT_SOLVE: break;
    }
    return -EINVAL;
}

int batch_add_write(struct batch *batch, const struct effect *effect, struct err *err)
{
    struct write *write = add_write(batch);
    struct stored_record *record = batch->record; /* each kind fills its own member whole */
    if (write == NULL) {
        return err_set(err, -ENOMEM, "no memory for a write");
    }
    record->version = 1;
    batch->changes_count++;
    int rc = fill_write(batch, effect, write, record);
    if (rc == 0) {
        rc = encode_body(batch, write, record, err);
    } else if (rc == 1) {
        rc = 0;
    } else {
        (void)err_set(err, rc, "effect %d cannot be stored", (int)effect->type);
    }
    return rc;
}

struct held_message *batch_add_message(struct batch *batch, enum message_target target,
                                       const void *data, size_t size)
{
    struct held_message *messages = grow(batch->messages, batch->messages_count,
                                         &batch->messages_capacity, sizeof *messages);
    if (messages == NULL) {
        return NULL;
    }
    batch->messages = messages;
    struct held_message *message = &messages[batch->messages_count];
    memset(message, 0, sizeof *message);
    message->target = target;
    message->body = batch->bodies.size;
    message->body_size = size;
    if (bytes_append(&batch->bodies, data, size) != 0) {
        return NULL;
    }
    batch->messages_count++;
    batch->answers_count += target == TARGET_ROUTE_API ? 1 : 0;
    return message;
}

int batch_add_read(struct batch *batch, enum write_kind kind, const struct effect *effect,
                   struct bus_route route)
{
    struct request *request = malloc(sizeof *request);
    struct reply *reply = malloc(sizeof *reply);
    struct write *write = add_write(batch);
    struct held_message *message = batch_add_message(batch, TARGET_ROUTE_API, "", 0);
    if (request == NULL || reply == NULL || write == NULL || message == NULL) {
        free(request);
        free(reply);
        batch->writes_count -= write != NULL ? 1 : 0;
        if (message != NULL) {
            batch->messages_count--;
            batch->answers_count--;
        }
        return -ENOMEM;
    }
    *request = *effect->reply.request;
    *reply = *effect->reply.reply;
    message->route = route;
    message->reply = reply;
    write->kind = kind;
    write->request = request;
    write->message = batch->messages_count - 1;
    name_write(write, request->service[0] != '\0' ? request->service : request->node,
               effect->reply.owner != NULL ? effect->reply.owner : "");
    return 0;
}

void batch_message_data(const struct batch *batch, const struct held_message *message,
                        const void **data, size_t *size)
{
    if (message->own.size > 0) {
        *data = message->own.data;
        *size = message->own.size;
    } else {
        *data = batch->bodies.data + message->body;
        *size = message->body_size;
    }
}

const struct batch_request *batch_find_request(const struct batch *batch, const char *principal,
                                               const uint8_t request_id[REQUEST_ID_BYTES])
{
    uint64_t key = request_key(principal, request_id);
    for (uint32_t i = 0; i < batch->requests_count; i++) {
        if (batch->requests[i].key == key) {
            return &batch->requests[i];
        }
    }
    return NULL;
}

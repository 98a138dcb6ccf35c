// SPDX-License-Identifier: Apache-2.0
/*
 * Reads one document: walks the tree of libyaml along the bindings, with a stack of its own,
 * and notes every mistake with its place.
 */
#include <assert.h>
#include <string.h>

#include "proto/text_document.h"

/* A mapping that is being read, and the sequence inside it, if one is. */
struct frame {
    const struct message_binding *binding;
    unsigned char *plain;
    const yaml_node_t *mapping;
    const yaml_node_pair_t *pair; /* next */
    uint64_t seen;                /* rows that were given: bit per index */
    size_t path_length;
    const struct field_binding *list; /* NULL: not in a sequence */
    const yaml_node_t *sequence;
    uint32_t index; /* next element */
};

struct reader {
    yaml_document_t *document;
    struct text_mistakes *mistakes;
    struct object *object;
    char path[TEXT_SIZE];
    uint32_t depth;
    struct frame frames[MESSAGE_DEPTH_MAX];
};

static const yaml_node_t *node_at(struct reader *reader, int index)
{
    return yaml_document_get_node(reader->document, index);
}

static const char *scalar_text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static void mistake_at(struct reader *reader, const yaml_node_t *node, const char *text)
{
    text_mistake_add(reader->mistakes, (int)node->start_mark.line + 1,
                     (int)node->start_mark.column + 1, reader->path, "%s", text);
}

static void path_set(struct reader *reader, size_t length, const char *word, int index)
{
    reader->path[length] = '\0';
    if (index < 0) {
        (void)snprintf(reader->path + length, sizeof reader->path - length, "%s%s",
                       length == 0 ? "" : ".", word);
    } else {
        (void)snprintf(reader->path + length, sizeof reader->path - length, "[%d]", index);
    }
}

bool text_node_has_tag(const yaml_node_t *node)
{
    /* What YAML itself puts on an untagged node. */
    static const char *const untagged[] = {YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    for (size_t i = 0; i < sizeof untagged / sizeof untagged[0]; i++) {
        if (node->tag == NULL || strcmp((const char *)node->tag, untagged[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* The text of a scalar; NULL, with a mistake, for anything else or a NUL inside. */
static const char *need_scalar(struct reader *reader, const yaml_node_t *node,
                               const struct field_binding *field)
{
    if (node->type != YAML_SCALAR_NODE) {
        char expected[TEXT_SIZE];
        char text[TEXT_SIZE + 16];
        text_value_expected(field, expected, sizeof expected);
        (void)snprintf(text, sizeof text, "expected %s", expected);
        mistake_at(reader, node, text);
        return NULL;
    }
    if (strlen(scalar_text(node)) != node->data.scalar.length) {
        mistake_at(reader, node, "holds a NUL");
        return NULL;
    }
    return scalar_text(node);
}

static void read_leaf(struct reader *reader, const struct frame *frame,
                      const struct field_binding *field, const yaml_node_t *node)
{
    const char *text = need_scalar(reader, node, field);
    struct err err = {0};
    if (text != NULL && text_value_set(field, frame->plain, text, &err) != 0) {
        mistake_at(reader, node, err.text);
    }
}

/* "cpu: 0.5" for "cpu: {min: 0.5, max: 0.5}". */
static void read_range(struct reader *reader, const struct frame *frame,
                       const struct field_binding *field, const yaml_node_t *node)
{
    struct err err = {0};
    unsigned char *plain = frame->plain + field->offset;
    for (uint32_t i = 0; i < field->message->fields_count; i++) {
        if (text_value_set(&field->message->fields[i], plain, scalar_text(node), &err) != 0) {
            mistake_at(reader, node, err.text);
            return;
        }
    }
}

static void push(struct reader *reader, const struct message_binding *binding,
                 unsigned char *plain, const yaml_node_t *mapping)
{
    assert(reader->depth < MESSAGE_DEPTH_MAX);
    struct frame *frame = &reader->frames[reader->depth++];
    *frame = (struct frame){.binding = binding, .mapping = mapping};
    frame->plain = plain;
    frame->pair = mapping->data.mapping.pairs.start;
    frame->path_length = strlen(reader->path);
}

static void read_message(struct reader *reader, struct frame *frame,
                         const struct field_binding *field, const yaml_node_t *node)
{
    if (field->kind == FIELD_OPTIONAL) {
        bool has = true;
        memcpy(frame->plain + field->other_offset, &has, sizeof has);
    }
    if (node->type == YAML_MAPPING_NODE) {
        push(reader, field->message, frame->plain + field->offset, node);
    } else if (node->type == YAML_SCALAR_NODE && text_is_range(field->message)) {
        read_range(reader, frame, field, node);
    } else {
        (void)need_scalar(reader, node, field);
        if (node->type == YAML_SCALAR_NODE) {
            mistake_at(reader, node, "expected fields with values");
        }
    }
}

static void begin_list(struct reader *reader, struct frame *frame,
                       const struct field_binding *field, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        mistake_at(reader, node, "expected a list");
        return;
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count > field->count_max) {
        char text[TEXT_SIZE];
        (void)snprintf(text, sizeof text, "%zu elements are more than %u", count,
                       field->count_max);
        mistake_at(reader, node, text);
        return;
    }
    if (count == 0 && field->required) {
        mistake_at(reader, node, "expected at least one");
    }
    uint32_t plain_count = (uint32_t)count;
    memcpy(frame->plain + field->other_offset, &plain_count, sizeof plain_count);
    frame->list = field;
    frame->sequence = node;
    frame->index = 0;
}

/* The next element of the sequence that the frame is in. */
static void read_element(struct reader *reader, struct frame *frame)
{
    const struct field_binding *field = frame->list;
    const yaml_node_item_t *items = frame->sequence->data.sequence.items.start;
    if (items + frame->index == frame->sequence->data.sequence.items.top) {
        frame->list = NULL;
        return;
    }
    uint32_t index = frame->index++;
    const yaml_node_t *node = node_at(reader, items[index]);
    char word[TEXT_WORD_SIZE];
    text_word(field, word);
    path_set(reader, frame->path_length, word, -1);
    path_set(reader, strlen(reader->path), NULL, (int)index);
    if (text_node_has_tag(node)) {
        mistake_at(reader, node, "tags are not supported");
        return;
    }
    size_t offset = (size_t)index * field->size;
    if (field->kind == FIELD_STRINGS) {
        struct field_binding element = *field;
        element.kind = FIELD_STRING;
        element.offset += (uint32_t)offset;
        read_leaf(reader, frame, &element, node);
    } else if (node->type == YAML_MAPPING_NODE) {
        push(reader, field->message, frame->plain + field->offset + offset, node);
    } else {
        mistake_at(reader, node, "expected fields with values");
    }
}

static void unknown_field(struct reader *reader, const struct frame *frame,
                          const yaml_node_t *key)
{
    const char *given = scalar_text(key);
    struct closest_word closest;
    closest_word_begin(&closest, given);
    for (uint32_t i = 0; i < frame->binding->fields_count; i++) {
        char word[TEXT_WORD_SIZE];
        text_word(&frame->binding->fields[i], word);
        closest_word_offer(&closest, word);
    }
    char suggestion[TEXT_WORD_SIZE + 20];
    char text[TEXT_SIZE];
    closest_word_print(&closest, suggestion, sizeof suggestion);
    (void)snprintf(text, sizeof text, "unknown field \"%.60s\"%s", given, suggestion);
    mistake_at(reader, key, text);
}

/* What a listing added to an object, at the top of a document: owner, revision, changed. */
static const struct field_binding *find_kept(const struct reader *reader, const char *word)
{
    const struct field_binding *field =
        reader->depth == 1 ? text_find_field(&object_binding, word, strlen(word)) : NULL;
    return field != NULL && field->kind != FIELD_MEMBER ? field : NULL;
}

static void read_pair(struct reader *reader, struct frame *frame)
{
    const yaml_node_t *key = node_at(reader, frame->pair->key);
    const yaml_node_t *value = node_at(reader, frame->pair->value);
    frame->pair++;
    reader->path[frame->path_length] = '\0';
    if (key->type != YAML_SCALAR_NODE || strlen(scalar_text(key)) != key->data.scalar.length) {
        mistake_at(reader, key, "expected the name of a field");
        return;
    }
    const char *word = scalar_text(key);
    const struct field_binding *field = text_find_field(frame->binding, word, strlen(word));
    if (field == NULL) {
        field = find_kept(reader, word);
        if (field == NULL) {
            unknown_field(reader, frame, key);
            return;
        }
        struct frame top = {.plain = (unsigned char *)reader->object};
        path_set(reader, frame->path_length, word, -1);
        read_leaf(reader, &top, field, value);
        return;
    }
    path_set(reader, frame->path_length, word, -1);
    uint64_t bit = 1ull << (field - frame->binding->fields);
    if ((frame->seen & bit) != 0) {
        mistake_at(reader, key, "given twice");
        return;
    }
    frame->seen |= bit;
    if (text_node_has_tag(value)) {
        mistake_at(reader, value, "tags are not supported");
    } else if (field->kind == FIELD_MESSAGES || field->kind == FIELD_STRINGS) {
        begin_list(reader, frame, field, value);
    } else if (field_is_message(field)) {
        read_message(reader, frame, field, value);
    } else {
        read_leaf(reader, frame, field, value);
    }
}

static void finish_mapping(struct reader *reader, const struct frame *frame)
{
    reader->path[frame->path_length] = '\0';
    for (uint32_t i = 0; i < frame->binding->fields_count; i++) {
        const struct field_binding *field = &frame->binding->fields[i];
        if (field->required && (frame->seen & (1ull << i)) == 0) {
            char word[TEXT_WORD_SIZE];
            char expected[TEXT_SIZE / 2];
            char text[TEXT_SIZE];
            text_word(field, word);
            text_value_expected(field, expected, sizeof expected);
            (void)snprintf(text, sizeof text, "missing field \"%s\": %s", word, expected);
            mistake_at(reader, frame->mapping, text);
        }
    }
}

void text_mapping_read(yaml_document_t *document, const yaml_node_t *root,
                       struct object *object, struct text_mistakes *mistakes)
{
    struct reader state = {.document = document, .mistakes = mistakes, .object = object};
    struct reader *reader = &state;
    path_set(reader, 0, object_kind_word(object->kind), -1);
    /* Every member of the union begins where the first one does. */
    push(reader, text_kind_binding(object->kind), (unsigned char *)&object->service, root);
    while (reader->depth > 0) {
        struct frame *frame = &reader->frames[reader->depth - 1];
        if (frame->list != NULL) {
            read_element(reader, frame);
        } else if (frame->pair < frame->mapping->data.mapping.pairs.top) {
            read_pair(reader, frame);
        } else {
            finish_mapping(reader, frame);
            reader->depth--;
        }
    }
}

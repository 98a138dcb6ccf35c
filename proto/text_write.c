// SPDX-License-Identifier: Apache-2.0
/* Objects and items as YAML and JSON. */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "proto/text_json.h"
#include "proto/text_tree.h"

#define JSON_DIGITS 15 /* what a decimal number of a file keeps in a double */

/* A JSON value and the YAML node that stands for it. */
struct pair {
    json_t *json;
    int node;
};

#define PENDING_MAX 4096

struct converter {
    yaml_document_t document;
    uint32_t pending_count;
    struct pair pending[PENDING_MAX];
};

/* True when other readers of YAML would take the text for something else than a text. */
static bool needs_quotes(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "~",   "y",  "n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return text[strspn(text, "+-.0123456789eExX_:")] == '\0';
}

static int add_scalar(struct converter *converter, const char *text, bool is_text)
{
    yaml_scalar_style_t style = is_text && needs_quotes(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
                                                              : YAML_PLAIN_SCALAR_STYLE;
    return yaml_document_add_scalar(&converter->document, NULL, (const yaml_char_t *)text, -1,
                                    style);
}

/* The node of a value; what it holds is added later. 0: no memory. */
static int add_value(struct converter *converter, json_t *json)
{
    char text[64] = "null";
    int node = 0;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        node = yaml_document_add_mapping(&converter->document, NULL, YAML_BLOCK_MAPPING_STYLE);
        break;
    case JSON_ARRAY:
        node =
            yaml_document_add_sequence(&converter->document, NULL, YAML_BLOCK_SEQUENCE_STYLE);
        break;
    case JSON_STRING: return add_scalar(converter, json_string_value(json), true);
    case JSON_INTEGER:
        (void)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        return add_scalar(converter, text, false);
    case JSON_REAL:
        (void)snprintf(text, sizeof text, "%.*g", JSON_DIGITS, json_real_value(json));
        return add_scalar(converter, text, false);
    case JSON_TRUE: return add_scalar(converter, "true", false);
    case JSON_FALSE: return add_scalar(converter, "false", false);
    case JSON_NULL: return add_scalar(converter, text, false);
    }
    if (node == 0 || converter->pending_count == PENDING_MAX) {
        return 0;
    }
    converter->pending[converter->pending_count++] = (struct pair){json, node};
    return node;
}

static bool add_members(struct converter *converter, const struct pair *pair)
{
    void *iterator = json_object_iter(pair->json);
    while (iterator != NULL) {
        int key = add_scalar(converter, json_object_iter_key(iterator), false);
        int value = key == 0 ? 0 : add_value(converter, json_object_iter_value(iterator));
        if (value == 0 || yaml_document_append_mapping_pair(&converter->document, pair->node,
                                                            key, value) == 0) {
            return false;
        }
        iterator = json_object_iter_next(pair->json, iterator);
    }
    return true;
}

static bool add_elements(struct converter *converter, const struct pair *pair)
{
    for (size_t i = 0; i < json_array_size(pair->json); i++) {
        int value = add_value(converter, json_array_get(pair->json, i));
        if (value == 0 ||
            yaml_document_append_sequence_item(&converter->document, pair->node, value) == 0) {
            return false;
        }
    }
    return true;
}

static bool convert(struct converter *converter, json_t *json)
{
    bool ok = add_value(converter, json) != 0;
    while (ok && converter->pending_count > 0) {
        struct pair pair = converter->pending[--converter->pending_count];
        ok = json_is_object(pair.json) ? add_members(converter, &pair)
                                       : add_elements(converter, &pair);
    }
    return ok;
}

/* The document belongs to the emitter once it was dumped. */
static bool emit(yaml_document_t *document, FILE *out)
{
    yaml_emitter_t emitter;
    if (yaml_emitter_initialize(&emitter) == 0) {
        yaml_document_delete(document);
        return false;
    }
    yaml_emitter_set_output_file(&emitter, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    bool ok = yaml_emitter_open(&emitter) != 0 && yaml_emitter_dump(&emitter, document) != 0 &&
              yaml_emitter_close(&emitter) != 0;
    yaml_emitter_delete(&emitter);
    return ok;
}

static int write_yaml(FILE *out, json_t *json)
{
    struct converter converter = {.pending_count = 0};
    if (yaml_document_initialize(&converter.document, NULL, NULL, NULL, 1, 1) == 0) {
        return -ENOMEM;
    }
    if (!convert(&converter, json)) {
        yaml_document_delete(&converter.document);
        return -ENOMEM;
    }
    return emit(&converter.document, out) ? 0 : -EIO;
}

int text_write_tree(FILE *out, enum text_format format, json_t *tree)
{
    size_t flags = JSON_REAL_PRECISION(JSON_DIGITS) |
                   (format == TEXT_JSON ? JSON_INDENT(2) : JSON_COMPACT);
    if (format == TEXT_YAML) {
        return write_yaml(out, tree);
    }
    bool written = json_dumpf(tree, out, flags) == 0 &&
                   (format != TEXT_JSON_LINE || fputc('\n', out) != EOF);
    return written ? 0 : -EIO;
}

static int write_and_drop(FILE *out, enum text_format format, json_t *tree)
{
    int rc = tree == NULL ? -ENOMEM : text_write_tree(out, format, tree);
    json_decref(tree);
    return rc;
}

int text_write_object(FILE *out, enum text_format format, const struct object *object)
{
    const struct message_binding *binding = text_kind_binding(object->kind);
    if (binding == NULL) {
        return -EINVAL;
    }
    return write_and_drop(out, format,
                          text_json(binding, &object->service, TEXT_JSON_ONLY_GIVEN));
}

/* An object is followed by what the orchestrator keeps about it. */
static json_t *object_tree(const struct object *object)
{
    const struct message_binding *binding = text_kind_binding(object->kind);
    json_t *tree =
        binding == NULL ? NULL : text_json(binding, &object->service, TEXT_JSON_ONLY_GIVEN);
    if (tree != NULL) {
        struct object kept = *object;
        kept.kind = OBJECT_KIND_UNSPECIFIED; /* leaves the union out */
        json_t *rest = text_json(&object_binding, &kept, TEXT_JSON_ONLY_GIVEN);
        (void)json_object_update_missing_new(tree, rest);
    }
    return tree;
}

json_t *text_item_tree(const struct item *item)
{
    if (item->kind == ITEM_KIND_OBJECT) {
        return object_tree(&item->object);
    }
    for (uint32_t i = 0; i < item_binding.fields_count; i++) {
        const struct field_binding *field = &item_binding.fields[i];
        if (field->value == (int)item->kind) {
            const unsigned char *plain = (const unsigned char *)item + field->offset;
            return text_json(field->message, plain, TEXT_JSON_ALL);
        }
    }
    return NULL;
}

int text_write_item(FILE *out, enum text_format format, const struct item *item)
{
    bool is_known = item->kind > ITEM_KIND_UNSPECIFIED && item->kind <= ITEM_KIND_PLACEMENT;
    return is_known ? write_and_drop(out, format, text_item_tree(item)) : -EINVAL;
}

// SPDX-License-Identifier: Apache-2.0
/* Reads objects from YAML or JSON, which is YAML in flow style: one parser for both. */
#include "proto/text_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX   ((size_t)16 << 20)
#define TEXT_NESTING_MAX 1000 /* of brackets; the time of libyaml grows with its square */

static void mistake_at(struct text_mistakes *mistakes, const yaml_node_t *node,
                       const char *text)
{
    text_mistake_add(mistakes, (int)node->start_mark.line + 1, (int)node->start_mark.column + 1,
                     "", "%s", text);
}

/* The kind whose name key the document has; a document without one gets the mistake. */
static enum object_kind find_kind(yaml_document_t *document, const yaml_node_t *root,
                                  struct text_mistakes *mistakes)
{
    struct closest_word closest;
    char suggestion[TEXT_WORD_SIZE + 20] = "";
    bool has_vm = false;
    const yaml_node_pair_t *end = root->data.mapping.pairs.top;
    for (int kind = OBJECT_KIND_SERVICE; kind < OBJECT_KIND_COUNT; kind++) {
        const char *word = object_kind_word((enum object_kind)kind);
        for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < end; p++) {
            const yaml_node_t *key = yaml_document_get_node(document, p->key);
            const char *given =
                key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "";
            bool same = strcmp(given, word) == 0;
            has_vm = has_vm || (same && kind == OBJECT_KIND_VM);
            if (same && kind != OBJECT_KIND_VM && !has_vm) {
                return (enum object_kind)kind;
            }
            closest_word_begin(&closest, given);
            closest_word_offer(&closest, word);
            if (suggestion[0] == '\0') {
                closest_word_print(&closest, suggestion, sizeof suggestion);
            }
        }
    }
    char text[TEXT_SIZE];
    (void)snprintf(text, sizeof text,
                   "expected one of service, node, image, storage, network, "
                   "agreement, settings with a name%s",
                   suggestion);
    mistake_at(mistakes, root,
               has_vm ? "VMs follow from their service; change one with \"arbiter set\""
                      : text);
    return OBJECT_KIND_UNSPECIFIED;
}

/* The node that a path such as "service.vms[0].cpu" leads to, or the last one on the way. */
static const yaml_node_t *locate(yaml_document_t *document, const yaml_node_t *root,
                                 const char *path)
{
    const yaml_node_t *node = root;
    const char *at = path + strcspn(path, ".[");
    while (*at != '\0') {
        const yaml_node_t *next = NULL;
        bool index = *at == '[';
        at++;
        size_t length = strcspn(at, ".[]");
        if (index && node->type == YAML_SEQUENCE_NODE) {
            size_t count =
                (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
            size_t wanted = strtoul(at, NULL, 10);
            next =
                wanted < count
                    ? yaml_document_get_node(document, node->data.sequence.items.start[wanted])
                    : NULL;
        } else if (!index && node->type == YAML_MAPPING_NODE) {
            const yaml_node_pair_t *p = node->data.mapping.pairs.start;
            for (; p < node->data.mapping.pairs.top && next == NULL; p++) {
                const yaml_node_t *key = yaml_document_get_node(document, p->key);
                bool same = key->type == YAML_SCALAR_NODE &&
                            key->data.scalar.length == length &&
                            memcmp(key->data.scalar.value, at, length) == 0;
                next = same ? yaml_document_get_node(document, p->value) : NULL;
            }
        }
        if (next == NULL) {
            break;
        }
        node = next;
        at += length + (index ? 1 : 0);
    }
    return node;
}

/* True when a mistake below this path was found before: what follows from it is not said again.
 */
static bool is_known(const struct text_mistakes *mistakes, size_t first, size_t end,
                     const char *path)
{
    size_t length = strlen(path);
    for (size_t i = first; i < end && i < TEXT_MISTAKES_MAX; i++) {
        if (strncmp(mistakes->items[i].path, path, length) == 0) {
            return true;
        }
    }
    return false;
}

/* What the fields say together, with the places of the fields. */
static void check_together(yaml_document_t *document, const yaml_node_t *root,
                           const struct object *object, size_t first,
                           struct text_mistakes *mistakes)
{
    size_t end = mistakes->count;
    (void)object_check(object, mistakes);
    size_t kept = end;
    for (size_t i = end; i < mistakes->count && i < TEXT_MISTAKES_MAX; i++) {
        struct text_mistake *mistake = &mistakes->items[i];
        if (is_known(mistakes, first, end, mistake->path)) {
            continue;
        }
        const yaml_node_t *node = locate(document, root, mistake->path);
        mistake->line = (int)node->start_mark.line + 1;
        mistake->column = (int)node->start_mark.column + 1;
        mistakes->items[kept++] = *mistake;
    }
    if (mistakes->count <= TEXT_MISTAKES_MAX) {
        mistakes->count = kept;
    }
}

static void read_document(yaml_document_t *document, struct object *object,
                          struct text_mistakes *mistakes)
{
    memset(object, 0, sizeof *object);
    const yaml_node_t *root = yaml_document_get_root_node(document);
    if (root->type != YAML_MAPPING_NODE || text_node_has_tag(root)) {
        mistake_at(mistakes, root, "expected fields with values");
        return;
    }
    object->kind = find_kind(document, root, mistakes);
    if (object->kind != OBJECT_KIND_UNSPECIFIED) {
        size_t first = mistakes->count;
        text_mapping_read(document, root, object, mistakes);
        check_together(document, root, object, first, mistakes);
    }
}

static bool is_empty(yaml_document_t *document)
{
    const yaml_node_t *root = yaml_document_get_root_node(document);
    return root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0 &&
           !text_node_has_tag(root);
}

static void place_of(const char *text, size_t offset, int *line, int *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < offset; i++) {
        *column = text[i] == '\n' ? 1 : *column + 1;
        *line += text[i] == '\n' ? 1 : 0;
    }
}

/* Bytes that are not UTF-8 have an offset, everything else a mark. */
static int syntax_mistake_at(const yaml_parser_t *parser, const char *text, size_t size,
                             struct text_mistakes *mistakes)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return -ENOMEM;
    }
    int line = (int)parser->problem_mark.line + 1;
    int column = (int)parser->problem_mark.column + 1;
    if (parser->error == YAML_READER_ERROR) {
        place_of(text, parser->problem_offset < size ? parser->problem_offset : size, &line,
                 &column);
    }
    text_mistake_add(mistakes, line, column, "", "%s%s%s",
                     parser->context == NULL ? "" : parser->context,
                     parser->context == NULL ? "" : ": ", parser->problem);
    return -EINVAL;
}

/* Brackets in quotes count too: no file has a thousand of them open. */
static int check_nesting(const char *text, size_t size, struct text_mistakes *mistakes)
{
    int depth = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '[' || text[i] == '{') {
            depth++;
        } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
            depth--;
        }
        if (depth > TEXT_NESTING_MAX) {
            int line = 0;
            int column = 0;
            place_of(text, i, &line, &column);
            text_mistake_add(mistakes, line, column, "", "brackets are nested too deep");
            return -EINVAL;
        }
    }
    return 0;
}

/* One pass over all documents; take NULL: only checks. */
static int read_all(const char *text, size_t size,
                    void (*take)(void *context, const struct object *object), void *context,
                    struct text_mistakes *mistakes)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    size_t objects = 0;
    int rc = 0;
    for (bool more = true; more && rc == 0;) {
        yaml_document_t document;
        if (yaml_parser_load(&parser, &document) == 0) {
            rc = syntax_mistake_at(&parser, text, size, mistakes);
            break;
        }
        more = yaml_document_get_root_node(&document) != NULL;
        if (more && !is_empty(&document)) {
            struct object object;
            read_document(&document, &object, mistakes);
            objects++;
            if (take != NULL) {
                take(context, &object);
            }
        }
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    if (rc == 0 && objects == 0) {
        text_mistake_add(mistakes, 1, 1, "", "no object in this text");
    }
    return rc == 0 && mistakes->count > 0 ? -EINVAL : rc;
}

int text_read_objects(const char *text, size_t size,
                      void (*take)(void *context, const struct object *object), void *context,
                      struct text_mistakes *mistakes)
{
    mistakes->count = 0;
    if (size > TEXT_BYTES_MAX) {
        text_mistake_add(mistakes, 1, 1, "", "%zu bytes are more than %zu", size,
                         TEXT_BYTES_MAX);
        return -EINVAL;
    }
    if (check_nesting(text, size, mistakes) != 0) {
        return -EINVAL;
    }
    int rc = read_all(text, size, NULL, NULL, mistakes);
    text_mistakes_sort(mistakes);
    if (rc == 0 && take != NULL) {
        rc = read_all(text, size, take, context, mistakes);
    }
    return rc;
}

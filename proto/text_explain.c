// SPDX-License-Identifier: Apache-2.0
/* What a field means, and which fields there are: from the bindings, for people and completion.
 */
#include <errno.h>
#include <string.h>

#include "proto/text_parts.h"

/* What a path leads to: the list of kinds, a kind, or a field of one. */
struct target {
    const struct message_binding *message; /* whose fields are below; NULL: none */
    const struct field_binding *field;     /* NULL: a kind itself, or the list */
    enum object_kind kind;                 /* 0: the list of kinds */
};

static const char *kind_about(enum object_kind kind)
{
    switch (kind) {
    case OBJECT_KIND_UNSPECIFIED: break;
    case OBJECT_KIND_SERVICE: return "a group of VMs with one objective and one entry point";
    case OBJECT_KIND_VM: return "a VM of a service; made by the manager, never by a file";
    case OBJECT_KIND_NODE: return "a host that runs VMs";
    case OBJECT_KIND_IMAGE: return "what the disk of a VM is made from";
    case OBJECT_KIND_STORAGE: return "a folder that several nodes have, for shared disks";
    case OBJECT_KIND_NETWORK: return "a network that exists on nodes as a bridge";
    case OBJECT_KIND_AGREEMENT: return "weight and quota of a provider";
    case OBJECT_KIND_SETTINGS: return "of the whole cluster";
    case OBJECT_KIND_PROFILE: return "what was measured of an application";
    }
    return "";
}

static void offer_children(const struct target *target, struct closest_word *closest)
{
    char word[TEXT_WORD_SIZE];
    for (int k = OBJECT_KIND_SERVICE; target->kind == 0 && k < OBJECT_KIND_COUNT; k++) {
        closest_word_offer(closest, object_kind_word((enum object_kind)k));
    }
    for (uint32_t i = 0; target->message != NULL && i < target->message->fields_count; i++) {
        text_word(&target->message->fields[i], word);
        closest_word_offer(closest, word);
    }
}

static int not_there(const struct target *target, const char *word, struct err *err)
{
    struct closest_word closest;
    char suggestion[TEXT_WORD_SIZE + 20];
    closest_word_begin(&closest, word);
    offer_children(target, &closest);
    closest_word_print(&closest, suggestion, sizeof suggestion);
    return err_set(err, -ENOENT, "no such field: \"%s\"%s", word, suggestion);
}

/* One part of the path further; false when there is nothing of that name. */
static bool descend(struct target *target, const char *part, size_t length)
{
    if (target->kind == OBJECT_KIND_UNSPECIFIED) {
        target->kind = text_find_kind(part, length);
        target->message = text_kind_binding(target->kind);
        return target->message != NULL;
    }
    if (target->message == NULL) {
        return false;
    }
    const struct field_binding *field = text_find_field(target->message, part, length);
    if (field != NULL) {
        target->field = field;
        target->message = field_is_message(field) ? field->message : NULL;
    }
    return field != NULL;
}

/* "service.vms[0].cpu": indexes are passed over. */
static int find_target(const char *path, struct target *target, struct err *err)
{
    *target = (struct target){0};
    while (*path != '\0') {
        size_t length = strcspn(path, ".[");
        if (!descend(target, path, length)) {
            char word[TEXT_WORD_SIZE];
            (void)snprintf(word, sizeof word, "%.*s", (int)length, path);
            return not_there(target, word, err);
        }
        path += length;
        path += *path == '[' ? strcspn(path, ".") : 0;
        path += *path == '.' ? 1 : 0;
    }
    return 0;
}

static void print_range(FILE *out, const struct field_binding *field)
{
    bool number = field->kind == FIELD_U32 || field->kind == FIELD_U64;
    if (number && field->max != 0) {
        char low[64];
        char high[64];
        text_value_number(field, field->min, low, sizeof low);
        text_value_number(field, field->max, high, sizeof high);
        (void)fprintf(out, "  range:    %s..%s\n", low, high);
    }
    if (field->kind == FIELD_DOUBLE && field->low < field->high) {
        (void)fprintf(out, "  range:    %g..%g\n", field->low, field->high);
    }
    if (field->kind == FIELD_STRING) {
        (void)fprintf(out, "  length:   at most %u bytes\n", field->size - 1);
    }
    if (field->kind == FIELD_MESSAGES || field->kind == FIELD_STRINGS) {
        (void)fprintf(out, "  elements: at most %u\n", field->count_max);
    }
}

static void print_field(FILE *out, const struct field_binding *field)
{
    char expected[TEXT_SIZE];
    text_value_expected(field, expected, sizeof expected);
    (void)fprintf(out, "  value:    %s%s\n", expected, field->required ? " (required)" : "");
    print_range(out, field);
    if (field->fallback != NULL) {
        (void)fprintf(out, "  default:  %s\n", field->fallback);
    }
}

static void print_children(FILE *out, const struct message_binding *message)
{
    (void)fprintf(out, "fields:\n");
    for (uint32_t i = 0; i < message->fields_count; i++) {
        const struct field_binding *field = &message->fields[i];
        char word[TEXT_WORD_SIZE];
        text_word(field, word);
        (void)fprintf(out, "  %-14s %s%s\n", word, field->about == NULL ? "" : field->about,
                      field->required ? " (required)" : "");
    }
}

int text_explain(FILE *out, const char *path, struct err *err)
{
    struct target target;
    int rc = find_target(path, &target, err);
    if (rc != 0) {
        return rc;
    }
    if (target.kind == OBJECT_KIND_UNSPECIFIED) {
        for (int k = OBJECT_KIND_SERVICE; k < OBJECT_KIND_COUNT; k++) {
            (void)fprintf(out, "%-10s %s\n", object_kind_word((enum object_kind)k),
                          kind_about((enum object_kind)k));
        }
        return 0;
    }
    const char *about = target.field == NULL ? kind_about(target.kind) : target.field->about;
    (void)fprintf(out, "%s: %s\n", path, about == NULL ? "" : about);
    if (target.field != NULL) {
        print_field(out, target.field);
    }
    if (target.message != NULL) {
        print_children(out, target.message);
    }
    return 0;
}

static void take_values(const struct field_binding *field,
                        void (*take)(void *context, const char *word), void *context)
{
    if (field->kind == FIELD_BOOL) {
        take(context, "true");
        take(context, "false");
    }
    for (uint32_t i = 0; field->kind == FIELD_ENUM && i < field->words->values_count; i++) {
        if (field->words->values[i].value != 0) {
            take(context, field->words->values[i].word);
        }
    }
}

void text_children(const char *path, void (*take)(void *context, const char *word),
                   void *context)
{
    struct target target;
    if (find_target(path, &target, NULL) != 0) {
        return;
    }
    for (int k = OBJECT_KIND_SERVICE; target.kind == 0 && k < OBJECT_KIND_COUNT; k++) {
        take(context, object_kind_word((enum object_kind)k));
    }
    for (uint32_t i = 0; target.message != NULL && i < target.message->fields_count; i++) {
        char word[TEXT_WORD_SIZE];
        text_word(&target.message->fields[i], word);
        take(context, word);
    }
    if (target.field != NULL && target.message == NULL) {
        take_values(target.field, take, context);
    }
}

// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "proto/text_parts.h"

static const char *unit_suffix(enum field_unit unit)
{
    switch (unit) {
    case UNIT_NONE: return "";
    case UNIT_MS: return "_ms";
    case UNIT_WALL_MS: return "_wall_ms";
    case UNIT_KIB: return "_kib";
    case UNIT_KIB_S: return "_kib_s";
    case UNIT_PCT: return "_pct";
    case UNIT_PERMILLE: return "_permille";
    }
    return "";
}

void text_word(const struct field_binding *field, char out[TEXT_WORD_SIZE])
{
    (void)snprintf(out, TEXT_WORD_SIZE, "%s", field->name);
    const char *suffix = unit_suffix(field->unit);
    size_t length = strlen(suffix);
    char *at = length == 0 ? NULL : strstr(out, suffix);
    while (at != NULL && at[length] != '\0' && at[length] != '_') {
        at = strstr(at + 1, suffix);
    }
    if (at != NULL) {
        memmove(at, at + length, strlen(at + length) + 1);
    }
}

const struct field_binding *text_find_field(const struct message_binding *binding,
                                            const char *word, size_t length)
{
    for (uint32_t i = 0; i < binding->fields_count; i++) {
        char own[TEXT_WORD_SIZE];
        text_word(&binding->fields[i], own);
        if (strlen(own) == length && memcmp(own, word, length) == 0) {
            return &binding->fields[i];
        }
    }
    return NULL;
}

const struct message_binding *text_kind_binding(enum object_kind kind)
{
    static const struct message_binding *const bindings[OBJECT_KIND_COUNT] = {
        [OBJECT_KIND_SERVICE] = &service_binding,
        [OBJECT_KIND_VM] = &vm_binding,
        [OBJECT_KIND_NODE] = &node_binding,
        [OBJECT_KIND_IMAGE] = &image_binding,
        [OBJECT_KIND_STORAGE] = &storage_binding,
        [OBJECT_KIND_NETWORK] = &network_binding,
        [OBJECT_KIND_AGREEMENT] = &agreement_binding,
        [OBJECT_KIND_SETTINGS] = &settings_binding,
        [OBJECT_KIND_PROFILE] = &profile_binding,
    };
    unsigned index = (unsigned)kind;
    return index < OBJECT_KIND_COUNT ? bindings[index] : NULL;
}

enum object_kind text_find_kind(const char *word, size_t length)
{
    for (int kind = OBJECT_KIND_SERVICE; kind < OBJECT_KIND_COUNT; kind++) {
        const char *own = object_kind_word((enum object_kind)kind);
        if (strlen(own) == length && memcmp(own, word, length) == 0) {
            return (enum object_kind)kind;
        }
    }
    return OBJECT_KIND_UNSPECIFIED;
}

bool text_is_range(const struct message_binding *binding)
{
    return binding->fields_count == 2 && strncmp(binding->fields[0].name, "min", 3) == 0 &&
           strncmp(binding->fields[1].name, "max", 3) == 0;
}

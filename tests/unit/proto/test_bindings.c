// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "proto/bindings.h"

static size_t count_messages(void)
{
    size_t count = 0;
    while (message_bindings_all()[count] != NULL) {
        count++;
    }
    return count;
}

Test(bindings, every_field_of_every_message_is_bound_under_the_same_index)
{
    for (size_t m = 0; m < count_messages(); m++) {
        const struct message_binding *binding = message_bindings_all()[m];
        const ProtobufCMessageDescriptor *descriptor = binding->descriptor;
        cr_assert_eq(binding->fields_count, descriptor->n_fields, "%s: %u rows, %u fields",
                     binding->name, binding->fields_count, descriptor->n_fields);
        for (unsigned i = 0; i < descriptor->n_fields; i++) {
            cr_assert_str_eq(binding->fields[i].name, descriptor->fields[i].name, "%s: row %u",
                             binding->name, i);
        }
    }
}

static bool type_fits(const struct field_binding *field, const ProtobufCFieldDescriptor *wire)
{
    bool repeated = wire->label == PROTOBUF_C_LABEL_REPEATED;
    bool member = (wire->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    switch (field->kind) {
    case FIELD_STRING: return wire->type == PROTOBUF_C_TYPE_STRING && !repeated;
    case FIELD_STRINGS: return wire->type == PROTOBUF_C_TYPE_STRING && repeated;
    case FIELD_BYTES: return wire->type == PROTOBUF_C_TYPE_BYTES && !repeated;
    case FIELD_U32: return wire->type == PROTOBUF_C_TYPE_UINT32 && !repeated;
    case FIELD_U64: return wire->type == PROTOBUF_C_TYPE_UINT64 && !repeated;
    case FIELD_I64: return wire->type == PROTOBUF_C_TYPE_INT64 && !repeated;
    case FIELD_DOUBLE: return wire->type == PROTOBUF_C_TYPE_DOUBLE && !repeated;
    case FIELD_BOOL: return wire->type == PROTOBUF_C_TYPE_BOOL && !repeated;
    case FIELD_ENUM:
        return wire->type == PROTOBUF_C_TYPE_ENUM && !repeated &&
               wire->descriptor == (const void *)field->words->descriptor;
    case FIELD_MESSAGE:
    case FIELD_OPTIONAL:
        return wire->type == PROTOBUF_C_TYPE_MESSAGE && !repeated && !member &&
               wire->descriptor == (const void *)field->message->descriptor;
    case FIELD_MEMBER:
        return wire->type == PROTOBUF_C_TYPE_MESSAGE && member &&
               wire->descriptor == (const void *)field->message->descriptor;
    case FIELD_MESSAGES:
    case FIELD_ITEMS:
        return wire->type == PROTOBUF_C_TYPE_MESSAGE && repeated &&
               wire->descriptor == (const void *)field->message->descriptor;
    }
    return false;
}

Test(bindings, every_row_has_the_type_of_its_field_and_lies_inside_the_struct)
{
    for (size_t m = 0; m < count_messages(); m++) {
        const struct message_binding *binding = message_bindings_all()[m];
        for (unsigned i = 0; i < binding->fields_count; i++) {
            const struct field_binding *field = &binding->fields[i];
            cr_assert(type_fits(field, &binding->descriptor->fields[i]), "%s.%s", binding->name,
                      field->name);
            cr_assert_lt(field->offset, binding->plain_size, "%s.%s", binding->name,
                         field->name);
            if (field->kind == FIELD_MESSAGES) {
                cr_assert_eq(field->size, field->message->plain_size, "%s.%s", binding->name,
                             field->name);
            }
        }
    }
}

Test(bindings, every_enumeration_has_the_same_names_and_values_on_the_wire)
{
    for (size_t e = 0; enum_bindings_all()[e] != NULL; e++) {
        const struct enum_binding *words = enum_bindings_all()[e];
        cr_assert_eq(words->values_count, words->descriptor->n_values, "%s", words->name);
        for (uint32_t i = 0; i < words->values_count; i++) {
            const ProtobufCEnumValue *wire =
                protobuf_c_enum_descriptor_get_value(words->descriptor, words->values[i].value);
            cr_assert_not_null(wire, "%s", words->values[i].name);
            cr_assert_str_eq(wire->name, words->values[i].name, "%s %d", words->name,
                             words->values[i].value);
        }
    }
}

/* The C enumerations that are closed by a count have no more members than the wire. */
Test(bindings, enumerations_with_a_count_are_complete)
{
    cr_assert_eq(reason_words.values_count, REASON_COUNT);
    cr_assert_eq(metric_kind_words.values_count, METRIC_KIND_COUNT);
    cr_assert_eq(object_kind_words.values_count, OBJECT_KIND_COUNT);
}

Test(bindings, words_are_those_that_the_model_prints)
{
    for (uint32_t i = 0; i < reason_words.values_count; i++) {
        const struct enum_value *value = &reason_words.values[i];
        cr_assert_str_eq(value->word, reason_word((enum reason)value->value));
    }
    for (uint32_t i = 1; i < object_kind_words.values_count; i++) {
        const struct enum_value *value = &object_kind_words.values[i];
        cr_assert_str_eq(value->word, object_kind_word((enum object_kind)value->value));
    }
    for (uint32_t i = 0; i < event_kind_words.values_count; i++) {
        const struct enum_value *value = &event_kind_words.values[i];
        cr_assert_str_eq(value->word, event_kind_word((enum event_kind)value->value));
    }
    for (uint32_t i = 0; i < run_state_words.values_count; i++) {
        const struct enum_value *value = &run_state_words.values[i];
        cr_assert_str_eq(value->word, run_state_word((enum run_state)value->value));
    }
}

/* Longest chain of messages below a message; 0 when it comes back to one that it began with. */
static unsigned depth_below(const struct message_binding *top)
{
    const struct message_binding *level[64] = {top};
    size_t level_count = 1;
    unsigned depth = 0;
    while (level_count > 0) {
        const struct message_binding *next[64];
        size_t next_count = 0;
        depth++;
        cr_assert_leq(depth, MESSAGE_DEPTH_MAX, "%s is recursive", top->name);
        for (size_t l = 0; l < level_count; l++) {
            for (uint32_t i = 0; i < level[l]->fields_count; i++) {
                const struct message_binding *child = level[l]->fields[i].message;
                bool known = child == NULL;
                for (size_t k = 0; k < next_count && !known; k++) {
                    known = next[k] == child;
                }
                if (!known) {
                    next[next_count++] = child;
                }
            }
        }
        memcpy(level, next, sizeof next);
        level_count = next_count;
    }
    return depth;
}

Test(bindings, no_message_is_deeper_than_the_walk)
{
    for (size_t m = 0; m < count_messages(); m++) {
        cr_assert_leq(depth_below(message_bindings_all()[m]), MESSAGE_DEPTH_MAX);
    }
}

Test(bindings, the_members_of_a_union_are_the_last_rows)
{
    for (size_t m = 0; m < count_messages(); m++) {
        const struct message_binding *binding = message_bindings_all()[m];
        bool seen = false;
        for (uint32_t i = 0; i < binding->fields_count; i++) {
            bool member = binding->fields[i].kind == FIELD_MEMBER;
            cr_assert(member || !seen, "%s.%s", binding->name, binding->fields[i].name);
            seen = member;
        }
    }
}

static const char *unit_suffix(enum field_unit unit)
{
    static const char *const suffixes[] = {"",       "_ms",  "_wall_ms", "_kib",
                                           "_kib_s", "_pct", "_permille"};
    return suffixes[unit];
}

Test(bindings, a_unit_is_in_the_name_of_its_field)
{
    for (size_t m = 0; m < count_messages(); m++) {
        const struct message_binding *binding = message_bindings_all()[m];
        for (uint32_t i = 0; i < binding->fields_count; i++) {
            const struct field_binding *field = &binding->fields[i];
            cr_assert_not_null(strstr(field->name, unit_suffix(field->unit)), "%s.%s",
                               binding->name, field->name);
        }
    }
}

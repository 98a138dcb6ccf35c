// SPDX-License-Identifier: Apache-2.0
#include "proto/bindings.h"

const struct message_binding *const *message_bindings_all(void)
{
    static const struct message_binding *const all[] = {
#define ADDRESS(name) &name##_binding,
        MESSAGE_BINDINGS(ADDRESS)
#undef ADDRESS
            NULL};
    return all;
}

const struct enum_binding *const *enum_bindings_all(void)
{
    static const struct enum_binding *const all[] = {
#define ADDRESS(name) &name##_words,
        ENUM_BINDINGS(ADDRESS)
#undef ADDRESS
            NULL};
    return all;
}

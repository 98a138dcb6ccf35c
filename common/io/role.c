// SPDX-License-Identifier: Apache-2.0
/* The words of roles, as keyring files and messages to people have them. */
#include <string.h>

#include "common/io/keys.h"

static const char *const words[ROLE_COUNT] = {"unspecified", "administrator", "provider",
                                              "observer", "agent"};

const char *role_word(enum role role)
{
    unsigned index = (unsigned)role;
    return index < ROLE_COUNT ? words[index] : words[0];
}

enum role role_from_word(const char *word)
{
    for (unsigned i = 1; i < ROLE_COUNT; i++) {
        if (strcmp(word, words[i]) == 0) {
            return (enum role)i;
        }
    }
    return ROLE_UNSPECIFIED;
}

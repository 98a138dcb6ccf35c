// SPDX-License-Identifier: Apache-2.0
#include "common/model/reason.h"

const char *reason_word(enum reason reason)
{
    static const char *const words[] = {
#define REASON_WORD(name, word) word,
        REASONS(REASON_WORD)
#undef REASON_WORD
    };
    unsigned index = (unsigned)reason;
    return index < (unsigned)REASON_COUNT ? words[index] : words[0];
}

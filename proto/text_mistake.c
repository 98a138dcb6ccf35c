// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <string.h>

#include "proto/syntax.h"
#include "proto/text_parts.h"

void text_mistake_add(struct text_mistakes *mistakes, int line, int column, const char *path,
                      const char *format, ...)
{
    if (mistakes->count < TEXT_MISTAKES_MAX) {
        struct text_mistake *mistake = &mistakes->items[mistakes->count];
        mistake->line = line;
        mistake->column = column;
        syntax_repair(mistake->path, sizeof mistake->path, path, false);
        char text[2 * TEXT_SIZE];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        syntax_repair(mistake->text, sizeof mistake->text, text, false);
    }
    mistakes->count++;
}

static bool is_before(const struct text_mistake *a, const struct text_mistake *b)
{
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

void text_mistakes_sort(struct text_mistakes *mistakes)
{
    size_t kept = mistakes->count < TEXT_MISTAKES_MAX ? mistakes->count : TEXT_MISTAKES_MAX;
    for (size_t i = 1; i < kept; i++) {
        struct text_mistake moving = mistakes->items[i];
        size_t at = i;
        while (at > 0 && is_before(&moving, &mistakes->items[at - 1])) {
            mistakes->items[at] = mistakes->items[at - 1];
            at--;
        }
        mistakes->items[at] = moving;
    }
}

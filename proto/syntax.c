// SPDX-License-Identifier: Apache-2.0
#include "proto/syntax.h"

#include <string.h>

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0u) == 0x80u;
}

static size_t length_by_first_byte(unsigned char c)
{
    if (c < 0x80u) {
        return 1;
    }
    if (c >= 0xC2u && c <= 0xDFu) {
        return 2;
    }
    if ((c & 0xF0u) == 0xE0u) {
        return 3;
    }
    return c >= 0xF0u && c <= 0xF4u ? 4 : 0;
}

size_t syntax_utf8_length(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    if (size == 0) {
        return 0;
    }
    size_t length = length_by_first_byte(s[0]);
    if (length == 0 || length > size) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(s[i])) {
            return 0;
        }
    }
    /* Overlong forms, surrogates, and what lies above U+10FFFF. */
    bool refused = (s[0] == 0xE0u && s[1] < 0xA0u) || (s[0] == 0xEDu && s[1] > 0x9Fu) ||
                   (s[0] == 0xF0u && s[1] < 0x90u) || (s[0] == 0xF4u && s[1] > 0x8Fu);
    return length > 1 && refused ? 0 : length;
}

/* Length of the character at text, 0 when it must not be there. C1 controls count as controls.
 */
static size_t allowed_length(const char *text, size_t size, bool lines)
{
    size_t length = syntax_utf8_length(text, size);
    unsigned char first = (unsigned char)text[0];
    if (length == 1) {
        bool line_character = lines && (first == '\n' || first == '\t');
        return (first >= 0x20u && first != 0x7Fu) || line_character ? 1 : 0;
    }
    bool control = length == 2 && first == 0xC2u && (unsigned char)text[1] < 0xA0u;
    return control ? 0 : length;
}

bool syntax_is_text(const char *text, size_t size, bool lines)
{
    for (size_t i = 0; i < size;) {
        if (text[i] >= 0x20 && text[i] < 0x7F) { /* nearly every character */
            i++;
            continue;
        }
        size_t length = allowed_length(text + i, size - i, lines);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

void syntax_repair(char *out, size_t size, const char *text, bool lines)
{
    size_t length = strnlen(text, size - 1);
    size_t written = 0;
    for (size_t i = 0; i < length;) {
        size_t step = allowed_length(text + i, length - i, lines);
        if (step == 0) {
            out[written++] = '?';
            i++;
            continue;
        }
        memcpy(out + written, text + i, step);
        written += step;
        i += step;
    }
    out[written] = '\0';
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || !is_lower_or_digit(text[0]) || !is_lower_or_digit(text[length - 1])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!is_lower_or_digit(text[i]) && text[i] != '.' && text[i] != '-') {
            return false;
        }
    }
    return true;
}

static bool is_word(const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (!is_lower_or_digit(text[i]) && text[i] != '_') {
            return false;
        }
    }
    return text[0] != '\0';
}

static bool is_hexadecimal(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (!digit && !(text[i] >= 'a' && text[i] <= 'f')) {
            return false;
        }
    }
    return true;
}

static bool is_uuid(const char *text)
{
    static const size_t groups[] = {8, 4, 4, 4, 12};
    if (strlen(text) != UUID_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (!is_hexadecimal(text, groups[i])) {
            return false;
        }
        text += groups[i];
        if (*text != (i + 1 < sizeof groups / sizeof groups[0] ? '-' : '\0')) {
            return false;
        }
        text++;
    }
    return true;
}

const char *syntax_mistake(enum field_syntax syntax, const char *text)
{
    switch (syntax) {
    case SYNTAX_ANY: return NULL;
    case SYNTAX_NAME:
        return is_name(text)
                   ? NULL
                   : "expected a name of a-z, 0-9, '-' and '.', with a letter or digit "
                     "at both ends";
    case SYNTAX_UUID: return is_uuid(text) ? NULL : "expected a UUID in lower case";
    case SYNTAX_SHA256:
        return strlen(text) == SHA256_SIZE - 1 && is_hexadecimal(text, SHA256_SIZE - 1)
                   ? NULL
                   : "expected 64 hexadecimal digits in lower case";
    case SYNTAX_WORD: return is_word(text) ? NULL : "expected a word of a-z, 0-9 and '_'";
    case SYNTAX_PATH: return text[0] == '/' ? NULL : "expected a path that begins with \"/\"";
    }
    return NULL;
}

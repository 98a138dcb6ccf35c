// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/xl_config.h"

#include <errno.h>
#include <string.h>

#include "orchestrator/client/xl_config_tree.h"

struct parser {
    const char *at;
    const char *end;
    int line;
    struct xl_config *out;
    struct xl_messages *messages;
    bool full;    /* told once: more than a limit */
    bool in_list; /* a list is open, whose rest may be on the next lines */
};

static int peek(const struct parser *parser)
{
    return parser->at < parser->end ? (unsigned char)*parser->at : -1;
}

static void mistake(struct parser *parser, int line, const char *text)
{
    xl_tell(parser->messages, XL_MISTAKE, line, "%s", text);
}

static void note_full(struct parser *parser, const char *what)
{
    if (!parser->full) {
        xl_tell(parser->messages, XL_MISTAKE, parser->line, "more %s than are read here", what);
    }
    parser->full = true;
}

static bool is_letter(int c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(int c)
{
    return is_letter(c) || is_digit(c) || c == '_';
}

static void skip_to_line_end(struct parser *parser)
{
    while (peek(parser) != -1 && peek(parser) != '\n') {
        parser->at++;
    }
}

/* Blanks and comments; with lines also the ends of lines. */
static void skip_blanks(struct parser *parser, bool lines)
{
    for (;;) {
        int c = peek(parser);
        if (c == '#') {
            skip_to_line_end(parser);
        } else if (c == '\n' && lines) {
            parser->line++;
            parser->at++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            parser->at++;
        } else {
            return;
        }
    }
}

/* KEY = or KEY += begins here. */
static bool is_assignment(const struct parser *parser)
{
    struct parser look = *parser;
    skip_blanks(&look, false);
    if (!is_letter(peek(&look))) {
        return false;
    }
    while (is_name(peek(&look))) {
        look.at++;
    }
    skip_blanks(&look, false);
    if (peek(&look) == '+') {
        look.at++;
    }
    return peek(&look) == '=';
}

/* After a mistake: on to the next line, within a list to the next one that looks like a
 * setting.
 */
static void recover(struct parser *parser)
{
    do {
        skip_to_line_end(parser);
        if (peek(parser) == '\n') {
            parser->at++;
            parser->line++;
        }
    } while (parser->in_list && peek(parser) != -1 && !is_assignment(parser));
    parser->in_list = false;
}

/* ---- text ---- */

static bool add_byte(struct parser *parser, char byte)
{
    struct xl_config *out = parser->out;
    if (out->text_size >= XL_TEXT_MAX - 1) { /* the last is kept for a NUL */
        note_full(parser, "bytes of text");
        return false;
    }
    out->text[out->text_size++] = byte;
    return true;
}

static bool end_text(struct parser *parser)
{
    if (parser->out->text_size >= XL_TEXT_MAX) {
        note_full(parser, "bytes of text");
        return false;
    }
    parser->out->text[parser->out->text_size++] = '\0';
    return true;
}

/* Copies what stands from the present place while is_member() says so. */
static bool take_word(struct parser *parser, bool (*is_member)(int c), uint32_t *text)
{
    *text = parser->out->text_size;
    while (is_member(peek(parser))) {
        if (!add_byte(parser, *parser->at)) {
            return false;
        }
        parser->at++;
    }
    return end_text(parser);
}

/* At most digits_max digits of a base; -1: none there. */
static int take_code(struct parser *parser, int base, int digits_max)
{
    int value = -1;
    for (int i = 0; i < digits_max; i++) {
        int c = peek(parser) | 0x20; /* digits already have that bit */
        int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : base;
        if (peek(parser) == -1 || digit >= base) {
            break;
        }
        value = (value < 0 ? 0 : value * base) + digit;
        parser->at++;
    }
    return value;
}

/* Behind a backslash. -1: there is no such escape. */
static int take_escape(struct parser *parser)
{
    static const char letters[] = "abfnrtv\"'\\";
    static const char bytes[] = "\a\b\f\n\r\t\v\"'\\";
    int c = peek(parser);
    const char *known = c > 0 ? strchr(letters, c) : NULL;
    if (known != NULL) {
        parser->at++;
        return bytes[known - letters];
    }
    if (c == 'x') {
        parser->at++;
        return take_code(parser, 16, 2);
    }
    return take_code(parser, 8, 3);
}

static bool take_string(struct parser *parser, uint32_t *text)
{
    int quote = peek(parser);
    int line = parser->line;
    parser->at++;
    *text = parser->out->text_size;
    while (peek(parser) != quote) {
        int c = peek(parser);
        if (c == -1 || c == '\n') {
            mistake(parser, line, "the string has no end on its line");
            return false;
        }
        parser->at++;
        if (c == '\\') {
            c = take_escape(parser);
            if (c < 1 || c > 255) {
                mistake(parser, line, "unknown escape in a string; write \\\\ for a backslash");
                return false;
            }
        } else if (c == '\0') {
            mistake(parser, line, "a zero byte in a string");
            return false;
        }
        if (!add_byte(parser, (char)c)) {
            return false;
        }
    }
    parser->at++;
    return end_text(parser);
}

/* ---- values ---- */

static uint16_t new_value(struct parser *parser, enum xl_value_kind kind)
{
    struct xl_config *out = parser->out;
    if (out->values_count == XL_VALUES_MAX) {
        note_full(parser, "values");
        return XL_NONE;
    }
    uint16_t index = (uint16_t)out->values_count++;
    out->values[index] = (struct xl_value){
        .kind = kind, .line = parser->line, .first = XL_NONE, .next = XL_NONE};
    return index;
}

static bool is_number_part(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || c == 'x';
}

static void tell_no_value(struct parser *parser)
{
    int c = peek(parser);
    if (c == -1 || c == '\n' || c == ';') {
        mistake(parser, parser->line, "the value is missing");
    } else if (is_letter(c) || (c >= 'A' && c <= 'Z')) {
        mistake(parser, parser->line,
                "expected a string in quotes, a number or a list; a file for xm may hold "
                "Python, which xl does not read");
    } else {
        xl_tell(parser->messages, XL_MISTAKE, parser->line,
                c > 0x20 && c < 0x7f ? "unexpected \"%c\"" : "unexpected byte %d", c);
    }
}

/* A string or a number. */
static uint16_t take_atom(struct parser *parser)
{
    int c = peek(parser);
    uint32_t text = 0;
    bool taken = false;
    if (c == '"' || c == '\'') {
        taken = take_string(parser, &text);
    } else if (is_digit(c)) {
        taken = take_word(parser, is_number_part, &text);
    } else {
        tell_no_value(parser);
    }
    uint16_t index = taken ? new_value(parser, XL_STRING) : XL_NONE;
    if (index != XL_NONE) {
        parser->out->values[index].text = text;
    }
    return index;
}

/* The lists that are open, from the outermost on. */
struct open_lists {
    int depth;
    uint16_t lists[XL_DEPTH_MAX];
    uint16_t newest[XL_DEPTH_MAX]; /* newest member of each, XL_NONE: none */
};

static void append(struct xl_config *out, struct open_lists *open, uint16_t value)
{
    int top = open->depth - 1;
    if (open->newest[top] == XL_NONE) {
        out->values[open->lists[top]].first = value;
    } else {
        out->values[open->newest[top]].next = value;
    }
    open->newest[top] = value;
}

/* Opens a list at "[". XL_NONE after telling what is wrong. */
static uint16_t open_list(struct parser *parser, struct open_lists *open)
{
    if (open->depth == XL_DEPTH_MAX) {
        mistake(parser, parser->line, "lists in lists go too deep");
        return XL_NONE;
    }
    uint16_t list = new_value(parser, XL_LIST);
    if (list == XL_NONE) {
        return XL_NONE;
    }
    parser->at++;
    if (open->depth > 0) {
        append(parser->out, open, list);
    }
    open->lists[open->depth] = list;
    open->newest[open->depth] = XL_NONE;
    open->depth++;
    return list;
}

/* Behind a member: "]" closes its list (and perhaps the one around it), "," goes on. */
static bool after_member(struct parser *parser, struct open_lists *open)
{
    while (open->depth > 0) {
        skip_blanks(parser, true);
        if (peek(parser) == ',') {
            parser->at++;
            return true;
        }
        if (peek(parser) != ']') {
            mistake(parser, parser->line,
                    peek(parser) == -1 ? "the list has no end" : "expected \",\" or \"]\"");
            return false;
        }
        parser->at++;
        open->depth--;
    }
    return true;
}

static uint16_t take_value(struct parser *parser)
{
    if (peek(parser) != '[') {
        return take_atom(parser);
    }
    struct open_lists open = {0};
    uint16_t outermost = open_list(parser, &open);
    parser->in_list = true;
    while (open.depth > 0) {
        skip_blanks(parser, true);
        int c = peek(parser);
        uint16_t value = XL_NONE;
        if (c == '[') {
            if (open_list(parser, &open) == XL_NONE) {
                return XL_NONE;
            }
            continue;
        }
        if (c == ']') { /* empty, or a comma before it */
            parser->at++;
            open.depth--;
        } else if ((value = take_atom(parser)) != XL_NONE) {
            append(parser->out, &open, value);
        } else {
            return XL_NONE;
        }
        if (!after_member(parser, &open)) {
            return XL_NONE;
        }
    }
    parser->in_list = false;
    return outermost;
}

/* ---- settings ---- */

/* The text of two strings behind each other, or the members of two lists in one. */
static void add_to(struct parser *parser, const struct xl_setting *setting, uint16_t more)
{
    struct xl_config *out = parser->out;
    struct xl_value *value = &out->values[setting->value];
    if (value->kind != out->values[more].kind) {
        mistake(parser, parser->line, "\"+=\" adds a list to a list or a string to a string");
    } else if (value->kind == XL_LIST) {
        uint16_t *end = &value->first;
        while (*end != XL_NONE) {
            end = &out->values[*end].next;
        }
        *end = out->values[more].first;
    } else {
        uint32_t sources[2] = {value->text, out->values[more].text};
        uint32_t joined = out->text_size;
        bool fits = true;
        for (int i = 0; i < 2; i++) {
            size_t length = strlen(out->text + sources[i]);
            for (size_t at = 0; at < length && fits; at++) {
                fits = add_byte(parser, out->text[sources[i] + at]);
            }
        }
        if (fits && end_text(parser)) {
            value->text = joined;
        }
    }
}

static void store(struct parser *parser, struct xl_setting setting, bool adds)
{
    struct xl_config *out = parser->out;
    struct xl_setting *before = xl_tree_find(out, out->text + setting.name);
    if (before != NULL && adds) {
        add_to(parser, before, setting.value);
    } else if (before != NULL) {
        xl_tell(parser->messages, XL_WARNING, setting.line,
                "%s was given in line %d already; this one counts", out->text + setting.name,
                before->line);
        *before = setting;
    } else if (out->settings_count == XL_SETTINGS_MAX) {
        note_full(parser, "settings");
    } else {
        out->settings[out->settings_count++] = setting;
    }
}

/* One setting. False: a mistake was told. */
static bool take_setting(struct parser *parser)
{
    struct xl_setting setting = {.line = parser->line};
    if (!is_letter(peek(parser))) {
        mistake(parser, parser->line, "expected KEY = VALUE, with a key in small letters");
        return false;
    }
    if (!take_word(parser, is_name, &setting.name)) {
        return false;
    }
    skip_blanks(parser, false);
    bool adds = peek(parser) == '+';
    parser->at += adds ? 1 : 0;
    if (peek(parser) != '=') {
        xl_tell(parser->messages, XL_MISTAKE, parser->line, "expected \"=\" behind %s",
                parser->out->text + setting.name);
        return false;
    }
    parser->at++;
    skip_blanks(parser, false);
    setting.value = take_value(parser);
    if (setting.value == XL_NONE) {
        return false;
    }
    store(parser, setting, adds);
    skip_blanks(parser, false);
    int c = peek(parser);
    if (c != -1 && c != '\n' && c != ';') {
        mistake(parser, parser->line, "unexpected text behind the value");
        return false;
    }
    return true;
}

int xl_config_parse(const char *text, size_t size, struct xl_config *out,
                    struct xl_messages *messages)
{
    uint32_t before = messages->mistakes;
    out->settings_count = 0;
    out->values_count = 0;
    out->text_size = 0;
    struct parser parser = {
        .at = text, .end = text + size, .line = 1, .out = out, .messages = messages};
    if (size > XL_BYTES_MAX) {
        xl_tell(messages, XL_MISTAKE, 0, "larger than %u KiB", XL_BYTES_MAX >> 10);
        return -EINVAL;
    }
    for (;;) {
        skip_blanks(&parser, true);
        if (peek(&parser) == ';') {
            parser.at++;
            continue;
        }
        if (peek(&parser) == -1 || parser.full) {
            break;
        }
        if (!take_setting(&parser)) {
            recover(&parser);
        }
    }
    return messages->mistakes == before ? 0 : -EINVAL;
}

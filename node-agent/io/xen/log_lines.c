// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/log_lines.h"

#include <ctype.h>
#include <string.h>

#define SEPARATOR "; "

void log_lines_clear(struct log_lines *lines)
{
    lines->text[0] = '\0';
    lines->length = 0;
}

const char *log_lines_message(const char *line)
{
    size_t file = strcspn(line, ": ");
    if (file < 3 || line[file] != ':' || strncmp(line + file - 2, ".c", 2) != 0) {
        return line;
    }
    const char *at = line + file + 1;
    at += strspn(at, "0123456789");
    const char *end = strstr(at, ": ");
    return *at == ':' && end != NULL ? end + 2 : line;
}

void log_lines_add(struct log_lines *lines, const char *line)
{
    const char *message = log_lines_message(line);
    size_t length = strlen(message);
    while (length > 0 && isspace((unsigned char)message[length - 1])) {
        length--;
    }
    size_t gap = lines->length == 0 ? 0 : strlen(SEPARATOR);
    size_t room = LOG_LINES_SIZE - 1 - lines->length;
    if (length == 0 || room <= gap) {
        return;
    }
    char added[LOG_LINES_SIZE];
    size_t taken = length < sizeof added - 1 ? length : sizeof added - 1;
    memcpy(added, message, taken);
    added[taken] = '\0';
    if (strstr(lines->text, added) != NULL) {
        return;
    }
    memcpy(lines->text + lines->length, SEPARATOR, gap);
    lines->length += gap;
    room -= gap;
    taken = taken < room ? taken : room;
    for (size_t i = 0; i < taken; i++) {
        unsigned char byte = (unsigned char)added[i];
        lines->text[lines->length + i] = (char)(byte < ' ' ? ' ' : byte);
    }
    lines->length += taken;
    lines->text[lines->length] = '\0';
}

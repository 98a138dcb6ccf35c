// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/xl_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_SIZE 512

/* One part between commas, without the blanks around it. */
struct part {
    char text[PART_SIZE];
    char *value; /* behind "=", NULL: there is none */
};

/* Takes the part at *at, which moves behind its comma. 1; 0: no more; -E2BIG. */
static int next_part(const char **at, struct part *out)
{
    if (*at == NULL) {
        return 0;
    }
    const char *begin = *at + strspn(*at, " \t");
    size_t length = strcspn(begin, ",");
    *at = begin[length] == ',' ? begin + length + 1 : NULL;
    while (length > 0 && (begin[length - 1] == ' ' || begin[length - 1] == '\t')) {
        length--;
    }
    if (length >= sizeof out->text) {
        return -E2BIG;
    }
    memcpy(out->text, begin, length);
    out->text[length] = '\0';
    out->value = strchr(out->text, '=');
    if (out->value != NULL) {
        *out->value++ = '\0';
    }
    return 1;
}

static bool copy(char *out, size_t size, const char *value)
{
    return (size_t)snprintf(out, size, "%s", value) < size;
}

/* ---- disks ---- */

struct disk_parser {
    struct xl_disk *out;
    struct xl_messages *messages;
    bool old_form; /* "phy:TARGET,VDEV,ACCESS": no format among the positions */
    int position;  /* next without a name */
    bool failed;
};

static void disk_wrong(struct disk_parser *parser, const char *what, const char *value)
{
    xl_tell(parser->messages, XL_MISTAKE, parser->out->line, "disk: %s \"%.200s\"", what,
            value);
    parser->failed = true;
}

static void set_target(struct disk_parser *parser, const char *value)
{
    bool relative = value[0] != '/' && value[0] != '\0';
    char *out = parser->out->target;
    if (strlen(value) + strlen("/dev/") >= PATH_SIZE) {
        disk_wrong(parser, "this path is too long:", value);
        return;
    }
    (void)snprintf(out, PATH_SIZE, "%s%.240s", relative ? "/dev/" : "", value);
}

static void set_format(struct disk_parser *parser, const char *value)
{
    static const char *const known[] = {"raw", "qcow", "qcow2", "vhd", "qed"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i], value) == 0) {
            (void)copy(parser->out->format, sizeof parser->out->format, value);
            return;
        }
    }
    if (value[0] != '\0') {
        disk_wrong(parser, "unknown format", value);
    }
}

static void set_access(struct disk_parser *parser, const char *value)
{
    if (strcmp(value, "r") == 0 || strcmp(value, "ro") == 0) {
        parser->out->read_only = true;
    } else if (strcmp(value, "w") != 0 && strcmp(value, "rw") != 0 &&
               strcmp(value, "w!") != 0 && value[0] != '\0') {
        disk_wrong(parser, "unknown access", value);
    }
}

static void set_vdev(struct disk_parser *parser, char *value)
{
    char *kind = strchr(value, ':'); /* "hdc:cdrom", as xm wrote it */
    if (kind != NULL) {
        *kind++ = '\0';
        parser->out->cdrom = strcmp(kind, "cdrom") == 0;
    }
    if (!copy(parser->out->vdev, sizeof parser->out->vdev, value)) {
        disk_wrong(parser, "unknown device", value);
    }
}

static void take_position(struct disk_parser *parser, char *value)
{
    int position = parser->position++;
    if (position > 0 && parser->old_form) {
        position++;
    }
    switch (position) {
    case 0: set_target(parser, value); return;
    case 1: set_format(parser, value); return;
    case 2: set_vdev(parser, value); return;
    case 3: set_access(parser, value); return;
    default: break;
    }
    if (value[0] != '\0') {
        disk_wrong(parser, "unexpected", value);
    }
}

static void take_named(struct disk_parser *parser, const char *name, char *value)
{
    if (strcmp(name, "format") == 0) {
        set_format(parser, value);
    } else if (strcmp(name, "vdev") == 0) {
        set_vdev(parser, value);
    } else if (strcmp(name, "access") == 0) {
        set_access(parser, value);
    } else if (strcmp(name, "devtype") == 0) {
        parser->out->cdrom = strcmp(value, "cdrom") == 0;
    } else if (strcmp(name, "script") == 0) {
        parser->out->scripted = true;
    } else if (strcmp(name, "backend") == 0 || strcmp(name, "backendtype") == 0 ||
               strcmp(name, "discard") == 0) {
        return; /* how the host serves it: the driver's business */
    } else {
        disk_wrong(parser, "unknown parameter", name);
    }
}

static bool take_flag(struct disk_parser *parser, const char *word)
{
    static const char *const silent[] = {"direct-io-safe", "discard",  "no-discard",
                                         "colo",           "no-colo",  "specification",
                                         "trusted",        "untrusted"};
    if (strcmp(word, "cdrom") == 0) {
        parser->out->cdrom = true;
        return true;
    }
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        if (strcmp(silent[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* "phy:", "file:", "tap:aio:", "qcow2:" in front of the target, as xm had it. */
static const char *take_prefixes(struct disk_parser *parser, const char *text)
{
    static const char *const prefixes[] = {"phy", "file", "tap",   "tap2", "aio", "ioemu",
                                           "raw", "qcow", "qcow2", "vhd",  "qed"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes;) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(text, prefixes[i], length) == 0 && text[length] == ':') {
            parser->old_form = true;
            if (i >= 6) {
                set_format(parser, prefixes[i]);
            }
            text += length + 1;
            i = 0;
        } else {
            i++;
        }
    }
    return text;
}

int xl_disk_parse(const char *text, int line, struct xl_disk *out, struct xl_messages *messages)
{
    struct disk_parser parser = {.out = out, .messages = messages};
    struct part part;
    int rc = 0;
    *out = (struct xl_disk){.line = line, .format = "raw"};
    const char *at = take_prefixes(&parser, text + strspn(text, " \t"));
    if (strncmp(at, "script:", 7) == 0 || strncmp(at, "iscsi:", 6) == 0 ||
        strncmp(at, "nbd:", 4) == 0 || strncmp(at, "drbd:", 5) == 0) {
        out->scripted = true;
    }
    for (;;) {
        const char *named = at != NULL ? at + strspn(at, " \t") : NULL;
        if (named != NULL && strncmp(named, "target=", 7) == 0) {
            set_target(&parser, named + 7); /* takes all that is left */
            break;
        }
        rc = next_part(&at, &part);
        if (rc <= 0) {
            break;
        }
        if (part.value != NULL) {
            take_named(&parser, part.text, part.value);
        } else if (!take_flag(&parser, part.text)) {
            take_position(&parser, part.text);
        }
    }
    if (rc < 0) {
        disk_wrong(&parser, "too long:", text);
    }
    out->read_only = out->read_only || out->cdrom;
    if (!parser.failed && out->vdev[0] == '\0') {
        disk_wrong(&parser, "no virtual device such as xvda in", text);
    }
    return parser.failed ? -EINVAL : 0;
}

/* ---- network interfaces ---- */

uint64_t xl_rate_parse(const char *text)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return 0;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    uint64_t scale = *end == 'K'   ? 1000u
                     : *end == 'M' ? 1000000u
                     : *end == 'G' ? 1000000000u
                                   : 1;
    end += scale > 1 ? 1 : 0;
    bool bits = *end == 'b';
    if (errno != 0 || number == 0 || number > UINT64_MAX / scale ||
        (*end != 'b' && *end != 'B') || strncmp(end + 1, "/s", 2) != 0 ||
        (end[3] != '\0' && end[3] != '@')) {
        return 0;
    }
    uint64_t bytes = number * scale / (bits ? 8 : 1);
    return bytes < 1024 ? 1 : bytes / 1024;
}

static bool take_vif_part(const struct part *part, struct xl_vif *out)
{
    const char *name = part->text;
    const char *value = part->value != NULL ? part->value : "";
    if (strcmp(name, "bridge") == 0) {
        return copy(out->bridge, sizeof out->bridge, value);
    }
    if (strcmp(name, "mac") == 0) {
        return copy(out->mac, sizeof out->mac, value);
    }
    if (strcmp(name, "ip") == 0) {
        return copy(out->ip, sizeof out->ip, value);
    }
    if (strcmp(name, "script") == 0) {
        return copy(out->script, sizeof out->script, value);
    }
    if (strcmp(name, "rate") == 0) {
        out->rate_kib_s = xl_rate_parse(value);
        return out->rate_kib_s != 0;
    }
    static const char *const silent[] = {"type",    "model",      "vifname", "backend", "devid",
                                         "trusted", "gatewaydev", "mtu",     "accel"};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        if (strcmp(silent[i], name) == 0) {
            return true;
        }
    }
    return false;
}

int xl_vif_parse(const char *text, int line, struct xl_vif *out, struct xl_messages *messages)
{
    struct part part;
    bool failed = false;
    *out = (struct xl_vif){.line = line};
    const char *at = text;
    int rc = 0;
    while ((rc = next_part(&at, &part)) > 0) {
        if (part.text[0] == '\0' && part.value == NULL) {
            continue;
        }
        if (!take_vif_part(&part, out)) {
            failed = true;
            xl_tell(messages, XL_MISTAKE, line, "vif: %.60s%s%.200s is not understood",
                    part.text, part.value != NULL ? "=" : "",
                    part.value != NULL ? part.value : "");
        }
    }
    if (rc < 0) {
        failed = true;
        xl_tell(messages, XL_MISTAKE, line, "vif: too long");
    }
    return failed ? -EINVAL : 0;
}

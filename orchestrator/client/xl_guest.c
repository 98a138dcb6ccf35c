// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/xl_guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the package grub-xen-host: grub as a kernel, reads grub.cfg on the guest's own disk. */
#define GRUB_PV  "/usr/lib/grub-xen/grub-x86_64-xen.bin"
#define GRUB_PVH "/usr/lib/grub-xen/grub-i386-xen_pvh.bin"

#define VCPUS_MAX      512
#define MEMORY_MIB_MAX (64u << 20)

bool xl_guest_is_plain(const struct xl_value *value, const char *text, const char *name,
                       struct xl_messages *messages)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7e) {
            xl_tell(messages, XL_MISTAKE, value->line,
                    "%s: byte %d is no letter, digit or sign of ASCII", name,
                    (unsigned char)*at);
            return false;
        }
    }
    return true;
}

const char *xl_guest_text(struct xl_config *config, const char *name,
                          struct xl_messages *messages)
{
    const struct xl_setting *setting = xl_config_find(config, name);
    if (setting == NULL) {
        return NULL;
    }
    const struct xl_value *value = xl_config_value(config, setting);
    if (value->kind != XL_STRING) {
        xl_tell(messages, XL_MISTAKE, setting->line, "%s: expected a string, got a list", name);
        return NULL;
    }
    const char *text = xl_config_text(config, value);
    return xl_guest_is_plain(value, text, name, messages) ? text : NULL;
}

static void tell_missing(const struct xl_guest *guest, const char *text,
                         struct xl_messages *messages)
{
    if (!guest->unread) {
        xl_tell(messages, XL_MISTAKE, 0, "%s", text);
    }
}

static int line_of(struct xl_config *config, const char *name)
{
    const struct xl_setting *setting = xl_config_find(config, name);
    return setting != NULL ? setting->line : 0;
}

struct range {
    uint64_t fallback; /* when it is not given, or wrong */
    uint64_t min;
    uint64_t max;
};

/* A whole number, also as a string, as xl takes it. */
static uint64_t take_number(struct xl_config *config, const char *name, struct range range,
                            struct xl_messages *messages)
{
    const char *text = xl_guest_text(config, name, messages);
    if (text == NULL) {
        return range.fallback;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 0);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || number < range.min ||
        number > range.max) {
        xl_tell(messages, XL_MISTAKE, line_of(config, name),
                "%s: expected a whole number from %llu to %llu, got \"%.64s\"", name,
                (unsigned long long)range.min, (unsigned long long)range.max, text);
        return range.fallback;
    }
    return number;
}

static void take_path(struct xl_config *config, const char *name, char out[PATH_SIZE],
                      struct xl_messages *messages)
{
    const char *text = xl_guest_text(config, name, messages);
    if (text == NULL) {
        return;
    }
    if (text[0] != '/' || strlen(text) >= PATH_SIZE) {
        xl_tell(messages, XL_MISTAKE, line_of(config, name),
                "%s: expected a path from / on, shorter than %d bytes, got \"%.100s\"", name,
                PATH_SIZE, text);
        return;
    }
    (void)snprintf(out, PATH_SIZE, "%s", text);
}

size_t xl_guest_name(char out[NAME_SIZE], const char *from)
{
    size_t length = 0;
    for (const char *at = from; *at != '\0' && length < NAME_SIZE - 1; at++) {
        char c = *at;
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c | 0x20);
        }
        bool inside = length > 0 && (c == '-' || c == '.');
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || inside;
        if (fine) {
            out[length++] = c;
        } else if (length > 0) {
            out[length++] = '-';
        }
    }
    while (length > 0 && (out[length - 1] == '-' || out[length - 1] == '.')) {
        length--;
    }
    out[length] = '\0';
    return length;
}

static void take_name(struct xl_config *config, struct xl_guest *out,
                      struct xl_messages *messages)
{
    const char *text = xl_guest_text(config, "name", messages);
    if (text == NULL) {
        if (xl_config_find(config, "name") == NULL) {
            tell_missing(out, "name: is missing", messages);
        }
        return;
    }
    size_t length = xl_guest_name(out->name, text);
    /* With a group: SERVICE-GROUP-NUMBER is a name, too. */
    if (length == 0 || length > NAME_SIZE - 10) {
        xl_tell(messages, XL_MISTAKE, line_of(config, "name"),
                "name: expected 1 to %d letters and digits, got \"%.100s\"", NAME_SIZE - 10,
                text);
    } else if (strcmp(out->name, text) != 0) {
        xl_tell(messages, XL_WARNING, line_of(config, "name"), "name: \"%.64s\" becomes %s",
                text, out->name);
    }
}

static void refuse_hvm(struct xl_guest *out, int line, struct xl_messages *messages)
{
    out->hvm = true;
    xl_tell(
        messages, XL_MISTAKE, line,
        "an HVM guest: Arbiter runs PV and PVH guests, without a device model. A Linux guest "
        "from 4.11 on runs as type = \"pvh\" with kernel = \"" GRUB_PVH
        "\" (package grub-xen-host)");
}

static void take_type(struct xl_config *config, struct xl_guest *out,
                      struct xl_messages *messages)
{
    const char *type = xl_guest_text(config, "type", messages);
    const char *builder = xl_guest_text(config, "builder", messages);
    bool old_pvh = take_number(config, "pvh", (struct range){0, 0, 1}, messages) == 1;
    out->type = old_pvh ? GUEST_TYPE_PVH : GUEST_TYPE_PV; /* xl's default is PV */
    if (type != NULL) {
        out->type = strcmp(type, "pvh") == 0 ? GUEST_TYPE_PVH : GUEST_TYPE_PV;
        if (strcmp(type, "hvm") == 0) {
            refuse_hvm(out, line_of(config, "type"), messages);
        } else if (strcmp(type, "pv") != 0 && strcmp(type, "pvh") != 0) {
            xl_tell(messages, XL_MISTAKE, line_of(config, "type"),
                    "type: expected pv or pvh, got \"%.64s\"", type);
        }
    } else if (builder != NULL && strcmp(builder, "hvm") == 0) {
        refuse_hvm(out, line_of(config, "builder"), messages);
    } else if (builder != NULL && strcmp(builder, "generic") != 0 &&
               strcmp(builder, "linux") != 0) {
        xl_tell(messages, XL_MISTAKE, line_of(config, "builder"),
                "builder: expected generic, got \"%.64s\"", builder);
    }
}

/* pygrub reads the guest's disk in dom0; grub as the kernel does the same inside the guest. */
static void take_kernel(struct xl_config *config, struct xl_guest *out,
                        struct xl_messages *messages)
{
    const char *loader = xl_guest_text(config, "bootloader", messages);
    bool has_kernel = xl_guest_text(config, "kernel", messages) != NULL;
    take_path(config, "kernel", out->kernel, messages);
    take_path(config, "ramdisk", out->ramdisk, messages);
    if (loader == NULL) {
        if (!has_kernel && !out->hvm) {
            tell_missing(out, "kernel: is missing, and there is no bootloader", messages);
        }
        return;
    }
    int line = line_of(config, "bootloader");
    size_t length = strlen(loader);
    bool is_pygrub = length >= 6 && strcmp(loader + length - 6, "pygrub") == 0;
    if (has_kernel) {
        xl_tell(messages, XL_WARNING, line, "bootloader: is not run, as there is a kernel");
    } else if (is_pygrub) {
        (void)snprintf(out->kernel, sizeof out->kernel, "%s",
                       out->type == GUEST_TYPE_PVH ? GRUB_PVH : GRUB_PV);
        xl_tell(messages, XL_WARNING, line,
                "bootloader: pygrub is replaced by %s, which reads the guest's own grub.cfg; "
                "install grub-xen-host on the nodes",
                out->kernel);
    } else {
        xl_tell(messages, XL_MISTAKE, line,
                "bootloader: no program runs in dom0 for a guest; give kernel, e.g. " GRUB_PV
                " (package grub-xen-host)");
    }
}

/* As xl does: cmdline alone, or root and extra behind each other. */
static void take_command_line(struct xl_config *config, struct xl_guest *out,
                              struct xl_messages *messages)
{
    const char *whole = xl_guest_text(config, "cmdline", messages);
    const char *root = xl_guest_text(config, "root", messages);
    const char *extra = xl_guest_text(config, "extra", messages);
    char line[TEXT_SIZE * 2];
    int length = 0;
    if (whole != NULL) {
        length = snprintf(line, sizeof line, "%s", whole);
        if (root != NULL || extra != NULL) {
            xl_tell(messages, XL_WARNING, line_of(config, "cmdline"),
                    "cmdline counts; root and extra are not looked at");
        }
    } else {
        length = snprintf(line, sizeof line, "%s%s%s%s", root != NULL ? "root=" : "",
                          root != NULL ? root : "", root != NULL && extra != NULL ? " " : "",
                          extra != NULL ? extra : "");
    }
    if (length >= TEXT_SIZE) {
        xl_tell(messages, XL_MISTAKE,
                line_of(config, whole != NULL   ? "cmdline"
                                : extra != NULL ? "extra"
                                                : "root"),
                "the kernel's command line has %d bytes; at most %d are possible", length,
                TEXT_SIZE - 1);
        return;
    }
    (void)snprintf(out->command_line, sizeof out->command_line, "%s", line);
}

static void take_amounts(struct xl_config *config, struct xl_guest *out,
                         struct xl_messages *messages)
{
    const struct range memory = {.fallback = 0, .min = 1, .max = MEMORY_MIB_MAX};
    const struct range vcpus = {.fallback = 1, .min = 1, .max = VCPUS_MAX};
    const struct range cap = {.fallback = 0, .min = 0, .max = 100ull * VCPUS_MAX};
    out->memory_kib = take_number(config, "memory", memory, messages) * 1024;
    out->vcpus = (uint32_t)take_number(config, "vcpus", vcpus, messages);
    out->cap_pct = (uint32_t)take_number(config, "cap", cap, messages);
    if (xl_config_find(config, "memory") == NULL) {
        tell_missing(out, "memory: is missing; xl would give 32 MiB", messages);
    }
    if (out->cap_pct > out->vcpus * 100) {
        xl_tell(messages, XL_WARNING, line_of(config, "cap"),
                "cap: %u is more than %u VCPUs can use; %u is taken", out->cap_pct, out->vcpus,
                out->vcpus * 100);
        out->cap_pct = out->vcpus * 100;
    }
}

int xl_guest_read(struct xl_config *config, struct xl_guest *out, struct xl_messages *messages)
{
    uint32_t before = messages->mistakes;
    memset(out, 0, sizeof *out);
    out->unread = before > 0;
    take_name(config, out, messages);
    take_type(config, out, messages);
    take_kernel(config, out, messages);
    take_command_line(config, out, messages);
    take_amounts(config, out, messages);
    xl_guest_take_devices(config, out, messages);
    xl_keys_tell_unused(config, messages);
    return messages->mistakes == before ? 0 : -EINVAL;
}

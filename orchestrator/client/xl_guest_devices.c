// SPDX-License-Identifier: Apache-2.0
/* Which disk and which interface of an xl.cfg file are carried over: a VM has one of each. */
#include <stdio.h>
#include <string.h>

#include "orchestrator/client/xl_guest.h"

#define DISKS_MAX 32
#define VDEV_OURS "xvda" /* as the guest sees the disk of a VM */

/* ---- disks ---- */

/* "xvda1" is a part of "xvda" and of itself. */
static bool is_part_of(const char *device, const char *vdev)
{
    size_t length = strlen(vdev);
    return length > 0 && strncmp(device, vdev, length) == 0 &&
           strspn(device + length, "0123456789") == strlen(device + length);
}

/* The device behind root=/dev/ of a kernel's command line, "" when it is not said so. */
static void find_root(const char *command_line, char out[16])
{
    static const char key[] = "root=/dev/";
    const char *found = strstr(command_line, key);
    out[0] = '\0';
    if (found != NULL && (found == command_line || found[-1] == ' ')) {
        found += strlen(key);
        (void)snprintf(out, 16, "%.*s", (int)strcspn(found, " "), found);
    }
}

/* The disk with the root file system, else the first that can be written, else the first. */
static int choose_disk(const struct xl_disk *disks, int count, const char *root)
{
    int chosen = -1;
    for (int i = 0; i < count; i++) {
        if (!disks[i].cdrom && is_part_of(root, disks[i].vdev)) {
            return i;
        }
    }
    for (int i = 0; i < count; i++) {
        bool better = chosen < 0 || (disks[chosen].read_only && !disks[i].read_only);
        if (!disks[i].cdrom && better) {
            chosen = i;
        }
    }
    return chosen;
}

/* root=/dev/xvda2 for a disk that was xvda2 as a whole: now it is xvda as a whole. */
static void move_root(struct xl_guest *out, const char *root, struct xl_messages *messages)
{
    const char *vdev = out->disk.vdev;
    if (strcmp(vdev, VDEV_OURS) == 0) {
        return;
    }
    if (!is_part_of(root, vdev)) {
        xl_tell(messages, XL_WARNING, out->disk.line,
                "disk: the guest knew it as %s and will see it as " VDEV_OURS
                "; does its fstab say so?",
                vdev);
        return;
    }
    char line[TEXT_SIZE * 2];
    const char *at = strstr(out->command_line, root);
    (void)snprintf(line, sizeof line, "%.*s" VDEV_OURS "%s%s", (int)(at - out->command_line),
                   out->command_line, root + strlen(vdev), at + strlen(root));
    xl_tell(messages, XL_WARNING, out->disk.line,
            "disk: the guest knew it as %s and will see it as " VDEV_OURS
            ": root= is changed; does its fstab say so, too?",
            vdev);
    if (strlen(line) < sizeof out->command_line) {
        (void)snprintf(out->command_line, sizeof out->command_line, "%s", line);
    } else {
        xl_tell(messages, XL_MISTAKE, out->disk.line,
                "the kernel's command line gets too long");
    }
}

static void check_disk(struct xl_guest *out, struct xl_messages *messages)
{
    const struct xl_disk *disk = &out->disk;
    if (disk->scripted) {
        xl_tell(messages, XL_MISTAKE, disk->line,
                "disk: made by a script, which only the administrator's own storage may need; "
                "give a file or a block device");
    } else if (disk->target[0] == '\0') {
        xl_tell(messages, XL_MISTAKE, disk->line, "disk: it has no target");
    }
    if (strcmp(disk->format, "raw") != 0) {
        xl_tell(messages, XL_MISTAKE, disk->line,
                "disk: format %s; images are raw: qemu-img convert -O raw %.100s %.100s.raw, "
                "then change format and target",
                disk->format, disk->target, disk->target);
    }
    if (disk->read_only) {
        xl_tell(messages, XL_WARNING, disk->line,
                "disk: was read-only; the VM gets a copy that it may write");
    }
}

static void take_disks(struct xl_config *config, const struct xl_value *list,
                       struct xl_guest *out, struct xl_messages *messages)
{
    struct xl_disk disks[DISKS_MAX];
    int count = 0;
    uint32_t before = messages->mistakes;
    const struct xl_value *value = xl_config_first(config, list);
    for (; value != NULL; value = xl_config_next(config, value)) {
        if (value->kind != XL_STRING) {
            xl_tell(messages, XL_MISTAKE, value->line, "disk: expected a list of strings");
        } else if (count == DISKS_MAX) {
            xl_tell(messages, XL_MISTAKE, value->line, "disk: more than %d", DISKS_MAX);
            break;
        } else if (xl_guest_is_plain(value, xl_config_text(config, value), "disk", messages) &&
                   xl_disk_parse(xl_config_text(config, value), value->line, &disks[count],
                                 messages) == 0) {
            count++;
        }
    }
    char root[16];
    find_root(out->command_line, root);
    int chosen = messages->mistakes == before ? choose_disk(disks, count, root) : -1;
    for (int i = 0; i < count; i++) {
        if (i != chosen && disks[i].cdrom) {
            xl_tell(messages, XL_WARNING, disks[i].line,
                    "disk: the drive %s is not carried over: the guest will not have it",
                    disks[i].vdev);
        } else if (i != chosen && chosen >= 0) {
            xl_tell(messages, XL_WARNING, disks[i].line,
                    "disk: a VM has one disk: the guest will not have %s (%.100s); take it out "
                    "of its fstab, or put all on one",
                    disks[i].vdev, disks[i].target);
        }
    }
    if (chosen >= 0) {
        out->has_disk = true;
        out->disk = disks[chosen];
        check_disk(out, messages);
        move_root(out, root, messages);
    }
}

/* ---- interfaces ---- */

static void check_vif(const struct xl_vif *vif, struct xl_messages *messages)
{
    if (vif->mac[0] != '\0') {
        xl_tell(messages, XL_WARNING, vif->line,
                "vif: mac=%s is not carried over: every VM gets one of its own", vif->mac);
    }
    if (vif->ip[0] != '\0') {
        xl_tell(messages, XL_WARNING, vif->line,
                "vif: ip=%s is not carried over: addresses are given by the node "
                "(\"addresses\" in the agent's settings)",
                vif->ip);
    }
}

static void take_vifs(struct xl_config *config, const struct xl_value *list,
                      struct xl_guest *out, struct xl_messages *messages)
{
    const struct xl_value *value = xl_config_first(config, list);
    for (; value != NULL; value = xl_config_next(config, value)) {
        struct xl_vif vif;
        if (value->kind != XL_STRING) {
            xl_tell(messages, XL_MISTAKE, value->line, "vif: expected a list of strings");
        } else if (!xl_guest_is_plain(value, xl_config_text(config, value), "vif", messages) ||
                   xl_vif_parse(xl_config_text(config, value), value->line, &vif, messages) !=
                       0) {
            continue;
        } else if (out->has_vif) {
            xl_tell(messages, XL_WARNING, value->line,
                    "vif: a VM has one interface: the guest will not have the one on %s",
                    vif.bridge[0] != '\0' ? vif.bridge : "the default bridge");
        } else {
            out->has_vif = true;
            out->vif = vif;
            check_vif(&vif, messages);
        }
    }
}

void xl_guest_take_devices(struct xl_config *config, struct xl_guest *out,
                           struct xl_messages *messages)
{
    static const char *const names[] = {"disk", "vif"};
    for (int i = 0; i < 2; i++) {
        const struct xl_setting *setting = xl_config_find(config, names[i]);
        const struct xl_value *value =
            setting != NULL ? xl_config_value(config, setting) : NULL;
        if (value == NULL) {
            continue;
        }
        if (value->kind != XL_LIST) {
            xl_tell(messages, XL_MISTAKE, setting->line,
                    "%s: expected a list of strings in brackets", names[i]);
        } else if (i == 0) {
            take_disks(config, value, out, messages);
        } else {
            take_vifs(config, value, out, messages);
        }
    }
}

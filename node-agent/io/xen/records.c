// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/records.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/file.h"

int host_state_path(const struct xen_host *host, const char *folder, const char *uuid,
                    char out[STATE_PATH_SIZE])
{
    int r = snprintf(out, STATE_PATH_SIZE, "%s/%s/%s", host->state_folder, folder, uuid);
    return r > 0 && r < STATE_PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int records_make_folders(const struct xen_host *host, struct err *err)
{
    static const char *const names[] = {RECORDS_DOMAINS, RECORDS_SAVED, RECORDS_DISKS};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[STATE_PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/%s", host->state_folder, names[i]);
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            return err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
        }
    }
    return 0;
}

int records_write(const struct xen_host *host, const char *uuid, const struct domain_mark *mark,
                  struct err *err)
{
    char path[STATE_PATH_SIZE];
    char text[DOMAIN_MARK_SIZE];
    if (host_state_path(host, RECORDS_DOMAINS, uuid, path) != 0 ||
        domain_mark_format(mark, text) != 0) {
        return err_set(err, -EINVAL, "%s: cannot be kept in the state folder", mark->vm);
    }
    return file_replace(path, text, strlen(text), 0600, err);
}

int records_read(const struct xen_host *host, const char *uuid, struct domain_mark *out)
{
    char path[STATE_PATH_SIZE];
    char *text = NULL;
    size_t size = 0;
    if (host_state_path(host, RECORDS_DOMAINS, uuid, path) != 0 ||
        file_read(path, DOMAIN_MARK_SIZE - 1, &text, &size, NULL) != 0) {
        return -ENOENT;
    }
    int rc =
        domain_mark_parse(text, out) == 0 && strcmp(out->node, host->node) == 0 ? 0 : -ENOENT;
    free(text);
    return rc;
}

void records_remove(const struct xen_host *host, const char *uuid)
{
    char path[STATE_PATH_SIZE];
    if (host_state_path(host, RECORDS_DOMAINS, uuid, path) == 0) {
        (void)unlink(path); /* there may be none */
    }
}

bool records_has_saved(const struct xen_host *host, const char *uuid)
{
    char path[STATE_PATH_SIZE];
    return host_state_path(host, RECORDS_SAVED, uuid, path) == 0 && access(path, F_OK) == 0;
}

void records_remove_saved(const struct xen_host *host, const char *uuid)
{
    static const char *const ends[] = {"", RECORDS_PART, RECORDS_RESTORING};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char name[UUID_SIZE + 16];
        char path[STATE_PATH_SIZE];
        (void)snprintf(name, sizeof(name), "%s%s", uuid, ends[i]);
        if (host_state_path(host, RECORDS_SAVED, name, path) == 0) {
            (void)unlink(path); /* most VMs have none */
        }
    }
}

void records_visit(const struct xen_host *host, const char *folder, const char *suffix,
                   void (*visit)(void *context, const char *uuid), void *context)
{
    char path[STATE_PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", host->state_folder, folder);
    DIR *names = opendir(path);
    if (names == NULL) {
        return; /* made at open: whoever took it away meant it */
    }
    const struct dirent *entry = NULL;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe in glibc for streams of one thread
    while ((entry = readdir(names)) != NULL) {
        char uuid[UUID_SIZE];
        (void)snprintf(uuid, sizeof(uuid), "%.36s", entry->d_name);
        bool whole = strlen(entry->d_name) >= UUID_SIZE - 1 &&
                     strcmp(entry->d_name + UUID_SIZE - 1, suffix) == 0;
        if (whole && hypervisor_is_uuid(uuid)) {
            visit(context, uuid);
        }
    }
    (void)closedir(names);
}

// SPDX-License-Identifier: Apache-2.0
/* Small readings of a host, below a root folder so that tests can bring a recorded one. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/scope.h"
#include "node-agent/io/check.h"

#define FULL_PATH_SIZE (4 * PATH_SIZE)

bool check_read_line(const char *root, const char *path, char *out, size_t size)
{
    char full[FULL_PATH_SIZE];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    SCOPE_FCLOSE FILE *file = fopen(full, "re");
    out[0] = '\0';
    if (file == NULL || fgets(out, (int)size, file) == NULL) {
        out[0] = '\0';
        return false;
    }
    out[strcspn(out, "\n")] = '\0';
    return true; // cppcheck-suppress resourceLeak ; closed by its scope
}

enum fact check_path_exists(const char *root, const char *path)
{
    char full[FULL_PATH_SIZE];
    struct stat info;
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    if (stat(full, &info) == 0) {
        return FACT_YES;
    }
    return errno == ENOENT || errno == ENOTDIR ? FACT_NO : FACT_UNKNOWN;
}

enum fact check_process_runs(const char *root, const char *name)
{
    char full[FULL_PATH_SIZE];
    (void)snprintf(full, sizeof full, "%s/proc", root);
    DIR *folder = opendir(full);
    if (folder == NULL) {
        return FACT_UNKNOWN;
    }
    enum fact runs = FACT_NO;
    const struct dirent *entry = NULL;
    /* One thread reads this folder. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (runs == FACT_NO && (entry = readdir(folder)) != NULL) {
        char path[PATH_SIZE + 16];
        char comm[32];
        if (isdigit((unsigned char)entry->d_name[0]) == 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/%.200s/comm", entry->d_name);
        if (check_read_line(root, path, comm, sizeof comm) && strcmp(comm, name) == 0) {
            runs = FACT_YES;
        }
    }
    (void)closedir(folder);
    return runs;
}

/* A link of init that starts it at boot: /etc/rc3.d/S01NAME. */
static bool is_started_by_init(const char *root, const char *name)
{
    char full[FULL_PATH_SIZE];
    (void)snprintf(full, sizeof full, "%s/etc/rc3.d", root);
    DIR *folder = opendir(full);
    bool found = false;
    const struct dirent *entry = NULL;
    /* One thread reads this folder. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (folder != NULL && !found && (entry = readdir(folder)) != NULL) {
        found = entry->d_name[0] == 'S' && strlen(entry->d_name) > 3 &&
                strcmp(entry->d_name + 3, name) == 0;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return found;
}

enum unit_state check_unit_state(const char *root, const char *name)
{
    static const char *const units[] = {"/lib/systemd/system/%s.service",
                                        "/usr/lib/systemd/system/%s.service",
                                        "/etc/systemd/system/%s.service", "/etc/init.d/%s"};
    char full[FULL_PATH_SIZE];
    char path[PATH_SIZE];
    char target[PATH_SIZE] = "";
    (void)snprintf(full, sizeof full, "%s/etc/systemd/system/%s.service", root, name);
    if (readlink(full, target, sizeof target - 1) > 0 && strcmp(target, "/dev/null") == 0) {
        return UNIT_MASKED;
    }
    bool present = false;
    for (size_t i = 0; i < sizeof units / sizeof *units && !present; i++) {
        (void)snprintf(path, sizeof path, "%.*s%s%s", (int)strcspn(units[i], "%"), units[i],
                       name, strchr(units[i], '%') + 2);
        present = check_path_exists(root, path) == FACT_YES;
    }
    if (!present) {
        return UNIT_ABSENT;
    }
    struct stat info;
    (void)snprintf(full, sizeof full,
                   "%s/etc/systemd/system/multi-user.target.wants/%s.service", root, name);
    return lstat(full, &info) == 0 || is_started_by_init(root, name) ? UNIT_ON : UNIT_OFF;
}

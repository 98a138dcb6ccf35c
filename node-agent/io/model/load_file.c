// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/model/load_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_line(char *text, struct load_line *out)
{
    char *rest = NULL;
    char *name = strtok_r(text, " \t\r\n", &rest);
    char *number = strtok_r(NULL, " \t\r\n", &rest);
    char *end = NULL;
    if (number == NULL || strlen(name) >= sizeof out->service) {
        return -EINVAL;
    }
    double value = strtod(number, &end);
    bool whole = end != number && *end == '\0' && strtok_r(NULL, " \t\r\n", &rest) == NULL;
    if (!whole || !isfinite(value) || value < 0 || value > 1e9) {
        return -EINVAL;
    }
    (void)snprintf(out->service, sizeof out->service, "%s", name);
    out->requests_per_s = value;
    return 0;
}

static int read_lines(const struct load_file *file, FILE *stream, struct load_line *lines,
                      uint32_t *count, struct err *err)
{
    char text[512];
    int number = 0;
    *count = 0;
    while (fgets(text, sizeof text, stream) != NULL) {
        number++;
        text[strcspn(text, "#")] = '\0';
        if (text[strspn(text, " \t\r\n")] == '\0') {
            continue;
        }
        if (*count == LOAD_FILE_LINES_MAX) {
            return err_set(err, -EINVAL, "%s:%d: more than %d services", file->path, number,
                           LOAD_FILE_LINES_MAX);
        }
        if (parse_line(text, &lines[*count]) != 0) {
            return err_set(err, -EINVAL, "%s:%d: expected \"service requests_per_second\"",
                           file->path, number);
        }
        (*count)++;
    }
    return 0;
}

static bool has(const struct load_line *lines, uint32_t count, const char *service)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(lines[i].service, service) == 0) {
            return true;
        }
    }
    return false;
}

int load_file_check(struct load_file *file, struct host_model *host, int64_t now_ms,
                    struct err *err)
{
    struct stat now;
    file->next_ms = now_ms + LOAD_FILE_EVERY_MS;
    if (stat(file->path, &now) != 0) {
        return err_set(err, -errno, "%s: %s", file->path, strerrordesc_np(errno));
    }
    if (now.st_ino == file->inode && now.st_size == file->size &&
        now.st_mtim.tv_sec == file->changed.tv_sec &&
        now.st_mtim.tv_nsec == file->changed.tv_nsec) {
        return 0;
    }
    FILE *stream = fopen(file->path, "re");
    if (stream == NULL) {
        return err_set(err, -errno, "%s: %s", file->path, strerrordesc_np(errno));
    }
    struct load_line lines[LOAD_FILE_LINES_MAX];
    uint32_t count = 0;
    int rc = read_lines(file, stream, lines, &count, err);
    (void)fclose(stream); /* only read */
    if (rc != 0) {
        return rc;
    }
    for (uint32_t i = 0; i < file->count; i++) {
        if (!has(lines, count, file->lines[i].service)) {
            host_model_set_load(host, file->lines[i].service, 0, now_ms);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        host_model_set_load(host, lines[i].service, lines[i].requests_per_s, now_ms);
    }
    memcpy(file->lines, lines, count * sizeof lines[0]);
    file->count = count;
    file->inode = now.st_ino;
    file->size = now.st_size;
    file->changed = now.st_mtim;
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "proto/settings_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void tell(const char *path, const struct text_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count && i < TEXT_MISTAKES_MAX; i++) {
        const struct text_mistake *mistake = &mistakes->items[i];
        (void)fprintf(stderr, "%s:%d:%d: %s: %s\n", path, mistake->line, mistake->column,
                      mistake->path, mistake->text);
    }
}

int settings_file_read(const struct settings_file *file, const char *path, bool required)
{
    struct err err = {0};
    char *text = NULL;
    size_t size = 0;
    int rc = file->read(path, file->bytes_max, &text, &size, &err);
    if (rc == -ENOENT && !required) {
        return 0;
    }
    if (rc != 0) {
        (void)fprintf(stderr, "%s: error: %s\n", file->program, err.text);
        return -EINVAL;
    }
    struct text_mistakes *mistakes = calloc(1, sizeof *mistakes);
    if (mistakes == NULL) {
        rc = -ENOMEM;
    } else {
        rc = settings_read(text, size, file->table, file->table_count, file->target, mistakes);
        tell(path, mistakes);
    }
    free(mistakes);
    free(text);
    return rc == 0 ? 0 : -EINVAL;
}

static int is_yaml(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

int settings_file_read_drop_ins(const struct settings_file *file, const char *path)
{
    char folder[PATH_SIZE];
    (void)snprintf(folder, sizeof folder, "%.250s.d", path);
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_yaml, alphasort);
    int rc = 0;
    for (int i = 0; i < count; i++) {
        char drop_in[PATH_SIZE * 3];
        (void)snprintf(drop_in, sizeof drop_in, "%s/%s", folder, entries[i]->d_name);
        if (settings_file_read(file, drop_in, true) != 0) {
            rc = -EINVAL;
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

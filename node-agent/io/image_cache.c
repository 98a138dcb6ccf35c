// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/image_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool image_cache_is_name(const char *sha256)
{
    return strlen(sha256) == SHA256_SIZE - 1 &&
           strspn(sha256, "0123456789abcdef") == SHA256_SIZE - 1;
}

struct cached {
    char name[SHA256_SIZE];
    uint64_t kib;
    struct timespec used;
};

static int by_use(const void *a, const void *b)
{
    const struct cached *one = a;
    const struct cached *two = b;
    if (one->used.tv_sec != two->used.tv_sec) {
        return one->used.tv_sec < two->used.tv_sec ? -1 : 1;
    }
    if (one->used.tv_nsec != two->used.tv_nsec) {
        return one->used.tv_nsec < two->used.tv_nsec ? -1 : 1;
    }
    return strcmp(one->name, two->name);
}

static uint32_t read_folder(DIR *folder, struct cached *files, uint64_t *kib)
{
    uint32_t count = 0;
    const struct dirent *entry = NULL;
    *kib = 0;
    /* One thread uses this stream. */
    while ((entry = readdir(folder)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        struct stat stat;
        if (entry->d_name[0] == '.' ||
            fstatat(dirfd(folder), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(stat.st_mode)) {
            continue;
        }
        if (!image_cache_is_name(entry->d_name)) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0); /* unfinished: tried again later */
        } else if (count < IMAGE_CACHE_FILES_MAX) {
            (void)snprintf(files[count].name, SHA256_SIZE, "%.64s", entry->d_name);
            files[count].kib = (uint64_t)stat.st_size >> 10;
            files[count].used = stat.st_mtim;
            *kib += files[count].kib;
            count++;
        }
    }
    return count;
}

void image_cache_trim(const char *folder, uint64_t kib_max, const char *keep)
{
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        return;
    }
    struct cached *files = calloc(IMAGE_CACHE_FILES_MAX, sizeof *files);
    if (files == NULL) {
        (void)closedir(stream);
        return;
    }
    uint64_t kib = 0;
    uint32_t count = read_folder(stream, files, &kib);
    qsort(files, count, sizeof *files, by_use);
    for (uint32_t i = 0; i < count && kib > kib_max; i++) {
        if (strcmp(files[i].name, keep) != 0 &&
            unlinkat(dirfd(stream), files[i].name, 0) == 0) {
            kib -= files[i].kib;
        }
    }
    free(files);
    (void)closedir(stream);
}

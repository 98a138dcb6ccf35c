// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/object_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/io/file.h"
#include "common/table.h"
#include "proto/text.h"

#define FILE_BYTES_MAX   (4u << 20)
#define OBJECT_NAME_SIZE 96 /* "service/shop" */

static void take_object(void *context, const struct object *object)
{
    struct object_list *list = context;
    if (list->count == list->capacity) {
        size_t wanted = list->capacity == 0 ? 16 : list->capacity * 2;
        struct object *larger = realloc(list->objects, wanted * sizeof *larger);
        if (larger == NULL) {
            list->failed = true;
            return;
        }
        list->objects = larger;
        list->capacity = wanted;
    }
    list->objects[list->count++] = *object;
}

static void tell_mistakes(const char *path, const struct text_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count && i < TEXT_MISTAKES_MAX; i++) {
        const struct text_mistake *mistake = &mistakes->items[i];
        (void)fprintf(stderr, "%s:%d:%d: %s%s%s\n", path, mistake->line, mistake->column,
                      mistake->path, mistake->path[0] != '\0' ? ": " : "", mistake->text);
    }
}

/* Standard input or a pipe, whole and NUL-terminated. */
static int read_stream(FILE *stream, const char *name, char **text, size_t *size,
                       struct err *err)
{
    char *buffer = malloc(FILE_BYTES_MAX + 1);
    if (buffer == NULL) {
        return err_set(err, -ENOMEM, "%s: no memory", name);
    }
    *size = fread(buffer, 1, FILE_BYTES_MAX + 1, stream);
    if (ferror(stream) != 0 || *size > FILE_BYTES_MAX) {
        free(buffer);
        return err_set(err, -EFBIG, "%s cannot be read or is over %u MiB", name,
                       FILE_BYTES_MAX >> 20);
    }
    buffer[*size] = '\0';
    *text = buffer;
    return 0;
}

/* "-", a file, or what a shell makes of <(command). */
static int read_text(const char *path, char **text, size_t *size, struct err *err)
{
    struct stat info;
    if (strcmp(path, "-") == 0) {
        return read_stream(stdin, "stdin", text, size, err);
    }
    if (stat(path, &info) != 0 || !S_ISFIFO(info.st_mode)) {
        return file_read(path, FILE_BYTES_MAX, text, size, err);
    }
    FILE *pipe = fopen(path, "re");
    if (pipe == NULL) {
        return err_set(err, -errno, "%s: cannot open", path);
    }
    int rc = read_stream(pipe, path, text, size, err);
    (void)fclose(pipe);
    return rc;
}

static int read_one(struct client *client, const char *path, struct object_list *out,
                    size_t *mistakes_count)
{
    struct err err = {0};
    char *text = NULL;
    size_t size = 0;
    int rc = read_text(path, &text, &size, &err);
    if (rc != 0) {
        return client_error(client, REPLY_INVALID, "%s", err.text);
    }
    struct text_mistakes *mistakes = calloc(1, sizeof *mistakes);
    if (mistakes != NULL) {
        out->failed = text_read_objects(text, size, take_object, out, mistakes) == -ENOMEM;
        tell_mistakes(strcmp(path, "-") == 0 ? "stdin" : path, mistakes);
        *mistakes_count += mistakes->count;
    }
    bool failed = mistakes == NULL || out->failed;
    free(mistakes);
    free(text);
    return failed ? client_error(client, REPLY_FAILED, "%s: no memory", path) : 0;
}

static int is_object_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static int read_folder(struct client *client, const char *path, struct object_list *out,
                       size_t *mistakes)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_object_file, alphasort);
    int code = count < 0
                   ? client_error(client, REPLY_INVALID, "%s: %s", path, strerrordesc_np(errno))
                   : 0;
    for (int i = 0; i < count; i++) {
        char file[PATH_SIZE * 4];
        (void)snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        int one = read_one(client, file, out, mistakes);
        code = one != 0 ? one : code;
        free(entries[i]);
    }
    free(entries);
    return code;
}

#define APPLY_RANK_LAST 7

static int apply_rank(enum object_kind kind)
{
    switch (kind) {
    case OBJECT_KIND_SETTINGS: return 0;
    case OBJECT_KIND_NODE: return 1;
    case OBJECT_KIND_IMAGE: return 2;
    case OBJECT_KIND_STORAGE: return 3;
    case OBJECT_KIND_NETWORK: return 4;
    case OBJECT_KIND_AGREEMENT: return 5;
    case OBJECT_KIND_PROFILE: return 6;
    case OBJECT_KIND_SERVICE:
    case OBJECT_KIND_VM:
    case OBJECT_KIND_UNSPECIFIED: return APPLY_RANK_LAST;
    }
    return APPLY_RANK_LAST;
}

/* Objects of a rank stay in their order. */
static int sort_for_apply(struct client *client, struct object_list *list)
{
    struct object *sorted = calloc(list->count + 1, sizeof *sorted);
    size_t count = 0;
    if (sorted == NULL) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    for (int rank = 0; rank <= APPLY_RANK_LAST; rank++) {
        for (size_t i = 0; i < list->count; i++) {
            if (apply_rank(list->objects[i].kind) == rank) {
                sorted[count++] = list->objects[i];
            }
        }
    }
    free(list->objects);
    list->objects = sorted;
    list->capacity = list->count + 1;
    return 0;
}

/* Two descriptions of one object: nobody can mean both. */
static int check_twice(struct client *client, const struct object_list *list)
{
    struct table names;
    int code = 0;
    if (table_init(&names, (uint32_t)list->count + 1, OBJECT_NAME_SIZE, 0) != 0) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    for (size_t i = 0; code == 0 && i < list->count; i++) {
        char name[OBJECT_NAME_SIZE];
        (void)snprintf(name, sizeof name, "%s/%s", object_kind_word(list->objects[i].kind),
                       object_name(&list->objects[i]));
        if (table_add(&names, name) == NULL) {
            code = client_error(client, REPLY_INVALID, "%s is described twice", name);
        }
    }
    table_finish(&names);
    return code;
}

int object_files_read(struct client *client, const char *path, struct object_list *out)
{
    if (path == NULL) {
        int code = client_error(client, REPLY_INVALID, "no file is given");
        client_hint("arbiter apply -f FILE        an example: arbiter init web > shop.yaml");
        return code;
    }
    struct stat info;
    size_t mistakes = 0;
    bool folder = strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    int code = folder ? read_folder(client, path, out, &mistakes)
                      : read_one(client, path, out, &mistakes);
    if (code == 0 && mistakes > 0) {
        code = client_error(client, REPLY_INVALID, "%zu mistake%s in %s; nothing was changed",
                            mistakes, mistakes == 1 ? "" : "s", path);
    } else if (code == 0 && out->count == 0) {
        code = client_error(client, REPLY_INVALID, "%s describes no object", path);
    }
    code = code != 0 ? code : check_twice(client, out);
    return code != 0 ? code : sort_for_apply(client, out);
}

void object_list_finish(struct object_list *list)
{
    free(list->objects);
    memset(list, 0, sizeof *list);
}

// SPDX-License-Identifier: Apache-2.0
/* import-xl: xl.cfg files become the administrator's objects and a service file. Reads files
 * only; neither a hypervisor nor an orchestrator is asked. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/file.h"
#include "common/io/scope.h"
#include "orchestrator/client/verb.h"
#include "orchestrator/client/xl_objects.h"
#include "proto/text.h"

#define HASH_BYTES     65536
#define FILE_PATH_SIZE 512

/* ---- checksums ---- */

static int hash_file(int fd, char out[SHA256_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    SCOPE_FREE unsigned char *block = malloc(HASH_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int rc =
        context == NULL || block == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1
            ? -ENOMEM
            : 0;
    while (rc == 0) {
        ssize_t got = read(fd, block, HASH_BYTES);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            rc = errno == EINTR ? 0 : -errno;
        } else if (EVP_DigestUpdate(context, block, (size_t)got) != 1) {
            rc = -EIO;
        }
    }
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): SCOPE_FREE frees the block
    if (rc == 0 && EVP_DigestFinal_ex(context, digest, &length) != 1) {
        rc = -EIO;
    }
    EVP_MD_CTX_free(context);
    for (unsigned i = 0; rc == 0 && i < length && 2 * i + 2 < SHA256_SIZE; i++) {
        (void)snprintf(out + (size_t)2 * i, 3, "%02x", digest[i]);
    }
    return rc;
}

static void hash_disk(const struct client *client, struct xl_source *source)
{
    const struct xl_disk *disk = &source->guest.disk;
    SCOPE_CLOSE int fd = open(disk->target, O_RDONLY | O_CLOEXEC);
    struct stat info = {0};
    int rc = fd < 0 || fstat(fd, &info) != 0 ? -errno : 0;
    if (rc == 0 && !S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
        rc = -EINVAL;
    }
    if (rc == 0) {
        if (!client->quiet && isatty(STDERR_FILENO) == 1) {
            (void)fprintf(stderr, "reading %s for its checksum\n", disk->target);
        }
        rc = hash_file(fd, source->sha256);
    }
    if (rc != 0) {
        xl_tell(
            source->messages, XL_MISTAKE, disk->line,
            "disk: %.150s: %s; it is read for its checksum: run this on the dom0 that has it",
            disk->target, strerrordesc_np(-rc));
    }
}

/* ---- reading ---- */

static void read_source(const struct client *client, struct xl_source *source)
{
    struct err err = {0};
    SCOPE_FREE char *text = NULL;
    SCOPE_FREE struct xl_config *config = calloc(1, sizeof *config);
    size_t size = 0;
    if (config == NULL) {
        xl_tell(source->messages, XL_MISTAKE, 0, "no memory");
    } else if (file_read(source->file, XL_BYTES_MAX, &text, &size, &err) != 0) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): SCOPE_FREE frees the config
        xl_tell(source->messages, XL_MISTAKE, 0, "%s", err.text);
    } else {
        (void)xl_config_parse(text, size, config, source->messages);
        /* Also after a mistake: the rest may have more of them. */
        if (xl_guest_read(config, &source->guest, source->messages) == 0 &&
            source->guest.has_disk && source->messages->mistakes == 0) {
            hash_disk(client, source);
        }
    }
}

static int compare_messages(const void *left, const void *right)
{
    const struct xl_message *a = left;
    const struct xl_message *b = right;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return strcmp(a->text, b->text);
}

/* As compilers do: FILE:LINE: ... */
static uint32_t tell_messages(const struct client *client, struct xl_source *sources,
                              uint32_t count)
{
    uint32_t mistakes = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct xl_messages *messages = sources[i].messages;
        uint32_t kept = messages->count < XL_MESSAGES_MAX ? messages->count : XL_MESSAGES_MAX;
        qsort(messages->items, kept, sizeof *messages->items, compare_messages);
        for (uint32_t j = 0; j < kept; j++) {
            const struct xl_message *message = &messages->items[j];
            bool warning = message->severity == XL_WARNING;
            char place[16] = "";
            if (message->line > 0) {
                (void)snprintf(place, sizeof place, ":%d", message->line);
            }
            if (!warning || !client->quiet) {
                (void)fprintf(stderr, "%s%s: %s%s\n", sources[i].file, place,
                              warning ? "warning: " : "", message->text);
            }
        }
        mistakes += messages->mistakes;
    }
    return mistakes;
}

/* ---- writing ---- */

static const char site_head[] =
    "# For the administrator: what the service files beside it name. Written by\n"
    "# \"arbiter import-xl\"; sources and kernels are paths on the nodes.\n";
static const char service_head[] =
    "# Written by \"arbiter import-xl\". An xl.cfg says nothing of levels: put what was "
    "agreed\n"
    "# into objective, and for a web service the port of its VMs and its entry point:\n"
    "#   entry: {listen: ADDRESS:PORT}     (arbiter explain service.entry)\n"
    "# The manager moves each VM's CPU cap within cpu.\n";

static int write_some(FILE *out, const struct xl_objects *objects, bool services, uint32_t only)
{
    int written = 0;
    for (uint32_t i = 0; i < objects->count; i++) {
        const struct object *object = &objects->objects[i];
        if ((object->kind == OBJECT_KIND_SERVICE) != services || (services && i != only)) {
            continue;
        }
        (void)fputs(written > 0 ? "---\n" : services ? service_head : site_head, out);
        if (text_write_object(out, TEXT_YAML, object) != 0) {
            return -EIO;
        }
        written++;
    }
    return written;
}

static int write_stream(struct client *client, const struct xl_objects *objects)
{
    int written = write_some(stdout, objects, false, 0);
    for (uint32_t i = 0; i < objects->count && written >= 0; i++) {
        if (objects->objects[i].kind == OBJECT_KIND_SERVICE) {
            (void)fputs("---\n", stdout);
            written = write_some(stdout, objects, true, i);
        }
    }
    return written < 0 || fflush(stdout) != 0
               ? client_error(client, REPLY_FAILED, "the objects cannot be written")
               : 0;
}

static void file_path(const struct client *client, const char *name, char out[FILE_PATH_SIZE])
{
    (void)snprintf(out, FILE_PATH_SIZE, "%.255s/%s.yaml", client->out_file, name);
}

/* One file of the folder; index: of its service, UINT32_MAX: what the administrator writes. */
static int write_file(struct client *client, const struct xl_objects *objects, uint32_t index)
{
    char path[FILE_PATH_SIZE];
    char *text = NULL;
    size_t size = 0;
    struct err err = {0};
    bool service = index != UINT32_MAX;
    file_path(client, service ? objects->objects[index].service.service : "site", path);
    FILE *out = open_memstream(&text, &size);
    int rc = out == NULL ? -ENOMEM : write_some(out, objects, service, index);
    if (out != NULL && fclose(out) != 0) {
        rc = -EIO;
    }
    if (rc < 0) {
        (void)err_set(&err, rc, "%s: cannot be written", path);
    } else {
        rc = file_create(path, text, size, 0644, &err);
    }
    free(text);
    if (rc < 0) {
        return client_error(client, rc == -EEXIST ? REPLY_CONFLICT : REPLY_FAILED, "%s",
                            err.text);
    }
    (void)printf("%s\n", path);
    return 0;
}

static int write_folder(struct client *client, const struct xl_objects *objects)
{
    char path[FILE_PATH_SIZE];
    if (mkdir(client->out_file, 0755) != 0 && errno != EEXIST) {
        return client_error(client, REPLY_FAILED, "%s: %s", client->out_file,
                            strerrordesc_np(errno));
    }
    /* Looked at first: of several files all are written or none. */
    for (uint32_t i = 0; i <= objects->count; i++) {
        bool site = i == objects->count;
        if (!site && objects->objects[i].kind != OBJECT_KIND_SERVICE) {
            continue;
        }
        file_path(client, site ? "site" : objects->objects[i].service.service, path);
        if (access(path, F_OK) == 0) {
            return client_error(client, REPLY_CONFLICT, "%s exists already", path);
        }
    }
    int code = write_file(client, objects, UINT32_MAX);
    for (uint32_t i = 0; i < objects->count && code == 0; i++) {
        if (objects->objects[i].kind == OBJECT_KIND_SERVICE) {
            code = write_file(client, objects, i);
        }
    }
    return code;
}

static void tell_next(const struct client *client)
{
    if (client->quiet) {
        return;
    }
    if (client->out_file != NULL) {
        (void)fprintf(stderr, "  next: read the files, then arbiter apply -f %s/site.yaml\n",
                      client->out_file);
    }
    (void)fprintf(stderr,
                  "  a checksum is of the disk as it is now: a domain that runs must be shut "
                  "down first (xl shutdown -w NAME), and stay so\n");
}

/* ---- the verb ---- */

static int wrong_use(const struct client *client, const char *text)
{
    int code = client_error(client, REPLY_INVALID, "%s", text);
    client_hint("arbiter help import-xl");
    return code;
}

static int read_wishes(const struct client *client, struct xl_wishes *out)
{
    *out = (struct xl_wishes){
        .service = client->service, .node = client->node, .kind = SERVICE_KIND_WEB};
    if (client->kind != NULL && strcmp(client->kind, "cluster") == 0) {
        out->kind = SERVICE_KIND_CLUSTER;
    } else if (client->kind != NULL && strcmp(client->kind, "web") != 0) {
        return wrong_use(client,
                         "--kind: expected web or cluster; a queue needs its tasks: see "
                         "arbiter init queue");
    }
    return 0;
}

static int import(struct client *client, struct xl_source *sources, uint32_t count,
                  struct xl_objects *objects)
{
    struct xl_wishes wishes;
    int code = read_wishes(client, &wishes);
    if (code != 0) {
        return code;
    }
    uint32_t mistakes = 0;
    for (uint32_t i = 0; i < count; i++) {
        read_source(client, &sources[i]);
        mistakes += sources[i].messages->mistakes;
    }
    if (mistakes == 0) {
        (void)xl_objects_make(sources, count, &wishes, objects);
    }
    mistakes = tell_messages(client, sources, count);
    if (mistakes > 0) {
        return client_error(client, REPLY_INVALID, "%u mistake%s; nothing was written",
                            mistakes, mistakes == 1 ? "" : "s");
    }
    code = client->out_file != NULL ? write_folder(client, objects)
                                    : write_stream(client, objects);
    if (code == 0) {
        tell_next(client);
    }
    return code;
}

int verb_import_xl(struct client *client, int count, char **words)
{
    if (count < 1 || count > XL_FILES_MAX) {
        return wrong_use(client, "expected 1 to 64 xl.cfg files");
    }
    struct xl_source *sources = calloc((size_t)count, sizeof *sources);
    struct xl_messages *messages = calloc((size_t)count, sizeof *messages);
    struct xl_objects *objects = calloc(1, sizeof *objects);
    int code = REPLY_FAILED;
    if (sources == NULL || messages == NULL || objects == NULL) {
        code = client_error(client, REPLY_FAILED, "no memory");
    } else {
        for (int i = 0; i < count; i++) {
            sources[i].file = words[i];
            sources[i].messages = &messages[i];
        }
        code = import(client, sources, (uint32_t)count, objects);
    }
    free(objects);
    free(messages);
    free(sources);
    return code;
}

// SPDX-License-Identifier: Apache-2.0
/* set: one or more fields of an object, by the paths that files use. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/closest_word.h"
#include "orchestrator/client/verb.h"
#include "proto/text.h"

struct wanted {
    enum object_kind kind;
    const char *name;
    bool found;
    struct object object;
};

static void take_wanted(void *context, const struct item *item)
{
    struct wanted *wanted = context;
    if (item->kind == ITEM_KIND_OBJECT && item->object.kind == wanted->kind &&
        strcmp(object_name(&item->object), wanted->name) == 0) {
        wanted->object = item->object;
        wanted->found = true;
    }
}

static int unknown_vm_field(struct client *client, const char *path)
{
    static const char *const fields[] = {"cpu",    "weight",   "vcpus",
                                         "memory", "net_rate", "disk_rate"};
    struct closest_word closest;
    char suggestion[TEXT_SIZE];
    closest_word_begin(&closest, path);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        closest_word_offer(&closest, fields[i]);
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    int code =
        client_error(client, REPLY_INVALID, "a VM has no field \"%s\"%s", path, suggestion);
    client_hint("fields: cpu (or auto) weight vcpus memory net_rate disk_rate (or none)");
    return code;
}

static int parse_count(const char *value, uint32_t *out, struct err *err)
{
    char *end = NULL;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || number > 65535) {
        return err_set(err, -EINVAL, "expected a whole number up to 65535, got \"%s\"", value);
    }
    *out = (uint32_t)number;
    return 0;
}

/* "10MiB/s" */
static int parse_rate(const char *value, uint64_t *out, struct err *err)
{
    char size[64];
    size_t length = strlen(value);
    bool per_second = length > 2 && strcmp(value + length - 2, "/s") == 0;
    (void)snprintf(size, sizeof size, "%.*s", (int)(per_second ? length - 2 : length), value);
    return text_parse_size_kib(size, out, err);
}

/* 0 means "leave as it is" to the orchestrator, so it is refused here as a value. */
static int set_vm_field(struct client *client, struct set_vm *set, const char *path,
                        const char *value)
{
    struct err err = {0};
    int rc = 0;
    bool zero = false;
    if (strcmp(path, "cpu") == 0 && strcmp(value, "auto") == 0) {
        set->release_cap = true;
    } else if (strcmp(path, "cpu") == 0) {
        rc = text_parse_cpu_pct(value, &set->cap_pct, &err);
        zero = set->cap_pct == 0;
    } else if (strcmp(path, "memory") == 0) {
        rc = text_parse_size_kib(value, &set->memory_kib, &err);
        zero = set->memory_kib == 0;
    } else if (strcmp(path, "net_rate") == 0 && strcmp(value, "none") == 0) {
        set->no_net_rate = true;
    } else if (strcmp(path, "disk_rate") == 0 && strcmp(value, "none") == 0) {
        set->no_disk_rate = true;
    } else if (strcmp(path, "net_rate") == 0) {
        rc = parse_rate(value, &set->net_rate_kib_s, &err);
        zero = set->net_rate_kib_s == 0;
    } else if (strcmp(path, "disk_rate") == 0) {
        rc = parse_rate(value, &set->disk_rate_kib_s, &err);
        zero = set->disk_rate_kib_s == 0;
    } else if (strcmp(path, "vcpus") == 0) {
        rc = parse_count(value, &set->vcpus, &err);
        zero = set->vcpus == 0;
    } else if (strcmp(path, "weight") == 0) {
        rc = parse_count(value, &set->weight, &err);
        zero = set->weight == 0;
    } else {
        return unknown_vm_field(client, path);
    }
    if (rc == 0 && zero) {
        rc = err_set(&err, -ERANGE, "0 is not possible%s",
                     strstr(path, "_rate") != NULL ? "; without a limit: none" : "");
    }
    return rc == 0 ? 0 : client_error(client, REPLY_INVALID, "%s: %s", path, err.text);
}

/* Splits "path=value"; NULL after telling an error. */
static char *split(struct client *client, char *word)
{
    char *equals = strchr(word, '=');
    if (equals == NULL) {
        (void)client_error(client, REPLY_INVALID, "expected FIELD=VALUE, got \"%s\"", word);
        return NULL;
    }
    *equals = '\0';
    return equals + 1;
}

static int set_vm(struct client *client, const char *name, int count, char **words)
{
    struct reply reply;
    struct request *request = client_request(client, METHOD_SET_VM);
    int code = 0;
    request->kind = OBJECT_KIND_VM;
    request->has_set_vm = true;
    request->at_revision = client->at_revision;
    (void)snprintf(request->name, NAME_SIZE, "%s", name);
    for (int i = 0; i < count; i++) {
        char *value = split(client, words[i]);
        int one = value == NULL ? REPLY_INVALID
                                : set_vm_field(client, &request->set_vm, words[i], value);
        code = one != 0 ? one : code; /* all mistakes at once */
    }
    code = code != 0 ? code : client_call(client, &reply, NULL, NULL);
    if (code == 0) {
        client_tell_done(client, &reply);
    }
    return code;
}

static int set_fields(struct client *client, struct wanted *wanted, int count, char **words)
{
    int code = 0;
    for (int i = 0; i < count; i++) {
        struct err err = {0};
        char *value = split(client, words[i]);
        if (value == NULL) {
            code = REPLY_INVALID;
        } else if (text_set_field(&wanted->object, words[i], value, &err) != 0) {
            code = client_error(client, REPLY_INVALID, "%s", err.text);
        }
    }
    if (code != 0) {
        client_hint("arbiter explain %s", object_kind_word(wanted->kind));
    }
    return code;
}

/* Read, changed and written back at the revision that was read: nobody's change is lost. */
static int set_object(struct client *client, struct wanted *wanted, int count, char **words)
{
    struct reply reply;
    struct request *request = client_request(client, METHOD_GET);
    request->kind = wanted->kind;
    (void)snprintf(request->name, NAME_SIZE, "%s", wanted->name);
    int code = client_call(client, &reply, take_wanted, wanted);
    if (code != 0) {
        return code;
    }
    /* A service is guarded by the revision of the cluster, other objects by their own. */
    uint64_t seen =
        wanted->kind == OBJECT_KIND_SERVICE ? reply.revision : wanted->object.revision;
    if (!wanted->found) {
        return client_error(client, REPLY_NOT_FOUND, "there is no %s \"%s\"",
                            object_kind_word(wanted->kind), wanted->name);
    }
    code = set_fields(client, wanted, count, words);
    if (code != 0) {
        return code;
    }
    request = client_request(client, METHOD_PUT);
    request->kind = wanted->kind;
    request->has_object = true;
    request->object = wanted->object;
    request->at_revision = client->at_revision != 0 ? client->at_revision : seen;
    code = client_call(client, &reply, NULL, NULL);
    if (code == 0) {
        client_tell_done(client, &reply);
    }
    return code;
}

int verb_set(struct client *client, int count, char **words)
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    char name[NAME_SIZE];
    int used = client_parse_object(client, count, words, &kind, name);
    if (used == 0) {
        return REPLY_INVALID;
    }
    if (used == count) {
        int code = client_error(client, REPLY_INVALID, "nothing to set");
        client_hint("arbiter set svc/shop objective.response_time.p95=150ms");
        client_hint("arbiter set vm/shop-web-1 cpu=1.5");
        return code;
    }
    if (kind == OBJECT_KIND_VM) {
        return set_vm(client, name, count - used, words + used);
    }
    struct wanted *wanted = calloc(1, sizeof *wanted);
    if (wanted == NULL) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    wanted->kind = kind != OBJECT_KIND_UNSPECIFIED ? kind : OBJECT_KIND_SERVICE;
    wanted->name = name;
    int code = set_object(client, wanted, count - used, words + used);
    free(wanted);
    return code;
}

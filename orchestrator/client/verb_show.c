// SPDX-License-Identifier: Apache-2.0
/* show: one object with its state, its VMs and its last events. */
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "orchestrator/client/verb.h"
#include "proto/text_tree.h"

#define EVENTS_SINCE_MS (INT64_C(3600) * 1000)

struct subject {
    enum object_kind kind;
    char name[NAME_SIZE];
};

/* Items of one kind go to the table of a section or to a member of the document. */
struct section {
    enum item_kind kind;
    const char *name;      /* NULL: all */
    struct output *output; /* or */
    json_t *list;
    int count;
    struct item *vm; /* the last VM, which its status follows; NULL: alone */
};

static bool has_name(const struct item *item, const char *name)
{
    return (item->kind == ITEM_KIND_SERVICE_STATUS &&
            strcmp(item->service_status.service, name) == 0) ||
           (item->kind == ITEM_KIND_NODE_VIEW && strcmp(item->node_view.node, name) == 0);
}

/* A VM and its status are one row. */
static void take_vm(struct section *section, const struct item *item)
{
    if (item->kind == ITEM_KIND_OBJECT) {
        *section->vm = *item;
        section->count++;
    } else if (item->kind == ITEM_KIND_VM_STATUS && section->output != NULL) {
        output_pair(section->output, section->vm, item);
    } else if (item->kind == ITEM_KIND_VM_STATUS) {
        json_t *tree = text_item_tree(section->vm);
        (void)json_object_set_new(tree, "status", text_item_tree(item));
        (void)json_array_append_new(section->list, tree);
    }
}

static void take(void *context, const struct item *item)
{
    struct section *section = context;
    if (section->vm != NULL) {
        take_vm(section, item);
        return;
    }
    if (item->kind != section->kind ||
        (section->name != NULL && !has_name(item, section->name))) {
        return;
    }
    section->count++;
    if (section->output != NULL) {
        output_item(section->output, item);
    } else {
        output_append(section->list, item);
    }
}

/* ---- the requests, one per section ---- */

static void request_object(struct client *client, const struct subject *subject)
{
    struct request *request = client_request(client, METHOD_GET);
    request->kind = subject->kind;
    (void)snprintf(request->name, NAME_SIZE, "%s", subject->name);
}

static void request_status(struct client *client, const struct subject *subject)
{
    struct request *request = client_request(client, METHOD_STATUS);
    (void)snprintf(subject->kind == OBJECT_KIND_NODE ? request->node : request->name, NAME_SIZE,
                   "%s", subject->name);
}

static void request_vms(struct client *client, const struct subject *subject)
{
    struct request *request = client_request(client, METHOD_GET);
    char *field = subject->kind == OBJECT_KIND_NODE ? request->node
                  : subject->kind == OBJECT_KIND_VM ? request->name
                                                    : request->service;
    request->kind = OBJECT_KIND_VM;
    (void)snprintf(field, NAME_SIZE, "%s", subject->name);
}

static void request_events(struct client *client, const struct subject *subject)
{
    struct request *request = client_request(client, METHOD_EVENTS);
    char *field = subject->kind == OBJECT_KIND_NODE ? request->node
                  : subject->kind == OBJECT_KIND_VM ? request->name
                                                    : request->service;
    (void)snprintf(field, NAME_SIZE, "%s", subject->name);
    request->since_wall_ms =
        clock_wall_ms() - (client->since_ms > 0 ? client->since_ms : EVENTS_SINCE_MS);
}

static bool has_status(const struct subject *subject)
{
    return subject->kind == OBJECT_KIND_SERVICE || subject->kind == OBJECT_KIND_NODE;
}

static bool has_vms(const struct subject *subject)
{
    return has_status(subject) || subject->kind == OBJECT_KIND_VM;
}

/* ---- for people ---- */

struct titled {
    const char *title;
    void (*request)(struct client *client, const struct subject *subject);
    struct section section;
};

static int print_section(struct client *client, const struct subject *subject,
                         const struct titled *titled)
{
    struct section section = titled->section;
    section.output = output_begin(stdout, &client->output);
    if (section.output == NULL) {
        return REPLY_FAILED;
    }
    titled->request(client, subject);
    int code = client_read_all(client, take, &section);
    if (code != 0) {
        output_drop(section.output);
        return code;
    }
    (void)printf("\n%s\n%s", titled->title, section.count == 0 ? "none\n" : "");
    (void)output_end(section.output);
    return 0;
}

static int print_object(struct client *client, const struct subject *subject)
{
    struct output_options options = client->output;
    options.format = OUTPUT_YAML;
    struct section section = {.kind = ITEM_KIND_OBJECT};
    section.output = output_begin(stdout, &options);
    if (section.output == NULL) {
        return REPLY_FAILED;
    }
    request_object(client, subject);
    int code = client_read_all(client, take, &section);
    if (code == 0) {
        (void)output_end(section.output);
    } else {
        output_drop(section.output);
    }
    return code;
}

static int print(struct client *client, const struct subject *subject, struct item *vm)
{
    const char *name = subject->name;
    const struct titled sections[] = {
        {"state",
         request_status,
         {.kind = subject->kind == OBJECT_KIND_NODE ? ITEM_KIND_NODE_VIEW
                                                    : ITEM_KIND_SERVICE_STATUS,
          .name = name}},
        {"vms", request_vms, {.vm = vm}},
        {subject->kind == OBJECT_KIND_VM ? "as its node sees it" : "as their nodes see them",
         request_vms,
         {.kind = ITEM_KIND_VM_STATUS}},
        {"events of the last hour", request_events, {.kind = ITEM_KIND_EVENT}},
    };
    const bool shown[] = {has_status(subject), has_status(subject), has_vms(subject),
                          has_vms(subject)};
    int code = print_object(client, subject);
    for (size_t i = 0; code == 0 && i < sizeof sections / sizeof *sections; i++) {
        code = shown[i] ? print_section(client, subject, &sections[i]) : 0;
    }
    return code;
}

/* ---- for programs: one document, the object's fields and beside them what belongs to it ----
 */

static int add_list(struct client *client, json_t *root, const char *member,
                    struct section section)
{
    section.list = json_array();
    int code = client_read_all(client, take, &section);
    (void)json_object_set_new(root, member, section.list);
    return code;
}

/* The only element of a list instead of the list. */
static void unwrap(json_t *root, const char *member)
{
    json_t *first = json_array_get(json_object_get(root, member), 0);
    (void)json_object_set(root, member, first != NULL ? first : json_null());
}

static int fill_tree(struct client *client, const struct subject *subject, struct item *vm,
                     json_t *root)
{
    bool is_vm = subject->kind == OBJECT_KIND_VM;
    request_object(client, subject);
    int code = add_list(client, root, "object",
                        (struct section){.kind = ITEM_KIND_OBJECT, .vm = is_vm ? vm : NULL});
    unwrap(root, "object");
    if (code == 0 && has_status(subject)) {
        enum item_kind kind =
            subject->kind == OBJECT_KIND_NODE ? ITEM_KIND_NODE_VIEW : ITEM_KIND_SERVICE_STATUS;
        request_status(client, subject);
        code = add_list(client, root, "status",
                        (struct section){.kind = kind, .name = subject->name});
        unwrap(root, "status");
    }
    if (code == 0 && has_status(subject)) {
        request_vms(client, subject);
        code = add_list(client, root, "vms", (struct section){.vm = vm});
    }
    if (code == 0 && has_vms(subject)) {
        request_events(client, subject);
        code = add_list(client, root, "events", (struct section){.kind = ITEM_KIND_EVENT});
    }
    return code;
}

static int print_tree(struct client *client, const struct subject *subject, struct item *vm)
{
    json_t *root = json_object();
    int code = fill_tree(client, subject, vm, root);
    if (code != 0) {
        json_decref(root);
        return code;
    }
    return output_tree(stdout, &client->output, root) == 0
               ? 0
               : client_error(client, REPLY_FAILED, "no memory");
}

int verb_show(struct client *client, int count, char **words)
{
    struct subject subject = {0};
    int used = client_parse_object(client, count, words, &subject.kind, subject.name);
    if (used == 0) {
        return REPLY_INVALID;
    }
    if (used < count) {
        return client_error(client, REPLY_INVALID, "unexpected word \"%s\"", words[used]);
    }
    if (subject.kind == OBJECT_KIND_UNSPECIFIED) {
        subject.kind = OBJECT_KIND_SERVICE;
    }
    if (!output_is_table(&client->output) && !output_is_tree(&client->output)) {
        return verb_get_objects(client, subject.kind, subject.name);
    }
    struct item *vm = calloc(1, sizeof *vm);
    if (vm == NULL) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    int code = output_is_table(&client->output) ? print(client, &subject, vm)
                                                : print_tree(client, &subject, vm);
    free(vm);
    return code;
}

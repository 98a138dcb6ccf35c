// SPDX-License-Identifier: Apache-2.0
/*
 * wait: until an object is as wanted. What does not exist yet is waited for, what does not
 * exist any more is deleted.
 */
#include <string.h>

#include "common/io/clock.h"
#include "orchestrator/client/verb.h"

#define POLL_MS 300

struct awaited {
    enum object_kind kind;
    char name[NAME_SIZE];
    const char *condition;
    bool found;
    bool holds;
    char state[TEXT_SIZE]; /* for people, as it is now */
};

static bool is_word(const struct awaited *awaited, const char *word)
{
    return strcmp(awaited->condition, word) == 0;
}

static void look_at_service(struct awaited *awaited, const struct service_status *status)
{
    bool all = status->vms_wanted > 0 && status->vms_running >= status->vms_wanted;
    bool none = status->vms_running == 0 && status->vms_wanted == 0;
    awaited->found = true;
    awaited->holds = (is_word(awaited, "running") && all) ||
                     (is_word(awaited, "met") && status->level_known && status->met) ||
                     ((is_word(awaited, "stopped") || is_word(awaited, "finished")) && none);
    (void)snprintf(awaited->state, TEXT_SIZE, "%u of %u VMs run, level %s%s%.180s",
                   status->vms_running, status->vms_wanted,
                   !status->level_known ? "not measured"
                   : status->met        ? "met"
                                        : "missed",
                   status->problem_text[0] != '\0' ? ", " : "", status->problem_text);
}

static void look_at_node(struct awaited *awaited, const struct node_view *node)
{
    awaited->found = true;
    awaited->holds = is_word(awaited, "up") && node->state == NODE_STATE_UP;
    (void)snprintf(awaited->state, TEXT_SIZE, "last heard %.1f s ago",
                   node->heartbeat_age_ms / 1000.0);
}

static void look_at_vm(struct awaited *awaited, const struct vm_status *status)
{
    awaited->holds = is_word(awaited, run_state_word(status->state));
    (void)snprintf(awaited->state, TEXT_SIZE, "it is %s%s%.190s", run_state_word(status->state),
                   status->problem_text[0] != '\0' ? ", " : "", status->problem_text);
}

static void take_awaited(void *context, const struct item *item)
{
    struct awaited *awaited = context;
    if (item->kind == ITEM_KIND_SERVICE_STATUS && awaited->kind == OBJECT_KIND_SERVICE &&
        strcmp(item->service_status.service, awaited->name) == 0) {
        look_at_service(awaited, &item->service_status);
    } else if (item->kind == ITEM_KIND_NODE_VIEW && awaited->kind == OBJECT_KIND_NODE &&
               strcmp(item->node_view.node, awaited->name) == 0) {
        look_at_node(awaited, &item->node_view);
    } else if (item->kind == ITEM_KIND_OBJECT && item->object.kind == awaited->kind &&
               strcmp(object_name(&item->object), awaited->name) == 0) {
        awaited->found = true;
    } else if (item->kind == ITEM_KIND_VM_STATUS && awaited->kind == OBJECT_KIND_VM &&
               strcmp(item->vm_status.vm, awaited->name) == 0) {
        look_at_vm(awaited, &item->vm_status);
    }
}

/* One look. 0, CLIENT_AWAY, or an exit code, told. */
static int look(struct client *client, struct awaited *awaited)
{
    bool has_status = awaited->kind == OBJECT_KIND_SERVICE || awaited->kind == OBJECT_KIND_NODE;
    struct request *request = client_request(client, has_status ? METHOD_STATUS : METHOD_GET);
    awaited->found = false;
    awaited->holds = false;
    (void)strcpy(awaited->state, "it does not exist");
    if (has_status) {
        (void)snprintf(awaited->kind == OBJECT_KIND_NODE ? request->node : request->name,
                       NAME_SIZE, "%s", awaited->name);
    } else {
        request->kind =
            awaited->kind; /* all of the kind: a name that is not there is refused */
        (void)snprintf(request->service, NAME_SIZE, "%s", "");
    }
    int code = client_poll(client, take_awaited, awaited);
    if (is_word(awaited, "deleted")) {
        awaited->holds = !awaited->found;
        (void)strcpy(awaited->state, "it exists");
    }
    return code;
}

static const char *known_conditions(enum object_kind kind)
{
    switch (kind) {
    case OBJECT_KIND_SERVICE: return "running met stopped finished deleted";
    case OBJECT_KIND_VM: return "running paused suspended stopped crashed deleted";
    case OBJECT_KIND_NODE: return "up deleted";
    case OBJECT_KIND_IMAGE:
    case OBJECT_KIND_STORAGE:
    case OBJECT_KIND_NETWORK:
    case OBJECT_KIND_AGREEMENT:
    case OBJECT_KIND_PROFILE:
    case OBJECT_KIND_SETTINGS:
    case OBJECT_KIND_UNSPECIFIED: break;
    }
    return "deleted";
}

static bool is_in_list(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at != '\0'; at += strspn(at, " ")) {
        size_t own = strcspn(at, " ");
        if (own == length && strncmp(at, word, length) == 0) {
            return true;
        }
        at += own;
    }
    return false;
}

static int parse(struct client *client, int count, char **words, struct awaited *awaited)
{
    int used = client_parse_object(client, count, words, &awaited->kind, awaited->name);
    if (used == 0) {
        return REPLY_INVALID;
    }
    if (used < count) {
        return client_error(client, REPLY_INVALID, "unexpected word \"%s\"", words[used]);
    }
    if (awaited->kind == OBJECT_KIND_UNSPECIFIED) {
        awaited->kind = OBJECT_KIND_SERVICE;
    }
    const char *known = known_conditions(awaited->kind);
    awaited->condition = client->condition != NULL           ? client->condition
                         : awaited->kind == OBJECT_KIND_NODE ? "up"
                                                             : "running";
    return is_in_list(known, awaited->condition)
               ? 0
               : client_error(client, REPLY_INVALID,
                              "--for %s: a %s can be waited for until: %s", awaited->condition,
                              object_kind_word(awaited->kind), known);
}

int verb_wait(struct client *client, int count, char **words)
{
    struct awaited awaited = {0};
    int code = parse(client, count, words, &awaited);
    if (code != 0) {
        return code;
    }
    const char *kind = object_kind_word(awaited.kind);
    int64_t until_ms = clock_boot_ms() + client_wait_ms(client);
    client_follow(client);
    for (;;) {
        code = look(client, &awaited);
        if (code != 0 && code != CLIENT_AWAY) {
            return code;
        }
        if (code == 0 && awaited.holds) {
            return 0;
        }
        if (clock_boot_ms() >= until_ms) {
            return client_error(client, REPLY_TIME_OUT, "%s %s is not %s after %.1f s: %s",
                                kind, awaited.name, awaited.condition,
                                client_wait_ms(client) / 1000.0, awaited.state);
        }
        if (client_pause(client, POLL_MS)) {
            return client_interrupted("arbiter wait %s/%s --for %s", kind, awaited.name,
                                      awaited.condition);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
/* The verbs that order something: the states of services and VMs, deletion, nodes, mode. */
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "orchestrator/client/verb.h"
#include "proto/text.h"

#define DRAIN_POLL_MS 500

static int call_and_tell(struct client *client)
{
    struct reply reply;
    int code = client_call(client, &reply, NULL, NULL);
    if (code == 0) {
        client_tell_done(client, &reply);
    }
    return code;
}

/* One changing request about an object; a bare name is a service. */
static int change(struct client *client, enum method method, enum run_state state, int count,
                  char **words)
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    struct request *request = client_request(client, method);
    int used = client_parse_object(client, count, words, &kind, request->name);
    if (used == 0) {
        return REPLY_INVALID;
    }
    if (used < count) {
        return client_error(client, REPLY_INVALID, "unexpected word \"%s\"", words[used]);
    }
    request->kind = kind != OBJECT_KIND_UNSPECIFIED ? kind : OBJECT_KIND_SERVICE;
    request->run_state = state;
    request->at_revision = client->at_revision;
    return call_and_tell(client);
}

int verb_start(struct client *client, int count, char **words)
{
    return change(client, METHOD_SET_STATE, RUN_STATE_RUNNING, count, words);
}

int verb_stop(struct client *client, int count, char **words)
{
    return change(client, METHOD_SET_STATE, RUN_STATE_STOPPED, count, words);
}

int verb_pause(struct client *client, int count, char **words)
{
    return change(client, METHOD_SET_STATE, RUN_STATE_PAUSED, count, words);
}

int verb_resume(struct client *client, int count, char **words)
{
    return change(client, METHOD_SET_STATE, RUN_STATE_RUNNING, count, words);
}

int verb_suspend(struct client *client, int count, char **words)
{
    return change(client, METHOD_SET_STATE, RUN_STATE_SUSPENDED, count, words);
}

int verb_restore(struct client *client, int count, char **words)
{
    return change(client, METHOD_SET_STATE, RUN_STATE_RUNNING, count, words);
}

int verb_reboot(struct client *client, int count, char **words)
{
    return change(client, METHOD_REBOOT, RUN_STATE_UNSPECIFIED, count, words);
}

/* On a terminal the name has to be typed; without one, --yes is needed: never a hang. */
static int confirm(struct client *client, enum object_kind kind, const char *name)
{
    char line[NAME_SIZE + 2] = "";
    if (client->yes) {
        return 0;
    }
    if (isatty(STDIN_FILENO) != 1) {
        int code = client_error(client, REPLY_INVALID, "delete needs --yes without a terminal");
        client_hint("arbiter delete %s/%s --yes", object_kind_word(kind), name);
        return code;
    }
    (void)fprintf(stderr, "this deletes %s %s%s; type its name: ", object_kind_word(kind), name,
                  kind == OBJECT_KIND_SERVICE ? " and the copy disks of its VMs" : "");
    if (fgets(line, sizeof line, stdin) == NULL) {
        line[0] = '\0';
    }
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, name) == 0
               ? 0
               : client_error(client, REPLY_INVALID,
                              "\"%s\" is not \"%s\": nothing was deleted", line, name);
}

int verb_delete(struct client *client, int count, char **words)
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    char name[NAME_SIZE];
    if (client_parse_object(client, count, words, &kind, name) == 0) {
        return REPLY_INVALID;
    }
    kind = kind != OBJECT_KIND_UNSPECIFIED ? kind : OBJECT_KIND_SERVICE;
    int code = confirm(client, kind, name);
    return code != 0 ? code
                     : change(client, METHOD_DELETE, RUN_STATE_UNSPECIFIED, count, words);
}

/* The name of a node from one or two words: "n1", "node/n1", "node n1". False: told. */
static bool parse_node(struct client *client, int count, char **words, char name[NAME_SIZE])
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    int used = client_parse_object(client, count, words, &kind, name);
    if (used != 0 &&
        (used < count || (kind != OBJECT_KIND_UNSPECIFIED && kind != OBJECT_KIND_NODE))) {
        (void)client_error(client, REPLY_INVALID, "expected the name of one node");
        used = 0;
    }
    return used != 0;
}

static int change_node(struct client *client, enum method method, int count, char **words)
{
    struct request *request = client_request(client, method);
    if (!parse_node(client, count, words, request->name)) {
        return REPLY_INVALID;
    }
    request->kind = OBJECT_KIND_NODE;
    return call_and_tell(client);
}

int verb_cordon(struct client *client, int count, char **words)
{
    return change_node(client, METHOD_CORDON, count, words);
}

int verb_uncordon(struct client *client, int count, char **words)
{
    return change_node(client, METHOD_UNCORDON, count, words);
}

int verb_confirm_dead(struct client *client, int count, char **words)
{
    return change_node(client, METHOD_CONFIRM_DEAD, count, words);
}

struct node_count {
    uint32_t vms;
};

static void count_vm(void *context, const struct item *item)
{
    struct node_count *left = context;
    left->vms += item->kind == ITEM_KIND_OBJECT && item->object.kind == OBJECT_KIND_VM;
}

static int wait_drained(struct client *client, const char *node)
{
    int64_t until_ms = clock_boot_ms() + client_wait_ms(client);
    uint32_t told = UINT32_MAX;
    for (;;) {
        struct node_count left = {0};
        struct request *request = client_request(client, METHOD_GET);
        request->kind = OBJECT_KIND_VM;
        (void)snprintf(request->node, NAME_SIZE, "%s", node);
        int code = client_poll(client, count_vm, &left);
        if (code != 0 && code != CLIENT_AWAY) {
            return code;
        }
        if (code == 0 && left.vms == 0) {
            return 0;
        }
        if (clock_boot_ms() > until_ms) {
            return client_error(client, REPLY_TIME_OUT,
                                "%u VMs are still on node %s; the work goes on", left.vms,
                                node);
        }
        if (code == 0 && left.vms != told && !client->quiet) {
            (void)fprintf(stderr, "%u VMs left on %s\n", left.vms, node);
            told = left.vms;
        }
        if (client_pause(client, DRAIN_POLL_MS)) {
            return client_interrupted("arbiter drain %s --wait", node);
        }
    }
}

int verb_drain(struct client *client, int count, char **words)
{
    char name[NAME_SIZE];
    if (!parse_node(client, count, words, name)) {
        return REPLY_INVALID;
    }
    if (client->wait) {
        client_follow(client);
    }
    int code = change_node(client, METHOD_DRAIN, count, words);
    return code == 0 && client->wait ? wait_drained(client, name) : code;
}

/* Durations of requests are 32 bit: 49 days. */
static int set_duration(struct client *client, const char *option, int64_t ms)
{
    if (ms < 0 || ms > UINT32_MAX) {
        return client_error(client, REPLY_INVALID, "%s: at most 49d", option);
    }
    client->request->for_ms = (uint32_t)ms;
    return 0;
}

int verb_move(struct client *client, int count, char **words)
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    struct request *request = client_request(client, METHOD_MOVE);
    int used = client_parse_object(client, count, words, &kind, request->name);
    bool is_vm = kind == OBJECT_KIND_UNSPECIFIED || kind == OBJECT_KIND_VM;
    if (used != 0 && (used == count || !is_vm)) {
        (void)client_error(client, REPLY_INVALID, "expected a VM and a node");
        used = 0;
    }
    if (used == 0 || !parse_node(client, count - used, words + used, request->node)) {
        client_hint("arbiter move vm/shop-web-1 xen2");
        return REPLY_INVALID;
    }
    request->kind = OBJECT_KIND_VM;
    int code = set_duration(client, "--pin", client->pin_ms);
    return code != 0 ? code : call_and_tell(client);
}

int verb_mode(struct client *client, int count, char **words)
{
    static const struct {
        const char *word;
        enum mode mode;
    } modes[] = {{"advise", MODE_ADVISE}, {"act", MODE_ACT}, {"hold", MODE_HOLD}};
    struct request *request = client_request(client, METHOD_MODE);
    for (size_t i = 0; count == 1 && i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(words[0], modes[i].word) == 0) {
            request->mode = modes[i].mode;
        }
    }
    if (request->mode == MODE_UNSPECIFIED) {
        return client_error(client, REPLY_INVALID, "expected one of: advise, act, hold");
    }
    int64_t for_ms = 0;
    struct err err = {0};
    if (client->condition != NULL &&
        text_parse_duration_ms(client->condition, &for_ms, &err) != 0) {
        return client_error(client, REPLY_INVALID, "--for: %s", err.text);
    }
    int code = set_duration(client, "--for", for_ms);
    return code != 0 ? code : call_and_tell(client);
}

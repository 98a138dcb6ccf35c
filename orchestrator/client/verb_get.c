// SPDX-License-Identifier: Apache-2.0
/*
 * get: objects, decisions and metrics as lists. A table or CSV shows services and nodes by what
 * they do now; YAML shows objects as the files that apply reads; JSON has both, the status of
 * an object as its member "status".
 */
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "orchestrator/client/verb.h"
#include "proto/text_tree.h"

struct listing {
    struct output *output;
    enum item_kind kind; /* of what becomes a row */
    const char *name;    /* empty: all */
    json_t *only;        /* names of services on a node; NULL: all */
    json_t *statuses;    /* by name, for JSON; NULL: none */
    struct item *held;   /* a VM that waits for its status */
    bool is_held;
    int count;
};

static const char *item_name(const struct item *item)
{
    switch (item->kind) {
    case ITEM_KIND_OBJECT: return object_name(&item->object);
    case ITEM_KIND_VM_STATUS: return item->vm_status.vm;
    case ITEM_KIND_SERVICE_STATUS: return item->service_status.service;
    case ITEM_KIND_NODE_VIEW: return item->node_view.node;
    case ITEM_KIND_UNSPECIFIED:
    case ITEM_KIND_CLUSTER_STATUS:
    case ITEM_KIND_EVENT:
    case ITEM_KIND_DECISION:
    case ITEM_KIND_METRIC:
    case ITEM_KIND_PLACEMENT: break;
    }
    return "";
}

static bool is_wanted(const struct listing *listing, const struct item *item)
{
    const char *name = item_name(item);
    return item->kind == listing->kind &&
           (listing->name[0] == '\0' || strcmp(listing->name, name) == 0) &&
           (listing->only == NULL || json_object_get(listing->only, name) != NULL);
}

static void take_row(void *context, const struct item *item)
{
    struct listing *listing = context;
    if (item->kind == ITEM_KIND_VM_STATUS && listing->is_held) {
        output_pair(listing->output, listing->held, item);
        listing->is_held = false;
        return;
    }
    if (!is_wanted(listing, item)) {
        return;
    }
    listing->count++;
    if (item->kind == ITEM_KIND_OBJECT && item->object.kind == OBJECT_KIND_VM) {
        *listing->held = *item; /* its status follows it */
        listing->is_held = true;
    } else if (listing->statuses != NULL) {
        json_t *tree = text_item_tree(item);
        json_t *status = json_object_get(listing->statuses, item_name(item));
        (void)json_object_set(tree, "status", status != NULL ? status : json_null());
        output_take_tree(listing->output, tree);
    } else {
        output_pair(listing->output, item, NULL);
    }
}

static void take_status(void *statuses, const struct item *item)
{
    if (item->kind == ITEM_KIND_SERVICE_STATUS || item->kind == ITEM_KIND_NODE_VIEW) {
        (void)json_object_set_new(statuses, item_name(item), text_item_tree(item));
    }
}

static void take_name(void *names, const struct item *item)
{
    if (item->kind == ITEM_KIND_OBJECT) {
        (void)json_object_set_new(names, item_name(item), json_true());
    }
}

static void set_filters(const struct client *client, struct request *request)
{
    (void)snprintf(request->service, NAME_SIZE, "%s",
                   client->service != NULL ? client->service : "");
    (void)snprintf(request->node, NAME_SIZE, "%s", client->node != NULL ? client->node : "");
}

/* A status is asked for by the field of its kind: a name means a service. */
static void request_status(struct client *client, enum object_kind kind, const char *name)
{
    struct request *request = client_request(client, METHOD_STATUS);
    if (kind == OBJECT_KIND_NODE) {
        (void)snprintf(request->node, NAME_SIZE, "%s",
                       name[0] == '\0' && client->node != NULL ? client->node : name);
    } else {
        (void)snprintf(request->name, NAME_SIZE, "%s", name);
        (void)snprintf(request->service, NAME_SIZE, "%s",
                       client->service != NULL ? client->service : "");
    }
}

static void request_objects(struct client *client, enum object_kind kind, const char *name)
{
    struct request *request = client_request(client, METHOD_GET);
    request->kind = kind;
    (void)snprintf(request->name, NAME_SIZE, "%s", name);
    set_filters(client, request);
}

/* Reads what is joined to the rows, then leaves the request for the rows themselves. */
static int prepare(struct client *client, enum object_kind kind, struct listing *listing)
{
    bool has_status = kind == OBJECT_KIND_SERVICE || kind == OBJECT_KIND_NODE;
    int code = 0;
    if (has_status && client->output.format == OUTPUT_JSON) {
        listing->statuses = json_object();
        request_status(client, kind, listing->name);
        code = client_poll(client, take_status, listing->statuses);
    }
    if (!has_status || output_is_tree(&client->output)) {
        listing->kind = ITEM_KIND_OBJECT;
        request_objects(client, kind, listing->name);
        return code;
    }
    if (kind == OBJECT_KIND_SERVICE && client->node != NULL) {
        listing->only = json_object();
        request_objects(client, kind, listing->name);
        code = client_poll(client, take_name, listing->only);
    }
    listing->kind =
        kind == OBJECT_KIND_SERVICE ? ITEM_KIND_SERVICE_STATUS : ITEM_KIND_NODE_VIEW;
    request_status(client, kind, listing->name);
    return code;
}

static int list_once(struct client *client, enum object_kind kind, struct listing *listing)
{
    listing->output = output_begin(stdout, &client->output);
    if (listing->output == NULL) {
        return REPLY_FAILED;
    }
    int code = prepare(client, kind, listing);
    if (code == 0) {
        output_expect(listing->output, listing->kind, kind);
        code = client_poll(client, take_row, listing);
    }
    bool missing = code == 0 && listing->count == 0 && listing->name[0] != '\0';
    if (code != 0 || missing) {
        output_drop(listing->output);
        return missing ? client_error(client, REPLY_NOT_FOUND, "there is no %s \"%s\"",
                                      object_kind_word(kind), listing->name)
                       : code;
    }
    if (output_end(listing->output) == 0) {
        client_tell_none(client, client_plural(kind));
    }
    return 0;
}

int verb_get_objects(struct client *client, enum object_kind kind, const char *name)
{
    struct listing listing = {.name = name};
    listing.held = calloc(1, sizeof *listing.held);
    if (listing.held == NULL) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    int code = list_once(client, kind, &listing);
    json_decref(listing.only);
    json_decref(listing.statuses);
    free(listing.held);
    return code;
}

/* Decisions by id or service, metrics by name. */
static int get_records(struct client *client, bool metrics, const char *name)
{
    struct request *request =
        client_request(client, metrics ? METHOD_METRICS : METHOD_DECISIONS);
    set_filters(client, request);
    request->after = client->after;
    request->since_wall_ms = client->since_ms > 0 ? clock_wall_ms() - client->since_ms : 0;
    if (metrics) {
        (void)snprintf(request->name, NAME_SIZE, "%s", name);
    } else if (!verb_parse_decision(name, &request->id) && name[0] != '\0') {
        (void)snprintf(request->service, NAME_SIZE, "%s", name);
    }
    struct output *output = output_begin(stdout, &client->output);
    if (output == NULL) {
        return REPLY_FAILED;
    }
    output_expect(output, metrics ? ITEM_KIND_METRIC : ITEM_KIND_DECISION, 0);
    int code = client_poll(client, output_item, output);
    if (code != 0) {
        output_drop(output);
    } else if (output_end(output) == 0) {
        client_tell_none(client, metrics ? "metrics" : "decisions");
    }
    return code;
}

/* What "get" is asked for. */
struct wanted {
    enum object_kind kind; /* unspecified: records */
    bool metrics;
    char name[NAME_SIZE];
};

static bool is_record_word(const char *word, bool *metrics)
{
    *metrics = strcmp(word, "metric") == 0 || strcmp(word, "metrics") == 0;
    return *metrics || strcmp(word, "decision") == 0 || strcmp(word, "decisions") == 0;
}

static int parse_wanted(struct client *client, int count, char **words, struct wanted *out)
{
    if (count == 0 || words[0][0] == '\0') {
        int code = client_error(client, REPLY_INVALID, "the type to list is missing");
        client_hint("arbiter get svc        arbiter help get");
        return code;
    }
    int used = 1;
    if (is_record_word(words[0], &out->metrics)) {
        (void)snprintf(out->name, NAME_SIZE, "%s", count > 1 ? words[1] : "");
        used = count > 1 ? 2 : 1;
    } else if (strchr(words[0], '/') == NULL && client_parse_kind(words[0]) == 0) {
        return client_unknown_type(client, words[0]);
    } else if (count > 1 || strchr(words[0], '/') != NULL) {
        used = client_parse_object(client, count, words, &out->kind, out->name);
    } else {
        out->kind = client_parse_kind(words[0]);
    }
    if (used == 0) {
        return REPLY_INVALID;
    }
    if (used < count) {
        return client_error(client, REPLY_INVALID, "unexpected word \"%s\"", words[used]);
    }
    bool placed = out->kind == OBJECT_KIND_SERVICE || out->kind == OBJECT_KIND_VM ||
                  out->kind == OBJECT_KIND_UNSPECIFIED;
    const bool learnt = client->service != NULL && out->kind == OBJECT_KIND_PROFILE;
    if ((client->service != NULL && !placed && !learnt) ||
        (client->node != NULL && !placed && out->kind != OBJECT_KIND_NODE)) {
        return client_error(client, REPLY_INVALID, "%s have no %s", client_plural(out->kind),
                            client->service != NULL ? "--service" : "--node");
    }
    return 0;
}

static int get_once(struct client *client, const struct wanted *wanted)
{
    return wanted->kind == OBJECT_KIND_UNSPECIFIED
               ? get_records(client, wanted->metrics, wanted->name)
               : verb_get_objects(client, wanted->kind, wanted->name);
}

int verb_get(struct client *client, int count, char **words)
{
    struct wanted wanted = {0};
    int code = parse_wanted(client, count, words, &wanted);
    if (code != 0 || client->watch_ms == 0) {
        return code != 0 ? code : get_once(client, &wanted);
    }
    client->output.json_lines = true; /* a line is one object, so a stream of them is too */
    client_follow(client);
    do {
        if (client->output.width > 0 && output_is_table(&client->output)) {
            (void)fputs("\033[H\033[2J", stdout);
        }
        code = get_once(client, &wanted);
        if (code != 0 && code != CLIENT_AWAY) {
            return code;
        }
        (void)fflush(stdout);
    } while (!client_pause(client, client->watch_ms));
    return EXIT_INTERRUPTED;
}

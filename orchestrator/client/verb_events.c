// SPDX-License-Identifier: Apache-2.0
/* events: the log of what happened; with --follow it goes on, without gaps over a restart of
 * the orchestrator too, since every read asks for the ids above the last one. */
#include <stdlib.h>
#include <string.h>

#include "common/closest_word.h"
#include "common/io/clock.h"
#include "orchestrator/client/verb.h"

#define FOLLOW_POLL_MS 500

struct events {
    struct output *output;
    bool kinds[EVENT_KIND_COUNT]; /* that are shown */
    int64_t since_wall_ms;
    uint64_t newest; /* id that was seen, shown or not */
};

static int unknown_kind(struct client *client, const char *word)
{
    struct closest_word closest;
    char suggestion[TEXT_SIZE];
    char known[TEXT_SIZE] = "";
    closest_word_begin(&closest, word);
    for (int i = 1; i < EVENT_KIND_COUNT; i++) {
        size_t used = strlen(known);
        closest_word_offer(&closest, event_kind_word((enum event_kind)i));
        (void)snprintf(known + used, sizeof known - used, " %s",
                       event_kind_word((enum event_kind)i));
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    int code = client_error(client, REPLY_INVALID, "--kind: there is no kind \"%s\"%s", word,
                            suggestion);
    client_hint("kinds:%s", known);
    return code;
}

/* "decision,alarm"; not given: all. */
static int parse_kinds(struct client *client, bool kinds[EVENT_KIND_COUNT])
{
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        kinds[i] = client->kind == NULL;
    }
    for (const char *at = client->kind; at != NULL && *at != '\0';) {
        char word[NAME_SIZE];
        size_t length = strcspn(at, ",");
        bool found = false;
        (void)snprintf(word, sizeof word, "%.*s", (int)length, at);
        for (int i = 1; i < EVENT_KIND_COUNT; i++) {
            bool same = strcmp(event_kind_word((enum event_kind)i), word) == 0;
            kinds[i] = kinds[i] || same;
            found = found || same;
        }
        if (!found) {
            return unknown_kind(client, word);
        }
        at += length + (at[length] == ',' ? 1 : 0);
    }
    return 0;
}

static void take_event(void *context, const struct item *item)
{
    struct events *events = context;
    if (item->kind != ITEM_KIND_EVENT) {
        return;
    }
    unsigned kind = (unsigned)item->event.kind;
    events->newest = item->event.id;
    if (kind >= EVENT_KIND_COUNT || events->kinds[kind]) {
        output_item(events->output, item);
    }
}

static int events_once(struct client *client, struct events *events, bool again)
{
    struct request *request = client_request(client, METHOD_EVENTS);
    (void)snprintf(request->service, NAME_SIZE, "%s",
                   client->service != NULL ? client->service : "");
    (void)snprintf(request->node, NAME_SIZE, "%s", client->node != NULL ? client->node : "");
    request->after = events->newest;
    request->since_wall_ms = events->since_wall_ms;
    struct output_options options = client->output;
    options.no_header = options.no_header || again;
    options.json_lines = client->follow;
    events->output = output_begin(stdout, &options);
    if (events->output == NULL) {
        return REPLY_FAILED;
    }
    output_expect(events->output, ITEM_KIND_EVENT, 0);
    int code = client_poll(client, take_event, events);
    if (code != 0 && code != CLIENT_AWAY) {
        output_drop(events->output);
        return code;
    }
    /* What came before an outage was counted as seen, so it is shown. */
    if (output_end(events->output) == 0 && !client->follow) {
        client_tell_none(client, "events");
    }
    return code;
}

int verb_events(struct client *client, int count, char **words)
{
    struct events events = {.newest = client->after};
    (void)words;
    if (count > 0) {
        return client_error(client, REPLY_INVALID,
                            "events takes no words; use --service, --node, --kind, --after");
    }
    events.since_wall_ms = client->since_ms > 0 ? clock_wall_ms() - client->since_ms : 0;
    int code = parse_kinds(client, events.kinds);
    if (code == 0 && client->follow) {
        client_follow(client);
    }
    code = code != 0 ? code : events_once(client, &events, false);
    while (client->follow && (code == 0 || code == CLIENT_AWAY)) {
        if (client_pause(client, FOLLOW_POLL_MS)) {
            return client_interrupted("arbiter events --follow --after %llu",
                                      (unsigned long long)events.newest);
        }
        code = events_once(client, &events, true);
    }
    return code;
}

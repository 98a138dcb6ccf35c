// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/client.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "common/closest_word.h"
#include "common/io/clock.h"
#include "common/io/poll.h"

struct request *client_request(struct client *client, enum method method)
{
    struct request *request = client->request;
    memset(request, 0, sizeof *request);
    request->header.version = PROTOCOL_VERSION;
    request->header.min_version = PROTOCOL_VERSION;
    request->method = method;
    if (method >= METHOD_PUT) {
        connection_new_request_id(request->request_id, clock_wall_ms());
    }
    return request;
}

static void tell_json(enum reply_code code, enum reason reason, const char *text,
                      const struct reply *reply)
{
    json_t *facts = json_array();
    json_t *hints = json_array();
    for (uint32_t i = 0; reply != NULL && i < reply->facts_count; i++) {
        (void)json_array_append_new(facts, json_string(reply->facts[i]));
    }
    for (uint32_t i = 0; reply != NULL && i < reply->hints_count; i++) {
        (void)json_array_append_new(hints, json_string(reply->hints[i]));
    }
    json_t *root = json_pack("{s:{s:i,s:s,s:s,s:o,s:o}}", "error", "code", (int)code, "reason",
                             reason_word(reason), "text", text, "facts", facts, "hints", hints);
    if (root != NULL) {
        (void)json_dumpf(root, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
        json_decref(root);
    }
}

int client_error(const struct client *client, enum reply_code code, const char *format, ...)
{
    char text[TEXT_SIZE * 4];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fprintf(stderr, "arbiter: error: %s\n", text);
    if (client != NULL && client->output.format == OUTPUT_JSON) {
        tell_json(code, REASON_NONE, text, NULL);
    }
    return (int)code;
}

void client_hint(const char *format, ...)
{
    char text[TEXT_SIZE * 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fprintf(stderr, "  hint: %s\n", text);
}

int client_tell_reply(const struct client *client, const struct reply *reply)
{
    if (reply->code == REPLY_DONE) {
        return 0;
    }
    (void)fprintf(stderr, "arbiter: error: %s\n",
                  reply->text[0] != '\0' ? reply->text : reason_word(reply->reason));
    for (uint32_t i = 0; i < reply->facts_count; i++) {
        (void)fprintf(stderr, "  %s\n", reply->facts[i]);
    }
    for (uint32_t i = 0; i < reply->hints_count; i++) {
        (void)fprintf(stderr, "  hint: %s\n", reply->hints[i]);
    }
    if (client->output.format == OUTPUT_JSON) {
        tell_json(reply->code, reply->reason, reply->text, reply);
    }
    return (int)reply->code;
}

void client_tell_done(const struct client *client, const struct reply *reply)
{
    if (client->quiet) {
        return;
    }
    (void)printf("%s\n", reply->text[0] != '\0' ? reply->text : "done");
    for (uint32_t i = 0; i < reply->facts_count; i++) {
        (void)printf("  %s\n", reply->facts[i]);
    }
}

void client_tell_none(const struct client *client, const char *what)
{
    if (!client->quiet) {
        (void)fprintf(stderr, "no %s\n", what);
    }
}

/* An error of our own in the form in which the orchestrator tells its errors. */
static int fill_reply(struct reply *reply, enum reply_code code, const struct err *err)
{
    memset(reply, 0, sizeof *reply);
    reply->code = code;
    reply->reason = code == REPLY_DENIED    ? REASON_DENIED
                    : code == REPLY_INVALID ? REASON_INVALID
                                            : REASON_TIME_OUT;
    (void)snprintf(reply->text, sizeof reply->text, "%s", err->text);
    return (int)code;
}

static void add_hint(struct reply *reply, const char *text)
{
    (void)snprintf(reply->hints[reply->hints_count++], TEXT_SIZE, "%s", text);
}

static int connect_now(struct client *client, struct reply *reply)
{
    struct err err = {0};
    if (client->connection != NULL) {
        return 0;
    }
    if (connection_settings_complete(&client->connection_settings, &err) != 0) {
        return fill_reply(reply, REPLY_INVALID, &err);
    }
    int rc = connection_open(&client->connection, &client->connection_settings, &err);
    if (rc == 0) {
        return 0;
    }
    if (rc != -ENOENT && rc != -EACCES) {
        return fill_reply(reply, REPLY_INVALID, &err);
    }
    (void)fill_reply(reply, REPLY_DENIED, &err);
    add_hint(reply, "arbiter keys make NAME, then let the administrator enrol NAME.pub");
    return REPLY_DENIED;
}

int client_try(struct client *client, struct reply *reply, take_item_fn take, void *context)
{
    int code = connect_now(client, reply);
    if (code != 0) {
        return code;
    }
    struct err err = {0};
    bool hurried = client->timeout_ms > 0 && client->timeout_ms < CLIENT_CALL_MS;
    enum reply_code result =
        connection_call(client->connection, client->request, reply, take, context,
                        hurried ? client->timeout_ms : CLIENT_CALL_MS, &err);
    if (err.text[0] != '\0') {
        (void)fill_reply(reply, result, &err);
        if (result == REPLY_UNREACHABLE) {
            add_hint(reply,
                     "systemctl status arbiterd        or try without Xen:  deploy/demo.sh");
        }
    } else {
        client->answered = true;
        client->away_told = false;
    }
    return (int)result;
}

int client_wait_ms(const struct client *client)
{
    return client->timeout_ms > 0 ? client->timeout_ms : CLIENT_WAIT_MS;
}

int client_call(struct client *client, struct reply *reply, take_item_fn take, void *context)
{
    int code = client_try(client, reply, take, context);
    return code == 0 ? 0 : client_tell_reply(client, reply);
}

int client_read_all(struct client *client, take_item_fn take, void *context)
{
    struct reply reply;
    int code = 0;
    do {
        code = client_call(client, &reply, take, context);
        client->request->after = reply.next;
    } while (code == 0 && reply.next != 0);
    return code;
}

int client_poll(struct client *client, take_item_fn take, void *context)
{
    struct reply reply;
    int code = 0;
    do {
        code = client_try(client, &reply, take, context);
        client->request->after = reply.next;
    } while (code == 0 && reply.next != 0);
    bool away = code == REPLY_UNREACHABLE || code == REPLY_TIME_OUT;
    if (code == 0 || !away || !client->answered || client->interrupt_fd == 0) {
        return code == 0 ? 0 : client_tell_reply(client, &reply);
    }
    if (!client->away_told) {
        (void)fprintf(stderr, "arbiter: %s; trying again\n", reply.text);
        client->away_told = true;
    }
    return CLIENT_AWAY;
}

/* Ctrl-C becomes readable on a descriptor, so there is no handler and no global flag. */
void client_follow(struct client *client)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    if (client->interrupt_fd == 0 && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0) {
        client->interrupt_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    }
}

bool client_pause(struct client *client, int ms)
{
    struct poll_item item = {.fd = client->interrupt_fd};
    int64_t until_ms = clock_boot_ms() + ms;
    if (client->interrupt_fd <= 0) {
        clock_sleep_until(until_ms);
        return false;
    }
    (void)poll_wait(&item, 1, until_ms); /* early after another signal: no harm */
    return item.ready;
}

int client_interrupted(const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fprintf(stderr, "\ninterrupted; what was ordered goes on\n  to follow it again: %s\n",
                  text);
    return EXIT_INTERRUPTED;
}

static const struct {
    const char *word;
    enum object_kind kind;
} kind_words[] = {{"service", OBJECT_KIND_SERVICE},
                  {"services", OBJECT_KIND_SERVICE},
                  {"svc", OBJECT_KIND_SERVICE},
                  {"vm", OBJECT_KIND_VM},
                  {"vms", OBJECT_KIND_VM},
                  {"node", OBJECT_KIND_NODE},
                  {"nodes", OBJECT_KIND_NODE},
                  {"image", OBJECT_KIND_IMAGE},
                  {"images", OBJECT_KIND_IMAGE},
                  {"storage", OBJECT_KIND_STORAGE},
                  {"storages", OBJECT_KIND_STORAGE},
                  {"network", OBJECT_KIND_NETWORK},
                  {"networks", OBJECT_KIND_NETWORK},
                  {"net", OBJECT_KIND_NETWORK},
                  {"agreement", OBJECT_KIND_AGREEMENT},
                  {"agreements", OBJECT_KIND_AGREEMENT},
                  {"profile", OBJECT_KIND_PROFILE},
                  {"profiles", OBJECT_KIND_PROFILE},
                  {"settings", OBJECT_KIND_SETTINGS}};
#define KIND_WORDS (sizeof kind_words / sizeof *kind_words)

enum object_kind client_parse_kind(const char *word)
{
    for (size_t i = 0; i < KIND_WORDS; i++) {
        if (strcmp(kind_words[i].word, word) == 0) {
            return kind_words[i].kind;
        }
    }
    return OBJECT_KIND_UNSPECIFIED;
}

const char *client_plural(enum object_kind kind)
{
    for (size_t i = 0; i < KIND_WORDS; i++) {
        size_t length = strlen(kind_words[i].word);
        if (kind_words[i].kind == kind && kind_words[i].word[length - 1] == 's') {
            return kind_words[i].word;
        }
    }
    return "objects";
}

int client_unknown_type(struct client *client, const char *word)
{
    struct closest_word closest;
    char suggestion[TEXT_SIZE];
    closest_word_begin(&closest, word);
    for (size_t i = 0; i < KIND_WORDS; i++) {
        closest_word_offer(&closest, kind_words[i].word);
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    int code =
        client_error(client, REPLY_INVALID, "there is no type \"%s\"%s", word, suggestion);
    client_hint("types: service (svc) vm node image storage network (net) agreement settings, "
                "and for get: decision metric");
    return code;
}

int client_parse_object(struct client *client, int count, char **words, enum object_kind *kind,
                        char name[NAME_SIZE])
{
    *kind = OBJECT_KIND_UNSPECIFIED;
    if (count == 0) {
        (void)client_error(client, REPLY_INVALID, "the name of an object is missing");
        return 0;
    }
    const char *slash = strchr(words[0], '/');
    const char *text = words[0];
    int used = 1;
    if (slash != NULL) {
        char word[NAME_SIZE];
        (void)snprintf(word, sizeof word, "%.*s", (int)(slash - words[0]), words[0]);
        *kind = client_parse_kind(word);
        if (*kind == OBJECT_KIND_UNSPECIFIED) {
            (void)client_unknown_type(client, word);
            return 0;
        }
        text = slash + 1;
    } else if (count > 1 && client_parse_kind(words[0]) != OBJECT_KIND_UNSPECIFIED) {
        *kind = client_parse_kind(words[0]);
        text = words[1];
        used = 2;
    }
    if (text[0] == '\0' || strlen(text) >= NAME_SIZE) {
        (void)client_error(client, REPLY_INVALID, "\"%s\" is not a name", text);
        return 0;
    }
    (void)snprintf(name, NAME_SIZE, "%s", text);
    return used;
}

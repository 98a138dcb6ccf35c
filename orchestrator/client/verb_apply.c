// SPDX-License-Identifier: Apache-2.0
/* apply: what a file describes becomes what is wanted; then its services are followed. */
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "orchestrator/client/object_files.h"
#include "orchestrator/client/verb.h"

#define FOLLOW_POLL_MS 300

struct progress {
    const char *service;
    bool found;
    uint32_t wanted;
    uint32_t running;
    char problem_text[TEXT_SIZE];
};

static void take_progress(void *context, const struct item *item)
{
    struct progress *progress = context;
    if (item->kind == ITEM_KIND_SERVICE_STATUS &&
        strcmp(item->service_status.service, progress->service) == 0) {
        progress->found = true;
        progress->wanted = item->service_status.vms_wanted;
        progress->running = item->service_status.vms_running;
        (void)snprintf(progress->problem_text, sizeof progress->problem_text, "%s",
                       item->service_status.problem_text);
    }
}

static void tell_progress(const struct progress *progress, double passed_s, bool changed)
{
    if (changed) {
        (void)fprintf(stderr, "%5.1f s  %s: %u of %u VMs run\n", passed_s, progress->service,
                      progress->running, progress->wanted);
    }
}

static int out_of_time(const struct client *client, const struct progress *progress)
{
    int code = client_error(client, REPLY_TIME_OUT,
                            "service %s: %u of %u VMs run after %.1f s; the work goes on",
                            progress->service, progress->running, progress->wanted,
                            client_wait_ms(client) / 1000.0);
    client_hint("arbiter wait svc/%s --for running        arbiter why %s", progress->service,
                progress->service);
    return code;
}

/* Until all VMs run, the time-out or Ctrl-C. One line per change. */
static int follow(struct client *client, const char *service)
{
    int64_t begin_ms = clock_boot_ms();
    uint32_t shown = UINT32_MAX;
    char told[TEXT_SIZE] = "";
    struct progress progress = {.service = service};
    for (;;) {
        struct request *request = client_request(client, METHOD_STATUS);
        (void)snprintf(request->name, NAME_SIZE, "%s", service);
        progress.found = false;
        int code = client_poll(client, take_progress, &progress);
        if (code != 0 && code != CLIENT_AWAY) {
            return code;
        }
        double passed_s = (double)(clock_boot_ms() - begin_ms) / 1000.0;
        if (progress.found && !client->quiet) {
            tell_progress(&progress, passed_s, progress.running != shown);
            shown = progress.running;
        }
        if (progress.found && strcmp(told, progress.problem_text) != 0) {
            (void)snprintf(told, sizeof told, "%s", progress.problem_text);
            (void)fprintf(stderr, "%5.1f s  %s: %s\n", passed_s, service,
                          told[0] != '\0' ? told : "the problem is gone");
        }
        if (progress.found && progress.running >= progress.wanted) {
            return 0;
        }
        if (passed_s * 1000 > client_wait_ms(client)) {
            return out_of_time(client, &progress);
        }
        if (client_pause(client, FOLLOW_POLL_MS)) {
            return client_interrupted("arbiter wait svc/%s --for running", service);
        }
    }
}

/*
 * --at-revision is what "plan" said, so it guards services. Each one that is applied moves the
 * cluster on by itself: the next is guarded by the revision that this left.
 */
static int apply_one(struct client *client, const struct object *object, uint64_t *at_revision)
{
    struct reply reply;
    bool guarded = object->kind == OBJECT_KIND_SERVICE && *at_revision != 0;
    struct request *request = client_request(client, METHOD_PUT);
    request->kind = object->kind;
    request->at_revision = guarded ? *at_revision : 0;
    request->has_object = true;
    request->object = *object;
    int code = client_call(client, &reply, NULL, NULL);
    if (code == 0) {
        client_tell_done(client, &reply);
        *at_revision = guarded ? reply.revision : *at_revision;
    }
    return code;
}

/* Other objects of the file would move the cluster on before its services are looked at. */
static int check_guard(struct client *client, const struct object_list *list)
{
    for (size_t i = 0; client->at_revision != 0 && i < list->count; i++) {
        if (list->objects[i].kind != OBJECT_KIND_SERVICE) {
            int code = client_error(client, REPLY_INVALID,
                                    "--at-revision is for services; %s also has %s %s",
                                    client->file, object_kind_word(list->objects[i].kind),
                                    object_name(&list->objects[i]));
            client_hint("apply the other objects from a file of their own, then plan again");
            return code;
        }
    }
    return 0;
}

int verb_apply(struct client *client, int count, char **words)
{
    struct object_list list = {0};
    (void)words;
    if (count > 0) {
        return client_error(client, REPLY_INVALID, "apply takes no words, only -f FILE");
    }
    uint64_t at_revision = client->at_revision;
    bool wait = client->wait || (isatty(STDERR_FILENO) == 1 && !client->detach);
    int code = object_files_read(client, client->file, &list);
    if (wait) {
        client_follow(client); /* not before: Ctrl-C must end what is typed into "-f -" */
    }
    code = code != 0 ? code : check_guard(client, &list);
    for (size_t i = 0; code == 0 && i < list.count; i++) {
        code = apply_one(client, &list.objects[i], &at_revision);
    }
    for (size_t i = 0; code == 0 && wait && i < list.count; i++) {
        if (list.objects[i].kind == OBJECT_KIND_SERVICE) {
            code = follow(client, object_name(&list.objects[i]));
        }
    }
    object_list_finish(&list);
    return code;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * why: the newest decision about a service, a node, or one decision by its id. Of a service,
 * the newest decision that it caused comes before newer ones in which it only paid; the newest
 * of these is told too.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/io/clock.h"
#include "orchestrator/client/columns.h"
#include "orchestrator/client/verb.h"
#include "proto/text.h"

struct found {
    const char *name; /* of the service or node; NULL: one decision by its id */
    bool is_service;
    struct service_status service;
    struct item own;     /* kind unspecified: none */
    struct item payment; /* newer than own, or the only one */
};

bool verb_parse_decision(const char *word, uint64_t *id)
{
    char *end = NULL;
    if (strncmp(word, "d-", 2) != 0 || word[2] < '0' || word[2] > '9') {
        return false;
    }
    *id = strtoull(word + 2, &end, 10);
    return *id != 0 && *end == '\0';
}

static void take_service(void *context, const struct item *item)
{
    struct found *found = context;
    if (item->kind == ITEM_KIND_SERVICE_STATUS &&
        strcmp(item->service_status.service, found->name) == 0) {
        found->service = item->service_status;
        found->is_service = true;
    }
}

/* No cap is ever 0: a VM of the service was started by this decision, its node was lost. */
static bool is_start(const struct cap_change *cap)
{
    return cap->from_pct == 0;
}

/* A service that did not cause the decision and is in it only paid; a person's order about its
 * VMs is its own, and so are its VMs' starts. */
static bool only_paid(const struct found *found, const struct decision *decision)
{
    for (uint32_t i = 0; i < decision->caps_count; i++) {
        if (is_start(&decision->caps[i]) &&
            strcmp(decision->caps[i].service, found->name) == 0) {
            return false;
        }
    }
    return found->is_service && decision->principal[0] == '\0' &&
           strcmp(decision->service, found->name) != 0;
}

/* Newest last. */
static void take_decision(void *context, const struct item *item)
{
    struct found *found = context;
    if (item->kind == ITEM_KIND_DECISION) {
        *(only_paid(found, &item->decision) ? &found->payment : &found->own) = *item;
    }
}

static const char *number(double value, char out[32])
{
    (void)snprintf(out, 32, isnan(value) ? "unknown" : "%.2f", value);
    return out;
}

static void print_levels(const struct decision *decision, const char *title, bool after)
{
    char before[32];
    char other[32];
    (void)printf("  %-9s", title);
    for (uint32_t i = 0; i < decision->levels_count; i++) {
        const struct level_change *level = &decision->levels[i];
        if (after) {
            (void)printf(" %s %s  ", level->service, number(level->level_after, other));
        } else {
            (void)printf(" %s %s > %s  ", level->service, number(level->level_before, before),
                         number(level->level_predicted, other));
        }
    }
    (void)fputc('\n', stdout);
}

static bool is_payment(const struct decision *decision, const struct cap_change *cap)
{
    return cap->to_pct < cap->from_pct && strcmp(cap->service, decision->service) != 0;
}

static void print_caps(const struct decision *decision, bool payments)
{
    for (uint32_t i = 0; i < decision->caps_count; i++) {
        const struct cap_change *cap = &decision->caps[i];
        char from[32];
        char to[32];
        if (is_payment(decision, cap) != payments) {
            continue;
        }
        text_format_cpu(cap->from_pct, from);
        text_format_cpu(cap->to_pct, to);
        if (is_start(cap)) {
            (void)printf("  %-9s %s: starts with %s cores on %s (%s)\n", "changed", cap->vm, to,
                         cap->node, reason_word(cap->reason));
            continue;
        }
        (void)printf("  %-9s %s: %s > %s cores on %s (%s)\n", payments ? "paid by" : "changed",
                     cap->vm, from, to, cap->node, reason_word(cap->reason));
    }
}

static const char *basis_text(enum model_basis basis)
{
    switch (basis) {
    case MODEL_BASIS_LEARNT: return "what was learnt";
    case MODEL_BASIS_PROFILE: return "its profile";
    case MODEL_BASIS_EXTRAPOLATED:
        return "its profile, beyond what was measured (extrapolated)";
    case MODEL_BASIS_UNSPECIFIED: break;
    }
    return "a guess";
}

/* What the predictions rest on, where a service has a profile. */
static void print_bases(const struct decision *decision)
{
    for (uint32_t i = 0; i < decision->levels_count; i++) {
        const struct level_change *level = &decision->levels[i];
        if (level->basis == MODEL_BASIS_PROFILE || level->basis == MODEL_BASIS_EXTRAPOLATED) {
            (void)printf("  %-9s %s: by %s\n", "foreseen", level->service,
                         basis_text(level->basis));
        }
    }
}

static void print_decision(const struct decision *decision)
{
    char when[32] = "";
    time_t seconds = (time_t)(decision->wall_ms / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL) {
        (void)strftime(when, sizeof when, "%H:%M:%S", &local);
    }
    const bool by_person = decision->principal[0] != '\0';
    const bool by_scheduler = !by_person && decision->scheduler[0] != '\0';
    (void)printf("decision d-%llu   %s   %s%s   took %.1f ms   %s\n",
                 (unsigned long long)decision->id, when,
                 by_person      ? "by "
                 : by_scheduler ? "scheduler "
                                : reason_word(decision->reason),
                 by_person      ? decision->principal
                 : by_scheduler ? decision->scheduler
                                : "",
                 decision->took_us / 1000.0, column_outcome_word(decision->outcome));
    (void)printf("  because   %s\n",
                 decision->text[0] != '\0' ? decision->text : reason_word(decision->reason));
    print_caps(decision, false);
    print_caps(decision, true);
    if (decision->levels_count > 0) {
        print_levels(decision, "expected", false);
        print_bases(decision);
        print_levels(decision, "came out", true);
    }
    if (decision->bound > decision->value) {
        (void)printf("  gap       at most %.4f nats below the best possible\n",
                     decision->bound - decision->value);
    }
}

static void print_service(const struct service_status *status)
{
    char measured[CELL_SIZE];
    char target[CELL_SIZE];
    char level[32];
    column_put_measure(measured, status->kind, status->measured_value);
    column_put_measure(target, status->kind, status->target_value);
    (void)printf("%s  %s of %s  level %s (%s)  VMs %u/%u\n", status->service, measured, target,
                 number(status->level_known ? status->level : (double)NAN, level),
                 !status->level_known ? "not measured"
                 : status->met        ? "met"
                                      : "missed",
                 status->vms_running, status->vms_wanted);
    if (status->problem_text[0] != '\0') {
        (void)printf("  problem   %s (%s)\n", status->problem_text,
                     reason_word(status->problem));
    }
    if (status->profile[0] != '\0') {
        (void)printf("  profile   %s; foreseen by %s\n", status->profile,
                     basis_text(status->basis));
    }
    (void)fputs("\n", stdout);
}

/* What the decisions are, oldest first. */
static int print_found(const struct client *client, const struct found *found)
{
    bool has_own = found->own.kind != ITEM_KIND_UNSPECIFIED;
    bool has_payment = found->payment.kind != ITEM_KIND_UNSPECIFIED &&
                       (!has_own || found->payment.decision.id > found->own.decision.id);
    if (!output_is_table(&client->output)) {
        struct output *output = output_begin(stdout, &client->output);
        if (output == NULL) {
            return REPLY_FAILED;
        }
        output_expect(output, ITEM_KIND_DECISION, 0);
        if (has_own) {
            output_item(output, &found->own);
        }
        if (has_payment) {
            output_item(output, &found->payment);
        }
        if (output_end(output) == 0) {
            client_tell_none(client, "decisions");
        }
        return 0;
    }
    if (found->is_service) {
        print_service(&found->service);
    }
    if (has_own) {
        print_decision(&found->own.decision);
    }
    if (has_payment) {
        (void)printf(has_own ? "\nsince then it paid for another service:\n"
                             : "it only paid for another service:\n");
        print_decision(&found->payment.decision);
    }
    if (!has_own && !has_payment) {
        (void)printf("no decision yet%s\n", found->is_service ? ": nothing had to change" : "");
    }
    return 0;
}

/* The ledger is read from a time on, oldest first: a short time is tried before a long one. */
static int read_decisions(struct client *client, struct found *found)
{
    static const int64_t since_ms[] = {INT64_C(600000), INT64_C(10800000), INT64_C(86400000),
                                       0};
    int code = 0;
    for (size_t i = 0; i < sizeof since_ms / sizeof *since_ms; i++) {
        struct request *request = client_request(client, METHOD_DECISIONS);
        (void)snprintf(found->is_service ? request->service : request->node, NAME_SIZE, "%s",
                       found->name);
        request->since_wall_ms = since_ms[i] > 0 ? clock_wall_ms() - since_ms[i] : 0;
        code = client_read_all(client, take_decision, found);
        if (code != 0 || found->own.kind != ITEM_KIND_UNSPECIFIED) {
            return code;
        }
    }
    return code;
}

static int why_decision(struct client *client, uint64_t id, struct found *found)
{
    client_request(client, METHOD_DECISIONS)->id = id;
    int code = client_read_all(client, take_decision, found);
    return code == 0 && found->own.kind == ITEM_KIND_UNSPECIFIED
               ? client_error(client, REPLY_NOT_FOUND, "there is no decision d-%llu",
                              (unsigned long long)id)
               : code;
}

static void take_node(void *context, const struct item *item)
{
    bool *is_there = context;
    *is_there = *is_there || item->kind == ITEM_KIND_NODE_VIEW;
}

static int why_node(struct client *client, struct found *found, bool said_so)
{
    bool is_there = false;
    struct request *request = client_request(client, METHOD_STATUS);
    (void)snprintf(request->node, NAME_SIZE, "%s", found->name);
    int code = client_read_all(client, take_node, &is_there);
    if (code != 0) {
        return code;
    }
    return is_there ? read_decisions(client, found)
                    : client_error(client, REPLY_NOT_FOUND,
                                   said_so ? "there is no node \"%s\""
                                           : "there is no service, node or decision \"%s\"",
                                   found->name);
}

static int why(struct client *client, enum object_kind kind, const char *name,
               struct found *found)
{
    uint64_t id = 0;
    if (kind == OBJECT_KIND_UNSPECIFIED && verb_parse_decision(name, &id)) {
        return why_decision(client, id, found);
    }
    found->name = name;
    if (kind != OBJECT_KIND_NODE) {
        struct request *request = client_request(client, METHOD_STATUS);
        (void)snprintf(request->name, NAME_SIZE, "%s", name);
        int code = client_read_all(client, take_service, found);
        if (code != 0 || found->is_service) {
            /* Not by last_decision: a restarted orchestrator does not know it until the next.
             */
            return code != 0 ? code : read_decisions(client, found);
        }
    }
    return kind == OBJECT_KIND_SERVICE
               ? client_error(client, REPLY_NOT_FOUND, "there is no service \"%s\"", name)
               : why_node(client, found, kind == OBJECT_KIND_NODE);
}

int verb_why(struct client *client, int count, char **words)
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    char name[NAME_SIZE];
    int used = client_parse_object(client, count, words, &kind, name);
    bool fits = kind == OBJECT_KIND_UNSPECIFIED || kind == OBJECT_KIND_SERVICE ||
                kind == OBJECT_KIND_NODE;
    if (used != 0 && (!fits || used < count)) {
        (void)client_error(client, REPLY_INVALID,
                           "expected one service, one node or one decision");
        used = 0;
    }
    if (used == 0) {
        client_hint("arbiter why SERVICE        arbiter why node/NAME        arbiter why d-12");
        return REPLY_INVALID;
    }
    struct found *found = calloc(1, sizeof *found);
    if (found == NULL) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    int code = why(client, kind, name, found);
    if (code == 0) {
        code = print_found(client, found);
    }
    free(found);
    return code;
}

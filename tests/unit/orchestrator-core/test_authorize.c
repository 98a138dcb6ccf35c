// SPDX-License-Identifier: Apache-2.0
/*
 * Every method for every role on every kind of object: what is allowed is written down here a
 * second time, as a list of permissions; all other combinations, also of values that do not
 * exist, must be denied and must change nothing.
 */
#include <criterion/criterion.h>

#include "orchestrator/core/authorize.h"
#include "tests/unit/orchestrator-core/desk.h"

TestSuite(authorize, .timeout = 60);

#define METHOD_END 32
#define ROLE_END   8
#define KIND_END   16

/* "METHOD KINDS ADMINISTRATOR PROVIDER OBSERVER": kinds by letter (Service, Vm, Node, Image,
 * sTorage, netWork, Agreement, sEttings, - for none), access by letter (All, Own, Names, -). */
struct permission {
    enum method method;
    const char *kinds;
    const char *access;
};

static const struct permission permissions[] = {
    {METHOD_GET, "SV", "AOA"},         {METHOD_GET, "ITW", "ANA"},
    {METHOD_GET, "AP", "AOA"},         {METHOD_GET, "NE", "A-A"},
    {METHOD_STATUS, "-", "AOA"},       {METHOD_EVENTS, "-", "AOA"},
    {METHOD_DECISIONS, "-", "AOA"},    {METHOD_METRICS, "-", "AOA"},
    {METHOD_PLAN, "S", "AOA"},         {METHOD_PUT, "SP", "AO-"},
    {METHOD_PUT, "NITWAE", "A--"},     {METHOD_DELETE, "SP", "AO-"},
    {METHOD_DELETE, "NITWA", "A--"},   {METHOD_SET_VM, "V", "AO-"},
    {METHOD_SET_STATE, "SV", "AO-"},   {METHOD_REBOOT, "SV", "AO-"},
    {METHOD_MOVE, "V", "A--"},         {METHOD_CORDON, "N", "A--"},
    {METHOD_UNCORDON, "N", "A--"},     {METHOD_DRAIN, "N", "A--"},
    {METHOD_CONFIRM_DEAD, "N", "A--"}, {METHOD_MODE, "E", "A--"},
};

static enum access expected(unsigned role, unsigned method, unsigned kind)
{
    static const char letters[] = "-SVNITWAEP";
    if (kind >= OBJECT_KIND_COUNT || role < ROLE_ADMINISTRATOR || role > ROLE_OBSERVER) {
        return ACCESS_NONE;
    }
    for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++) {
        if ((unsigned)permissions[i].method == method &&
            strchr(permissions[i].kinds, letters[kind]) != NULL) {
            char access = permissions[i].access[role - ROLE_ADMINISTRATOR];
            return access == 'A'   ? ACCESS_ALL
                   : access == 'O' ? ACCESS_OWN
                   : access == 'N' ? ACCESS_NAMES
                                   : ACCESS_NONE;
        }
    }
    return ACCESS_NONE;
}

Test(authorize, whole_table_is_what_is_written_here_and_nothing_else)
{
    uint32_t allowed = 0;
    for (unsigned role = 0; role < ROLE_END; role++) {
        for (unsigned method = 0; method < METHOD_END; method++) {
            for (unsigned kind = 0; kind < KIND_END; kind++) {
                enum access got =
                    authorize((enum role)role, (enum method)method, (enum object_kind)kind);
                cr_assert_eq(got, expected(role, method, kind), "role %u method %u kind %u",
                             role, method, kind);
                allowed += got != ACCESS_NONE ? 1 : 0;
            }
        }
    }
    cr_assert_eq(allowed, 75);
}

Test(authorize, owner_is_exact_and_a_nameless_principal_owns_nothing)
{
    cr_assert(authorize_owner(ACCESS_ALL, "root", "alice"));
    cr_assert(authorize_owner(ACCESS_OWN, "alice", "alice"));
    cr_assert_not(authorize_owner(ACCESS_OWN, "alice", "alice2"));
    cr_assert_not(authorize_owner(ACCESS_OWN, "alice", ""));
    cr_assert_not(authorize_owner(ACCESS_OWN, "", ""));
    cr_assert_not(authorize_owner(ACCESS_NAMES, "alice", "alice"));
    cr_assert_not(authorize_owner(ACCESS_NONE, "alice", "alice"));
}

Test(authorize, every_method_that_is_not_known_to_read_counts_as_change)
{
    for (unsigned method = 0; method < METHOD_END; method++) {
        bool reads = method >= METHOD_GET && method < METHOD_PUT;
        cr_assert_eq(authorize_is_change((enum method)method), !reads);
    }
}

/* ---- through the core ---- */

static const unsigned methods[] = {0,
                                   METHOD_GET,
                                   METHOD_STATUS,
                                   METHOD_EVENTS,
                                   METHOD_DECISIONS,
                                   METHOD_METRICS,
                                   METHOD_PLAN,
                                   METHOD_PUT,
                                   METHOD_DELETE,
                                   METHOD_SET_VM,
                                   METHOD_SET_STATE,
                                   METHOD_REBOOT,
                                   METHOD_MOVE,
                                   METHOD_CORDON,
                                   METHOD_UNCORDON,
                                   METHOD_DRAIN,
                                   METHOD_CONFIRM_DEAD,
                                   METHOD_MODE,
                                   27,
                                   31};

enum target { TARGET_OWN, TARGET_OTHER, TARGET_MISSING, TARGET_END };
static const char *const service_names[] = {"mines", "other", "ghost"};
static const char *const vm_names[] = {"mines-web-1", "other-web-1", "ghost-web-1"};

static struct desk *desk_with_owners(void)
{
    struct desk *desk = desk_with_nodes();
    struct service mine = desk_web("mines", 1);
    struct service other = desk_web("other", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &mine), REPLY_DONE);
    cr_assert_eq(desk_put_service(desk, &BOB, &other), REPLY_DONE);
    return desk;
}

static struct request request_of(unsigned method, unsigned kind, enum target target)
{
    struct request request = {.method = (enum method)method, .kind = (enum object_kind)kind};
    bool is_vm = kind == OBJECT_KIND_VM || method == METHOD_SET_VM || method == METHOD_MOVE ||
                 (method == METHOD_REBOOT && kind != OBJECT_KIND_SERVICE);
    (void)snprintf(request.name, NAME_SIZE, "%s",
                   is_vm ? vm_names[target] : service_names[target]);
    request.run_state = RUN_STATE_STOPPED;
    request.mode = MODE_HOLD;
    request.has_set_vm = true;
    request.set_vm.cap_pct = 120;
    if (method == METHOD_PUT || method == METHOD_PLAN) {
        request.has_object = true;
        request.object.kind = (enum object_kind)kind;
        struct service web = desk_web(service_names[target], 2);
        if (kind == OBJECT_KIND_SERVICE) {
            request.object.service = web;
        } else {
            (void)snprintf(request.object.image.image, NAME_SIZE, "%s", service_names[target]);
        }
    }
    return request;
}

/* The method's own kind where it has one. */
static unsigned effective_kind(unsigned method, unsigned kind)
{
    switch (method) {
    case METHOD_SET_VM:
    case METHOD_MOVE: return OBJECT_KIND_VM;
    case METHOD_REBOOT: return kind == 0 ? OBJECT_KIND_VM : kind;
    case METHOD_CORDON:
    case METHOD_UNCORDON:
    case METHOD_DRAIN:
    case METHOD_CONFIRM_DEAD: return OBJECT_KIND_NODE;
    case METHOD_MODE: return OBJECT_KIND_SETTINGS;
    case METHOD_STATUS:
    case METHOD_EVENTS:
    case METHOD_DECISIONS:
    case METHOD_METRICS: return OBJECT_KIND_UNSPECIFIED;
    default: return kind;
    }
}

Test(authorize, denied_combinations_change_nothing_and_show_nothing)
{
    static const char *const principals[] = {"nobody", "alice", "alice", "alice",
                                             "alice",  "alice", "alice", "alice"};
    struct desk *desk = desk_with_owners();
    uint32_t denied = 0;
    for (unsigned role = 0; role < ROLE_END; role++) {
        struct person person = {principals[role], (enum role)role};
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            for (unsigned kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
                unsigned about = effective_kind(methods[m], kind);
                if (expected(role, methods[m], about) != ACCESS_NONE) {
                    continue;
                }
                for (enum target target = TARGET_OWN; target < TARGET_END; target++) {
                    struct request request = request_of(methods[m], kind, target);
                    uint64_t revision = desk->cluster->revision;
                    uint64_t events = desk->cluster->next_event;
                    cr_assert_eq(desk_ask(desk, &person, &request), REPLY_DENIED,
                                 "role %u method %u kind %u", role, methods[m], kind);
                    cr_assert_eq(desk->source, ITEMS_NONE);
                    cr_assert_eq(desk->cluster->revision, revision);
                    cr_assert_eq(desk->cluster->next_event, events);
                    cr_assert_eq(desk->effects->count, 1, "only the reply");
                    denied++;
                }
            }
        }
    }
    cr_assert_gt(denied, 3000);
    desk_free(desk);
}

/* The text with each occurrence of one word replaced by another of the same length. */
static void rename_in(char *text, const char *from, const char *to)
{
    for (char *at = strstr(text, from); at != NULL; at = strstr(at, from)) {
        memcpy(at, to, strlen(to));
    }
}

Test(authorize, provider_cannot_tell_somebody_elses_object_from_one_that_does_not_exist)
{
    static const unsigned kinds[] = {OBJECT_KIND_SERVICE, OBJECT_KIND_VM};
    uint32_t compared = 0;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        for (size_t k = 0; k < 2; k++) {
            unsigned about = effective_kind(methods[m], kinds[k]);
            bool by_name = about == OBJECT_KIND_SERVICE || about == OBJECT_KIND_VM;
            if (!by_name || expected(ROLE_PROVIDER, methods[m], about) != ACCESS_OWN ||
                methods[m] == METHOD_PUT || methods[m] == METHOD_PLAN) {
                continue; /* a name that is taken cannot be given twice: see below */
            }
            struct desk *desk = desk_with_owners();
            struct request request = request_of(methods[m], kinds[k], TARGET_OTHER);
            cr_assert_eq(desk_ask(desk, &ALICE, &request), REPLY_NOT_FOUND, "method %u",
                         methods[m]);
            cr_assert_eq(desk->puts + desk->deletes, 0);
            struct reply other = desk->reply;
            request = request_of(methods[m], kinds[k], TARGET_MISSING);
            (void)desk_ask(desk, &ALICE, &request);
            rename_in(other.text, "other", "ghost");
            cr_assert_eq(desk->reply.code, other.code);
            cr_assert_eq(desk->reply.reason, other.reason);
            cr_assert_str_eq(desk->reply.text, other.text);
            cr_assert_eq(desk->reply.hints_count, other.hints_count);
            cr_assert_str_eq(desk->reply.hints[0], other.hints[0]);
            cr_assert_eq(desk->reply.facts_count, 0);
            cr_assert_eq(other.facts_count, 0);
            request = request_of(methods[m], kinds[k], TARGET_OWN);
            cr_assert_eq(desk_ask(desk, &ALICE, &request), REPLY_DONE, "method %u: %s",
                         methods[m], desk->reply.text);
            compared++;
            desk_free(desk);
        }
    }
    cr_assert_eq(compared, 9);
}

Test(authorize, name_of_somebody_elses_service_is_not_free)
{
    struct desk *desk = desk_with_owners();
    for (unsigned method = METHOD_PLAN; method <= METHOD_PUT; method++) {
        if (method != METHOD_PLAN && method != METHOD_PUT) {
            continue;
        }
        struct request request = request_of(method, OBJECT_KIND_SERVICE, TARGET_OTHER);
        cr_assert_eq(desk_ask(desk, &ALICE, &request), REPLY_DENIED);
        cr_assert_eq(desk->placements_count, 0);
        cr_assert_eq(desk->reply.facts_count, 0);
        cr_assert_eq(desk->puts, 0);
    }
    struct request request = request_of(METHOD_PUT, OBJECT_KIND_SERVICE, TARGET_OTHER);
    cr_assert_eq(desk_ask(desk, &ADMIN, &request), REPLY_DONE);
    cr_assert_str_eq(desk_service(desk, "other")->meta.owner, "bob");
    desk_free(desk);
}

Test(authorize, administrator_may_touch_what_belongs_to_anybody)
{
    struct desk *desk = desk_with_owners();
    for (enum target target = TARGET_OWN; target < TARGET_MISSING; target++) {
        struct request request = request_of(METHOD_SET_VM, OBJECT_KIND_VM, target);
        cr_assert_eq(desk_ask(desk, &ADMIN, &request), REPLY_DONE);
        request = request_of(METHOD_DELETE, OBJECT_KIND_SERVICE, target);
        cr_assert_eq(desk_ask(desk, &ADMIN, &request), REPLY_DONE);
    }
    desk_free(desk);
}

Test(authorize, provider_reads_events_and_decisions_only_of_its_own)
{
    struct desk *desk = desk_with_owners();
    static const enum method reads[] = {METHOD_EVENTS, METHOD_DECISIONS, METHOD_STATUS,
                                        METHOD_METRICS};
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        struct request request = {.method = reads[i]};
        cr_assert_eq(desk_ask(desk, &ALICE, &request), REPLY_DONE);
        cr_assert_str_eq(desk->reply_owner, "alice");
        cr_assert_neq(desk->source, ITEMS_NONE);
        cr_assert_eq(desk_ask(desk, &EVE, &request), REPLY_DONE);
        cr_assert_null(desk->reply_owner);
    }
    desk_free(desk);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * PLAN of the orchestrator's core: what "arbiter plan" answers. The nodes of a situation say
 * hello, the objects are applied in their order, its steps are done, and the last object is
 * planned.
 */
#include <criterion/criterion.h>

#include "orchestrator/core/plan_scratch.h"
#include "proto/text.h"
#include "tests/golden/golden.h"
#include "tests/unit/orchestrator-core/desk.h"

#define OBJECTS 16

struct objects {
    uint32_t count;
    struct object all[OBJECTS];
};

static void take_object(void *context, const struct object *object)
{
    struct objects *objects = context;
    if (objects->count == OBJECTS) {
        golden_wrong("more than %d objects", OBJECTS);
    }
    objects->all[objects->count++] = *object;
}

static struct objects *read_objects(const char *text)
{
    struct objects *objects = calloc(1, sizeof *objects);
    struct text_mistakes *mistakes = calloc(1, sizeof *mistakes);
    if (text_read_objects(text, strlen(text), take_object, objects, mistakes) != 0) {
        golden_wrong("object %d:%d: %s: %s", mistakes->items[0].line, mistakes->items[0].column,
                     mistakes->items[0].path, mistakes->items[0].text);
    }
    free(mistakes);
    if (objects->count == 0) {
        golden_wrong("there is nothing to plan");
    }
    return objects;
}

static void add_nodes(struct desk *desk, const json_t *nodes)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } abilities[] = {{"create", CAPABILITY_CREATE}, {"self-fence", CAPABILITY_SELF_FENCE}};
    const char *name = NULL;
    json_t *given = NULL;
    json_object_foreach((json_t *)(uintptr_t)nodes, name, given)
    {
        golden_keys(given, "cpu memory cannot");
        struct desk_node node = {name, golden_cpu_pct(given, "cpu", 400),
                                 golden_memory_kib(given, "memory", 8 * GIB),
                                 DESK_ALL_CAPABILITIES};
        for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++) {
            if (golden_has(golden_list(given, "cannot"), abilities[i].word)) {
                node.capabilities &= ~abilities[i].bit;
            }
        }
        desk_add_node(desk, &node);
    }
}

static void do_step(struct desk *desk, const char *step)
{
    char node[NAME_SIZE];
    enum reply_code code = REPLY_DONE;
    if (sscanf(step, "cordon %63s", node) == 1) {
        code = desk_order(desk, &ADMIN, METHOD_CORDON, OBJECT_KIND_NODE, node);
    } else if (sscanf(step, "silence of %63s", node) == 1 && desk_node(desk, node) != NULL) {
        (void)membership_move(desk->cluster, desk_node(desk, node), NODE_STATE_SUSPECT);
    } else {
        golden_wrong("step \"%s\" is unknown", step);
    }
    if (code != REPLY_DONE) {
        golden_wrong("step \"%s\": %s", step, desk->reply.text);
    }
}

static void print_row(struct golden_case *it, const struct placement *row)
{
    char text[TEXT_SIZE];
    if (row->vm[0] == '\0') {
        if (row->reason != REASON_NONE) {
            plan_row_text(row, text, sizeof text);
            (void)fprintf(it->out, "      %-8s %s (%s)\n", row->node, text,
                          reason_word(row->reason));
        }
        return;
    }
    (void)fprintf(it->out, "  %c %-14s %-8s cap %s, %s",
                  row->remove   ? '-'
                  : row->change ? '~'
                                : '+',
                  row->vm, row->node[0] != '\0' ? row->node : "no node",
                  golden_cpu(row->cap_pct), golden_memory(row->memory_kib));
    (void)fprintf(it->out, row->reason == REASON_NONE ? "\n" : " (%s)\n",
                  reason_word(row->reason));
}

static void print_plan(struct golden_case *it, const struct desk *desk)
{
    const struct reply *reply = &desk->reply;
    (void)fprintf(it->out, "%s%s%s\n", reply->code == REPLY_DONE ? "yes" : "no",
                  reply->text[0] != '\0' ? ": " : "", reply->text);
    for (uint32_t i = 0; i < reply->facts_count; i++) {
        (void)fprintf(it->out, "  fact: %s\n", reply->facts[i]);
    }
    for (uint32_t i = 0; i < reply->hints_count; i++) {
        (void)fprintf(it->out, "  hint: %s\n", reply->hints[i]);
    }
    for (uint32_t i = 0; i < desk->placements_count; i++) {
        print_row(it, &desk->placements[i]);
    }
    if (desk->placements_count == 0) {
        (void)fprintf(it->out, "  (no rows)\n");
    }
}

static const struct person *owner_of(const struct object *object)
{
    return object->kind == OBJECT_KIND_SERVICE ? &ALICE : &ADMIN;
}

static void outcome(struct golden_case *it)
{
    golden_keys(it->situation, "about nodes steps");
    struct desk *desk = desk_new();
    struct objects *objects = read_objects(it->objects);
    add_nodes(desk, golden_list(it->situation, "nodes"));
    const struct object *planned = &objects->all[objects->count - 1];
    for (uint32_t i = 0; i + 1 < objects->count; i++) {
        const struct object *object = &objects->all[i];
        if (desk_put(desk, owner_of(object), object) != REPLY_DONE) {
            golden_wrong("%s %s: %s", object_kind_word(object->kind), object_name(object),
                         desk->reply.text);
        }
    }
    const json_t *steps = golden_list(it->situation, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        do_step(desk, json_string_value(json_array_get(steps, i)));
    }
    struct request request = {.method = METHOD_PLAN, .has_object = true, .object = *planned};
    (void)desk_ask(desk, owner_of(planned), &request);
    (void)fprintf(it->out, "plan %s %s\n", object_kind_word(planned->kind),
                  object_name(planned));
    print_plan(it, desk);
    free(objects);
    desk_free(desk);
}

Test(golden_plan, outcomes_are_what_the_files_say)
{
    golden_check("plan", outcome);
}

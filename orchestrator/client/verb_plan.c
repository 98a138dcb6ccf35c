// SPDX-License-Identifier: Apache-2.0
/*
 * plan: what apply would do. Services are planned by the orchestrator, which places their VMs;
 * other objects are compared with what is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/columns.h"
#include "orchestrator/client/object_files.h"
#include "orchestrator/client/verb.h"
#include "proto/text.h"
#include "proto/text_tree.h"

struct plan {
    struct client *client;
    struct output *rows; /* CSV, names: of all objects */
    json_t *documents;   /* JSON, YAML: one per object */
    bool changes;
    uint64_t revision; /* of the first service: the one to give to apply */
};

/* Rows about VMs; the others say which nodes are too small. */
struct rows {
    struct output *output;
    json_t *list;
    int changes;
};

static void take_row(void *context, const struct item *item)
{
    struct rows *rows = context;
    const struct placement *row = &item->placement;
    if (item->kind != ITEM_KIND_PLACEMENT) {
        return;
    }
    rows->changes += row->vm[0] != '\0';
    if (rows->list != NULL) {
        output_append(rows->list, item);
    } else if (rows->output != NULL) {
        output_item(rows->output, item);
    } else if (row->vm[0] != '\0') {
        char cores[CELL_SIZE];
        char memory[CELL_SIZE];
        column_put_cpu(cores, row->cap_pct);
        column_put_size(memory, row->memory_kib);
        (void)printf("    %c vm %-24s %-12s cap %-5s %s\n",
                     row->remove   ? '-'
                     : row->change ? '~'
                                   : '+',
                     row->vm, row->node, cores, memory);
    }
}

static void add_document(struct plan *plan, const struct object *object, const char *text,
                         const struct reply *reply, json_t *placements)
{
    json_t *facts = json_array();
    for (uint32_t i = 0; reply != NULL && i < reply->facts_count; i++) {
        (void)json_array_append_new(facts, json_string(reply->facts[i]));
    }
    (void)json_array_append_new(plan->documents,
                                json_pack("{s:s,s:s,s:s,s:I,s:o,s:o}", "kind",
                                          object_kind_word(object->kind), "name",
                                          object_name(object), "text", text, "revision",
                                          (json_int_t)(reply != NULL ? reply->revision : 0),
                                          "facts", facts, "placements", placements));
}

static int plan_service(struct plan *plan, const struct object *object)
{
    struct reply reply;
    bool table = plan->rows == NULL && plan->documents == NULL;
    struct rows rows = {.output = plan->rows};
    rows.list = plan->documents != NULL ? json_array() : NULL;
    struct request *request = client_request(plan->client, METHOD_PLAN);
    request->kind = object->kind;
    request->at_revision = plan->client->at_revision;
    request->has_object = true;
    request->object = *object;
    if (table) {
        (void)printf("service %s\n", object_name(object));
        (void)fflush(stdout);
    }
    int code = client_call(plan->client, &reply, take_row, &rows);
    if (code != 0) {
        json_decref(rows.list);
        return code;
    }
    bool unchanged = strstr(reply.text, "unchanged") != NULL;
    const char *text = unchanged ? "unchanged" : "feasible";
    plan->changes = plan->changes || rows.changes > 0 || !unchanged;
    plan->revision = plan->revision == 0 ? reply.revision : plan->revision;
    if (plan->documents != NULL) {
        add_document(plan, object, text, &reply, rows.list);
    }
    for (uint32_t i = 0; table && i < reply.facts_count; i++) {
        (void)printf("    %s\n", reply.facts[i]);
    }
    if (table) {
        (void)printf("  %s\n", text);
    }
    return 0;
}

/* ---- other objects ---- */

struct present {
    const struct object *wanted;
    bool found;
    bool same;
};

static char *file_form(const struct object *object)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        (void)text_write_object(out, TEXT_YAML, object);
        (void)fclose(out);
    }
    return text;
}

static void take_present(void *context, const struct item *item)
{
    struct present *present = context;
    if (item->kind != ITEM_KIND_OBJECT || item->object.kind != present->wanted->kind ||
        strcmp(object_name(&item->object), object_name(present->wanted)) != 0) {
        return;
    }
    char *ours = file_form(present->wanted);
    char *theirs = file_form(&item->object);
    present->found = true;
    present->same = ours != NULL && theirs != NULL && strcmp(ours, theirs) == 0;
    free(ours);
    free(theirs);
}

static int plan_object(struct plan *plan, const struct object *object)
{
    struct present present = {.wanted = object};
    client_request(plan->client, METHOD_GET)->kind = object->kind;
    int code = client_read_all(plan->client, take_present, &present);
    if (code != 0) {
        return code;
    }
    const char *text = !present.found ? "would be created"
                       : present.same ? "unchanged"
                                      : "would be changed";
    plan->changes = plan->changes || !present.same;
    if (plan->documents != NULL) {
        add_document(plan, object, text, NULL, json_array());
    } else if (plan->rows == NULL) {
        (void)printf("%s %s\n  %s\n", object_kind_word(object->kind), object_name(object),
                     text);
    }
    return 0;
}

/* ---- all of a file ---- */

static int plan_all(struct plan *plan, const struct object_list *list)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < list->count; i++) {
        const struct object *object = &list->objects[i];
        code = object->kind == OBJECT_KIND_SERVICE ? plan_service(plan, object)
                                                   : plan_object(plan, object);
    }
    return code;
}

static void print_rest(struct plan *plan)
{
    const struct output_options *options = &plan->client->output;
    if (plan->documents != NULL) {
        (void)output_tree(stdout, options, json_incref(plan->documents));
    } else if (plan->rows != NULL) {
        (void)output_end(plan->rows);
        plan->rows = NULL;
    } else if (plan->revision != 0 && plan->changes) {
        (void)printf("revision %llu.   To do exactly this:  arbiter apply -f %s "
                     "--at-revision %llu\n",
                     (unsigned long long)plan->revision, plan->client->file,
                     (unsigned long long)plan->revision);
    }
}

int verb_plan(struct client *client, int count, char **words)
{
    struct object_list list = {0};
    struct plan plan = {.client = client};
    (void)words;
    if (count > 0) {
        return client_error(client, REPLY_INVALID, "plan takes no words, only -f FILE");
    }
    int code = object_files_read(client, client->file, &list);
    if (code == 0 && output_is_tree(&client->output)) {
        plan.documents = json_array();
    } else if (code == 0 && !output_is_table(&client->output)) {
        plan.rows = output_begin(stdout, &client->output);
        code = plan.rows == NULL ? REPLY_FAILED : 0;
    }
    if (plan.rows != NULL) {
        output_expect(plan.rows, ITEM_KIND_PLACEMENT, 0);
    }
    code = code != 0 ? code : plan_all(&plan, &list);
    if (code == 0) {
        print_rest(&plan);
    }
    output_drop(plan.rows);
    json_decref(plan.documents);
    object_list_finish(&list);
    return code == 0 && plan.changes && client->detailed_exit_code ? EXIT_CHANGES : code;
}

// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/output.h"

static struct item item;

static void make_node(const char *name, uint32_t vms)
{
    memset(&item, 0, sizeof item);
    item.kind = ITEM_KIND_NODE_VIEW;
    (void)snprintf(item.node_view.node, NAME_SIZE, "%s", name);
    item.node_view.state = NODE_STATE_UP;
    item.node_view.vms = vms;
    item.node_view.status.cpu_pct = 400;
    item.node_view.status.memory_kib = 1u << 20;
    (void)strcpy(item.node_view.status.driver, "model");
}

static void make_event(const char *text)
{
    memset(&item, 0, sizeof item);
    item.kind = ITEM_KIND_EVENT;
    item.event.id = 7;
    item.event.kind = EVENT_KIND_ACTION;
    item.event.reason = REASON_NONE;
    (void)snprintf(item.event.text, TEXT_SIZE, "%s", text);
}

/* What a list with one node and what is in item prints. */
static char *print(struct output_options options, const char *name)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct output *output = output_begin(out, &options);
    output_item(output, &item);
    if (name != NULL) {
        make_node(name, 2);
        output_item(output, &item);
    }
    cr_assert_eq(output_end(output), name != NULL ? 2 : 1);
    (void)fclose(out);
    return text;
}

static size_t widest(const char *text)
{
    size_t most = 0;
    size_t width = 0;
    for (; *text != '\0'; text++) {
        bool goes_on = ((unsigned char)*text & 0xc0u) == 0x80u;
        width = *text == '\n' ? 0 : width + (goes_on ? 0 : 1);
        most = width > most ? width : most;
    }
    return most;
}

Test(output, table_lines_up)
{
    make_node("xen1", 10);
    char *text = print((struct output_options){.format = OUTPUT_TABLE}, "a-longer-name");
    cr_assert_str_eq(text, "NODE           STATE  CORES  MEMORY     VMS  HEARD  DRIVER\n"
                           "xen1           up     0/4    0KiB/1GiB  10   0.0s   model\n"
                           "a-longer-name  up     0/4    0KiB/1GiB  2    0.0s   model\n");
    free(text);
}

Test(output, narrow_table_drops_columns_and_cuts_no_name)
{
    static const char name[] = "a-name-that-alone-is-nearly-as-wide-as-the-terminal";
    make_node("xen1", 1);
    char *text = print((struct output_options){.format = OUTPUT_TABLE, .width = 70}, name);
    cr_assert_not_null(strstr(text, name));
    cr_assert_null(strstr(text, "DRIVER"));
    cr_assert_leq(widest(text), 70);
    free(text);
}

Test(output, free_text_is_cut_at_the_end_of_the_line)
{
    make_event(
        "something that is too long to stand in one line of a terminal of this width ü ü ü");
    char *text = print((struct output_options){.format = OUTPUT_TABLE, .width = 60}, NULL);
    cr_assert_eq(widest(text), 60);
    cr_assert_not_null(strstr(text, "…"));
    free(text);
    make_event(
        "something that is too long to stand in one line of a terminal of this width ü ü ü");
    text = print((struct output_options){.format = OUTPUT_TABLE}, NULL);
    cr_assert_not_null(strstr(text, "ü ü ü"), "without a terminal nothing is cut");
    free(text);
}

Test(output, csv_quotes_what_needs_it)
{
    make_event("says \"no\", twice");
    char *text = print((struct output_options){.format = OUTPUT_CSV}, NULL);
    cr_assert_not_null(strstr(text, ",\"says \"\"no\"\", twice\"\n"), "%s", text);
    cr_assert_eq(strncmp(text, "ID,TIME,EVENT,REASON,SERVICE,VM,NODE,TEXT\n", 40), 0);
    free(text);
}

Test(output, csv_cell_has_quotes_only_where_it_needs_them)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    output_csv_cell(out, "web");
    output_csv_cell(out, ",");
    output_csv_cell(out, "a\nb");
    (void)fclose(out);
    cr_assert_str_eq(text, "web\",\"\"a\nb\"");
    free(text);
}

Test(output, csv_has_no_drawings_and_a_header_without_rows)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct output *output =
        output_begin(out, &(struct output_options){.format = OUTPUT_CSV, .bars = true});
    output_expect(output, ITEM_KIND_SERVICE_STATUS, OBJECT_KIND_UNSPECIFIED);
    cr_assert_eq(output_end(output), 0);
    (void)fclose(out);
    cr_assert_str_eq(text, "SERVICE,KIND,TARGET,MEASURED,LEVEL,STATE,LOAD,VMS,CORES,MEMORY,"
                           "WEIGHT,OWNER,AGE,DECISION,PROBLEM\n");
    free(text);
}

Test(output, empty_list_of_json_is_a_list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert_eq(output_end(output_begin(out, &(struct output_options){.format = OUTPUT_JSON})),
                 0);
    (void)fclose(out);
    cr_assert_str_eq(text, "[]\n");
    free(text);
}

Test(output, dropped_list_prints_nothing)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct output *output = output_begin(out, &(struct output_options){.format = OUTPUT_JSON});
    make_node("xen1", 1);
    output_item(output, &item);
    output_drop(output);
    (void)fclose(out);
    cr_assert_str_eq(text, "");
    free(text);
}

Test(output, json_is_a_list_or_lines)
{
    make_node("xen1", 1);
    char *text = print((struct output_options){.format = OUTPUT_JSON}, "xen2");
    json_t *list = json_loads(text, 0, NULL);
    cr_assert_eq(json_array_size(list), 2, "%s", text);
    json_decref(list);
    free(text);
    make_node("xen1", 1);
    text = print((struct output_options){.format = OUTPUT_JSON, .json_lines = true}, "xen2");
    cr_assert_eq(strchr(text, '\n')[1], '{', "one object per line: %s", text);
    cr_assert_eq(text[strlen(text) - 2], '}', "and no empty line: %s", text);
    free(text);
}

Test(output, status_stands_beside_its_object)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct output *output = output_begin(out, &(struct output_options){.format = OUTPUT_JSON});
    struct item *vm = calloc(1, sizeof *vm);
    vm->kind = ITEM_KIND_OBJECT;
    vm->object.kind = OBJECT_KIND_VM;
    (void)strcpy(vm->object.vm.vm, "shop-web-1");
    memset(&item, 0, sizeof item);
    item.kind = ITEM_KIND_VM_STATUS;
    item.vm_status.state = RUN_STATE_PAUSED;
    output_pair(output, vm, &item);
    cr_assert_eq(output_end(output), 1);
    (void)fclose(out);
    json_t *list = json_loads(text, 0, NULL);
    const json_t *status = json_object_get(json_array_get(list, 0), "status");
    cr_assert_str_eq(json_string_value(json_object_get(status, "state")), "paused");
    json_decref(list);
    free(vm);
    free(text);
}

Test(output, unknown_is_said_and_never_zero)
{
    memset(&item, 0, sizeof item);
    item.kind = ITEM_KIND_SERVICE_STATUS;
    (void)strcpy(item.service_status.service, "shop");
    item.service_status.kind = SERVICE_KIND_WEB;
    item.service_status.measured_value = (double)NAN;
    item.service_status.target_value = 200;
    item.service_status.load = (double)NAN;
    item.service_status.measurement_age_ms = UINT32_MAX;
    char *text = print((struct output_options){.format = OUTPUT_CSV, .no_header = true}, NULL);
    cr_assert_str_eq(text, "shop,web,200 ms,-,-,unknown,-,0/0,0/0,0KiB,0,,never,-,\n");
    free(text);
}

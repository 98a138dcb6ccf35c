// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>

#include "read_text.h"

/* Each expected line is "LINE:COLUMN: PATH: TEXT". */
static void read_bad(const char *text, const char *const *expected)
{
    struct taken taken = {0};
    cr_assert_eq(text_read_objects(text, strlen(text), take, &taken, &mistakes), -EINVAL);
    cr_assert_eq(taken.count, 0);
    size_t count = 0;
    for (; expected[count] != NULL; count++) {
        char line[3 * TEXT_SIZE] = "nothing";
        if (count < mistakes.count) {
            const struct text_mistake *m = &mistakes.items[count];
            (void)snprintf(line, sizeof line, "%d:%d: %s: %s", m->line, m->column, m->path,
                           m->text);
        }
        cr_assert_str_eq(line, expected[count]);
    }
    cr_assert_eq(mistakes.count, count, "%zu mistakes; one more: %s: %s", mistakes.count,
                 mistakes.items[count].path, mistakes.items[count].text);
}

Test(text, a_web_service_is_read)
{
    struct taken taken = read_good(web);
    const struct service *service = &taken.objects[0].service;
    cr_assert_eq(taken.count, 1);
    cr_assert_eq(taken.objects[0].kind, OBJECT_KIND_SERVICE);
    cr_assert_str_eq(service->service, "shop");
    cr_assert_eq(service->kind, SERVICE_KIND_WEB);
    cr_assert(service->objective.has_response_time);
    cr_assert_eq(service->objective.response_time.p95_ms, 200);
    cr_assert_eq(service->objective.response_time.window_ms, 60000);
    cr_assert_eq(service->objective.weight, 2);
    cr_assert(service->has_entry);
    cr_assert_str_eq(service->entry.check_path, "/healthz");
    cr_assert_eq(service->vms_count, 1);
    cr_assert_eq(service->vms[0].count.min, 2);
    cr_assert_eq(service->vms[0].count.max, 4);
    cr_assert_eq(service->vms[0].cpu.min_pct, 50);
    cr_assert_eq(service->vms[0].cpu.max_pct, 200);
    cr_assert_eq(service->vms[0].memory_kib, 1 << 20);
    cr_assert_eq(service->vms[0].net_rate_kib_s, 10240);
    cr_assert(service->vms[0].spread);
    cr_assert_not(service->has_queue);
}

Test(text, the_same_service_is_read_from_json)
{
    struct taken yaml = read_good(web);
    char *json = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&json, &size);
    cr_assert_eq(text_write_object(out, TEXT_JSON, &yaml.objects[0]), 0);
    (void)fclose(out);
    cr_assert_eq(json[0], '{');
    struct object expected = yaml.objects[0];
    struct taken again = read_good(json);
    cr_assert_eq(memcmp(&again.objects[0], &expected, sizeof expected), 0, "%s", json);
    free(json);
}

Test(text, several_documents_give_several_objects)
{
    struct taken taken =
        read_good("---\nversion: 1\nservice: render\nkind: queue\n"
                  "objective: {deadline: 2026-11-24T18:00:00+01:00}\n"
                  "queue: {tasks: 1000, task_cpu: 1s}\n"
                  "vms: [{image: worker, count: 3, cpu: 150%, vcpus: 2}]\n"
                  "---\nversion: 1\nservice: cfd\nkind: cluster\nobjective: {speed: 95%}\n"
                  "vms: [{name: rank, image: mpi, count: 4}]\n"
                  "---\nversion: 1\nstorage: nas\npath: /srv/nas\nnodes: [xen1, xen2]\n");
    cr_assert_eq(taken.count, 3);
    cr_assert_eq(taken.objects[0].service.objective.deadline_wall_ms, 1795539600000);
    cr_assert_eq(taken.objects[0].service.queue.task_cpu_ms, 1000);
    cr_assert_eq(taken.objects[0].service.vms[0].cpu.min_pct, 150);
    cr_assert_eq(taken.objects[0].service.vms[0].cpu.max_pct, 150);
    cr_assert_eq(taken.objects[0].service.vms[0].count.min, 3);
    cr_assert_eq(taken.objects[1].service.objective.speed_permille, 950);
    cr_assert_eq(taken.objects[2].kind, OBJECT_KIND_STORAGE);
    cr_assert_eq(taken.objects[2].storage.nodes_count, 2);
    cr_assert_str_eq(taken.objects[2].storage.nodes[1], "xen2");
}

Test(text, five_mistakes_give_five_messages_with_their_places)
{
    read_bad(
        "version: 1\n"
        "service: shop\n"
        "kind: website\n"
        "objective:\n"
        "  response_time: {p95: 200}\n"
        "  wieght: 2\n"
        "vms:\n"
        "  - name: web\n"
        "    vcpu: 2\n"
        "    image: debian12\n"
        "    memory: lots\n",
        (const char *const[]){
            "3:7: service.kind: \"website\" is not one of web, queue, cluster",
            "5:24: service.objective.response_time.p95: expected a time such as 200ms, 60s, "
            "5m or 2h, got \"200\"",
            "6:3: service.objective: unknown field \"wieght\"; did you mean \"weight\"?",
            "9:5: service.vms[0]: unknown field \"vcpu\"; did you mean \"vcpus\"?",
            "11:13: service.vms[0].memory: expected a size such as 512MiB or 1GiB, got "
            "\"lots\"",
            NULL});
}

Test(text, fields_that_contradict_each_other_are_mistakes_with_places)
{
    read_bad("version: 1\n"
             "service: shop\n"
             "kind: web\n"
             "objective:\n"
             "  response_time: {mean: 100ms, p95: 200ms}\n"
             "  within: 2h\n"
             "entry: {listen: everywhere}\n"
             "vms:\n"
             "  - name: web\n"
             "    image: debian12\n"
             "    cpu: {min: 2, max: 0.5}\n"
             "    count: {min: 4, max: 2}\n"
             "    disk: {kind: shared}\n"
             "  - name: web\n"
             "    image: debian12\n"
             "    vcpus: 1\n"
             "    cpu: 2\n",
             (const char *const[]){
                 "5:37: service.objective.response_time.p95: only one of mean, p50, p95 can be "
                 "the target",
                 "6:11: service.objective.within: only a queue has a deadline",
                 "7:8: service.entry: no group of vms has a port for the entry point",
                 "7:17: service.entry.listen: expected an address and a port such as "
                 "10.0.8.10:80",
                 "11:10: service.vms[0].cpu: min is above max",
                 "12:12: service.vms[0].count: min is above max",
                 "13:11: service.vms[0].disk: a shared or local disk needs storage",
                 "14:11: service.vms[1].name: another group has this name",
                 "17:10: service.vms[1].cpu: more than its vcpus can use", NULL});
}

Test(text, a_queue_needs_its_job_and_a_deadline)
{
    read_bad("version: 1\nservice: render\nkind: queue\nobjective: {weight: 1}\n"
             "vms: [{image: a}]\n",
             (const char *const[]){
                 "1:1: service: a service of kind queue needs queue with tasks and task_cpu",
                 "4:12: service.objective: a queue needs deadline or within", NULL});
}

Test(text, missing_fields_are_named)
{
    read_bad("service: shop\n",
             (const char *const[]){
                 "1:1: service: missing field \"version\": a whole number",
                 "1:1: service: missing field \"kind\": one of web, queue, cluster",
                 "1:1: service: missing field \"objective\": fields with values",
                 "1:1: service: missing field \"vms\": a list", NULL});
}

Test(text, a_field_is_given_once)
{
    read_bad("version: 1\nnode: xen1\ncordoned: true\ncordoned: false\n",
             (const char *const[]){"4:1: node.cordoned: given twice", NULL});
}

Test(text, values_out_of_range_and_of_the_wrong_shape_are_refused)
{
    read_bad(
        "version: 2\nagreement: acme\nweight: 1001\ncpu: [1]\nmemory: {a: 1}\nvms: 0\n",
        (const char *const[]){"1:10: agreement.version: 2 is not in the range 1..1",
                              "3:9: agreement.weight: 1001 is not in the range 1..1000",
                              "4:6: agreement.cpu: expected CPUs such as 0.5 or 50%",
                              "5:9: agreement.memory: expected a size such as 512MiB or 1GiB",
                              "6:6: agreement.vms: 0 is not in the range 1..4294967295", NULL});
}

Test(text, only_true_and_false_are_booleans)
{
    read_bad("version: 1\nnode: xen1\ncordoned: yes\n",
             (const char *const[]){"3:11: node.cordoned: expected true or false, got \"yes\"",
                                   NULL});
}

Test(text, a_nul_hides_nothing)
{
    read_bad("{version: 1, node: xen1, \"cordoned\\0x\": true}",
             (const char *const[]){"1:26: node: expected the name of a field", NULL});
    read_bad("{version: 1, node: \"xen1\\0x\"}",
             (const char *const[]){"1:20: node.node: holds a NUL", NULL});
}

Test(text, tags_are_refused)
{
    read_bad("version: 1\nnode: !!int xen1\n",
             (const char *const[]){"2:7: node.node: tags are not supported", NULL});
}

Test(text, broken_yaml_is_a_mistake_with_its_place)
{
    read_bad(
        "version: 1\nnode: [xen1\n",
        (const char *const[]){
            "3:1: : while parsing a flow sequence: did not find expected ',' or ']'", NULL});
}

Test(text, bytes_that_are_not_utf8_are_a_mistake_with_their_place)
{
    read_bad("version: 1\nnode: x\xC3\x28\n",
             (const char *const[]){"2:9: : invalid trailing UTF-8 octet", NULL});
}

Test(text, an_unknown_kind_of_document_lists_the_kinds)
{
    read_bad("version: 1\nservcie: shop\n",
             (const char *const[]){
                 "1:1: : expected one of service, node, image, storage, network, agreement, "
                 "settings with a name; did you mean \"service\"?",
                 NULL});
    read_bad(
        "version: 1\nvm: shop-web-1\nnode: xen1\n",
        (const char *const[]){
            "1:1: : VMs follow from their service; change one with \"arbiter set\"", NULL});
    read_bad("", (const char *const[]){"1:1: : no object in this text", NULL});
    read_bad("just words\n", (const char *const[]){"1:1: : expected fields with values", NULL});
}

Test(text, deep_nesting_ends_with_a_mistake)
{
    size_t depth = 500000; /* minutes in libyaml */
    char *text = malloc(2 * depth + 64);
    size_t used = (size_t)sprintf(text, "version: 1\nnode: ");
    memset(text + used, '[', depth);
    memset(text + used + depth, ']', depth);
    text[used + 2 * depth] = '\0';
    struct taken taken = {0};
    cr_assert_eq(text_read_objects(text, strlen(text), take, &taken, &mistakes), -EINVAL);
    cr_assert_eq(taken.count, 0);
    cr_assert_eq(mistakes.count, 1);
    cr_assert_str_eq(mistakes.items[0].text, "brackets are nested too deep");
    cr_assert_eq(mistakes.items[0].line, 2);
    cr_assert_eq(mistakes.items[0].column, 1007);
    free(text);
}

Test(text, a_reference_to_itself_ends_with_a_mistake)
{
    const char *text = "&a {version: 1, service: x, kind: web, objective: *a, vms: [*a, *a]}";
    struct taken taken = {0};
    cr_assert_eq(text_read_objects(text, strlen(text), take, &taken, &mistakes), -EINVAL);
    cr_assert_eq(taken.count, 0);
}

Test(text, more_mistakes_than_are_kept_are_counted)
{
    char text[4096] = "version: 1\nnode: xen1\n";
    for (int i = 0; i < 100; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "key%d: 1\n", i);
    }
    struct taken taken = {0};
    cr_assert_eq(text_read_objects(text, strlen(text), take, &taken, &mistakes), -EINVAL);
    cr_assert_eq(mistakes.count, 100);
}

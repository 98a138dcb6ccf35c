// SPDX-License-Identifier: Apache-2.0
/* Writing, setting by path, explaining. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "proto/text_parts.h"
#include "random_message.h"
#include "read_text.h"

Test(text_write, what_a_listing_adds_can_be_applied_again)
{
    struct item item = {.kind = ITEM_KIND_OBJECT};
    item.object = read_good(web).objects[0];
    (void)snprintf(item.object.owner, sizeof item.object.owner, "anna");
    item.object.revision = 17;
    item.object.changed_wall_ms = 1795539600000;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert_eq(text_write_item(out, TEXT_YAML, &item), 0);
    (void)fclose(out);
    cr_assert_not_null(strstr(text, "\nrevision: 17\n"), "%s", text);
    struct taken taken = read_good(text);
    cr_assert_eq(memcmp(&taken.objects[0], &item.object, sizeof item.object), 0, "%s", text);
    free(text);
}

/* ---- random objects: written, read, the same ---- */

static bool is_consistent(struct object *object)
{
    struct text_mistakes found = {0};
    return object_check(object, &found) == 0;
}

/* Decimal fractions with few digits, as people write them, survive exactly. */
static void make_random(struct rng *rng, enum object_kind kind, struct object *object)
{
    do {
        memset(object, 0, sizeof *object);
        object->kind = kind;
        random_message(rng, false, text_kind_binding(kind), &object->service);
        if (kind == OBJECT_KIND_SERVICE) {
            struct service *s = &object->service;
            s->objective.deadline_wall_ms = s->kind == SERVICE_KIND_QUEUE ? 1795539600123 : 0;
            s->objective.within_ms = 0;
            s->objective.curve = (struct level_curve){0};
            s->objective.has_curve = false;
            s->has_queue = s->kind == SERVICE_KIND_QUEUE;
            s->queue = (struct queue){.tasks = s->has_queue ? 7 : 0,
                                      .task_cpu_ms = s->has_queue ? 1500 : 0};
            s->objective.speed_permille = s->kind == SERVICE_KIND_CLUSTER ? 955 : 0;
            s->objective.error_share_permille = 0;
            s->objective.has_response_time = s->kind == SERVICE_KIND_WEB;
            s->objective.response_time =
                (struct response_time){.p95_ms = s->objective.has_response_time ? 201 : 0};
            s->service[20] = '\0';
            memset(s->service + 20, 0, sizeof s->service - 20);
            s->has_entry = false;
            memset(&s->entry, 0, sizeof s->entry);
            for (uint32_t i = 0; i < s->vms_count; i++) {
                struct vm_group *g = &s->vms[i];
                memset(g->name, 0, sizeof g->name);
                (void)snprintf(g->name, sizeof g->name, "g%u", i);
                g->count.max = g->count.min = 1 + i;
                g->cpu.min_pct = 10 + i;
                g->cpu.max_pct = 90;
                g->has_disk = false;
                memset(&g->disk, 0, sizeof g->disk);
            }
        }
        if (kind == OBJECT_KIND_IMAGE) {
            memset(object->image.source, 0, sizeof object->image.source);
            (void)snprintf(object->image.source, 32, "file:///srv/a b's: \"c\" #.img");
            random_characters(&(struct random_maker){.rng = rng}, object->image.sha256, 64,
                              "0123456789abcdef");
        }
        if (kind == OBJECT_KIND_NETWORK) {
            memset(object->network.bridge, 0, sizeof object->network.bridge);
            (void)snprintf(object->network.bridge, 16, "br0");
        }
        if (kind == OBJECT_KIND_SETTINGS) {
            memset(object->settings.settings, 0, sizeof object->settings.settings);
            (void)snprintf(object->settings.settings, 16, "cluster");
        }
        if (kind == OBJECT_KIND_PROFILE) {
            struct profile *profile = &object->profile;
            profile->measured_wall_ms = 1795539600123;
            profile->response_time = (struct response_time){.p95_ms = 201};
            for (uint32_t i = 0; i < profile->points_count; i++) {
                profile->points[i].load = 12.5 + i;
                profile->points[i].x = 0.625 + i;
            }
        }
    } while (!is_consistent(object));
}

static void write_and_read(const struct object *object, enum text_format format, uint64_t seed)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert_eq(text_write_object(out, format, object), 0);
    (void)fclose(out);
    struct taken taken = read_good(text);
    cr_assert_eq(taken.count, 1);
    cr_assert_eq(memcmp(&taken.objects[0], object, sizeof *object), 0, "SEED=%" PRIu64 "\n%s",
                 seed, text);
    free(text);
}

Test(text_write, random_objects_survive_writing_and_reading)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", seed);
    struct rng rng;
    rng_init(&rng, seed);
    for (int round = 0; round < 20; round++) {
        for (int kind = OBJECT_KIND_SERVICE; kind < OBJECT_KIND_COUNT; kind++) {
            if (kind == OBJECT_KIND_VM) {
                continue; /* no file describes one */
            }
            static struct object object;
            make_random(&rng, (enum object_kind)kind, &object);
            write_and_read(&object, TEXT_YAML, seed);
            write_and_read(&object, TEXT_JSON, seed);
            write_and_read(&object, TEXT_JSON_LINE, seed);
        }
    }
}

/* ---- set ---- */

Test(text_write, a_field_is_set_by_its_path)
{
    struct object object = read_good(web).objects[0];
    struct service *service = &object.service;
    struct err err = {0};
    cr_assert_eq(text_set_field(&object, "objective.response_time.p95", "150ms", &err), 0);
    cr_assert_eq(service->objective.response_time.p95_ms, 150);
    cr_assert_eq(text_set_field(&object, "vms.web.memory", "3GiB", &err), 0);
    cr_assert_eq(service->vms[0].memory_kib, 3 << 20);
    cr_assert_eq(text_set_field(&object, "vms[0].cpu", "1", &err), 0);
    cr_assert_eq(service->vms[0].cpu.min_pct, 100);
    cr_assert_eq(service->vms[0].cpu.max_pct, 100);
    cr_assert_eq(text_set_field(&object, "vms[0].disk.kind", "local", &err), 0);
    cr_assert(service->vms[0].has_disk);
    cr_assert_eq(service->vms[0].disk.kind, DISK_KIND_LOCAL);
}

Test(text_write, a_field_that_is_refused_changes_nothing)
{
    struct object object = read_good(web).objects[0];
    struct object before = object;
    static const char *const refused[][3] = {
        {"objective.response_tme.p95", "1s",
         "objective.response_tme.p95: unknown field \"response_tme\"; did you mean "
         "\"response_time\"?"},
        {"vms.wbe.memory", "1GiB", "vms.wbe.memory: vms has no \"wbe\" (it has 1)"},
        {"queue.tasks", "many", "queue.tasks: expected a whole number, got \"many\""},
        {"objective", "1", "objective: is not one value; name one of its fields"},
        {"kind.x", "1", "kind.x: \"kind\" has no fields"},
        {"vms[0].cpu", "9999999", "vms[0].cpu: 9999999 is not in the range 0.01..1024"},
        {"vms[1].cpu", "1", "vms[1].cpu: vms has no \"1\" (it has 1)"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct err err = {0};
        cr_assert_eq(text_set_field(&object, refused[i][0], refused[i][1], &err), -EINVAL);
        cr_assert_str_eq(err.text, refused[i][2]);
        cr_assert_eq(memcmp(&object, &before, sizeof object), 0, "%s", refused[i][0]);
    }
}

Test(text_write, a_list_of_names_is_set_with_commas)
{
    struct object object = {.kind = OBJECT_KIND_STORAGE};
    struct err err = {0};
    cr_assert_eq(text_set_field(&object, "nodes", "xen1,xen2,xen3", &err), 0);
    cr_assert_eq(object.storage.nodes_count, 3);
    cr_assert_str_eq(object.storage.nodes[2], "xen3");
    cr_assert_eq(text_set_field(&object, "nodes", "xen1,,xen3", &err), -EINVAL);
    cr_assert_eq(object.storage.nodes_count, 3);
}

/* ---- explain ---- */

struct words {
    uint32_t count;
    char paths[256][TEXT_SIZE];
    char below[TEXT_SIZE]; /* path of whose children the words are */
};

static void take_word(void *context, const char *word)
{
    struct words *words = context;
    cr_assert_lt(words->count, 256);
    (void)snprintf(words->paths[words->count++], TEXT_SIZE, "%s%s%s", words->below,
                   words->below[0] == '\0' ? "" : ".", word);
}

Test(text_write, every_path_of_the_completion_is_explained)
{
    static struct words words;
    text_children("", take_word, &words);
    cr_assert_eq(words.count, OBJECT_KIND_COUNT - 1);
    uint32_t explained = 0;
    for (uint32_t i = 0; i < words.count; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        struct err err = {0};
        int rc = text_explain(out, words.paths[i], &err);
        (void)fclose(out);
        free(text);
        if (rc != 0) {
            continue; /* a value, such as service.kind.web */
        }
        cr_assert_gt(size, strlen(words.paths[i]) + 4, "%s has no text", words.paths[i]);
        explained++;
        (void)snprintf(words.below, sizeof words.below, "%s", words.paths[i]);
        text_children(words.below, take_word, &words);
    }
    cr_assert_gt(explained, 100);
}

Test(text_write, every_field_of_a_file_has_a_meaning)
{
    for (int kind = OBJECT_KIND_SERVICE; kind < OBJECT_KIND_COUNT; kind++) {
        const struct message_binding *binding = text_kind_binding((enum object_kind)kind);
        for (uint32_t i = 0; i < binding->fields_count; i++) {
            cr_assert_not_null(binding->fields[i].about, "%s.%s", binding->name,
                               binding->fields[i].name);
        }
    }
}

Test(text_write, explain_tells_unit_range_and_default)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct err err = {0};
    cr_assert_eq(text_explain(out, "service.objective.response_time.window", &err), 0);
    cr_assert_eq(text_explain(out, "service.vms[0].cpu", &err), 0);
    cr_assert_eq(text_explain(out, "service.objectiv", &err), -ENOENT);
    (void)fclose(out);
    cr_assert_not_null(strstr(text, "a time such as 200ms"), "%s", text);
    cr_assert_not_null(strstr(text, "range:    1s..1h"), "%s", text);
    cr_assert_not_null(strstr(text, "default:  30s"), "%s", text);
    cr_assert_not_null(strstr(text, "highest CPU cap"), "%s", text);
    cr_assert_str_eq(err.text, "no such field: \"objectiv\"; did you mean \"objective\"?");
    free(text);
}

Test(text_write, words_are_unique_in_their_message)
{
    for (size_t m = 0; message_bindings_all()[m] != NULL; m++) {
        const struct message_binding *binding = message_bindings_all()[m];
        for (uint32_t i = 0; i < binding->fields_count; i++) {
            char word[TEXT_WORD_SIZE];
            text_word(&binding->fields[i], word);
            cr_assert_eq(text_find_field(binding, word, strlen(word)), &binding->fields[i],
                         "%s.%s", binding->name, word);
        }
    }
}

/* ---- items ---- */

Test(text_write, unknown_numbers_of_an_item_are_null)
{
    struct item item = {.kind = ITEM_KIND_SERVICE_STATUS};
    (void)snprintf(item.service_status.service, NAME_SIZE, "shop");
    item.service_status.level = (double)NAN;
    item.service_status.measured = 0.5;
    item.service_status.measurement_age_ms = UINT32_MAX;
    item.service_status.cap_pct = 150;
    item.service_status.memory_kib = 1 << 20;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert_eq(text_write_item(out, TEXT_JSON_LINE, &item), 0);
    (void)fclose(out);
    static const char *const parts[] = {"\"service\":\"shop\"",       "\"level\":null",
                                        "\"measured\":0.5",           "\"vms_running\":0",
                                        "\"measurement_age\":null",   "\"cap\":1.5",
                                        "\"memory\":\"1GiB\"",        "\"met\":false",
                                        "\"problem\":\"unspecified\""};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        cr_assert_not_null(strstr(text, parts[i]), "%s in %s", parts[i], text);
    }
    cr_assert_eq(text[size - 1], '\n');
    free(text);
}

Test(text_write, every_kind_of_item_is_written_in_every_format)
{
    struct rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < 60; i++) {
        static struct item item;
        memset(&item, 0, sizeof item);
        random_message(&rng, i % 2 == 0, &item_binding, &item);
        for (int format = TEXT_YAML; format <= TEXT_JSON_LINE; format++) {
            char *text = NULL;
            size_t size = 0;
            FILE *out = open_memstream(&text, &size);
            cr_assert_eq(text_write_item(out, (enum text_format)format, &item), 0, "kind %d",
                         (int)item.kind);
            (void)fclose(out);
            cr_assert_gt(size, 0);
            free(text);
        }
    }
}

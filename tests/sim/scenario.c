// SPDX-License-Identifier: Apache-2.0
#include "scenario.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/closest_word.h"
#include "proto/text.h"
#include "schedulers/scheduler.h"

#define FILE_BYTES_MAX (1u << 20)

enum field_type {
    FIELD_COUNT,
    FIELD_DURATION_32,
    FIELD_DURATION_64,
    FIELD_SIZE,
    FIELD_NUMBER,
    FIELD_PERMILLE,
    FIELD_MODE,
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
};

static const struct field fields[] = {
    {"nodes", FIELD_COUNT, offsetof(struct scenario, nodes)},
    {"cpus", FIELD_COUNT, offsetof(struct scenario, cpus)},
    {"memory", FIELD_SIZE, offsetof(struct scenario, memory_kib)},
    {"boot", FIELD_DURATION_32, offsetof(struct scenario, boot_ms)},
    {"call", FIELD_DURATION_32, offsetof(struct scenario, call_ms)},
    {"request_cpu_ms", FIELD_NUMBER, offsetof(struct scenario, request_cpu_ms)},
    {"request_cpu_step", FIELD_NUMBER, offsetof(struct scenario, request_cpu_step)},
    {"request_cpu_step_at", FIELD_DURATION_64,
     offsetof(struct scenario, request_cpu_step_at_ms)},
    {"speed_sigma", FIELD_NUMBER, offsetof(struct scenario, speed_sigma)},
    {"speed_every", FIELD_DURATION_32, offsetof(struct scenario, speed_every_ms)},
    {"period", FIELD_DURATION_32, offsetof(struct scenario, period_ms)},
    {"lease", FIELD_DURATION_32, offsetof(struct scenario, lease_ms)},
    {"latency", FIELD_DURATION_32, offsetof(struct scenario, latency_ms)},
    {"jitter", FIELD_DURATION_32, offsetof(struct scenario, jitter_ms)},
    {"loss", FIELD_PERMILLE, offsetof(struct scenario, loss_permille)},
    {"solve", FIELD_DURATION_32, offsetof(struct scenario, solve_ms)},
    {"apply_at", FIELD_DURATION_64, offsetof(struct scenario, apply_at_ms)},
    {"duration", FIELD_DURATION_64, offsetof(struct scenario, duration_ms)},
    {"mode", FIELD_MODE, offsetof(struct scenario, mode)},
    {"load", FIELD_NUMBER, offsetof(struct scenario, load)},
    {"noise", FIELD_NUMBER, offsetof(struct scenario, noise)},
    {"model_error", FIELD_NUMBER, offsetof(struct scenario, model_error)},
    {"users_every", FIELD_DURATION_32, offsetof(struct scenario, users_every_ms)},
    {0},
};

static const struct field user_fields[] = {
    {"rate", FIELD_NUMBER, offsetof(struct user_pattern, requests_per_s)},
    {"wave", FIELD_NUMBER, offsetof(struct user_pattern, wave)},
    {"wave_length", FIELD_DURATION_64, offsetof(struct user_pattern, wave_ms)},
    {"noise", FIELD_NUMBER, offsetof(struct user_pattern, noise)},
    {"crowd", FIELD_NUMBER, offsetof(struct user_pattern, crowd)},
    {"crowd_every", FIELD_DURATION_64, offsetof(struct user_pattern, crowd_every_ms)},
    {"crowd_length", FIELD_DURATION_64, offsetof(struct user_pattern, crowd_length_ms)},
    {"crowd_ramp", FIELD_DURATION_64, offsetof(struct user_pattern, crowd_ramp_ms)},
    {"step", FIELD_NUMBER, offsetof(struct user_pattern, step)},
    {"step_at", FIELD_DURATION_64, offsetof(struct user_pattern, step_at_ms)},
    {"working_set", FIELD_SIZE, offsetof(struct user_pattern, working_set_kib)},
    {0},
};

static const char *const fault_words[] = {"unspecified", "power-off",           "power-on",
                                          "agent-stop",  "agent-start",         "cut",
                                          "heal",        "restart-orchestrator"};

const char *fault_word(enum fault_kind kind)
{
    return fault_words[kind];
}

static int read_number(const char *text, double *out, struct err *err)
{
    char *end = NULL;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !(*out >= 0.0 && *out <= 1e9)) {
        return err_set(err, -EINVAL, "expected a number, got \"%s\"", text);
    }
    return 0;
}

static int read_duration(const char *text, int64_t most_ms, int64_t *out, struct err *err)
{
    const int rc = text_parse_duration_ms(text, out, err);
    if (rc == 0 && (*out < 0 || *out > most_ms)) {
        return err_set(err, -EINVAL, "duration \"%s\" is out of range", text);
    }
    return rc;
}

static int read_mode(const char *text, enum mode *out, struct err *err)
{
    *out = strcmp(text, "act") == 0      ? MODE_ACT
           : strcmp(text, "advise") == 0 ? MODE_ADVISE
           : strcmp(text, "hold") == 0   ? MODE_HOLD
                                         : MODE_UNSPECIFIED;
    return *out == MODE_UNSPECIFIED ? err_set(err, -EINVAL, "expected act, advise or hold") : 0;
}

static int set_field(void *base, const struct field *field, const char *text, struct err *err)
{
    void *at = (char *)base + field->offset;
    double number = 0.0;
    int64_t ms = 0;
    int rc = 0;
    switch (field->type) {
    case FIELD_COUNT:
        rc = read_number(text, &number, err);
        *(uint32_t *)at = (uint32_t)number;
        break;
    case FIELD_DURATION_32:
        rc = read_duration(text, UINT32_MAX, &ms, err);
        *(uint32_t *)at = (uint32_t)ms;
        break;
    case FIELD_DURATION_64: rc = read_duration(text, INT64_MAX, at, err); break;
    case FIELD_SIZE: rc = text_parse_size_kib(text, at, err); break;
    case FIELD_NUMBER: rc = read_number(text, at, err); break;
    case FIELD_PERMILLE: rc = text_parse_permille(text, at, err); break;
    case FIELD_MODE: rc = read_mode(text, at, err); break;
    }
    return rc;
}

static int set_named(void *base, const struct field *among, const char *name, const char *text,
                     struct err *err)
{
    for (const struct field *field = among; field->name != NULL; field++) {
        if (strcmp(field->name, name) == 0) {
            const int rc = set_field(base, field, text, err);
            return rc < 0 ? err_wrap(err, "%s", name) : 0;
        }
    }
    return err_set(err, -EINVAL, "%s: no such field", name);
}

static int set_world(struct scenario *scenario, const char *name, const char *text,
                     struct err *err)
{
    const int rc = set_named(scenario, fields, name, text, err);
    return rc < 0 ? err_wrap(err, "world") : 0;
}

/* ---- YAML ---- */

static const char *scalar(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SCALAR_NODE
               ? (const char *)node->data.scalar.value
               : NULL;
}

static const char *member(yaml_document_t *document, const yaml_node_t *node, const char *name)
{
    if (node->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const char *key = scalar(yaml_document_get_node(document, pair->key));
        if (key != NULL && strcmp(key, name) == 0) {
            return scalar(yaml_document_get_node(document, pair->value));
        }
    }
    return NULL;
}

static int read_load(struct scenario *scenario, yaml_document_t *document,
                     const yaml_node_t *node, struct err *err)
{
    const char *at = member(document, node, "at");
    const char *service = member(document, node, "service");
    const char *rate = member(document, node, "rate");
    if (at == NULL || service == NULL || rate == NULL) {
        return err_set(err, -EINVAL, "a load needs at, service and rate");
    }
    struct load_step *step = &scenario->loads[scenario->loads_count++];
    (void)snprintf(step->service, sizeof step->service, "%s", service);
    const int rc = read_duration(at, INT64_MAX, &step->at_ms, err);
    return rc < 0 ? rc : read_number(rate, &step->requests_per_s, err);
}

static int read_fault(struct scenario *scenario, yaml_document_t *document,
                      const yaml_node_t *node, struct err *err)
{
    const char *at = member(document, node, "at");
    const char *kind = member(document, node, "kind");
    const char *target = member(document, node, "node");
    if (at == NULL || kind == NULL) {
        return err_set(err, -EINVAL, "a fault needs at and kind");
    }
    struct fault_step *step = &scenario->faults[scenario->faults_count++];
    for (size_t i = 1; i < sizeof fault_words / sizeof *fault_words; i++) {
        step->kind = strcmp(fault_words[i], kind) == 0 ? (enum fault_kind)i : step->kind;
    }
    if (step->kind == FAULT_UNSPECIFIED) {
        return err_set(err, -EINVAL, "fault \"%s\" is not known", kind);
    }
    if (target != NULL) { /* node3 */
        step->node = (uint32_t)strtoul(target + strcspn(target, "0123456789"), NULL, 10) - 1;
    }
    return read_duration(at, INT64_MAX, &step->at_ms, err);
}

static int read_users(struct scenario *scenario, yaml_document_t *document,
                      const yaml_node_t *node, struct err *err)
{
    const char *service = member(document, node, "service");
    if (service == NULL || scenario->users_count == SCENARIO_USERS_MAX) {
        return err_set(err, -EINVAL, "users need a service, and there are at most %d",
                       SCENARIO_USERS_MAX);
    }
    struct user_pattern *pattern = &scenario->users[scenario->users_count++];
    (void)snprintf(pattern->service, sizeof pattern->service, "%s", service);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const char *name = scalar(yaml_document_get_node(document, pair->key));
        const char *text = scalar(yaml_document_get_node(document, pair->value));
        if (name == NULL || text == NULL) {
            return err_set(err, -EINVAL, "users of %s: expected names with values", service);
        }
        const int rc =
            strcmp(name, "service") == 0 ? 0 : set_named(pattern, user_fields, name, text, err);
        if (rc < 0) {
            return err_wrap(err, "users of %s", service);
        }
    }
    return 0;
}

typedef int read_item(struct scenario *scenario, yaml_document_t *document,
                      const yaml_node_t *node, struct err *err);

static int read_list(struct scenario *scenario, yaml_document_t *document,
                     const yaml_node_t *list, read_item *read, struct err *err)
{
    if (list->type != YAML_SEQUENCE_NODE) {
        return err_set(err, -EINVAL, "expected a list");
    }
    for (const yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; item++) {
        if (scenario->loads_count == SCENARIO_STEPS_MAX ||
            scenario->faults_count == SCENARIO_STEPS_MAX) {
            return err_set(err, -E2BIG, "more than %d steps", SCENARIO_STEPS_MAX);
        }
        const yaml_node_t *node = yaml_document_get_node(document, *item);
        const int rc = read(scenario, document, node, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int read_members(struct scenario *scenario, yaml_document_t *document, struct err *err)
{
    const yaml_node_t *root = yaml_document_get_root_node(document);
    const yaml_node_t *world = NULL;
    if (root != NULL && root->type == YAML_MAPPING_NODE &&
        root->data.mapping.pairs.start < root->data.mapping.pairs.top) {
        world = yaml_document_get_node(document, root->data.mapping.pairs.start->value);
    }
    if (world == NULL || world->type != YAML_MAPPING_NODE) {
        return err_set(err, -EINVAL, "the first document must be a mapping named world");
    }
    for (const yaml_node_pair_t *pair = world->data.mapping.pairs.start;
         pair < world->data.mapping.pairs.top; pair++) {
        const char *name = scalar(yaml_document_get_node(document, pair->key));
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);
        int rc = 0;
        const bool list = value->type == YAML_SEQUENCE_NODE;
        if (list && name != NULL && strcmp(name, "load") == 0) {
            rc = read_list(scenario, document, value, read_load, err);
        } else if (list && name != NULL && strcmp(name, "faults") == 0) {
            rc = read_list(scenario, document, value, read_fault, err);
        } else if (list && name != NULL && strcmp(name, "users") == 0) {
            rc = read_list(scenario, document, value, read_users, err);
        } else if (name == NULL || scalar(value) == NULL) {
            rc = err_set(err, -EINVAL, "expected names with values");
        } else {
            rc = set_world(scenario, name, scalar(value), err);
        }
        if (rc < 0) {
            return err_wrap(err, "line %zu", value->start_mark.line + 1);
        }
    }
    return 0;
}

static int read_world(struct scenario *scenario, const char *text, size_t size, struct err *err)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml_parser_initialize(&parser) == 0) {
        return err_set(err, -ENOMEM, "no memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int rc = 0;
    if (yaml_parser_load(&parser, &document) == 0) {
        rc =
            err_set(err, -EINVAL, "line %zu: %s", parser.problem_mark.line + 1, parser.problem);
    } else {
        rc = read_members(scenario, &document, err);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return rc;
}

static void take_object(void *context, const struct object *object)
{
    struct scenario *scenario = context;
    if (scenario->objects_count < SCENARIO_OBJECTS_MAX) {
        scenario->objects[scenario->objects_count++] = *object;
    }
}

static int read_objects(struct scenario *scenario, const char *text, size_t size,
                        struct err *err)
{
    struct text_mistakes *mistakes = calloc(1, sizeof *mistakes);
    if (mistakes == NULL) {
        return err_set(err, -ENOMEM, "no memory");
    }
    int rc = text_read_objects(text, size, take_object, scenario, mistakes);
    if (rc < 0) {
        const struct text_mistake *first = &mistakes->items[0];
        rc =
            err_set(err, rc, "objects, line %d: %s: %s", first->line, first->path, first->text);
    }
    free(mistakes);
    return rc;
}

static int check(const struct scenario *scenario, struct err *err)
{
    if (scenario->nodes < 1 || scenario->nodes > SCENARIO_NODES_MAX) {
        return err_set(err, -EINVAL, "world.nodes: expected 1 to %d", SCENARIO_NODES_MAX);
    }
    for (uint32_t i = 0; i < scenario->faults_count; i++) {
        if (scenario->faults[i].node >= scenario->nodes) {
            return err_set(err, -EINVAL, "a fault names a node that does not exist");
        }
    }
    return scenario->duration_ms > 0 ? 0 : err_set(err, -EINVAL, "world.duration is missing");
}

int scenario_read(const char *path, struct scenario *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    out->nodes = 1;
    out->cpus = 2;
    out->memory_kib = 2u << 20;
    out->boot_ms = 1000;
    out->call_ms = 20;
    out->period_ms = 5000;
    out->latency_ms = 1;
    out->jitter_ms = 1;
    out->solve_ms = 2;
    out->apply_at_ms = 2000;
    out->mode = MODE_ACT;
    out->load = 1.0;
    out->users_every_ms = 10000;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        const int code = errno;
        return err_set(err, -code, "%s: %s", path, strerrordesc_np(code));
    }
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    const size_t size = text == NULL ? 0 : fread(text, 1, FILE_BYTES_MAX, file);
    (void)fclose(file); /* only read */
    const char *objects = text == NULL ? NULL : strstr(text, "\n---\n");
    int rc = 0;
    if (objects == NULL) {
        rc = err_set(err, -EINVAL, "expected a document \"world\", then objects");
    } else {
        rc = read_world(out, text, (size_t)(objects - text), err);
        rc = rc < 0 ? rc
                    : read_objects(out, objects + 5, size - (size_t)(objects + 5 - text), err);
        rc = rc < 0 ? rc : check(out, err);
    }
    free(text);
    return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

int scenario_set(struct scenario *scenario, const char *assignment, struct err *err)
{
    char path[TEXT_SIZE];
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || (size_t)(equals - assignment) >= sizeof path) {
        return err_set(err, -EINVAL, "\"%s\" is not FIELD=VALUE", assignment);
    }
    (void)snprintf(path, sizeof path, "%.*s", (int)(equals - assignment), assignment);
    if (strncmp(path, "world.", 6) == 0) {
        return set_world(scenario, path + 6, equals + 1, err);
    }
    for (uint32_t i = 0; i < scenario->objects_count; i++) {
        if (scenario->objects[i].kind == OBJECT_KIND_SERVICE) {
            const int rc = text_set_field(&scenario->objects[i], path, equals + 1, err);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static bool is_for(const struct scheduler *scheduler, enum service_kind kind)
{
    for (int other = SERVICE_KIND_WEB; other <= SERVICE_KIND_CLUSTER; other++) {
        if (scheduler_default((enum service_kind)other) == scheduler) {
            return other == (int)kind;
        }
    }
    return true;
}

static void list_word(char *known, struct closest_word *closest, const char *word)
{
    closest_word_offer(closest, word);
    (void)snprintf(known + strlen(known), TEXT_SIZE - strlen(known), " %s", word);
}

static int unknown_scheduler(const char *name, struct err *err)
{
    char known[TEXT_SIZE] = "";
    struct closest_word closest;
    closest_word_begin(&closest, name);
    list_word(known, &closest, "default");
    for (const struct scheduler *const *at = scheduler_all(); *at != NULL; at++) {
        list_word(known, &closest, (*at)->name);
    }
    for (int i = POLICY_EQUAL; i <= POLICY_ORACLE; i++) {
        list_word(known, &closest, policy_word((enum policy)i));
    }
    char meant[TEXT_SIZE];
    closest_word_print(&closest, meant, sizeof meant);
    return err_set(err, -EINVAL, "there is no scheduler \"%s\"%s; there are:%s", name, meant,
                   known);
}

int scenario_use(struct scenario *scenario, const char *name, struct err *err)
{
    const struct scheduler *scheduler = scheduler_find(name);
    scenario->policy = policy_named(name);
    if (scenario->policy != POLICY_OPTIMIZER || strcmp(name, "default") == 0) {
        return 0;
    }
    if (scheduler == NULL) {
        return unknown_scheduler(name, err);
    }
    for (uint32_t i = 0; i < scenario->objects_count; i++) {
        struct object *object = &scenario->objects[i];
        if (object->kind == OBJECT_KIND_SERVICE && is_for(scheduler, object->service.kind)) {
            (void)snprintf(object->service.scheduler, sizeof object->service.scheduler, "%s",
                           name);
        }
    }
    return 0;
}

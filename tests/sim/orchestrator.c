// SPDX-License-Identifier: Apache-2.0
/* The orchestrator of a simulated run: its core, and a store that is durable at once. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/service_level.h"
#include "schedulers/allocation.h"
#include "world.h"

/* ---- store ---- */

static struct kept_record *find_record(struct world *world, const char *key)
{
    for (uint32_t i = 0; i < world->records_count; i++) {
        if (strcmp(world->records[i].key, key) == 0) {
            return &world->records[i];
        }
    }
    return NULL;
}

static void keep(struct world *world, const char *key, const struct stored_record *record)
{
    struct kept_record *kept = find_record(world, key);
    if (kept == NULL) {
        if (world->records_count == world->records_capacity) {
            const uint32_t capacity = world->records_capacity * 2 + 64;
            struct kept_record *records = realloc(world->records, capacity * sizeof *records);
            if (records == NULL) {
                world_fail(world, "no memory for %u records", capacity);
                return;
            }
            world->records = records;
            world->records_capacity = capacity;
        }
        kept = &world->records[world->records_count++];
        *kept = (struct kept_record){0};
        (void)snprintf(kept->key, sizeof kept->key, "%s", key);
    }
    struct err err = {0};
    if (codec_encode_record(record, &kept->bytes, &err) != 0) {
        world_fail(world, "record %s cannot be encoded: %s", key, err.text);
    }
}

static void copy_body(struct object *object, const struct object_ref *ref)
{
    switch (ref->kind) {
    case OBJECT_KIND_SERVICE: object->service = *(const struct service *)ref->body; break;
    case OBJECT_KIND_VM: object->vm = *(const struct vm *)ref->body; break;
    case OBJECT_KIND_NODE: object->node = *(const struct node *)ref->body; break;
    case OBJECT_KIND_IMAGE: object->image = *(const struct image *)ref->body; break;
    case OBJECT_KIND_STORAGE: object->storage = *(const struct storage *)ref->body; break;
    case OBJECT_KIND_NETWORK: object->network = *(const struct network *)ref->body; break;
    case OBJECT_KIND_AGREEMENT: object->agreement = *(const struct agreement *)ref->body; break;
    case OBJECT_KIND_SETTINGS: object->settings = *(const struct settings *)ref->body; break;
    case OBJECT_KIND_PROFILE: object->profile = *(const struct profile *)ref->body; break;
    case OBJECT_KIND_UNSPECIFIED: break;
    }
}

static void put_object(struct world *world, const struct object_ref *ref, bool remove)
{
    char key[NAME_SIZE * 2];
    (void)snprintf(key, sizeof key, "%s/%s", object_kind_word(ref->kind), ref->name);
    if (remove) {
        struct kept_record *kept = find_record(world, key);
        if (kept != NULL) {
            bytes_finish(&kept->bytes);
            *kept = world->records[--world->records_count];
        }
        return;
    }
    static struct stored_record record; /* large; one run at a time in a process */
    memset(&record, 0, sizeof record);
    record.version = 1;
    record.kind = STORED_KIND_OBJECT;
    record.object.kind = ref->kind;
    record.object.revision = ref->revision;
    record.object.changed_wall_ms = ref->changed_wall_ms;
    (void)snprintf(record.object.owner, sizeof record.object.owner, "%s", ref->owner);
    copy_body(&record.object, ref);
    keep(world, key, &record);
}

static void put_small(struct world *world, const struct effect *effect)
{
    static struct stored_record record;
    memset(&record, 0, sizeof record);
    record.version = 1;
    char key[NAME_SIZE * 2];
    if (effect->type == EFFECT_PUT_PROGRESS) {
        record.kind = STORED_KIND_PROGRESS;
        record.progress = *effect->progress;
        (void)snprintf(key, sizeof key, "progress/%s", record.progress.service);
    } else {
        record.kind = STORED_KIND_NODE_EPOCH;
        record.node_epoch = *effect->node_epoch;
        (void)snprintf(key, sizeof key, "life/%s", record.node_epoch.node);
    }
    keep(world, key, &record);
}

/* ---- effects ---- */

static uint32_t node_index(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        if (strcmp(world->agents[i].name, name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void take_decision(struct world *world, const struct decision *decision)
{
    if (decision->id >= world->next_decision) {
        world->next_decision = decision->id + 1;
        world->decisions++;
        world->changes += decision->mode == MODE_ACT ? decision->caps_count : 0;
    }
    world_trace(world, "orchestrator", "decision d-%llu outcome %d caps %u: %s",
                (unsigned long long)decision->id, (int)decision->outcome, decision->caps_count,
                decision->text);
}

/* What a baseline may know of the services of a problem. */
static void know(struct world *world, const struct allocation_problem *problem,
                 struct policy_truth *truth)
{
    for (uint32_t i = 0; i < problem->services_count; i++) {
        const struct world_service *service = truth_service(world, problem->services[i].name);
        if (service == NULL) {
            continue;
        }
        const struct response_time *target = &service->objective.response_time;
        const double mean_ms = target->mean_ms > 0  ? target->mean_ms
                               : target->p50_ms > 0 ? target->p50_ms / TRUTH_P50
                                                    : target->p95_ms / TRUTH_P95;
        truth[i] = (struct policy_truth){.load_per_s = service->requests_per_s,
                                         .mean_load_per_s = service->mean_per_s,
                                         .used_pct = service->used_pct,
                                         .request_cpu_ms = world->scenario->request_cpu_ms,
                                         .target_ms = mean_ms};
    }
}

static int decide(struct world *world, const struct allocation_problem *problem,
                  struct item_solved *answer)
{
    const enum policy policy = world->scenario->policy;
    if (policy == POLICY_OPTIMIZER) {
        return allocation_solve_again(problem, world->memory, &answer->answer, &answer->err);
    }
    struct policy_truth *truth = calloc(problem->services_count + 1u, sizeof *truth);
    if (truth == NULL) {
        return err_set(&answer->err, -ENOMEM, "no memory");
    }
    know(world, problem, truth);
    const int rc = policy_solve(policy, problem, truth, &answer->answer, &answer->err);
    free(truth);
    return rc;
}

static double cpu_time_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* cannot fail */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void solve(struct world *world, const struct effect *effect)
{
    const struct allocation_problem *problem = effect->solve.problem;
    struct item_solved *answer = calloc(1, sizeof *answer);
    if (answer == NULL || allocation_answer_init(&answer->answer, problem->services_count,
                                                 problem->vms_count) < 0) {
        free(answer);
        world_fail(world, "no memory for an answer");
        return;
    }
    answer->revision = effect->solve.revision;
    const double before_s = cpu_time_s();
    answer->code = decide(world, problem, answer);
    world->solve_s += cpu_time_s() - before_s;
    world->solves++;
    const uint32_t candidates = effect->solve.candidates_count;
    if (answer->code == 0 && world->scenario->policy == POLICY_OPTIMIZER) {
        struct err err = {0};
        answer->judgements_count = candidates;
        if (escalation_judge(problem, effect->solve.candidates, candidates, answer->judgements,
                             &err) != 0) {
            answer->judgements_count = 0;
            world_fail(world, "steps beyond caps cannot be judged: %s", err.text);
        }
    }
    world_add(world, (struct world_item){.at_ms = world->now_ms + world->scenario->solve_ms,
                                         .type = ITEM_SOLVED,
                                         .solved = answer});
}

static void perform(struct world *world, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_PUT_OBJECT: put_object(world, &effect->object, false); break;
    case EFFECT_DELETE_OBJECT: put_object(world, &effect->object, true); break;
    case EFFECT_PUT_DECISION: take_decision(world, effect->decision); break;
    case EFFECT_PUT_EVENT: truth_event(world, effect->event); break;
    case EFFECT_PUT_PROGRESS:
    case EFFECT_PUT_NODE_EPOCH: put_small(world, effect); break;
    case EFFECT_PUT_REPLY: break; /* nobody asks twice here */
    case EFFECT_SEND: {
        const uint32_t node = node_index(world, effect->send.node);
        if (node != UINT32_MAX) {
            effect->send.message->header.sequence = ++world->agents[node].sequence;
            world_send(world, node, effect->send.message, false, false);
        }
        break;
    }
    case EFFECT_REPLY:
        if (effect->reply.reply->code != REPLY_DONE) {
            world_fail(world, "a request was refused: %s", effect->reply.reply->text);
        }
        break;
    case EFFECT_SOLVE: solve(world, effect); break;
    }
}

void orchestrator_step(struct world *world, struct cluster_event *event)
{
    event->now_ms = world->now_ms;
    event->wall_ms = WORLD_WALL_MS + world->now_ms;
    effects_clear(world->effects);
    cluster_step(world->cluster, event, world->effects);
    for (uint32_t i = 0; i < world->effects->count && !world->failed; i++) {
        perform(world, &world->effects->items[i]);
    }
}

/* ---- life ---- */

static void load_records(struct world *world)
{
    static struct stored_record record;
    for (uint32_t i = 0; i < world->records_count; i++) {
        const struct bytes *bytes = &world->records[i].bytes;
        struct err err = {0};
        if (codec_decode_record(bytes->data, bytes->size, &record, &err) != 0) {
            world_fail(world, "record %s cannot be decoded: %s", world->records[i].key,
                       err.text);
            return;
        }
        struct cluster_event event = {.type = CLUSTER_EVENT_LOAD, .load = &record};
        orchestrator_step(world, &event);
    }
}

void orchestrator_start(struct world *world)
{
    const struct scenario *scenario = world->scenario;
    const struct cluster_config config = {
        .services_max = WORLD_SERVICES_MAX,
        .vms_max = 1024,
        .nodes_max = SCENARIO_NODES_MAX,
        .objects_max = SCENARIO_OBJECTS_MAX,
        .metrics_max = 2048,
        .lease_ms = scenario->lease_ms,
        .control_period_ms = scenario->period_ms,
        .stale_after_ms = 15000,
        .mode = scenario->mode,
        .seed = rng_next(&world->rng),
    };
    if (world->effects == NULL) {
        world->effects = effects_create();
    }
    world->cluster = cluster_create(&config, &world->err);
    world->memory = allocation_memory_create();
    if (world->cluster == NULL || world->effects == NULL) {
        world_fail(world, "%s", world->err.text);
        return;
    }
    load_records(world);
    struct cluster_event event = {.type = CLUSTER_EVENT_START};
    event.start.epoch = ++world->epoch;
    event.start.next_event = world->next_event + 1;
    event.start.next_decision = world->next_decision == 0 ? 1 : world->next_decision;
    world->next_decision = event.start.next_decision;
    orchestrator_step(world, &event);
}

void orchestrator_restart(struct world *world)
{
    cluster_destroy(world->cluster);
    allocation_memory_destroy(world->memory);
    world->memory = NULL;
    world->cluster = NULL;
    orchestrator_start(world);
}

void orchestrator_message(struct world *world, const struct world_item *item)
{
    struct err err = {0};
    if (codec_decode_node_message(item->bytes.data, item->bytes.size, &world->message, &err) !=
        0) {
        world_fail(world, "a message of %s cannot be decoded: %s",
                   world->agents[item->index].name, err.text);
        return;
    }
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.name = world->agents[item->index].name;
    event.node.message = &world->message;
    orchestrator_step(world, &event);
}

void orchestrator_apply(struct world *world, const struct object *object)
{
    static struct request request;
    memset(&request, 0, sizeof request);
    request.header =
        (struct header){.version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION};
    request.method = METHOD_PUT;
    request.has_object = true;
    request.object = *object;
    request.request_id[0] = (uint8_t)(++world->requests);
    struct bytes bytes = {0};
    struct err err = {0};
    static struct request received;
    if (codec_encode_request(&request, &bytes, &err) != 0 ||
        codec_decode_request(bytes.data, bytes.size, &received, &err) != 0) {
        world_fail(world, "%s: %s", object_name(object), err.text);
        bytes_finish(&bytes);
        return;
    }
    bytes_finish(&bytes);
    world_trace(world, "administrator", "apply %s %s", object_kind_word(object->kind),
                object_name(object));
    if (object->kind == OBJECT_KIND_SERVICE && world->services_count < WORLD_SERVICES_MAX) {
        struct world_service *service = &world->services[world->services_count++];
        (void)snprintf(service->name, sizeof service->name, "%s", object->service.service);
        service->kind = object->service.kind;
        service->tasks = object->service.queue.tasks;
        service->within_ms = object->service.objective.within_ms;
        service->applied_ms = world->now_ms;
        service->objective = object->service.objective;
        if (service->objective.curve.a <= 0.0) {
            service->objective.curve = service_level_default_curve();
        }
        service->level = (double)NAN;
        service->cpu_error =
            1.0 + world->scenario->model_error * (2.0 * rng_unit(&world->truth_rng) - 1.0);
    }
    struct cluster_event event = {.type = CLUSTER_EVENT_REQUEST};
    event.request.principal = "administrator";
    event.request.role = ROLE_ADMINISTRATOR;
    event.request.token = 1;
    event.request.request = &received;
    event.request.content_hash = codec_request_hash(&received);
    orchestrator_step(world, &event);
}

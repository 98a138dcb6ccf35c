// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's core: which calls to the hypervisor follow from an order, and what the agent says
 * about it. A case is a simulated host in virtual time and steps; looking at the domains, which
 * happens all the time, is left out.
 */
#include "tests/golden/golden.h"
#include "tests/unit/agent-core/agent_world.h"

#define VMS     8
#define LOOK_MS 10

struct story {
    struct golden_case *it;
    struct world *world;
    int64_t since_ms; /* of the newest step */
    uint32_t calls;   /* printed so far */
    uint32_t results;
    uint64_t operation;
    uint32_t orders_count;
    struct node_message orders[VMS]; /* newest of each VM */
};

/* ---- the outcome ---- */

static void print_time(const struct story *story, int64_t at_ms)
{
    (void)fprintf(story->it->out, "  %+6.2f s  ", (double)(at_ms - story->since_ms) / 1000.0);
}

static void print_call(const struct story *story, uint32_t index)
{
    FILE *out = story->it->out;
    const struct world *w = story->world;
    const enum hypervisor_call_kind kind = w->calls[index].kind;
    const char *cap = golden_cpu(w->calls[index].cap_pct);
    const char *memory = golden_memory(w->calls[index].memory_kib);
    print_time(story, w->calls[index].at_ms);
    (void)fprintf(out, "call %s of vm %s", hypervisor_call_word(kind), w->calls[index].vm);
    if (kind == HYPERVISOR_CALL_CREATE) {
        (void)fprintf(out, ": generation %llu, %u VCPUs, cap %s, %s, address %s",
                      (unsigned long long)w->calls[index].generation, w->calls[index].vcpus,
                      cap, memory,
                      w->calls[index].address[0] != '\0' ? w->calls[index].address : "none");
    } else if (kind == HYPERVISOR_CALL_CAP) {
        (void)fprintf(out, ": %s", cap);
    } else if (kind == HYPERVISOR_CALL_MEMORY) {
        (void)fprintf(out, ": %s", memory);
    } else if (kind == HYPERVISOR_CALL_VCPUS) {
        (void)fprintf(out, ": %u", w->calls[index].vcpus);
    }
    (void)fprintf(out, "\n");
}

static void print_result(const struct story *story, const struct result *result)
{
    static const char *const states[] = {"?", "refused", "accepted", "effective", "failed"};
    FILE *out = story->it->out;
    print_time(story, story->world->now_ms);
    (void)fprintf(out, "answer to op-%llu, vm %s: %s", (unsigned long long)result->operation,
                  result->vm, states[result->state]);
    if (result->reason != REASON_NONE) {
        (void)fprintf(out, " (%s)", reason_word(result->reason));
    }
    (void)fprintf(out, "%s%s\n", result->text[0] != '\0' ? ": " : "", result->text);
}

static void print_news(struct story *story)
{
    const struct world *w = story->world;
    if (w->calls_count == LOG_MAX || w->results_count - story->results > 256) {
        golden_wrong("more calls or answers than are kept");
    }
    for (; story->calls < w->calls_count; story->calls++) {
        print_call(story, story->calls);
    }
    for (; story->results < w->results_count; story->results++) {
        print_result(story, &w->results[story->results % 256]);
    }
}

static void run_for(struct story *story, int64_t ms)
{
    const int64_t until_ms = story->world->now_ms + ms;
    while (story->world->now_ms < until_ms) {
        run_until(story->world, story->world->now_ms + LOOK_MS);
        print_news(story);
    }
}

static void print_vms(struct story *story)
{
    FILE *out = story->it->out;
    run_for(story, 11000); /* a snapshot comes every ten seconds */
    (void)fprintf(out, "the agent shows\n");
    const struct snapshot *snapshot = story->world->snapshot;
    for (uint32_t i = 0; i < snapshot->vms_count; i++) {
        const struct vm_status *vm = &snapshot->vms[i];
        (void)fprintf(out, "  vm %s %s, generation %llu, done op-%llu", vm->vm,
                      run_state_word(vm->state), (unsigned long long)vm->generation,
                      (unsigned long long)vm->operation_done);
        if (vm->state == RUN_STATE_RUNNING) {
            (void)fprintf(out, ", cap %s, %u VCPUs, %s", golden_cpu(vm->cap_pct), vm->vcpus,
                          golden_memory(vm->memory_kib));
        }
        if (vm->problem != REASON_NONE) {
            (void)fprintf(out, "; problem: %s%s%s", reason_word(vm->problem),
                          vm->problem_text[0] != '\0' ? ": " : "", vm->problem_text);
        }
        (void)fprintf(out, "\n");
    }
    if (snapshot->vms_count == 0) {
        (void)fprintf(out, "  no vm\n");
    }
}

/* ---- steps ---- */

static struct node_message *order_of(struct story *story, const char *vm)
{
    for (uint32_t i = 0; i < story->orders_count; i++) {
        if (strcmp(story->orders[i].vm_order.vm, vm) == 0) {
            return &story->orders[i];
        }
    }
    if (story->orders_count == VMS) {
        golden_wrong("more than %d VMs", VMS);
    }
    story->orders[story->orders_count] = make_order(0, vm, RUN_STATE_RUNNING);
    return &story->orders[story->orders_count++];
}

static enum run_state state_of(const char *word)
{
    for (int i = RUN_STATE_RUNNING; i <= RUN_STATE_ABSENT; i++) {
        if (strcmp(run_state_word((enum run_state)i), word) == 0) {
            return (enum run_state)i;
        }
    }
    golden_wrong("\"%s\" is no state that can be ordered", word);
}

/* One "KEY VALUE" of an order; what is not named is as in the order before. */
static void set_field(struct node_message *message, const char *key, const char *value)
{
    struct vm_order *order = &message->vm_order;
    if (strcmp(key, "cap") == 0) {
        order->cap_pct = golden_parse_cpu_pct(value);
    } else if (strcmp(key, "memory") == 0) {
        order->memory_kib = golden_parse_kib(value);
    } else if (strcmp(key, "vcpus") == 0) {
        order->vcpus = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(key, "generation") == 0) {
        order->generation = strtoull(value, NULL, 10);
    } else if (strcmp(key, "reboots") == 0) {
        order->reboots = strtoull(value, NULL, 10);
    } else if (strcmp(key, "epoch") == 0) {
        message->header.epoch = strtoull(value, NULL, 10);
    } else if (strcmp(key, "isolation") == 0) {
        order->isolation = strcmp(value, "fence") == 0 ? ISOLATION_FENCE : ISOLATION_RUN;
    } else {
        golden_wrong("order: \"%s\" is unknown", key);
    }
}

/* "order a running cap 0.5 memory 512MiB" */
static void do_order(struct story *story, const char *words)
{
    char vm[NAME_SIZE];
    char word[NAME_SIZE];
    char value[NAME_SIZE];
    int used = 0;
    if (sscanf(words, "%63s %63s%n", vm, word, &used) != 2) {
        golden_wrong("order \"%s\": expected VM STATE", words);
    }
    struct node_message *kept = order_of(story, vm);
    kept->vm_order.desired = state_of(word);
    kept->vm_order.operation = ++story->operation;
    kept->header.epoch = 0; /* the present one */
    for (const char *at = words + used; sscanf(at, "%63s %63s%n", word, value, &used) == 2;
         at += used) {
        set_field(kept, word, value);
    }
    (void)fprintf(story->it->out, "op-%llu: ", (unsigned long long)story->operation);
    (void)fprintf(story->it->out, "order %s\n", words);
    struct node_message message = *kept;
    send_message(story->world, &message);
}

static void restart_agent(struct world *w)
{
    struct agent_memory *memory = malloc(sizeof *memory);
    *memory = *w->memory;
    agent_destroy(w->agent);
    start_agent(w, "boot-2", 0, memory);
    welcome(w);
    free(memory);
}

static void do_step(struct story *story, const char *step)
{
    struct world *w = story->world;
    if (strncmp(step, "wait ", 5) == 0) {
        run_for(story, golden_parse_ms(step + 5));
        return;
    }
    story->since_ms = w->now_ms;
    if (strncmp(step, "order ", 6) == 0) {
        do_order(story, step + 6);
        print_news(story);
        return;
    }
    (void)fprintf(story->it->out, "%s\n", step);
    if (strcmp(step, "the next create fails") == 0) {
        w->fail_create = 1;
    } else if (strcmp(step, "nobody answers the agent") == 0) {
        w->grants = false;
    } else if (strcmp(step, "the orchestrator answers again") == 0) {
        w->grants = true;
    } else if (strcmp(step, "the agent starts anew") == 0) {
        restart_agent(w);
    } else {
        golden_wrong("step \"%s\" is unknown", step);
    }
}

static void outcome(struct golden_case *it)
{
    golden_keys(it->situation, "about steps");
    struct story *story = calloc(1, sizeof *story);
    story->it = it;
    story->world = make_running_world();
    run_until(story->world, 2000);
    const json_t *steps = golden_list(it->situation, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        do_step(story, json_string_value(json_array_get(steps, i)));
    }
    print_vms(story);
    end_world(story->world);
    free(story);
}

Test(golden_agent, outcomes_are_what_the_files_say)
{
    golden_check("agent", outcome);
}

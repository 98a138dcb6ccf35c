// SPDX-License-Identifier: Apache-2.0
// link: arbiter_agent_core arbiter_common_io arbiter_common
/* The lanes of the drivers: time-outs, order, and threads that a library does not give
 * back. */

#include "node-agent/io/driver/lanes.c"

#define UUID_A  "11111111-2222-4333-8444-00000000000a"
#define UUID_B  "11111111-2222-4333-8444-00000000000b"
#define WAIT_MS 10000

/* Work that can be held: what a libvirtd that does not answer looks like from here. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool closed; /* for calls of VM "held" */
    uint32_t waiting;
    uint32_t done;
};

static void work(void *context, enum lane_kind lane, const struct hypervisor_call *call,
                 struct hypervisor_completion *out)
{
    struct gate *gate = context;
    (void)pthread_mutex_lock(&gate->mutex);
    gate->waiting++;
    (void)pthread_cond_broadcast(&gate->changed);
    while (gate->closed && strcmp(call->order.vm, "held") == 0) {
        (void)pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    gate->waiting--;
    gate->done++;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->mutex);
    out->value = lane == LANE_LONG ? 100 : call->order.cap_pct;
    if (call->kind == HYPERVISOR_CALL_LIST) {
        out->list = calloc(1, sizeof(*out->list));
    }
}

static void set_gate(struct gate *gate, bool closed)
{
    (void)pthread_mutex_lock(&gate->mutex);
    gate->closed = closed;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->mutex);
}

static void wait_for_count(struct gate *gate, const uint32_t *count, uint32_t wanted)
{
    (void)pthread_mutex_lock(&gate->mutex);
    while (*count < wanted) {
        (void)pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    (void)pthread_mutex_unlock(&gate->mutex);
}

static void require(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "test_lanes: not so: %s\n", what);
        _Exit(1);
    }
}

static int begin(struct lanes *lanes, uint64_t id, enum hypervisor_call_kind kind,
                 const char *vm, int64_t limit_ms)
{
    struct hypervisor_call call = {.id = id, .kind = kind};
    call.deadline_ms = clock_boot_ms() + limit_ms;
    call.order.cap_pct = (uint32_t)id;
    (void)snprintf(call.order.vm, sizeof(call.order.vm), "%s", vm);
    (void)snprintf(call.order.uuid, sizeof(call.order.uuid), "%s",
                   strcmp(vm, "held") == 0 ? UUID_A : UUID_B);
    return lanes_start(lanes, &call, NULL);
}

/* The next completion; time-outs are asked for at the deadline that the lanes name. */
static struct hypervisor_completion next(struct lanes *lanes)
{
    struct hypervisor_completion done = {0};
    int64_t until_ms = clock_boot_ms() + WAIT_MS;
    while (lanes_complete(lanes, clock_boot_ms(), &done) == 0) {
        struct pollfd fd = {.fd = lanes_fd(lanes), .events = POLLIN};
        int64_t left_ms = lanes_deadline_ms(lanes) - clock_boot_ms();
        left_ms = left_ms < 0 ? 0 : left_ms;
        (void)poll(&fd, 1, left_ms < 100 ? (int)left_ms : 100);
        require(clock_boot_ms() < until_ms, "a call completes");
    }
    return done;
}

static void long_calls_do_not_delay_short_ones(struct lanes *lanes, struct gate *gate)
{
    set_gate(gate, true);
    require(begin(lanes, 1, HYPERVISOR_CALL_SHUTDOWN, "held", WAIT_MS) == 0, "begin");
    wait_for_count(gate, &gate->waiting, 1);
    require(begin(lanes, 2, HYPERVISOR_CALL_SUSPEND, "held", WAIT_MS) == -EBUSY,
            "one long call per VM");
    for (uint64_t id = 3; id < 40; id++) {
        require(begin(lanes, id, HYPERVISOR_CALL_CAP, "free", WAIT_MS) == 0, "begin a cap");
        struct hypervisor_completion done = next(lanes);
        require(done.id == id && done.code == 0 && done.value == id, "caps complete meanwhile");
    }
    set_gate(gate, false);
    struct hypervisor_completion done = next(lanes);
    require(done.id == 1 && done.value == 100, "then the long one does");
}

static void a_late_result_is_dropped(struct lanes *lanes, struct gate *gate)
{
    set_gate(gate, true);
    require(begin(lanes, 50, HYPERVISOR_CALL_CAP, "held", 50) == 0, "begin");
    wait_for_count(gate, &gate->waiting, 1);
    struct hypervisor_completion done = next(lanes);
    require(done.id == 50 && done.code == -ETIMEDOUT && done.reason == REASON_TIME_OUT,
            "a time-out is reported while libvirt hangs");
    require(begin(lanes, 51, HYPERVISOR_CALL_CAP, "held", WAIT_MS) == -EBUSY,
            "the lane stays taken");
    require(lanes_deadline_ms(lanes) == INT64_MAX, "nothing is left to wait for");
    uint32_t before = gate->done;
    set_gate(gate, false);
    wait_for_count(gate, &gate->done, before + 1);
    int64_t until_ms = clock_boot_ms() + WAIT_MS;
    while (begin(lanes, 52, HYPERVISOR_CALL_CAP, "held", WAIT_MS) == -EBUSY) {
        require(clock_boot_ms() < until_ms, "the lane becomes free");
    }
    require(next(lanes).id == 52, "the late result never shows");
}

static void what_could_not_begin_says_so(struct lanes *lanes, struct gate *gate)
{
    (void)gate;
    require(begin(lanes, 60, HYPERVISOR_CALL_CAP, "free", -1) == 0, "begin");
    struct hypervisor_completion done = next(lanes);
    require(done.id == 60 && done.code == -ETIMEDOUT, "its deadline had passed");
    require(strstr(done.text, "could not be begun") != NULL, "its text");
}

static void lists_are_released(struct lanes *lanes, struct gate *gate)
{
    (void)gate;
    for (uint64_t id = 70; id < 75; id++) {
        require(begin(lanes, id, HYPERVISOR_CALL_LIST, "free", WAIT_MS) == 0, "begin");
        require(next(lanes).list != NULL, "a list comes");
    }
}

static struct lanes *start(struct gate *gate)
{
    *gate =
        (struct gate){.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct lanes *lanes = lanes_create(work, gate, NULL);
    require(lanes != NULL, "lanes");
    return lanes;
}

/* What becomes a part of a path must be fit for it. */
static void a_name_or_uuid_that_is_none_is_refused(struct lanes *lanes)
{
    struct hypervisor_call call = {.id = 1, .kind = HYPERVISOR_CALL_CAP};
    (void)snprintf(call.order.vm, sizeof(call.order.vm), "vm");
    (void)snprintf(call.order.uuid, sizeof(call.order.uuid), "../../../etc");
    require(lanes_start(lanes, &call, NULL) == -EINVAL, "a uuid that is none");
    (void)snprintf(call.order.uuid, sizeof(call.order.uuid), UUID_A);
    call.order.vm[0] = '\0';
    require(lanes_start(lanes, &call, NULL) == -EINVAL, "no name");
}

int main(void)
{
    static struct gate gate;
    static struct lanes *lanes; /* still there at the end, on purpose: no leak */
    lanes = start(&gate);
    a_name_or_uuid_that_is_none_is_refused(lanes);
    long_calls_do_not_delay_short_ones(lanes, &gate);
    a_late_result_is_dropped(lanes, &gate);
    what_could_not_begin_says_so(lanes, &gate);
    lists_are_released(lanes, &gate);
    require(lanes_destroy(lanes, WAIT_MS) == 0, "an idle driver closes");

    lanes = start(&gate);
    set_gate(&gate, true);
    require(begin(lanes, 1, HYPERVISOR_CALL_CAP, "held", WAIT_MS) == 0, "begin");
    wait_for_count(&gate, &gate.waiting, 1);
    require(lanes_destroy(lanes, 50) == -EBUSY, "close does not wait for libvirt for ever");
    set_gate(&gate, false);
    wait_for_count(&gate, &gate.done, 1);
    printf("lanes hold\n");
    return 0;
}

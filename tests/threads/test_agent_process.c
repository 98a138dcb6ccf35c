// SPDX-License-Identifier: Apache-2.0
// link: arbiter_proto arbiter_common_io arbiter_common
/*
 * The real arbiter-agent with driver model against an orchestrator played here, over real
 * sockets: hello, lease, order, cap, SIGKILL (the loss of the host), a new process, and the
 * fence of a stopped agent. Prints memory and CPU of the idle agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/bus.h"
#include "common/io/clock.h"
#include "common/io/guard.h"
#include "common/io/poll.h"
#include "common/model/object.h"
#include "proto/codec.h"

#define LIMIT_MS 20000

#define REQUIRE(condition)                                                                     \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,            \
                          #condition);                                                         \
            _exit(1); /* the agent dies with us */                                             \
        }                                                                                      \
    } while (0)

struct orchestrator {
    char folder[64];
    char agent[256];
    struct keyring *keyring;
    struct bus_socket *control;
    struct bus_socket *telemetry;
    struct bus_route route;
    bool has_route;
    bool grants;
    uint64_t sequence;
    pid_t pid;
    /* newest seen */
    uint32_t hellos, renews, heartbeats, snapshots;
    uint64_t epoch_seen;
    double cpu_pct; /* of the VM */
    struct result result;
    struct snapshot snapshot;
    struct bytes bytes;
    struct node_message in;
    struct node_message out;
};

static struct orchestrator *o;

static void send_out(enum node_message_type type)
{
    o->out.header = (struct header){PROTOCOL_VERSION, PROTOCOL_VERSION, 7, ++o->sequence};
    o->out.type = type;
    struct err err = {0};
    int rc = codec_encode_node_message(&o->out, &o->bytes, &err);
    if (rc != 0) {
        (void)fprintf(stderr, "encode: %s\n", err.text);
    }
    REQUIRE(rc == 0);
    REQUIRE(o->has_route);
    (void)bus_send(o->control, &o->route, o->bytes.data, o->bytes.size);
}

static void take(void)
{
    switch (o->in.type) {
    case NODE_MESSAGE_HELLO:
        o->hellos++;
        o->epoch_seen = o->in.hello.epoch_seen;
        REQUIRE(o->in.hello.status.capabilities & CAPABILITY_SELF_FENCE);
        REQUIRE(o->in.hello.status.cpu_pct == 200);
        memset(&o->out.welcome, 0, sizeof o->out.welcome);
        o->out.welcome = (struct welcome){"n1", 7000, 250, 1000, 500};
        send_out(NODE_MESSAGE_WELCOME);
        break;
    case NODE_MESSAGE_RENEW:
        o->renews++;
        if (o->grants) {
            o->out.grant = (struct grant){o->in.renew.sequence, o->in.renew.sent_at_ms, 7000};
            send_out(NODE_MESSAGE_GRANT);
        }
        break;
    case NODE_MESSAGE_SNAPSHOT:
        o->snapshots++;
        o->snapshot = o->in.snapshot;
        break;
    case NODE_MESSAGE_RESULT: o->result = o->in.result; break;
    case NODE_MESSAGE_HEARTBEAT: o->heartbeats++; break;
    case NODE_MESSAGE_METRICS:
    case NODE_MESSAGE_LEAVE:
        for (uint32_t i = 0; i < o->in.metrics.metrics_count; i++) {
            if (o->in.metrics.metrics[i].kind == METRIC_CPU_PCT) {
                o->cpu_pct = o->in.metrics.metrics[i].value;
            }
        }
        break;
    default: REQUIRE(!"a type that agents send");
    }
}

static void receive(struct bus_socket *socket)
{
    struct bus_message frame;
    struct err err = {0};
    while (bus_receive(socket, &frame) == 0) {
        REQUIRE(strcmp(frame.sender->name, "n1") == 0);
        if (socket == o->control) {
            o->route = frame.route;
            o->has_route = true;
        }
        int rc = codec_decode_node_message(frame.data, frame.size, &o->in, &err);
        if (rc != 0) {
            (void)fprintf(stderr, "decode: %s\n", err.text);
        }
        REQUIRE(rc == 0);
        take();
    }
}

/* Serves the agent until done() or, with until_ms, for that long. */
static void serve(bool (*done)(void), int64_t limit_ms)
{
    int64_t end = clock_boot_ms() + limit_ms;
    while (clock_boot_ms() < end) {
        struct poll_item items[2] = {{.socket = o->control, .fd = -1},
                                     {.socket = o->telemetry, .fd = -1}};
        REQUIRE(poll_wait(items, 2,
                          end < clock_boot_ms() + 100 ? end : clock_boot_ms() + 100) >= 0);
        receive(o->control);
        receive(o->telemetry);
        if (done != NULL && done()) {
            return;
        }
    }
    REQUIRE(done == NULL);
}

static const struct vm_status *status_of(const char *vm)
{
    for (uint32_t i = 0; i < o->snapshot.vms_count; i++) {
        if (strcmp(o->snapshot.vms[i].vm, vm) == 0) {
            return &o->snapshot.vms[i];
        }
    }
    return NULL;
}

static uint64_t operation;

static void order(const char *vm, enum isolation isolation, uint32_t cap_pct)
{
    struct vm_order *out = &o->out.vm_order;
    memset(out, 0, sizeof *out);
    out->operation = ++operation;
    (void)snprintf(out->vm, sizeof out->vm, "%s", vm);
    (void)snprintf(out->uuid, sizeof out->uuid, "00000000-0000-4000-8000-00000000000%c",
                   vm[0] == 'a' ? 'a' : 'b');
    (void)snprintf(out->service, sizeof out->service, "job");
    out->service_kind = SERVICE_KIND_QUEUE;
    out->generation = 1;
    out->isolation = isolation;
    out->desired = RUN_STATE_RUNNING;
    out->cap_pct = cap_pct;
    out->weight = 256;
    out->vcpus = 1;
    out->vcpus_max = 1;
    out->memory_kib = 262144;
    out->memory_max_kib = 262144;
    out->load_share_permille = 1000;
    out->disk_kind = DISK_KIND_COPY;
    out->image_format = IMAGE_FORMAT_MODEL;
    (void)snprintf(out->image, sizeof out->image, "job");
    out->queue.tasks = 1000;
    out->queue.task_cpu_ms = 1000;
    send_out(NODE_MESSAGE_VM_ORDER);
}

static void start_agent(void)
{
    o->has_route = false;
    o->hellos = 0;
    o->snapshots = 0;
    o->pid = fork();
    REQUIRE(o->pid >= 0);
    if (o->pid == 0) {
        char control[128];
        char telemetry[128];
        char key[128];
        char server[128];
        char state[128];
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)snprintf(control, sizeof control, "ipc://%s/control", o->folder);
        (void)snprintf(telemetry, sizeof telemetry, "ipc://%s/telemetry", o->folder);
        (void)snprintf(key, sizeof key, "%s/n1.key", o->folder);
        (void)snprintf(server, sizeof server, "%s/server.key", o->folder);
        (void)snprintf(state, sizeof state, "%s/state", o->folder);
        (void)execl(o->agent, "arbiter-agent", "--node", "n1", "--driver",
                    "model:cpus=2,boot=100ms", "--control", control, "--telemetry", telemetry,
                    "--key", key, "--server-key", server, "--state", state, "--log", "warn",
                    (char *)NULL);
        _exit(127);
    }
}

static void set_up(void)
{
    const char *build = getenv("ARBITER_BUILD");
    REQUIRE(build != NULL);
    o = calloc(1, sizeof *o);
    REQUIRE(o != NULL);
    (void)snprintf(o->agent, sizeof o->agent, "%s/bin/arbiter-agent", build);
    (void)snprintf(o->folder, sizeof o->folder, "/tmp/arbiter-agent-XXXXXX");
    REQUIRE(mkdtemp(o->folder) != NULL);
    struct key_pair server;
    struct key_pair agent;
    char path[128];
    char endpoint[128];
    REQUIRE(key_pair_generate(&server, NULL) == 0 && key_pair_generate(&agent, NULL) == 0);
    (void)snprintf(path, sizeof path, "%s/server.key", o->folder);
    REQUIRE(key_pair_write(path, &server, NULL) == 0);
    (void)snprintf(path, sizeof path, "%s/n1.key", o->folder);
    REQUIRE(key_pair_write(path, &agent, NULL) == 0);
    o->keyring = keyring_create();
    struct principal principal = {.name = "n1", .role = ROLE_AGENT};
    memcpy(principal.public_text, agent.public_text, KEY_TEXT_SIZE);
    REQUIRE(keyring_add(o->keyring, &principal, NULL) == 0);
    REQUIRE(guard_start(o->keyring, NULL) == 0);
    struct bus_options options = {.kind = BUS_ROUTER,
                                  .bind = true,
                                  .endpoint = endpoint,
                                  .domain = BUS_DOMAIN_CONTROL,
                                  .own = &server,
                                  .frame_bytes_max = BUS_CONTROL_FRAME_MAX};
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/control", o->folder);
    REQUIRE(bus_open(&o->control, &options, NULL) == 0);
    options.kind = BUS_SUB;
    options.domain = BUS_DOMAIN_TELEMETRY;
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/telemetry", o->folder);
    REQUIRE(bus_open(&o->telemetry, &options, NULL) == 0);
    o->grants = true;
}

static void clean_up(void)
{
    static const char *const names[] = {"state/memory", "state/starts", "state/lock",
                                        "state/images", "state",        "n1.key",
                                        "server.key",   "control",      "telemetry"};
    bus_close(o->control);
    bus_close(o->telemetry);
    guard_stop();
    keyring_destroy(o->keyring);
    bytes_finish(&o->bytes);
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", o->folder, names[i]);
        (void)remove(path); /* some are folders, some were never made */
    }
    (void)rmdir(o->folder);
}

static bool a_is_held(void)
{
    const struct vm_status *a = status_of("a");
    return a != NULL && a->state == RUN_STATE_RUNNING && a->operation_done == operation &&
           o->heartbeats > 0;
}

static bool a_uses_its_cap(void)
{
    return o->cpu_pct > 49 && o->cpu_pct < 51;
}

static bool p_runs(void)
{
    const struct vm_status *p = status_of("p");
    return p != NULL && p->state == RUN_STATE_RUNNING;
}

static bool snapshot_came(void)
{
    return o->snapshots > 0;
}

static bool said_hello(void)
{
    return o->hellos > 0 && o->renews > 2;
}

static long cpu_ticks(pid_t pid)
{
    char path[64];
    char text[1024] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL);
    REQUIRE(fgets(text, sizeof text, file) != NULL);
    (void)fclose(file);
    unsigned long user = 0;
    unsigned long system = 0;
    const char *rest = strrchr(text, ')');
    REQUIRE(rest != NULL);
    REQUIRE(sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &system) == 2);
    return (long)(user + system);
}

static long resident_kib(pid_t pid)
{
    char path[64];
    long pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL);
    REQUIRE(fscanf(file, "%*d %ld", &pages) == 1);
    (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void an_order_is_carried_out_and_measured(void)
{
    start_agent();
    serve(said_hello, LIMIT_MS);
    order("a", ISOLATION_RUN, 30);
    serve(a_is_held, LIMIT_MS);
    order("a", ISOLATION_RUN, 50);
    serve(a_is_held, LIMIT_MS);
    REQUIRE(status_of("a")->cap_pct == 50);
    serve(a_uses_its_cap, LIMIT_MS);
    long before = cpu_ticks(o->pid);
    serve(NULL, 2000);
    (void)printf("agent: %ld KiB resident, %.2f %% of a core with one VM, 4 renewals/s\n",
                 resident_kib(o->pid),
                 (double)(cpu_ticks(o->pid) - before) * 100 / 2 / (double)sysconf(_SC_CLK_TCK));
}

static void a_second_agent_on_the_same_state_stops(void)
{
    pid_t first = o->pid;
    bool had_route = o->has_route;
    struct bus_route route = o->route;
    start_agent();
    int status = 0;
    REQUIRE(waitpid(o->pid, &status, 0) == o->pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    o->pid = first;
    o->route = route;
    o->has_route = had_route;
}

static void a_killed_model_agent_loses_its_guests_and_starts_none_by_itself(void)
{
    REQUIRE(kill(o->pid, SIGKILL) == 0);
    REQUIRE(waitpid(o->pid, NULL, 0) == o->pid);
    start_agent();
    serve(said_hello, LIMIT_MS);
    REQUIRE(o->epoch_seen == 7); /* remembered */
    o->snapshots = 0;
    serve(snapshot_came, LIMIT_MS);
    serve(NULL, 1500);
    REQUIRE(status_of("a") != NULL && status_of("a")->state != RUN_STATE_RUNNING);
    order("a", ISOLATION_RUN, 50);
    serve(a_is_held, LIMIT_MS);
}

static void a_stopped_agent_with_a_protected_vm_is_killed_by_its_own_fence(void)
{
    order("p", ISOLATION_FENCE, 30);
    serve(p_runs, LIMIT_MS);
    serve(NULL, 600); /* a grant arms it anew */
    int64_t stopped_ms = clock_boot_ms();
    REQUIRE(kill(o->pid, SIGSTOP) == 0);
    int status = 0;
    pid_t ended = 0;
    while (ended == 0 && clock_boot_ms() < stopped_ms + LIMIT_MS) {
        clock_sleep_until(clock_boot_ms() + 20);
        ended = waitpid(o->pid, &status, WNOHANG);
    }
    int64_t took_ms = clock_boot_ms() - stopped_ms;
    (void)printf("a stopped agent died after %" PRId64 " ms of a lease of 7000 ms\n", took_ms);
    REQUIRE(ended == o->pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    REQUIRE(took_ms <= 7100);
    o->pid = 0;
}

static void sigterm_ends_an_agent_cleanly(void)
{
    start_agent();
    serve(said_hello, LIMIT_MS);
    REQUIRE(kill(o->pid, SIGTERM) == 0);
    int status = 0;
    REQUIRE(waitpid(o->pid, &status, 0) == o->pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    set_up();
    an_order_is_carried_out_and_measured();
    a_second_agent_on_the_same_state_stops();
    a_killed_model_agent_loses_its_guests_and_starts_none_by_itself();
    a_stopped_agent_with_a_protected_vm_is_killed_by_its_own_fence();
    sigterm_ends_an_agent_cleanly();
    clean_up();
    free(o);
    return 0;
}

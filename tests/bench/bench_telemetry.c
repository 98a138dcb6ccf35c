// SPDX-License-Identifier: Apache-2.0
/*
 * Telemetry of 1,000 simulated agents in one process, over real CURVE sockets on loopback: each
 * sends 1 heartbeat and 20 metric messages a second and renews its lease over the control
 * socket. At the end all last values are read through the API. Beside it the same traffic goes
 * into a bare SUB socket with the same poll loop, which drops what it reads. Prints messages/s,
 * losses, CPU of both, ratio.
 *
 *   bench_telemetry [AGENTS] [SECONDS]
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/guard.h"
#include "common/io/poll.h"
#include "tests/bench/lab.h"

#define SETTLE_SECONDS_MAX 60
#define SUBJECTS           5 /* times kinds: metric messages per agent and second */
#define KINDS              4
#define MESSAGES           (SUBJECTS * KINDS)
#define SLOTS_PER_SECOND   50 /* the traffic is spread evenly */

struct agent {
    struct key_pair key;
    struct bus_socket *control;
    struct bus_socket *telemetry;
    uint64_t telemetry_sequence;
    uint64_t control_sequence;
    uint64_t epoch; /* of the newest WELCOME */
    uint64_t renew_sequence;
    uint64_t granted_epoch;
    uint64_t granted_sequence;
    uint64_t grants;
};

static struct bytes scratch;
static struct node_message *outgoing;
static struct node_message *incoming;
static uint64_t sent_total;
static uint64_t send_failures;

static const enum metric_kind kinds[KINDS] = {METRIC_CPU_PCT, METRIC_MEMORY_KIB,
                                              METRIC_RESPONSE_P95_MS, METRIC_REQUEST_RATE};

static void begin_message(enum node_message_type type, uint64_t sequence)
{
    /* Only the member that is sent is cleared: the union is tens of KiB. */
    outgoing->header = (struct header){
        .version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION, .sequence = sequence};
    outgoing->type = type;
}

static void send_encoded(struct bus_socket *socket)
{
    struct err err = {0};
    if (codec_encode_node_message(outgoing, &scratch, &err) != 0) {
        lab_fail("%s", err.text);
    }
    if (bus_send(socket, NULL, scratch.data, scratch.size) != 0) {
        send_failures++;
    }
}

static double value_of(int agent, int message)
{
    return agent * 100.0 + message;
}

static void send_metric(struct agent *agent, int number, int message)
{
    begin_message(NODE_MESSAGE_METRICS, ++agent->telemetry_sequence);
    memset(&outgoing->metrics, 0, sizeof outgoing->metrics);
    outgoing->metrics.metrics_count = 1;
    struct metric *metric = &outgoing->metrics.metrics[0];
    metric->subject = METRIC_SUBJECT_VM;
    (void)snprintf(metric->name, NAME_SIZE, "vm-%d-%d", number, message / KINDS);
    metric->kind = kinds[message % KINDS];
    metric->value = value_of(number, message);
    send_encoded(agent->telemetry);
    sent_total++;
}

static void send_heartbeat(struct agent *agent)
{
    begin_message(NODE_MESSAGE_HEARTBEAT, ++agent->telemetry_sequence);
    memset(&outgoing->heartbeat, 0, sizeof outgoing->heartbeat);
    (void)snprintf(outgoing->heartbeat.incarnation, NAME_SIZE, "bench-1");
    outgoing->heartbeat.vms_running = SUBJECTS;
    send_encoded(agent->telemetry);
    sent_total++;
}

static void fill_status(struct node_status *status)
{
    memset(status, 0, sizeof *status);
    (void)snprintf(status->driver, NAME_SIZE, "model");
    (void)snprintf(status->agent_version, NAME_SIZE, ARBITER_VERSION);
    status->capabilities = CAPABILITY_CREATE | CAPABILITY_MODEL;
    status->cpu_pct = status->cpu_pct_total = 800;
    status->memory_kib = status->memory_kib_total = 8u << 20;
    status->vcpus_max = 8;
}

static void send_hello(struct agent *agent)
{
    begin_message(NODE_MESSAGE_HELLO, ++agent->control_sequence);
    memset(&outgoing->hello, 0, sizeof outgoing->hello);
    (void)snprintf(outgoing->hello.incarnation, NAME_SIZE, "bench-1");
    fill_status(&outgoing->hello.status);
    send_encoded(agent->control);
}

/* A node without VMs; no lease is granted before the orchestrator has seen that. */
static void send_snapshot(struct agent *agent)
{
    begin_message(NODE_MESSAGE_SNAPSHOT, ++agent->control_sequence);
    outgoing->header.epoch = agent->epoch;
    struct snapshot *snapshot = &outgoing->snapshot;
    memset(snapshot, 0, offsetof(struct snapshot, vms));
    snapshot->entries_count = 0;
    snapshot->number = agent->control_sequence;
    (void)snprintf(snapshot->incarnation, NAME_SIZE, "bench-1");
    fill_status(&snapshot->status);
    send_encoded(agent->control);
}

static void send_renew(struct agent *agent)
{
    begin_message(NODE_MESSAGE_RENEW, ++agent->control_sequence);
    outgoing->header.epoch = agent->epoch;
    memset(&outgoing->renew, 0, sizeof outgoing->renew);
    (void)snprintf(outgoing->renew.incarnation, NAME_SIZE, "bench-1");
    outgoing->renew.sequence = ++agent->renew_sequence;
    outgoing->renew.sent_at_ms = clock_boot_ms();
    outgoing->renew.granted_epoch = agent->granted_epoch;
    outgoing->renew.granted_sequence = agent->granted_sequence;
    send_encoded(agent->control);
}

static void take_answers(struct agent *agent)
{
    struct bus_message message;
    struct err err = {0};
    while (bus_receive(agent->control, &message) == 0) {
        if (codec_decode_node_message(message.data, message.size, incoming, &err) != 0) {
            continue;
        }
        if (incoming->type == NODE_MESSAGE_WELCOME) {
            agent->epoch = incoming->header.epoch;
            send_snapshot(agent);
        } else if (incoming->type == NODE_MESSAGE_GRANT) {
            agent->granted_epoch = incoming->header.epoch;
            agent->granted_sequence = incoming->grant.sequence;
            agent->grants++;
        }
    }
}

/* Sends the traffic of so many seconds; renewals only where there is a control socket. */
static void drive(struct agent *agents, int count, int seconds)
{
    int64_t begin_ms = clock_boot_ms();
    int slots = seconds * SLOTS_PER_SECOND;
    for (int slot = 0; slot < slots; slot++) {
        for (int i = slot % SLOTS_PER_SECOND; i < count; i += SLOTS_PER_SECOND) {
            struct agent *agent = &agents[i];
            send_heartbeat(agent);
            for (int message = 0; message < MESSAGES; message++) {
                send_metric(agent, i, message);
            }
            if (agent->control != NULL) {
                take_answers(agent);
                send_renew(agent);
            }
        }
        clock_sleep_until(begin_ms + (int64_t)(slot + 1) * 1000 / SLOTS_PER_SECOND);
    }
}

/* Every agent has its connections and a lease: handshakes are not what is measured. */
static bool all_granted(const struct agent *agents, int count)
{
    for (int i = 0; i < count; i++) {
        if (agents[i].grants == 0) {
            return false;
        }
    }
    return true;
}

/* ---- the bare receiver, in a process of its own ---- */

static volatile sig_atomic_t receiver_stop;

static void stop_receiver(int signal_number)
{
    (void)signal_number;
    receiver_stop = 1;
}

static void run_receiver(const struct lab *lab, const char *endpoint, int result)
{
    struct err err = {0};
    struct keyring *keyring = keyring_create();
    struct bus_socket *socket = NULL;
    struct bus_options options = {.kind = BUS_SUB,
                                  .bind = true,
                                  .endpoint = endpoint,
                                  .domain = BUS_DOMAIN_TELEMETRY,
                                  .own = &lab->server,
                                  .frame_bytes_max = BUS_CONTROL_FRAME_MAX,
                                  .send_high_water = 10000,
                                  .receive_high_water = 100000};
    (void)signal(SIGTERM, stop_receiver);
    if (keyring_load(keyring, lab->keyring, &err) != 0 || guard_start(keyring, &err) != 0 ||
        bus_open(&socket, &options, &err) != 0) {
        lab_fail("%s", err.text);
    }
    uint64_t received = 0;
    while (receiver_stop == 0) {
        struct poll_item item = {.socket = socket};
        struct bus_message message;
        (void)poll_wait(&item, 1, clock_boot_ms() + 100);
        while (bus_receive(socket, &message) == 0) {
            received++;
        }
    }
    (void)!write(result, &received, sizeof received);
    _exit(EXIT_SUCCESS);
}

struct measured {
    double cpu_seconds;
    uint64_t received;
    uint64_t sent;
    double seconds;
};

static void connect_agents(struct lab *lab, struct agent *agents, int count,
                           const char *telemetry, bool control)
{
    for (int i = 0; i < count; i++) {
        struct agent *agent = &agents[i];
        struct key_pair key = agent->key;
        memset(agent, 0, sizeof *agent);
        agent->key = key;
        agent->telemetry =
            lab_connect(lab, BUS_PUB, telemetry, &agent->key, BUS_CONTROL_FRAME_MAX);
        if (control) {
            agent->control =
                lab_connect(lab, BUS_DEALER, lab->control, &agent->key, BUS_CONTROL_FRAME_MAX);
            send_hello(agent);
        }
    }
}

static void close_agents(struct agent *agents, int count)
{
    for (int i = 0; i < count; i++) {
        bus_close(agents[i].telemetry);
        bus_close(agents[i].control);
    }
}

static struct measured measure_bare(struct lab *lab, struct agent *agents, int count,
                                    int seconds)
{
    struct measured result = {0};
    char endpoint[96];
    int pipe_fd[2];
    (void)snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d",
                   20000 + (int)(getpid() % 20000) + 4);
    if (pipe(pipe_fd) != 0) {
        lab_fail("pipe: %s", strerror(errno));
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        run_receiver(lab, endpoint, pipe_fd[1]);
    }
    connect_agents(lab, agents, count, endpoint, false);
    drive(agents, count, 10); /* connections come up */
    sent_total = 0;
    double before = lab_cpu_seconds(pid);
    int64_t begin_us = clock_boot_us();
    drive(agents, count, seconds);
    result.seconds = (double)(clock_boot_us() - begin_us) / 1e6;
    result.cpu_seconds = lab_cpu_seconds(pid) - before;
    result.sent = sent_total;
    close_agents(agents, count);
    (void)kill(pid, SIGTERM);
    (void)!read(pipe_fd[0], &result.received, sizeof result.received);
    (void)waitpid(pid, NULL, 0);
    return result;
}

/* ---- reading back through the API ---- */

struct read_back {
    int values;
    int right;
    uint64_t lost;
    int up;
};

static void take_value(void *context, const struct item *item)
{
    struct read_back *read_back = context;
    int agent = 0;
    int subject = 0;
    if (item->kind == ITEM_KIND_NODE_VIEW) {
        read_back->lost += item->node_view.metrics_lost;
        read_back->up += item->node_view.state == NODE_STATE_UP;
        return;
    }
    if (item->kind != ITEM_KIND_METRIC ||
        sscanf(item->metric.metric.name, "vm-%d-%d", &agent, &subject) != 2) {
        return;
    }
    read_back->values++;
    for (int kind = 0; kind < KINDS; kind++) {
        if (kinds[kind] == item->metric.metric.kind &&
            fabs(item->metric.metric.value - value_of(agent, subject * KINDS + kind)) < 0.5) {
            read_back->right++;
        }
    }
}

static void read_all(struct lab *lab, enum method method, struct read_back *read_back)
{
    struct request *request = calloc(1, sizeof *request);
    struct reply *reply = calloc(1, sizeof *reply);
    struct bus_socket *socket =
        lab_connect(lab, BUS_DEALER, lab->api, &lab->administrator, 1u << 20);
    struct err err = {0};
    uint64_t after = 0;
    do {
        memset(request, 0, sizeof *request);
        request->header =
            (struct header){.version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION};
        request->method = method;
        request->after = after;
        if (codec_encode_request(request, &scratch, &err) != 0 ||
            bus_send(socket, NULL, scratch.data, scratch.size) != 0) {
            lab_fail("read: %s", err.text);
        }
        struct bus_message message;
        int64_t until_ms = clock_boot_ms() + 10000;
        while (bus_receive(socket, &message) != 0) {
            struct poll_item item = {.socket = socket};
            if (poll_wait(&item, 1, until_ms) == 0) {
                lab_fail("no answer from the API");
            }
        }
        if (codec_decode_reply(message.data, message.size, reply, take_value, read_back,
                               &err) != 0) {
            lab_fail("read: %s", err.text);
        }
        after = reply->next;
    } while (after != 0);
    bus_close(socket);
    free(request);
    free(reply);
}

int main(int argc, char **argv)
{
    static struct lab lab;
    int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;
    int seconds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 60;
    if (count < 1 || count > 5000 || seconds < 1) {
        lab_fail("usage: bench_telemetry [AGENTS] [SECONDS]");
    }
    lab_raise_files();
    lab_make(&lab, NULL, true);
    struct agent *agents = calloc((size_t)count, sizeof *agents);
    outgoing = calloc(1, sizeof *outgoing);
    incoming = calloc(1, sizeof *incoming);
    for (int i = 0; i < count; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "node%04d", i);
        lab_enrol(&lab, name, ROLE_AGENT, &agents[i].key);
    }
    struct measured bare = measure_bare(&lab, agents, count, seconds);

    lab_start(&lab);
    connect_agents(&lab, agents, count, lab.telemetry, true);
    drive(agents, count, 3);
    for (int i = 0; i < SETTLE_SECONDS_MAX && !all_granted(agents, count); i++) {
        drive(agents, count, 1);
    }
    sent_total = 0;
    double before = lab_cpu_seconds(lab.pid);
    int64_t begin_us = clock_boot_us();
    drive(agents, count, seconds);
    double wall = (double)(clock_boot_us() - begin_us) / 1e6;
    double cpu = lab_cpu_seconds(lab.pid) - before;
    long resident = lab_resident_kib(lab.pid);
    struct read_back read_back = {0};
    read_all(&lab, METHOD_METRICS, &read_back);
    read_all(&lab, METHOD_STATUS, &read_back);
    uint64_t grants = 0;
    uint64_t fewest = UINT64_MAX;
    for (int i = 0; i < count; i++) {
        grants += agents[i].grants;
        fewest = agents[i].grants < fewest ? agents[i].grants : fewest;
    }
    (void)printf("telemetry: %d agents, %d s, CURVE over loopback\n", count, seconds);
    (void)printf("  sent            %.0f messages/s (asked: %d), not sent %llu\n",
                 (double)sent_total / wall, count * (MESSAGES + 1),
                 (unsigned long long)send_failures);
    (void)printf("  lost            %llu by sequence numbers\n",
                 (unsigned long long)read_back.lost);
    (void)printf("  values          %d of %d read through the API, %d right\n",
                 read_back.values, count * MESSAGES, read_back.right);
    (void)printf(
        "  leases          %llu grants, fewest per agent %llu; nodes up at the end %d\n",
        (unsigned long long)grants, (unsigned long long)fewest, read_back.up);
    (void)printf("  arbiterd        %.2f CPU-s (%.1f %% of a core), %ld MiB resident\n", cpu,
                 100.0 * cpu / wall, resident / 1024);
    (void)printf("  bare SUB        %.2f CPU-s (%.1f %% of a core), %llu received of %llu\n",
                 bare.cpu_seconds, 100.0 * bare.cpu_seconds / bare.seconds,
                 (unsigned long long)bare.received, (unsigned long long)bare.sent);
    (void)printf("  ratio           %.2f\n",
                 bare.cpu_seconds > 0 ? cpu / bare.cpu_seconds : 0.0);
    close_agents(agents, count);
    lab_remove(&lab);
    return read_back.values == count * MESSAGES && read_back.right == read_back.values
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}

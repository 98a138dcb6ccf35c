// SPDX-License-Identifier: Apache-2.0
/*
 * Durable requests: 64 clients store 10,000 services, each waits for its answer before the next
 * request; then arbiterd is killed with SIGKILL, started again, and every acknowledged service
 * must be there. Prints requests/s, p50, p99, the disk's own fdatasync/s, and the same without
 * durability as the yardstick of the disk.
 *
 *   bench_requests [FOLDER] [SERVICES] [CLIENTS]      FOLDER on a disk; default .
 */
#include <endian.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#include "common/io/clock.h"
#include "common/io/poll.h"
#include "tests/bench/lab.h"

#define CLIENTS_MAX 256
#define NODES       100
#define LIMIT_MS    120000

struct client {
    struct bus_socket *socket;
    int service; /* in flight; -1: none */
    int64_t sent_us;
};

struct run {
    struct lab *lab;
    struct bus_socket *agents[NODES];
    struct node_message *outgoing;
    uint64_t renews;
    int64_t renew_at_ms;
    struct client clients[CLIENTS_MAX];
    int clients_count;
    int services;
    int next;
    int acknowledged;
    int failed;
    double *latencies_ms;
    struct bytes scratch;
    struct bytes *encoded; /* one a service */
    struct request *request;
    struct reply *reply;
    char first_failure[TEXT_SIZE * 2];
};

static void fill_service(struct request *request, int number)
{
    memset(request, 0, sizeof *request);
    request->header =
        (struct header){.version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION};
    request->method = METHOD_PUT;
    request->kind = OBJECT_KIND_SERVICE;
    request->request_id[0] = 1;
    uint32_t ordered = htobe32((uint32_t)number); /* later ids sort later, as arbiter's do */
    memcpy(request->request_id + 4, &ordered, sizeof ordered);
    request->has_object = true;
    request->object.kind = OBJECT_KIND_SERVICE;
    struct service *service = &request->object.service;
    service->version = 1;
    (void)snprintf(service->service, sizeof service->service, "s%05d", number);
    service->kind = SERVICE_KIND_WEB;
    service->objective.has_response_time = true;
    service->objective.response_time.p95_ms = 200;
    service->vms_count = 1;
    struct vm_group *group = &service->vms[0];
    (void)snprintf(group->name, sizeof group->name, "web");
    (void)snprintf(group->image, sizeof group->image, "guest");
    group->cpu = (struct cap_range){.min_pct = 10, .max_pct = 100};
    group->memory_kib = 65536;
    service_set_defaults(service);
}

/* Encoded before the clock starts: what is measured is arbiterd, which shares the CPUs. */
static void encode_all(struct run *run)
{
    struct err err = {0};
    run->encoded = calloc((size_t)run->services, sizeof *run->encoded);
    for (int i = 0; i < run->services; i++) {
        fill_service(run->request, i);
        if (codec_encode_request(run->request, &run->encoded[i], &err) != 0) {
            lab_fail("%s", err.text);
        }
    }
}

static void send_next(struct run *run, struct client *client)
{
    client->service = -1;
    if (run->next >= run->services) {
        return;
    }
    client->service = run->next++;
    const struct bytes *body = &run->encoded[client->service];
    client->sent_us = clock_boot_us();
    if (zmq_send(bus_handle(client->socket), body->data, body->size, ZMQ_DONTWAIT) < 0) {
        lab_fail("a request cannot be sent: %s", zmq_strerror(zmq_errno()));
    }
}

static void take_answer(struct run *run, struct client *client)
{
    static unsigned char frame[BUS_API_FRAME_MAX];
    struct err err = {0};
    int size = 0;
    while ((size = zmq_recv(bus_handle(client->socket), frame, sizeof frame, ZMQ_DONTWAIT)) >=
           0) {
        if (codec_decode_reply(frame, (size_t)size, run->reply, NULL, NULL, &err) != 0) {
            lab_fail("%s", err.text);
        }
        if (run->reply->code == REPLY_DONE) {
            run->latencies_ms[run->acknowledged++] =
                (double)(clock_boot_us() - client->sent_us) / 1000.0;
        } else {
            if (run->failed++ == 0) {
                memcpy(run->first_failure, run->reply->text, sizeof run->first_failure);
            }
        }
        send_next(run, client);
    }
}

/* The nodes go on saying that they live, and drop their orders unread. */
static void keep_nodes_up(struct run *run)
{
    if (clock_boot_ms() < run->renew_at_ms) {
        return;
    }
    run->renew_at_ms = clock_boot_ms() + 1000;
    run->renews++;
    struct node_message *renew = run->outgoing;
    struct err err = {0};
    for (int i = 0; i < NODES; i++) {
        struct bus_message message;
        while (bus_receive(run->agents[i], &message) == 0) {
        }
        memset(&renew->renew, 0, sizeof renew->renew);
        renew->header = (struct header){.version = PROTOCOL_VERSION,
                                        .min_version = PROTOCOL_VERSION,
                                        .sequence = run->renews + 1};
        renew->type = NODE_MESSAGE_RENEW;
        (void)snprintf(renew->renew.incarnation, NAME_SIZE, "bench-1");
        renew->renew.sequence = run->renews;
        renew->renew.sent_at_ms = clock_boot_ms();
        if (codec_encode_node_message(renew, &run->scratch, &err) != 0) {
            lab_fail("renew: %s", err.text);
        }
        (void)bus_send(run->agents[i], NULL, run->scratch.data, run->scratch.size);
    }
}

/* One epoll over the descriptors of all clients. They are edges: a client is asked until it has
 * nothing more, and once after each send. */
static int watch_clients(struct run *run)
{
    int watch = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < run->clients_count; i++) {
        int fd = -1;
        size_t size = sizeof fd;
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (zmq_getsockopt(bus_handle(run->clients[i].socket), ZMQ_FD, &fd, &size) != 0 ||
            epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event) != 0) {
            lab_fail("a client cannot be watched");
        }
    }
    return watch;
}

static void drive(struct run *run)
{
    int64_t until_ms = clock_boot_ms() + LIMIT_MS;
    int watch = watch_clients(run);
    for (int i = 0; i < run->clients_count; i++) {
        send_next(run, &run->clients[i]);
        take_answer(run, &run->clients[i]);
    }
    while (run->acknowledged + run->failed < run->services && clock_boot_ms() < until_ms) {
        struct epoll_event events[CLIENTS_MAX];
        keep_nodes_up(run);
        int count = epoll_wait(watch, events, CLIENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            take_answer(run, &run->clients[events[i].data.u32]);
        }
    }
    (void)close(watch);
}

/* Agents that only say what they have: the services must fit somewhere. */
static void announce_nodes(struct run *run, struct key_pair *keys)
{
    struct node_message *hello = run->outgoing;
    struct bus_socket **agents = run->agents;
    struct err err = {0};
    for (int i = 0; i < NODES; i++) {
        agents[i] = lab_connect(run->lab, BUS_DEALER, run->lab->control, &keys[i],
                                BUS_CONTROL_FRAME_MAX);
        hello->header = (struct header){
            .version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION, .sequence = 1};
        hello->type = NODE_MESSAGE_HELLO;
        (void)snprintf(hello->hello.incarnation, NAME_SIZE, "bench-1");
        struct node_status *status = &hello->hello.status;
        (void)snprintf(status->driver, NAME_SIZE, "model");
        (void)snprintf(status->agent_version, NAME_SIZE, ARBITER_VERSION);
        status->capabilities = CAPABILITY_CREATE | CAPABILITY_CAP | CAPABILITY_MODEL |
                               CAPABILITY_SHUTDOWN | CAPABILITY_WEIGHT | CAPABILITY_MEMORY;
        status->cpu_pct = status->cpu_pct_total = 6400;
        status->memory_kib = status->memory_kib_total = UINT64_C(64) << 20;
        status->vcpus_max = 64;
        status->image_formats = 1u << IMAGE_FORMAT_MODEL;
        if (codec_encode_node_message(hello, &run->scratch, &err) != 0 ||
            bus_send(agents[i], NULL, run->scratch.data, run->scratch.size) != 0) {
            lab_fail("hello: %s", err.text);
        }
    }
}

static void call_and_wait(struct run *run, struct client *client, const char *what,
                          void (*take)(void *context, const struct item *item), void *context)
{
    struct err err = {0};
    int64_t until_ms = clock_boot_ms() + 10000;
    if (codec_encode_request(run->request, &run->scratch, &err) != 0 ||
        bus_send(client->socket, NULL, run->scratch.data, run->scratch.size) != 0) {
        lab_fail("%s: %s", what, err.text);
    }
    struct bus_message message;
    while (bus_receive(client->socket, &message) != 0) {
        struct poll_item item = {.socket = client->socket};
        if (poll_wait(&item, 1, until_ms) == 0) {
            lab_fail("%s: no answer", what);
        }
    }
    if (codec_decode_reply(message.data, message.size, run->reply, take, context, &err) != 0 ||
        run->reply->code != REPLY_DONE) {
        lab_fail("%s: %s%s", what, err.text, run->reply->text);
    }
}

static void put_image(struct run *run)
{
    struct request *request = run->request;
    memset(request, 0, sizeof *request);
    request->header =
        (struct header){.version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION};
    request->method = METHOD_PUT;
    request->kind = OBJECT_KIND_IMAGE;
    request->request_id[0] = 2;
    request->has_object = true;
    request->object.kind = OBJECT_KIND_IMAGE;
    request->object.image.version = 1;
    request->object.image.format = IMAGE_FORMAT_MODEL;
    (void)snprintf(request->object.image.image, NAME_SIZE, "guest");
    call_and_wait(run, &run->clients[0], "image", NULL, NULL);
}

static void count_up(void *context, const struct item *item)
{
    int *up = context;
    *up += item->kind == ITEM_KIND_NODE_VIEW && item->node_view.state == NODE_STATE_UP;
}

static void wait_for_nodes(struct run *run)
{
    int64_t until_ms = clock_boot_ms() + 15000;
    for (int up = 0; up < NODES;) {
        if (clock_boot_ms() > until_ms) {
            lab_fail("only %d of %d nodes came up", up, NODES);
        }
        up = 0;
        keep_nodes_up(run);
        memset(run->request, 0, sizeof *run->request);
        run->request->header =
            (struct header){.version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION};
        run->request->method = METHOD_STATUS;
        call_and_wait(run, &run->clients[0], "status", count_up, &up);
    }
}

struct found {
    unsigned char *there;
    int count;
    int services;
};

static void take_found(void *context, const struct item *item)
{
    struct found *found = context;
    if (item->kind == ITEM_KIND_OBJECT && item->object.kind == OBJECT_KIND_SERVICE) {
        long number = strtol(item->object.service.service + 1, NULL, 10);
        if (number >= 0 && number < found->services && found->there[number] == 0) {
            found->there[number] = 1;
            found->count++;
        }
    }
}

static int count_after_kill(struct run *run)
{
    struct found found = {.there = calloc((size_t)run->services, 1), .services = run->services};
    struct bus_socket *socket =
        lab_connect(run->lab, BUS_DEALER, run->lab->api, &run->lab->administrator, 1u << 20);
    uint64_t after = 0;
    do {
        struct request *request = run->request;
        struct err err = {0};
        memset(request, 0, sizeof *request);
        request->header =
            (struct header){.version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION};
        request->method = METHOD_GET;
        request->kind = OBJECT_KIND_SERVICE;
        request->after = after;
        if (codec_encode_request(request, &run->scratch, &err) != 0) {
            lab_fail("%s", err.text);
        }
        (void)bus_send(socket, NULL, run->scratch.data, run->scratch.size);
        struct bus_message message;
        int64_t until_ms = clock_boot_ms() + 10000;
        while (bus_receive(socket, &message) != 0) {
            struct poll_item item = {.socket = socket};
            if (poll_wait(&item, 1, until_ms) == 0) {
                lab_fail("no answer after the restart");
            }
        }
        if (codec_decode_reply(message.data, message.size, run->reply, take_found, &found,
                               &err) != 0) {
            lab_fail("%s", err.text);
        }
        after = run->reply->next;
    } while (after != 0);
    bus_close(socket);
    free(found.there);
    return found.count;
}

int main(int argc, char **argv)
{
    static struct lab lab;
    static struct key_pair keys[NODES];
    static struct run run;
    run.lab = &lab;
    run.services = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 10000;
    run.clients_count = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 64;
    run.request = calloc(1, sizeof *run.request);
    run.outgoing = calloc(1, sizeof *run.outgoing);
    run.reply = calloc(1, sizeof *run.reply);
    run.latencies_ms = calloc((size_t)run.services + 1, sizeof *run.latencies_ms);
    if (run.clients_count < 1 || run.clients_count > CLIENTS_MAX || run.services < 1) {
        lab_fail("usage: bench_requests [FOLDER] [SERVICES] [CLIENTS up to %d]", CLIENTS_MAX);
    }
    lab_raise_files();
    lab_make(&lab, argc > 1 ? argv[1] : ".", false);
    lab_enrol_agents(&lab, "node", NODES, keys);
    double syncs = lab_syncs_per_second(lab.folder);
    lab_start(&lab);
    for (int i = 0; i < run.clients_count; i++) {
        run.clients[i].socket =
            lab_connect(&lab, BUS_DEALER, lab.api, &lab.administrator, 1u << 20);
    }
    announce_nodes(&run, keys);
    wait_for_nodes(&run);
    put_image(&run);
    encode_all(&run);
    double cpu_before = lab_cpu_seconds(lab.pid);
    int64_t begin_us = clock_boot_us();
    drive(&run);
    double seconds = (double)(clock_boot_us() - begin_us) / 1e6;
    double cpu = lab_cpu_seconds(lab.pid) - cpu_before;
    long resident = lab_resident_kib(lab.pid);
    lab_kill(&lab, SIGKILL);
    lab_start(&lab);
    int found = count_after_kill(&run);
    qsort(run.latencies_ms, (size_t)run.acknowledged, sizeof(double), lab_compare_doubles);
    (void)printf("durable requests: %d clients, %d services, folder %s\n", run.clients_count,
                 run.services, argc > 1 ? argv[1] : ".");
    (void)printf("  disk            %.0f fdatasync/s of 4 KiB\n", syncs);
    (void)printf("  acknowledged    %d in %.2f s: %.0f requests/s\n", run.acknowledged, seconds,
                 run.acknowledged / seconds);
    if (run.acknowledged > 0) {
        (void)printf("  latency         p50 %.1f ms   p99 %.1f ms\n",
                     run.latencies_ms[run.acknowledged / 2],
                     run.latencies_ms[run.acknowledged * 99 / 100]);
    }
    (void)printf("  arbiterd        %.2f CPU-s, %ld MiB resident\n", cpu, resident / 1024);
    (void)printf("  after kill -9   %d of %d acknowledged found\n", found, run.acknowledged);
    if (run.failed > 0) {
        (void)printf("  refused         %d, first: %s\n", run.failed, run.first_failure);
    }
    for (int i = 0; i < run.services; i++) {
        bytes_finish(&run.encoded[i]);
    }
    free(run.encoded);
    for (int i = 0; i < run.clients_count; i++) {
        bus_close(run.clients[i].socket);
    }
    for (int i = 0; i < NODES; i++) {
        bus_close(run.agents[i]);
    }
    lab_remove(&lab);
    return found >= run.acknowledged && run.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

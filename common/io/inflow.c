// SPDX-License-Identifier: Apache-2.0
#include "common/io/inflow.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/tcp.h> /* the one with tcpi_bytes_received */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTORS_MAX 65536
#define PORTS_MAX       32

#define STATE_ESTABLISHED 1 /* of a TCP connection, in the kernel's words */

/* What a frame has on the wire besides its data: length, command, nonce, authenticator; rounded
 * up. */
#define FRAME_OVERHEAD 64

/* Per sweep: heartbeats and subscriptions, which are never delivered. */
#define SLACK_BYTES (64u << 10)

/* Listing the descriptors costs more than asking each number below the highest one, since new
 * connections get the lowest that is free: a list is made only so often, and some numbers above
 * its highest are asked too. */
#define SWEEPS_PER_LIST 4
#define NUMBERS_ABOVE   256

/* By descriptor. Written by the sweeping thread alone. */
struct connection_flow {
    uint64_t received;  /* by the kernel, at the last sweep */
    uint64_t delivered; /* at the last sweep */
    uint64_t under_way;
};

/*
 * Descriptors are numbers of the whole process, and so are these. Pages that are never touched
 * cost nothing.
 */
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
static struct connection_flow flows[DESCRIPTORS_MAX];
static atomic_uint_fast64_t delivered_bytes[DESCRIPTORS_MAX];
static atomic_int ports[PORTS_MAX];
static atomic_uint ports_count;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

void inflow_add_endpoint(const char *endpoint)
{
    const char *colon = strrchr(endpoint, ':');
    long port = colon != NULL ? strtol(colon + 1, NULL, 10) : 0;
    if (strncmp(endpoint, "tcp://", 6) != 0 || port <= 0 || port > UINT16_MAX) {
        return;
    }
    /* A ring: more ports than that exist only in tests, one after the other. */
    unsigned index = atomic_fetch_add(&ports_count, 1) % PORTS_MAX;
    atomic_store(&ports[index], (int)port);
}

static bool is_ours(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    in_port_t port = 0;
    if (address.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address, sizeof v4);
        port = ntohs(v4.sin_port);
    } else if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &address, sizeof v6);
        port = ntohs(v6.sin6_port);
    }
    for (size_t i = 0; i < PORTS_MAX; i++) {
        if (port != 0 && atomic_load(&ports[i]) == port) {
            return true;
        }
    }
    return false;
}

void inflow_delivered(zmq_msg_t *frame)
{
    int fd = zmq_msg_get(frame, ZMQ_SRCFD);
    if (fd >= 0 && fd < DESCRIPTORS_MAX) {
        (void)atomic_fetch_add_explicit(
            &delivered_bytes[fd], zmq_msg_size(frame) + FRAME_OVERHEAD, memory_order_relaxed);
    }
}

/* Brings the account of a connection up to date. */
static uint64_t account(int fd, uint64_t received)
{
    struct connection_flow *flow = &flows[fd];
    uint64_t delivered = atomic_load_explicit(&delivered_bytes[fd], memory_order_relaxed);
    if (received < flow->received) {
        /* Another connection under the same number. */
        *flow = (struct connection_flow){.delivered = delivered};
    }
    uint64_t came = flow->under_way + received - flow->received;
    uint64_t went = delivered - flow->delivered + SLACK_BYTES;
    flow->under_way = came > went ? came - went : 0;
    flow->received = received;
    flow->delivered = delivered;
    return flow->under_way;
}

static bool sweep_one(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        info.tcpi_state != STATE_ESTABLISHED) {
        return false;
    }
    if (account(fd, info.tcpi_bytes_received) <= INFLOW_BYTES_MAX || !is_ours(fd)) {
        return false;
    }
    flows[fd] = (struct connection_flow){0};
    return shutdown(fd, SHUT_RDWR) == 0;
}

/* The highest descriptor there is; -1: cannot be told now. */
static int highest_descriptor(void)
{
    int highest = -1;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return -1; /* no descriptor left */
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the folder is this thread's own
    for (const struct dirent *row = readdir(folder); row != NULL; row = readdir(folder)) {
        long fd = strtol(row->d_name, NULL, 10);
        if (row->d_name[0] != '.' && fd > highest && fd < DESCRIPTORS_MAX) {
            highest = (int)fd;
        }
    }
    (void)closedir(folder); /* read only */
    return highest;
}

int inflow_sweep(struct inflow *inflow)
{
    if (inflow->sweeps++ % SWEEPS_PER_LIST == 0) {
        int highest = highest_descriptor();
        if (highest >= 0) {
            inflow->end = highest + 1 + NUMBERS_ABOVE;
        }
    }
    int cut_off = 0;
    for (int fd = 0; fd < inflow->end && fd < DESCRIPTORS_MAX; fd++) {
        cut_off += sweep_one(fd) ? 1 : 0;
    }
    return cut_off;
}

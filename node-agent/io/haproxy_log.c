// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/haproxy_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define QUEUE_FILE    "/proc/sys/net/unix/max_dgram_qlen"
#define LOG_NAME      "log.sock"
#define LOG_NEW_NAME  "log.sock.new"
#define LINES_AT_ONCE 2000 /* then the loop gets its turn */
#define LINE_SIZE     512

bool haproxy_log_raise_queue(void)
{
    char text[32] = "";
    const int fd = open(QUEUE_FILE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool enough =
        read(fd, text, sizeof text - 1) > 0 && strtol(text, NULL, 10) >= HAPROXY_LOG_QUEUE;
    if (!enough) {
        const int size = snprintf(text, sizeof text, "%d\n", HAPROXY_LOG_QUEUE);
        enough = pwrite(fd, text, (size_t)size, 0) == size;
    }
    (void)close(fd);
    return enough;
}

int haproxy_log_open(int folder_fd, const struct haproxy_host *host, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" LOG_NEW_NAME,
                   folder_fd);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_set(err, -errno, "log socket: %s", strerrordesc_np(errno));
    }
    (void)unlinkat(folder_fd, LOG_NEW_NAME, 0);
    /* HAProxy's workers may write to it, nobody else. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        fchmodat(folder_fd, LOG_NEW_NAME, 0660, 0) < 0 ||
        (host->drop_privileges &&
         fchownat(folder_fd, LOG_NEW_NAME, (uid_t)-1, host->gid, 0) < 0) ||
        renameat(folder_fd, LOG_NEW_NAME, folder_fd, LOG_NAME) < 0) {
        const int rc = err_set(err, -errno, "log socket: %s", strerrordesc_np(errno));
        (void)close(fd);
        return rc;
    }
    return fd;
}

int haproxy_log_drain(int fd, struct request_window *window, int64_t now_ms)
{
    for (int count = 0; count < LINES_AT_ONCE; count++) {
        char line[LINE_SIZE];
        struct request_sample sample;
        const ssize_t got = recv(fd, line, sizeof line - 1, 0);
        if (got < 0) {
            return count;
        }
        line[got] = '\0';
        if (request_line_parse(line, &sample)) {
            request_window_add(window, &sample, now_ms);
        }
    }
    return LINES_AT_ONCE;
}

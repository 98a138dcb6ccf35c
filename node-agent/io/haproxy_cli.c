// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/haproxy_cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Connecting to a socket of this family never waits: it is there at once or fails. */
static int connect_in(int folder_fd, const char *socket_name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder_fd,
                   socket_name);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        const int rc = -errno;
        (void)close(fd);
        return rc;
    }
    return fd;
}

int haproxy_cli_start(struct haproxy_cli *cli, int folder_fd, const char *socket_name,
                      const char *commands, int64_t now_ms)
{
    const int fd = connect_in(folder_fd, socket_name);
    if (fd < 0) {
        return fd;
    }
    /* A fresh connection takes far more than one line of commands. */
    const size_t size = strlen(commands);
    if (send(fd, commands, size, MSG_NOSIGNAL) != (ssize_t)size ||
        send(fd, "\n", 1, MSG_NOSIGNAL) != 1 || shutdown(fd, SHUT_WR) < 0) {
        (void)close(fd);
        return -EIO;
    }
    cli->fd = fd;
    cli->deadline_ms = now_ms + HAPROXY_CLI_LIMIT_MS;
    cli->line_used = 0;
    return 0;
}

static void take(struct haproxy_cli *cli, const char *data, size_t size,
                 void (*take_line)(void *context, const char *line), void *context)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            cli->line[cli->line_used] = '\0';
            take_line(context, cli->line);
            cli->line_used = 0;
        } else if (cli->line_used + 1 < sizeof cli->line && data[i] != '\0') {
            cli->line[cli->line_used++] = data[i];
        }
    }
}

int haproxy_cli_run(struct haproxy_cli *cli, int64_t now_ms,
                    void (*take_line)(void *context, const char *line), void *context)
{
    char data[8192];
    int rc = 0;
    for (;;) {
        const ssize_t got = recv(cli->fd, data, sizeof data, 0);
        if (got > 0) {
            take(cli, data, (size_t)got, take_line, context);
            continue;
        }
        rc = got == 0 ? 0 : -errno;
        if (rc != -EINTR) {
            break;
        }
    }
    if (rc == -EAGAIN && now_ms < cli->deadline_ms) {
        return rc;
    }
    haproxy_cli_stop(cli);
    return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

void haproxy_cli_stop(struct haproxy_cli *cli)
{
    if (cli->fd >= 0) {
        (void)close(cli->fd);
        cli->fd = -1;
    }
}

bool haproxy_cli_listens(int folder_fd, const char *socket_name)
{
    const int fd = connect_in(folder_fd, socket_name);
    if (fd < 0) {
        return false;
    }
    (void)close(fd);
    return true;
}

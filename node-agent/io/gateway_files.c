// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/gateway_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node-agent/io/haproxy_process.h"

int gateway_folder_open(int parent_fd, const char *service, const struct haproxy_host *host,
                        struct err *err)
{
    if (mkdirat(parent_fd, service, 0700) < 0 && errno != EEXIST) {
        return err_set(err, -errno, "folder of entry point %s: %s", service,
                       strerrordesc_np(errno));
    }
    const int fd = openat(parent_fd, service, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || (host->drop_privileges &&
                   (fchown(fd, (uid_t)-1, host->gid) < 0 || fchmod(fd, 0710) < 0))) {
        const int rc = err_set(err, -errno, "folder of entry point %s: %s", service,
                               strerrordesc_np(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    return fd;
}

void gateway_folder_remove(int parent_fd, int folder_fd, const char *service)
{
    const char *const names[] = {
        GATEWAY_CONFIG_NAME, GATEWAY_CONFIG_NEW_NAME, HAPROXY_OUTPUT_NAME, "haproxy.pid",
        "admin.sock",        "master.sock",           "log.sock"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unlinkat(folder_fd, names[i], 0); /* not every one is there */
    }
    (void)unlinkat(parent_fd, service, AT_REMOVEDIR);
}

int gateway_file_write(int folder_fd, const char *name, const char *text, size_t size,
                       struct err *err)
{
    const int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set(err, -errno, "%s: %s", name, strerrordesc_np(errno));
    }
    const ssize_t written = write(fd, text, size);
    const int code = written < 0 ? -errno : -ENOSPC;
    if (close(fd) < 0 || written != (ssize_t)size) {
        (void)unlinkat(folder_fd, name, 0);
        return err_set(err, code, "%s: %s", name, strerrordesc_np(-code));
    }
    return 0;
}

int gateway_file_rename(int folder_fd, const char *from, const char *to, struct err *err)
{
    if (renameat(folder_fd, from, folder_fd, to) < 0) {
        return err_set(err, -errno, "%s: %s", to, strerrordesc_np(errno));
    }
    return 0;
}

int gateway_listen_try(const char *listen_text, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    if (listen_parse(listen_text, &address, &size) < 0) {
        return err_set(err, -EINVAL, "\"%s\" is no address and port", listen_text);
    }
    const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    int rc = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0) {
        rc = err_set(err, -errno, "cannot listen at %s: %s", listen_text,
                     strerrordesc_np(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

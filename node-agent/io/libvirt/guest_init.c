// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/libvirt/guest_init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define CONTROLLER "libvirt_lxc"

static int read_proc(pid_t pid, const char *file, char *out, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t r = read(fd, out, size - 1);
    (void)close(fd);
    if (r < 0) {
        return -EIO;
    }
    out[r] = '\0';
    return 0;
}

/* The controller's command line names its container. */
static bool is_controller_of(pid_t pid, const char *name)
{
    char command[4096];
    if (read_proc(pid, "comm", command, sizeof(command)) != 0 ||
        strcmp(command, CONTROLLER "\n") != 0) {
        return false;
    }
    memset(command, 0, sizeof(command));
    if (read_proc(pid, "cmdline", command, sizeof(command)) != 0) {
        return false;
    }
    const char *end = command + sizeof(command) - 1;
    for (const char *at = command; at < end && *at != '\0'; at += strlen(at) + 1) {
        const char *next = at + strlen(at) + 1;
        if (strcmp(at, "--name") == 0 && next < end && strcmp(next, name) == 0) {
            return true;
        }
    }
    return false;
}

/* systemd takes SIGTERM for "start yourself anew". */
static int shutdown_signal(pid_t init)
{
    char name[32];
    bool is_systemd =
        read_proc(init, "comm", name, sizeof(name)) == 0 && strcmp(name, "systemd\n") == 0;
    return is_systemd ? SIGRTMIN + 4 : SIGTERM;
}

/* The init of a running container as a descriptor that no other process can take over. */
static int open_init(virDomainPtr domain, pid_t *init)
{
    unsigned int id = virDomainGetID(domain);
    const char *name = virDomainGetName(domain);
    if (id == (unsigned int)-1 || name == NULL) {
        return -ESRCH;
    }
    pid_t controller = (pid_t)id;
    if (!is_controller_of(controller, name)) {
        return -ESRCH;
    }
    char file[64];
    char children[64];
    (void)snprintf(file, sizeof(file), "task/%d/children", (int)controller);
    int rc = read_proc(controller, file, children, sizeof(children));
    if (rc != 0) {
        return rc;
    }
    char *end = NULL;
    long child = strtol(children, &end, 10);
    if (child <= 1 || end == children) {
        return -ESRCH;
    }
    int process = pidfd_open((pid_t)child, 0);
    if (process < 0) {
        return -errno;
    }
    /* While its controller lives, the id of this child is not given to another process. */
    if (!is_controller_of(controller, name)) {
        (void)close(process);
        return -ESRCH;
    }
    *init = (pid_t)child;
    return process;
}

static int signal_and_close(int process, int number)
{
    int rc = pidfd_send_signal(process, number, NULL, 0) == 0 ? 0 : -errno;
    (void)close(process);
    return rc;
}

int guest_init_shutdown(virDomainPtr domain)
{
    pid_t init = 0;
    int process = open_init(domain, &init);
    return process < 0 ? process : signal_and_close(process, shutdown_signal(init));
}

int guest_init_kill(virDomainPtr domain)
{
    pid_t init = 0;
    int process = open_init(domain, &init);
    return process < 0 ? process : signal_and_close(process, SIGKILL);
}

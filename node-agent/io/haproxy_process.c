// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/haproxy_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes,
                   int folder_fd)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int r = posix_spawn_file_actions_addfchdir_np(files, folder_fd);
    r = r != 0
            ? r
            : posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    r = r != 0 ? r
               : posix_spawn_file_actions_addopen(files, STDOUT_FILENO, HAPROXY_OUTPUT_NAME,
                                                  O_WRONLY | O_CREAT | O_TRUNC, 0600);
    r = r != 0 ? r : posix_spawn_file_actions_adddup2(files, STDOUT_FILENO, STDERR_FILENO);
    r = r != 0 ? r : posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    r = r != 0 ? r : posix_spawnattr_setsigmask(attributes, &none);
    r = r != 0 ? r : posix_spawnattr_setsigdefault(attributes, &all);
    r = r != 0
            ? r
            : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF);
    return r;
}

int haproxy_run_start(struct haproxy_run *run, int folder_fd, const char *const argv[],
                      int64_t now_ms, struct err *err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = {path, NULL};
    if (posix_spawn_file_actions_init(&files) != 0) {
        return err_set(err, -ENOMEM, "no memory to run %s", argv[0]);
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return err_set(err, -ENOMEM, "no memory to run %s", argv[0]);
    }
    pid_t pid = 0;
    int r = prepare(&files, &attributes, folder_fd);
    if (r == 0) {
        char *const *arguments = NULL;
        memcpy(&arguments, &argv, sizeof arguments); /* it does not write to them */
        r = posix_spawn(&pid, argv[0], &files, &attributes, arguments, environment);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attributes);
    if (r != 0) {
        return err_set(err, -r, "cannot run %s: %s", argv[0], strerrordesc_np(r));
    }
    run->pidfd = pidfd_open(pid, 0);
    if (run->pidfd < 0) {
        const int rc = -errno;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return err_set(err, rc, "cannot watch %s: %s", argv[0], strerrordesc_np(-rc));
    }
    run->pid = pid;
    run->deadline_ms = now_ms + HAPROXY_RUN_LIMIT_MS;
    return 0;
}

int haproxy_run_poll(struct haproxy_run *run, int64_t now_ms)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0) {
        if (now_ms < run->deadline_ms) {
            return -EAGAIN;
        }
        haproxy_run_stop(run);
        return -ETIMEDOUT;
    }
    (void)close(run->pidfd);
    run->pidfd = -1;
    return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : -EPROTO;
}

void haproxy_run_stop(struct haproxy_run *run)
{
    if (run->pidfd >= 0) {
        (void)kill(run->pid, SIGKILL);
        (void)waitpid(run->pid, NULL, 0);
        (void)close(run->pidfd);
        run->pidfd = -1;
    }
}

void haproxy_run_complaint(int folder_fd, char *out, size_t size)
{
    char text[8192];
    out[0] = '\0';
    const int fd = openat(folder_fd, HAPROXY_OUTPUT_NAME, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    const ssize_t got = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    const char *alert = strstr(text, "[ALERT]");
    if (alert != NULL) { /* "[ALERT]    (1234) : what is wrong" */
        const char *colon = strstr(alert, ") : ");
        alert = colon != NULL ? colon + 4 : alert;
        (void)snprintf(out, size, "%.*s", (int)strcspn(alert, "\n"), alert);
    }
}

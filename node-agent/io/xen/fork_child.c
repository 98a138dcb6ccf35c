// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/fork_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xencall.h>

#define TRIES     10
#define ANSWER_MS 500 /* the locks are held for microseconds: longer means for ever */

/* In the child: everything that takes one of the locks; it does not return when one is held. */
static void take_locks(void)
{
    xencall_handle *handle = xencall_open(NULL, 0);
    if (handle != NULL) {
        void *buffer = xencall_alloc_buffer(handle, 1);
        if (buffer != NULL) {
            xencall_free_buffer(handle, buffer);
        }
        (void)xencall_close(handle);
    }
}

static pid_t child_of(int answer[2])
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)close(answer[0]);
    take_locks();
    (void)!write(answer[1], "", 1); /* who does not hear it ends us */
    (void)close(answer[1]);
    return 0;
}

static bool has_answered(int fd)
{
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    char byte = 0;
    return poll(&answered, 1, ANSWER_MS) > 0 && read(fd, &byte, 1) == 1;
}

/* 0 in the child; its id; -EAGAIN: it hung; another negative errno. */
static pid_t try_fork(void)
{
    int answer[2];
    if (pipe2(answer, O_CLOEXEC) != 0) {
        return -errno;
    }
    pid_t pid = fork();
    if (pid == 0) {
        return child_of(answer);
    }
    int code = pid < 0 ? -errno : -EAGAIN;
    (void)close(answer[1]);
    bool fine = pid > 0 && has_answered(answer[0]);
    (void)close(answer[0]);
    if (pid > 0 && !fine) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    return fine ? pid : code;
}

pid_t fork_child_with_free_locks(void)
{
    pid_t pid = -EAGAIN;
    for (int i = 0; i < TRIES && pid == -EAGAIN; i++) {
        pid = try_fork();
    }
    if (pid < 0) {
        errno = (int)-pid;
        return -1;
    }
    return pid;
}

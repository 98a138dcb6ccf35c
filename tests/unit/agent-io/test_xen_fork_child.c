// SPDX-License-Identifier: Apache-2.0
/* Children of libxl beside threads that use Xen. The lock of libxencall is played. */
#include <criterion/criterion.h>

#if !__has_include(<xencall.h>)
Test(xen_fork_child, needs_libxencall)
{
    cr_skip("the headers of libxencall are not installed");
}
#else
#include <pthread.h>
#include <stdatomic.h>

#include "node-agent/io/xen/fork_child.c"

#define FORKS 12

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the whole process */
static atomic_bool enough;
static char buffer;

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xencall_handle *)&buffer;
}

int xencall_close(xencall_handle *handle)
{
    (void)handle;
    return 0;
}

void *xencall_alloc_buffer(xencall_handle *handle, size_t size)
{
    (void)handle;
    (void)size;
    (void)pthread_mutex_lock(&lock);
    (void)pthread_mutex_unlock(&lock);
    return &buffer;
}

void xencall_free_buffer(xencall_handle *handle, void *p)
{
    (void)handle;
    (void)p;
}

/* Has the lock nearly half of the time. */
static void *use_xen(void *argument)
{
    while (!atomic_load(&enough)) {
        (void)pthread_mutex_lock(&lock);
        (void)poll(NULL, 0, 1);
        (void)pthread_mutex_unlock(&lock);
        (void)poll(NULL, 0, 2);
    }
    return argument;
}

Test(xen_fork_child, a_child_never_finds_a_lock_held_that_nobody_will_give_back)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, use_xen, NULL), 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork_child_with_free_locks();
        if (pid == 0) {
            _exit(pthread_mutex_trylock(&lock) == 0 ? 0 : 1);
        }
        int status = -1;
        cr_assert_gt(pid, 0);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert_eq(status, 0, "child %d would have hung", i);
    }
    atomic_store(&enough, true);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(xen_fork_child, a_child_has_no_signal_blocked)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    pid_t pid = fork_child_with_free_locks();
    if (pid == 0) {
        sigset_t now;
        (void)pthread_sigmask(SIG_SETMASK, NULL, &now);
        _exit(sigismember(&now, SIGTERM));
    }
    int status = -1;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}
#endif

// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/self_fence.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

int self_fence_arm(struct self_fence *fence, int64_t until_ms, struct err *err)
{
    if (!fence->made) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
        if (timer_create(CLOCK_BOOTTIME, &event, &fence->timer) != 0) {
            return err_set(err, -errno, "no timer for the fence: %s", strerrordesc_np(errno));
        }
        fence->made = true;
    }
    struct itimerspec at = {
        .it_value = {.tv_sec = until_ms / 1000, .tv_nsec = (long)(until_ms % 1000) * 1000000}};
    if (timer_settime(fence->timer, TIMER_ABSTIME, &at, NULL) != 0) {
        return err_set(err, -errno, "the fence cannot be armed: %s", strerrordesc_np(errno));
    }
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/driver/guest_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/model/object.h"

#define TOOL_OUTPUT_SIZE 384
#define CLEAN_UP_MS      10000 /* after a failure, which may have been the deadline */

int guest_disk_path(const char *state_folder, const struct vm_order *order,
                    char out[DISK_PATH_SIZE], struct err *err)
{
    bool copy = order->disk_kind == DISK_KIND_COPY || order->storage_path[0] == '\0';
    int r = copy ? snprintf(out, DISK_PATH_SIZE, "%s/disks/%s", state_folder, order->uuid)
                 : snprintf(out, DISK_PATH_SIZE, "%s/%s", order->storage_path, order->uuid);
    if (r < 0 || r >= DISK_PATH_SIZE - 8) {
        return err_set(err, -ENAMETOOLONG, "the path of the disk of %s is too long", order->vm);
    }
    return 0;
}

/* Waits for the tool, reading what it says; kills it at the deadline. Returns its wait status.
 */
static int wait_for_tool(pid_t pid, int output, int64_t deadline_ms,
                         char text[TOOL_OUTPUT_SIZE])
{
    size_t length = 0;
    int process = pidfd_open(pid, 0);
    struct pollfd fds[2] = {{.fd = process, .events = POLLIN},
                            {.fd = output, .events = POLLIN}};
    while ((fds[0].revents & POLLIN) == 0 && process >= 0) {
        int64_t left_ms = deadline_ms - clock_boot_ms();
        if (left_ms <= 0) {
            (void)kill(pid, SIGKILL);
            break;
        }
        (void)poll(fds, 2, left_ms < 1000 ? (int)left_ms : 1000);
        if ((fds[1].revents & POLLIN) != 0) {
            char dropped[512]; /* the first lines say the cause; the rest is read and dropped */
            bool room = length < TOOL_OUTPUT_SIZE - 1;
            ssize_t r = room ? read(output, text + length, TOOL_OUTPUT_SIZE - 1 - length)
                             : read(output, dropped, sizeof(dropped));
            length += room && r > 0 ? (size_t)r : 0;
        } else if ((fds[1].revents & (POLLHUP | POLLERR)) != 0) {
            fds[1].fd = -1;
        }
    }
    if (process >= 0) {
        (void)close(process);
    }
    text[length] = '\0';
    int status = 0;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* argv[0] is looked up in the system's folders only. */
static int run_tool(char *const argv[], int64_t deadline_ms, struct err *err)
{
    static char path[] = "PATH=/usr/bin:/bin";
    static char locale[] = "LC_ALL=C";
    char *const environment[] = {path, locale, NULL};
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return err_set(err, -errno, "pipe: %s", strerrordesc_np(errno));
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t pid = 0;
    int r = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)close(pipe_fds[1]);
    int rc = 0;
    if (r != 0) {
        rc = err_set(err, -r, "%s: %s", argv[0], strerrordesc_np(r));
    } else {
        char text[TOOL_OUTPUT_SIZE] = "";
        int status = wait_for_tool(pid, pipe_fds[0], deadline_ms, text);
        if (status != 0 && clock_boot_ms() >= deadline_ms) {
            rc = err_set(err, -ETIMEDOUT, "%s was not done by the deadline", argv[0]);
        } else if (status != 0) {
            rc = err_set(err, -EIO, "%s", text[0] != '\0' ? text : "the tool was killed");
        }
    }
    (void)close(pipe_fds[0]);
    return rc;
}

static int unpack(const struct hypervisor_call *call, char *part, struct err *err)
{
    if (mkdir(part, 0755) != 0) {
        return err_set(err, -errno, "%s: %s", part, strerrordesc_np(errno));
    }
    char image[PATH_SIZE];
    (void)snprintf(image, sizeof(image), "%s", call->image_path);
    char tool[] = "tar";
    char extract[] = "-xpf";
    char folder[] = "-C";
    char numeric[] = "--numeric-owner";
    char *const argv[] = {tool, numeric, folder, part, extract, image, NULL};
    return run_tool(argv, call->deadline_ms, err);
}

static int copy_raw(const struct hypervisor_call *call, char *part, struct err *err)
{
    char image[PATH_SIZE];
    (void)snprintf(image, sizeof(image), "%s", call->image_path);
    char tool[] = "cp";
    char sparse[] = "--sparse=always";
    char end[] = "--";
    char *const argv[] = {tool, sparse, end, image, part, NULL};
    int rc = run_tool(argv, call->deadline_ms, err);
    struct stat status;
    off_t wanted = (off_t)call->order.disk_size_kib * 1024;
    if (rc == 0 && stat(part, &status) == 0 && status.st_size < wanted &&
        truncate(part, wanted) != 0) {
        rc = err_set(err, -errno, "%s: %s", part, strerrordesc_np(errno));
    }
    return rc;
}

/* All of the disk is on the medium before its name is. */
static int settle(const char *part, const char *path, struct err *err)
{
    int fd = open(part, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -1 : syncfs(fd);
    int code = r == 0 ? 0 : -errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (code == 0 && rename(part, path) != 0) {
        code = -errno;
    }
    return code == 0 ? 0 : err_set(err, code, "%s: %s", path, strerrordesc_np(-code));
}

int guest_disk_prepare(const struct hypervisor_call *call, const char *path, bool *made,
                       struct err *err)
{
    *made = false;
    if (access(path, F_OK) == 0) {
        return 0;
    }
    if (call->image_path[0] == '\0') {
        return err_set(err, -ENOENT, "no image and no disk at %s", path);
    }
    char part[DISK_PATH_SIZE];
    (void)snprintf(part, sizeof(part), "%s.part", path);
    int rc = guest_disk_discard(part, call->deadline_ms,
                                err); /* of an attempt that a crash interrupted */
    if (rc == 0) {
        rc = call->order.image_format == IMAGE_FORMAT_TAR ? unpack(call, part, err)
                                                          : copy_raw(call, part, err);
    }
    if (rc == 0) {
        rc = settle(part, path, err);
    }
    if (rc != 0) {
        (void)err_wrap(err, "image %s", call->order.image);
        /* The first failure is the one to tell. */
        (void)guest_disk_discard(part, clock_boot_ms() + CLEAN_UP_MS, NULL);
        return rc;
    }
    *made = true;
    return 0;
}

int guest_disk_discard(const char *path, int64_t deadline_ms, struct err *err)
{
    char gone[DISK_PATH_SIZE + 8];
    (void)snprintf(gone, sizeof(gone), "%s.gone", path);
    char tool[] = "rm";
    char all[] = "-rf";
    char inside[] = "--one-file-system"; /* whatever a crash left mounted in there */
    char end[] = "--";
    char *const argv[] = {tool, all, inside, end, gone, NULL};
    if (rename(path, gone) != 0 && errno != ENOENT) {
        /* The rest of an earlier removal is in the way: finish that one first. */
        int rc = run_tool(argv, deadline_ms, err);
        if (rc == 0 && rename(path, gone) != 0) {
            rc = err_set(err, -errno, "%s: %s", path, strerrordesc_np(errno));
        }
        if (rc != 0) {
            return rc;
        }
    }
    return access(gone, F_OK) == 0 ? run_tool(argv, deadline_ms, err) : 0;
}

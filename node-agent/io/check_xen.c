// SPDX-License-Identifier: Apache-2.0
/* Facts about Xen without its libraries: from files, and from "xl info". */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/scope.h"
#include "node-agent/io/check.h"

#define XL_LIMIT_MS  5000
#define XL_BYTES_MAX (16u << 10)
#define VALUE_SIZE   512
#define BALLOON      "/sys/devices/system/xen_memory/xen_memory0/"

static enum fact can_open(const char *root, const char *path, int flags)
{
    char full[4 * PATH_SIZE];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    int fd = open(full, flags | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return FACT_NO;
    }
    (void)close(fd);
    return FACT_YES;
}

static uint64_t read_number(const char *root, const char *path)
{
    char text[32];
    return check_read_line(root, path, text, sizeof text) ? strtoull(text, NULL, 10) : 0;
}

static void read_version(struct xen_facts *xen, const char *root)
{
    char major[16];
    char minor[16];
    char extra[16];
    if (check_read_line(root, "/sys/hypervisor/version/major", major, sizeof major) &&
        check_read_line(root, "/sys/hypervisor/version/minor", minor, sizeof minor)) {
        (void)check_read_line(root, "/sys/hypervisor/version/extra", extra, sizeof extra);
        (void)snprintf(xen->version, sizeof xen->version, "%s.%s%s", major, minor, extra);
    }
}

void check_facts_xen(struct xen_facts *xen, const char *root)
{
    char line[VALUE_SIZE];
    read_version(xen, root);
    if (check_read_line(root, "/proc/xen/capabilities", line, sizeof line)) {
        xen->dom0 = strstr(line, "control_d") != NULL ? FACT_YES : FACT_NO;
    } else {
        /* xenfs may not be mounted; only dom0 has the device for hypercalls. */
        xen->dom0 =
            check_path_exists(root, "/dev/xen/privcmd") == FACT_YES ? FACT_UNKNOWN : FACT_NO;
    }
    xen->xenstored = check_process_runs(root, "xenstored") == FACT_YES ||
                             check_process_runs(root, "oxenstored") == FACT_YES
                         ? FACT_YES
                         : FACT_NO;
    xen->xenconsoled = check_process_runs(root, "xenconsoled");
    xen->watchdog_taken = check_process_runs(root, "xenwatchdogd");
    xen->xenbus = can_open(root, "/dev/xen/xenbus", O_RDWR) == FACT_YES
                      ? FACT_YES
                      : can_open(root, "/proc/xen/xenbus", O_RDWR);
    xen->hypercalls = can_open(root, "/dev/xen/hypercall", O_RDWR) == FACT_YES
                          ? FACT_YES
                          : can_open(root, "/dev/xen/privcmd", O_RDWR);
    xen->dom0_current_kib = read_number(root, BALLOON "info/current_kb");
    xen->dom0_target_kib = read_number(root, BALLOON "target_kb");
    xen->xendomains = check_unit_state(root, "xendomains");
    xen->vif_script = check_path_exists(root, "/etc/xen/scripts/vif-bridge");
}

/* "xen_scheduler          : credit2" */
static void take_pair(struct xen_facts *xen, const char *line)
{
    const char *colon = strchr(line, ':');
    if (colon == NULL) {
        return;
    }
    size_t name = strcspn(line, " :");
    const char *value = colon + 1 + strspn(colon + 1, " ");
    if (strncmp(line, "xen_scheduler", name) == 0 && name == strlen("xen_scheduler")) {
        (void)snprintf(xen->scheduler, sizeof xen->scheduler, "%s", value);
    } else if (strncmp(line, "xen_commandline", name) == 0 &&
               name == strlen("xen_commandline")) {
        (void)snprintf(xen->command_line, sizeof xen->command_line, "%s", value);
    } else if (strncmp(line, "free_memory", name) == 0 && name == strlen("free_memory")) {
        xen->free_memory_kib = strtoull(value, NULL, 10) * 1024;
    }
}

/* All that comes until the other end closes or the limit. Returns the size. */
static size_t read_until(int fd, char *out, size_t size, int64_t deadline_ms)
{
    size_t used = 0;
    while (used < size) {
        int64_t left_ms = deadline_ms - clock_boot_ms();
        struct pollfd item = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || poll(&item, 1, (int)left_ms) <= 0) {
            break;
        }
        ssize_t got = read(fd, out + used, size - used);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    return used;
}

/* Waits until the process has ended, or ends it at the deadline. Its status, -1: it was ended.
 */
static int reap(pid_t pid, int64_t deadline_ms)
{
    int status = 0;
    for (;;) {
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid) {
            return status;
        }
        if (done < 0) {
            return -1; /* somebody else waited for it */
        }
        if (clock_boot_ms() >= deadline_ms) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            return -1;
        }
        (void)poll(NULL, 0, 10);
    }
}

static int start_xl(pid_t *pid, int output)
{
    char program[] = "xl";
    char verb[] = "info";
    char *arguments[] = {program, verb, NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return ENOMEM;
    }
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int r = posix_spawnp(pid, program, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

void check_facts_xl(struct xen_facts *xen)
{
    int ends[2];
    pid_t pid = 0;
    // NOLINTBEGIN(clang-analyzer-unix.Malloc): SCOPE_FREE frees it on every way out
    SCOPE_FREE char *text = calloc(1, XL_BYTES_MAX + 1);
    xen->details = FACT_UNKNOWN;
    if (text == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        (void)snprintf(xen->details_problem, sizeof xen->details_problem, "no memory");
        return;
    }
    int r = start_xl(&pid, ends[1]);
    (void)close(ends[1]);
    if (r != 0) {
        (void)snprintf(xen->details_problem, sizeof xen->details_problem, "xl: %s",
                       strerrordesc_np(r));
        (void)close(ends[0]);
        // cppcheck-suppress memleak ; SCOPE_FREE frees it
        return;
    }
    // NOLINTEND(clang-analyzer-unix.Malloc)
    int64_t deadline_ms = clock_boot_ms() + XL_LIMIT_MS;
    size_t size = read_until(ends[0], text, XL_BYTES_MAX, deadline_ms);
    (void)close(ends[0]);
    int status = reap(pid, deadline_ms);
    if (status != 0 || size == 0) {
        (void)snprintf(xen->details_problem, sizeof xen->details_problem, "\"xl info\" %s",
                       status == -1 ? "does not end" : "failed");
        return;
    }
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        take_pair(xen, line);
    }
    xen->details = FACT_YES;
}

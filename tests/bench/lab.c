// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/guard.h"
#include "orchestrator/client/connection.h"

void lab_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "bench: ");
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

int lab_compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static void check(int rc, const struct err *err)
{
    if (rc != 0) {
        lab_fail("%s", err->text);
    }
}

void lab_make(struct lab *lab, const char *parent, bool tcp)
{
    struct err err = {0};
    char path[160];
    memset(lab, 0, sizeof *lab);
    (void)snprintf(lab->folder, sizeof lab->folder, "%s/arbiter-bench-XXXXXX",
                   parent != NULL ? parent : "/tmp");
    if (mkdtemp(lab->folder) == NULL) {
        lab_fail("%s: %s", lab->folder, strerror(errno));
    }
    const char *build = getenv("ARBITER_BUILD");
    (void)snprintf(lab->arbiterd, sizeof lab->arbiterd, "%s/bin/arbiterd",
                   build != NULL ? build : "build/release");
    (void)snprintf(lab->keyring, sizeof lab->keyring, "%s/keyring", lab->folder);
    int port = 20000 + (int)(getpid() % 20000);
    if (tcp) {
        (void)snprintf(lab->control, sizeof lab->control, "tcp://127.0.0.1:%d", port);
        (void)snprintf(lab->telemetry, sizeof lab->telemetry, "tcp://127.0.0.1:%d", port + 1);
        (void)snprintf(lab->api, sizeof lab->api, "tcp://127.0.0.1:%d", port + 2);
        (void)snprintf(lab->events, sizeof lab->events, "tcp://127.0.0.1:%d", port + 3);
    } else {
        (void)snprintf(lab->control, sizeof lab->control, "ipc://%s/control", lab->folder);
        (void)snprintf(lab->telemetry, sizeof lab->telemetry, "ipc://%s/telemetry",
                       lab->folder);
        (void)snprintf(lab->api, sizeof lab->api, "ipc://%s/api", lab->folder);
        (void)snprintf(lab->events, sizeof lab->events, "ipc://%s/events", lab->folder);
    }
    check(key_pair_generate(&lab->server, &err), &err);
    (void)snprintf(path, sizeof path, "%s/arbiterd.key", lab->folder);
    check(key_pair_write(path, &lab->server, &err), &err);
    lab_enrol(lab, "root", ROLE_ADMINISTRATOR, &lab->administrator);
    (void)snprintf(path, sizeof path, "%s/root.key", lab->folder);
    check(key_pair_write(path, &lab->administrator, &err), &err);
    (void)snprintf(path, sizeof path, "%s/arbiterd.pub", lab->folder);
    check(file_replace(path, lab->server.public_text, strlen(lab->server.public_text), 0644,
                       &err),
          &err);
}

static void append_line(const struct lab *lab, const char *name, enum role role,
                        const struct key_pair *pair)
{
    FILE *file = fopen(lab->keyring, "ae");
    if (file == NULL) {
        lab_fail("%s: %s", lab->keyring, strerror(errno));
    }
    (void)fprintf(file, "%s %s %s\n", name, role_word(role), pair->public_text);
    (void)fclose(file);
}

void lab_enrol(struct lab *lab, const char *name, enum role role, struct key_pair *out)
{
    struct err err = {0};
    check(key_pair_generate(out, &err), &err);
    append_line(lab, name, role, out);
}

void lab_enrol_agents(struct lab *lab, const char *prefix, int count, struct key_pair *out)
{
    for (int i = 0; i < count; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "%s%04d", prefix, i);
        lab_enrol(lab, name, ROLE_AGENT, &out[i]);
    }
}

static void run_daemon(const struct lab *lab)
{
    char sets[9][160];
    char *argv[32] = {0};
    int count = 0;
    static char flag[] = "-s";
    (void)snprintf(sets[0], sizeof sets[0], "listen.control=%s", lab->control);
    (void)snprintf(sets[1], sizeof sets[1], "listen.telemetry=%s", lab->telemetry);
    (void)snprintf(sets[2], sizeof sets[2], "listen.api=%s", lab->api);
    (void)snprintf(sets[3], sizeof sets[3], "listen.events=%s", lab->events);
    (void)snprintf(sets[4], sizeof sets[4], "key=%s/arbiterd.key", lab->folder);
    (void)snprintf(sets[5], sizeof sets[5], "keyring=%s", lab->keyring);
    (void)snprintf(sets[6], sizeof sets[6], "state=%s", lab->folder);
    (void)snprintf(sets[7], sizeof sets[7], "mode=act");
    (void)snprintf(sets[8], sizeof sets[8], "log=warn");
    char program[256];
    (void)snprintf(program, sizeof program, "%s", lab->arbiterd);
    argv[count++] = program;
    for (int i = 0; i < 9; i++) {
        argv[count++] = flag;
        argv[count++] = sets[i];
    }
    char log[160];
    (void)snprintf(log, sizeof log, "%s/arbiterd.log", lab->folder);
    int fd = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    (void)dup2(fd, STDERR_FILENO);
    (void)execv(program, argv);
    _exit(127);
}

static void wait_for_api(const struct lab *lab)
{
    struct connection_settings settings = {{0}, {0}, {0}};
    struct connection *connection = NULL;
    struct err err = {0};
    struct request *request = calloc(1, sizeof *request);
    struct reply *reply = calloc(1, sizeof *reply);
    (void)snprintf(settings.host, sizeof settings.host, "%s", lab->api);
    (void)snprintf(settings.key, sizeof settings.key, "%s/root.key", lab->folder);
    (void)snprintf(settings.server_key, sizeof settings.server_key, "%s/arbiterd.pub",
                   lab->folder);
    check(connection_open(&connection, &settings, &err), &err);
    int64_t until_ms = clock_boot_ms() + 15000;
    enum reply_code code = REPLY_UNREACHABLE;
    while (code != REPLY_DONE && clock_boot_ms() < until_ms) {
        memset(request, 0, sizeof *request);
        request->header.version = PROTOCOL_VERSION;
        request->header.min_version = PROTOCOL_VERSION;
        request->method = METHOD_STATUS;
        code = connection_call(connection, request, reply, NULL, NULL, 1000, &err);
    }
    connection_close(connection);
    free(request);
    free(reply);
    if (code != REPLY_DONE) {
        lab_fail("arbiterd does not answer: %s (see %s/arbiterd.log)", err.text, lab->folder);
    }
}

void lab_start(struct lab *lab)
{
    (void)fflush(NULL);
    lab->pid = fork();
    if (lab->pid == 0) {
        run_daemon(lab);
    }
    if (lab->pid < 0) {
        lab_fail("fork: %s", strerror(errno));
    }
    wait_for_api(lab);
}

void lab_kill(struct lab *lab, int signal_number)
{
    int status = 0;
    (void)kill(lab->pid, signal_number);
    (void)waitpid(lab->pid, &status, 0);
    lab->pid = 0;
}

void lab_remove(struct lab *lab)
{
    char command[128];
    if (lab->pid > 0) {
        lab_kill(lab, SIGTERM);
    }
    (void)snprintf(command, sizeof command, "rm -rf '%s'", lab->folder);
    if (system(command) != 0) {
        lab_fail("%s cannot be removed", lab->folder);
    }
}

struct bus_socket *lab_connect(const struct lab *lab, enum bus_kind kind, const char *endpoint,
                               const struct key_pair *own, size_t frame_bytes_max)
{
    struct bus_socket *socket = NULL;
    struct err err = {0};
    struct bus_options options = {.kind = kind,
                                  .endpoint = endpoint,
                                  .own = own,
                                  .server_public = lab->server.public_text,
                                  .frame_bytes_max = frame_bytes_max,
                                  .send_high_water = 10000,
                                  .receive_high_water = 10000};
    check(bus_open(&socket, &options, &err), &err);
    return socket;
}

double lab_cpu_seconds(pid_t pid)
{
    char path[64];
    char line[1024] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, sizeof line, file) == NULL) {
        lab_fail("%s cannot be read", path);
    }
    (void)fclose(file);
    const char *after = strrchr(line, ')'); /* the name may hold spaces */
    unsigned long user = 0;
    unsigned long system_time = 0;
    if (after == NULL ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system_time) != 2) {
        lab_fail("%s has another form", path);
    }
    return (double)(user + system_time) / (double)sysconf(_SC_CLK_TCK);
}

long lab_resident_kib(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "VmRSS: %ld kB", &kib);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

double lab_syncs_per_second(const char *folder)
{
    char path[160];
    static char block[4096];
    (void)snprintf(path, sizeof path, "%s/sync", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    int64_t begin_us = clock_boot_us();
    int count = 0;
    while (clock_boot_us() - begin_us < 1000000) {
        if (pwrite(fd, block, sizeof block, 0) != (ssize_t)sizeof block || fdatasync(fd) != 0) {
            lab_fail("%s: %s", path, strerror(errno));
        }
        count++;
    }
    double seconds = (double)(clock_boot_us() - begin_us) / 1e6;
    (void)close(fd);
    (void)unlink(path);
    return count / seconds;
}

void lab_raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

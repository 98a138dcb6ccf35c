// SPDX-License-Identifier: Apache-2.0
/*
 * Drives a hypervisor driver by hand, for scripts: driver_probe MODULE URI STATE_FOLDER NODE.
 * Reads one call per line from standard input and prints one line per completion:
 *
 *   create vm=a uuid=... generation=1 cap=20 memory=65536 image=/x.tar address=10.0.0.2/24
 *   list | status | deadline_ms=500 cap uuid=... cap=40
 *   & shutdown uuid=...      begins it and goes on; "wait" waits for all that is under way
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/model/object.h"
#include "node-agent/io/hypervisor.h"

#define LINE_SIZE_MAX 2048
#define DEADLINE_MS   15000
#define KINDS_MAX     32

struct probe {
    const struct hypervisor_driver *driver;
    struct hypervisor *hypervisor;
    uint64_t next_id;
    uint32_t under_way;
    int64_t began_ms[64]; /* by id */
};

static void print_reading(const struct domain_reading *reading)
{
    printf("domain vm=%s uuid=%s ours=%d generation=%" PRIu64 " state=%s", reading->vm,
           reading->uuid, reading->ours, reading->generation, run_state_word(reading->state));
    if (reading->cap_pct == UINT32_MAX) {
        printf(" cap=none");
    } else {
        printf(" cap=%" PRIu32, reading->cap_pct);
    }
    printf(" weight=%" PRIu32 " vcpus=%" PRIu32 " memory=%" PRIu64 " target=%" PRIu64
           " cpu_ns=%" PRIu64 " rx=%" PRIu64 " tx=%" PRIu64 " address=%s disk_rate=%" PRIu64
           " net_rate=%" PRIu64 " disk_write=%" PRIu64 "\n",
           reading->weight, reading->vcpus, reading->memory_kib, reading->memory_target_kib,
           reading->cpu_time_ns, reading->net_rx_bytes, reading->net_tx_bytes, reading->address,
           reading->disk_rate_kib_s, reading->net_rate_kib_s, reading->disk_write_bytes);
}

static void print_completion(struct probe *probe, const struct hypervisor_completion *done)
{
    uint32_t count = done->list != NULL ? done->list->count : 0;
    printf("%s code=%d reason=%s value=%" PRIu64 " ms=%" PRId64 " domains=%" PRIu32
           " text=%s\n",
           hypervisor_call_word(done->kind), done->code, reason_word(done->reason), done->value,
           clock_boot_ms() - probe->began_ms[done->id % 64], count, done->text);
    for (uint32_t i = 0; i < count; i++) {
        print_reading(&done->list->domains[i]);
    }
    (void)fflush(stdout);
}

static void wait_for_all(struct probe *probe)
{
    while (probe->under_way > 0) {
        struct hypervisor_completion done;
        while (probe->driver->complete(probe->hypervisor, clock_boot_ms(), &done) == 1) {
            probe->under_way--;
            print_completion(probe, &done);
        }
        int64_t left_ms = probe->driver->deadline_ms(probe->hypervisor) - clock_boot_ms();
        left_ms = left_ms < 0 ? 0 : left_ms;
        struct pollfd fd = {.fd = probe->driver->fd(probe->hypervisor), .events = POLLIN};
        if (probe->under_way > 0) {
            (void)poll(&fd, 1, left_ms < 1000 ? (int)left_ms : 1000);
        }
    }
}

static enum hypervisor_call_kind kind_of(const char *word)
{
    for (int i = 1; i < KINDS_MAX; i++) {
        if (strcmp(hypervisor_call_word((enum hypervisor_call_kind)i), word) == 0) {
            return (enum hypervisor_call_kind)i;
        }
    }
    return HYPERVISOR_CALL_UNSPECIFIED;
}

/* The texts of a call by their keys. False: no such key. */
static bool set_text(struct hypervisor_call *call, const char *key, const char *value)
{
    struct {
        const char *key;
        char *out;
        size_t size;
    } texts[] = {
        {"vm", call->order.vm, sizeof(call->order.vm)},
        {"uuid", call->order.uuid, sizeof(call->order.uuid)},
        {"image", call->image_path, sizeof(call->image_path)},
        {"address", call->address, sizeof(call->address)},
        {"gateway", call->gateway, sizeof(call->gateway)},
        {"bridge", call->order.bridge, sizeof(call->order.bridge)},
        {"init", call->order.init, sizeof(call->order.init)},
        {"storage", call->order.storage_path, sizeof(call->order.storage_path)},
        {"kernel", call->order.kernel, sizeof(call->order.kernel)},
        {"ramdisk", call->order.ramdisk, sizeof(call->order.ramdisk)},
        {"command_line", call->order.command_line, sizeof(call->order.command_line)},
        {"vif_script", call->order.vif_script, sizeof(call->order.vif_script)},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].key, key) == 0) {
            (void)snprintf(texts[i].out, texts[i].size, "%s", value);
            return true;
        }
    }
    return false;
}

static bool set_number(struct hypervisor_call *call, const char *key, uint64_t value)
{
    struct vm_order *order = &call->order;
    if (strcmp(key, "generation") == 0) {
        order->generation = value;
    } else if (strcmp(key, "cap") == 0) {
        order->cap_pct = (uint32_t)value;
    } else if (strcmp(key, "weight") == 0) {
        order->weight = (uint32_t)value;
    } else if (strcmp(key, "vcpus") == 0) {
        order->vcpus = (uint32_t)value;
    } else if (strcmp(key, "vcpus_max") == 0) {
        order->vcpus_max = (uint32_t)value;
    } else if (strcmp(key, "memory") == 0) {
        order->memory_kib = value;
    } else if (strcmp(key, "memory_max") == 0) {
        order->memory_max_kib = value;
    } else if (strcmp(key, "disk_rate") == 0) {
        order->disk_rate_kib_s = value;
    } else if (strcmp(key, "net_rate") == 0) {
        order->net_rate_kib_s = value;
    } else if (strcmp(key, "port") == 0) {
        order->port = (uint32_t)value;
    } else if (strcmp(key, "format") == 0) {
        order->image_format = (uint32_t)value;
    } else if (strcmp(key, "guest_type") == 0) {
        order->guest_type = (enum guest_type)value;
    } else if (strcmp(key, "deadline_ms") == 0) {
        call->deadline_ms = clock_boot_ms() + (int64_t)value;
    } else if (strcmp(key, "discard") == 0) {
        call->discard_disk = value != 0;
    } else {
        return false;
    }
    return true;
}

/* One line. False: it is wrong, which ends the program. */
static bool run_line(struct probe *probe, char *line)
{
    struct hypervisor_call call = {
        .id = probe->next_id++,
        .deadline_ms = clock_boot_ms() + DEADLINE_MS,
        .order = {.cap_pct = 20,
                  .weight = 256,
                  .vcpus = 1,
                  .memory_kib = 65536,
                  .port = 80,
                  .disk_kind = DISK_KIND_COPY,
                  .image_format = IMAGE_FORMAT_TAR},
    };
    bool waits = true;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \n", &rest); word != NULL;
         word = strtok_r(NULL, " \n", &rest)) {
        char *equals = strchr(word, '=');
        if (strcmp(word, "&") == 0) {
            waits = false;
        } else if (equals == NULL) {
            call.kind = kind_of(word);
        } else {
            *equals = '\0';
            if (!set_text(&call, word, equals + 1) &&
                !set_number(&call, word, strtoull(equals + 1, NULL, 10))) {
                return false;
            }
        }
    }
    struct err err = {0};
    probe->began_ms[call.id % 64] = clock_boot_ms();
    int rc = probe->driver->start(probe->hypervisor, &call, &err);
    if (rc != 0) {
        printf("%s refused=%d text=%s\n", hypervisor_call_word(call.kind), rc, err.text);
        (void)fflush(stdout);
        return true;
    }
    probe->under_way++;
    if (waits) {
        wait_for_all(probe);
    }
    return true;
}

static void print_status(struct probe *probe)
{
    struct node_status status;
    struct err err = {0};
    int rc = probe->driver->status(probe->hypervisor, &status, &err);
    if (rc != 0) {
        printf("status code=%d text=%s\n", rc, err.text);
    } else {
        printf("status code=0 driver=\"%s\" capabilities=0x%" PRIx32 " cpu=%" PRIu32
               " cpu_total=%" PRIu32 " memory=%" PRIu64 " memory_total=%" PRIu64
               " foreign=%" PRIu32 "\n",
               status.driver, status.capabilities, status.cpu_pct, status.cpu_pct_total,
               status.memory_kib, status.memory_kib_total, status.foreign_vms);
    }
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: driver_probe MODULE URI STATE_FOLDER NODE\n");
        return 2;
    }
    void *module = dlopen(argv[1], RTLD_NOW);
    const void *entry = module == NULL ? NULL : dlsym(module, HYPERVISOR_DRIVER_ENTRY);
    if (entry == NULL) {
        (void)fprintf(stderr, "driver_probe: %s\n", dlerror());
        return 1;
    }
    struct probe probe = {.driver = entry, .next_id = 1};
    struct hypervisor_settings settings = {
        .uri = argv[2], .state_folder = argv[3], .node = argv[4]};
    struct err err = {0};
    probe.hypervisor = probe.driver->open(&settings, &err);
    if (probe.hypervisor == NULL) {
        (void)fprintf(stderr, "driver_probe: %s\n", err.text);
        return 1;
    }
    static char line[LINE_SIZE_MAX];
    int exit_code = 0;
    while (exit_code == 0 && fgets(line, sizeof(line), stdin) != NULL) {
        if (strncmp(line, "status", 6) == 0) {
            print_status(&probe);
        } else if (strncmp(line, "wait", 4) == 0) {
            wait_for_all(&probe);
        } else if (!run_line(&probe, line)) {
            (void)fprintf(stderr, "driver_probe: wrong line\n");
            exit_code = 2;
        }
    }
    wait_for_all(&probe);
    probe.driver->close(probe.hypervisor);
    return exit_code;
}

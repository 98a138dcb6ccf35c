// SPDX-License-Identifier: Apache-2.0
/*
 * What the benchmarks share: a folder of their own with keys, a real arbiterd started and ended
 * by its process id, and what the kernel says it used.
 */
#ifndef TESTS_BENCH_LAB_H
#define TESTS_BENCH_LAB_H

#include <sys/types.h>

#include "common/io/bus.h"
#include "common/io/keys.h"
#include "proto/codec.h"

struct lab {
    char folder[64];
    char arbiterd[256]; /* program */
    char keyring[96];
    char control[96];
    char telemetry[96];
    char api[96];
    char events[96];
    struct key_pair server;
    struct key_pair administrator;
    pid_t pid;
};

/* Stops the program with a text on any failure. parent: where the folder is made, NULL: /tmp.
 */
void lab_make(struct lab *lab, const char *parent, bool tcp);
void lab_start(struct lab *lab);                   /* waits until the API answers */
void lab_kill(struct lab *lab, int signal_number); /* and waits for its end */
void lab_remove(struct lab *lab);

/* Enrols a key before lab_start(). */
void lab_enrol(struct lab *lab, const char *name, enum role role, struct key_pair *out);
/* The same for many agents named PREFIX0000...: one write of the keyring. */
void lab_enrol_agents(struct lab *lab, const char *prefix, int count, struct key_pair *out);

struct bus_socket *lab_connect(const struct lab *lab, enum bus_kind kind, const char *endpoint,
                               const struct key_pair *own, size_t frame_bytes_max);

/* Of a process: CPU seconds so far, resident KiB. */
double lab_cpu_seconds(pid_t pid);
long lab_resident_kib(pid_t pid);

/* fdatasync() calls per second after writes of 4 KiB in this folder, measured for one second.
 */
double lab_syncs_per_second(const char *folder);

/* Raises the limit of open files as far as allowed. */
void lab_raise_files(void);

void lab_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

int lab_compare_doubles(const void *a, const void *b);

#endif

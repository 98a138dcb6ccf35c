// SPDX-License-Identifier: Apache-2.0
/* Bindings of a service and its parts. Rows are in the order of the field numbers. */
#include "proto/bindings_rows.h"

static const struct field_binding header_fields[] = {
    {U32(header, version), .required = true, .min = 1, .max = UINT32_MAX,
     .when_zero = PROTOCOL_VERSION},
    {U32(header, min_version), .max = PROTOCOL_VERSION, .when_zero = 1},
    {U64(header, epoch)},
    {U64(header, sequence)},
};
MESSAGE_BINDING(header);

static const struct field_binding response_time_fields[] = {
    {U32(response_time, mean_ms), .unit = UNIT_MS, .min = 1, .max = UINT32_MAX,
     .about = "target of the mean response time"},
    {U32(response_time, p50_ms), .unit = UNIT_MS, .min = 1, .max = UINT32_MAX,
     .about = "target of the median response time"},
    {U32(response_time, p95_ms), .unit = UNIT_MS, .min = 1, .max = UINT32_MAX,
     .about = "target of the 95th percentile of the response time"},
    {U32(response_time, window_ms), .unit = UNIT_MS, .min = 1000, .max = 3600000,
     .fallback = "30s", .about = "time over which the statistic is taken"},
};
MESSAGE_BINDING(response_time);

static const struct field_binding level_curve_fields[] = {
    {DOUBLE(level_curve, a), .required = true, .low = 0.01, .high = 1000.0, .fallback = "10",
     .about = "steepness of the service-level function"},
    {DOUBLE(level_curve, b), .required = true, .low = 0.01, .high = 100.0, .fallback = "1",
     .about = "measured / target at which the level is half way"},
    {DOUBLE(level_curve, w), .required = true, .low = 0.01, .high = 0.5, .fallback = "0.5",
     .about = "half of the height of the service-level function"},
};
MESSAGE_BINDING(level_curve);

static const struct field_binding objective_fields[] = {
    {OPTIONAL(objective, response_time, response_time),
     .about = "target of a web service: exactly one of mean, p50, p95"},
    {U32(objective, error_share_permille), .unit = UNIT_PERMILLE, .min = 1, .max = 1000,
     .about = "target of the share of failed requests, a second parameter of the level"},
    {I64(objective, deadline_wall_ms), .unit = UNIT_WALL_MS,
     .about = "instant at which the queue is to be empty"},
    {U32(objective, within_ms), .unit = UNIT_MS, .min = 1, .max = UINT32_MAX,
     .about = "time from the start in which the queue is to be empty"},
    {U32(objective, speed_permille), .unit = UNIT_PERMILLE, .min = 1, .max = 1000,
     .about = "share of the speed that a cluster has with all its VCPUs to itself"},
    {U32(objective, weight), .min = 1, .max = 1000, .fallback = "1",
     .about = "how much its level counts against the same provider's other services"},
    {OPTIONAL(objective, curve, level_curve), .about = "shape of the service-level function"},
};
MESSAGE_BINDING(objective);

static const struct field_binding entry_fields[] = {
    {STRING(entry, listen), .required = true,
     .about = "address and port at which users reach the service, such as 10.0.8.10:80"},
    {STRING(entry, check_path),
     .about = "path of a health check by HTTP GET; without it a TCP connect is the check"},
    {U32(entry, check_every_ms), .unit = UNIT_MS, .min = 100, .max = 600000, .fallback = "2s",
     .about = "time between two health checks"},
};
MESSAGE_BINDING(entry);

static const struct field_binding count_range_fields[] = {
    {U32(count_range, min), .min = 1, .max = VMS_PER_GROUP_MAX,
     .about = "fewest VMs that the manager may choose"},
    {U32(count_range, max), .min = 1, .max = VMS_PER_GROUP_MAX,
     .about = "most VMs that the manager may choose"},
};
MESSAGE_BINDING(count_range);

static const struct field_binding cap_range_fields[] = {
    {U32(cap_range, min_pct), .unit = UNIT_PCT, .min = 1, .max = CPU_PCT_MAX,
     .about = "lowest CPU cap that the manager may set"},
    {U32(cap_range, max_pct), .unit = UNIT_PCT, .min = 1, .max = CPU_PCT_MAX,
     .about = "highest CPU cap that the manager may set"},
};
MESSAGE_BINDING(cap_range);

static const struct field_binding vm_disk_fields[] = {
    {ENUM(vm_disk, kind, disk_kind), .fallback = "copy",
     .about = "copy: made from the image on the node and lost with it; shared: on a storage of "
              "several nodes; local: pins the VM to its node"},
    {STRING(vm_disk, storage), .syntax = SYNTAX_NAME,
     .about = "storage that holds a shared or local disk"},
    {U64(vm_disk, size_kib), .unit = UNIT_KIB, .min = 1, .max = KIB_MAX,
     .about = "size; without it the image's"},
    {U64(vm_disk, rate_kib_s), .unit = UNIT_KIB_S, .min = 1, .max = KIB_MAX,
     .about = "limit of reading and writing"},
};
MESSAGE_BINDING(vm_disk);

static const struct field_binding vm_group_fields[] = {
    {STRING(vm_group, name), .syntax = SYNTAX_NAME, .fallback = "vm1, vm2, ...",
     .about = "name of the group; VMs are called SERVICE-GROUP-NUMBER"},
    {MESSAGE(vm_group, count, count_range), .fallback = "1",
     .about = "how many VMs; a range {min, max} lets the manager choose"},
    {STRING(vm_group, image), .syntax = SYNTAX_NAME, .required = true,
     .about = "image from which the disks are made"},
    {U32(vm_group, vcpus), .min = 1, .max = VCPUS_MAX, .fallback = "enough for cpu.max",
     .about = "virtual CPUs of each VM"},
    {MESSAGE(vm_group, cpu, cap_range), .fallback = "1 core",
     .about = "CPU cap of each VM in cores; a range {min, max} lets the manager move it"},
    {U64(vm_group, memory_kib), .unit = UNIT_KIB, .min = 1024, .max = KIB_MAX,
     .fallback = "128MiB", .about = "memory of each VM"},
    {U32(vm_group, port), .min = 1, .max = 65535,
     .about = "port at which the guest serves, for the entry point"},
    {OPTIONAL(vm_group, disk, vm_disk), .about = "where the disk lives"},
    {STRING(vm_group, network), .syntax = SYNTAX_NAME, .fallback = "the node's bridge",
     .about = "network of the VMs"},
    {U64(vm_group, net_rate_kib_s), .unit = UNIT_KIB_S, .min = 1, .max = KIB_MAX,
     .about = "limit of network traffic of each VM"},
    {BOOL(vm_group, spread), .about = "true: not two of the group on one node"},
    {U32(vm_group, vcpus_min), .min = 1, .max = VCPUS_MAX, .fallback = "vcpus",
     .about = "fewest VCPUs; below vcpus it lets the manager choose"},
    {U64(vm_group, memory_min_kib), .unit = UNIT_KIB, .min = 1024, .max = KIB_MAX,
     .fallback = "memory",
     .about = "least memory, with which VMs start; below memory it lets the manager choose"},
};
MESSAGE_BINDING(vm_group);

static const struct field_binding queue_fields[] = {
    {U64(queue, tasks), .required = true, .min = 1, .max = TASKS_MAX,
     .about = "number of tasks in all"},
    {U32(queue, task_cpu_ms), .unit = UNIT_MS, .required = true, .min = 1, .max = UINT32_MAX,
     .about = "CPU time of one task on a CPU of speed 1"},
};
MESSAGE_BINDING(queue);

static const struct field_binding service_fields[] = {
    {U32(service, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(service, service), .syntax = SYNTAX_NAME, .required = true,
     .about = "name of the service"},
    {ENUM(service, kind, service_kind), .required = true,
     .about = "web: requests through an entry point; queue: independent tasks with a deadline; "
              "cluster: ranks in step"},
    {MESSAGE(service, objective, objective), .required = true, .about = "what was agreed"},
    {STRING(service, scheduler), .syntax = SYNTAX_WORD, .fallback = "the one of the kind",
     .about = "scheduler that proposes allocations for this service"},
    {ENUM(service, isolation, isolation), .fallback = "run",
     .about = "run: never stopped when a lease ends and never restarted elsewhere unconfirmed; "
              "fence: stopped by its node when the lease ends, then restarted elsewhere"},
    {OPTIONAL(service, entry, entry),
     .about = "the one address at which users reach a web service"},
    {OPTIONAL(service, queue, queue), .about = "the job of a queue"},
    {ENUM(service, when_done, when_done), .fallback = "stop",
     .about = "what happens to the VMs of an empty queue"},
    {MESSAGES(service, vms, vm_group), .required = true,
     .about = "groups of VMs that are alike"},
    {ENUM(service, when_sacrificed, when_sacrificed), .fallback = "run",
     .about =
         "when not all floors fit: run: it keeps its minimum; pause: its VMs may be paused "
         "until it fits again; suspend: saved to files of their nodes until then"},
    {STRING(service, profile), .syntax = SYNTAX_NAME, .fallback = "none: it is learnt",
     .about = "profile of its application: what was measured of it before"},
};
MESSAGE_BINDING(service);

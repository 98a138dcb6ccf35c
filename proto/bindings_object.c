// SPDX-License-Identifier: Apache-2.0
/* Bindings of the other objects. Rows are in the order of the field numbers. */
#include "proto/bindings_rows.h"

static const struct field_binding vm_fields[] = {
    {U32(vm, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(vm, vm), .syntax = SYNTAX_NAME, .required = true,
     .about = "name: SERVICE-GROUP-NUMBER"},
    {STRING(vm, uuid), .syntax = SYNTAX_UUID, .required = true,
     .about = "identity, together with the generation"},
    {STRING(vm, service), .syntax = SYNTAX_NAME, .required = true,
     .about = "service that it belongs to"},
    {STRING(vm, group), .syntax = SYNTAX_NAME, .required = true,
     .about = "its group in the service"},
    {U32(vm, number), .about = "number within the group, from 1"},
    {ENUM(vm, phase, vm_phase), .required = true,
     .about = "where it stands between wanted and assigned to a node"},
    {ENUM(vm, waiting_reason, reason), .about = "why it has no node"},
    {STRING(vm, node), .syntax = SYNTAX_NAME, .about = "node that it is assigned to"},
    {STRING(vm, move_to), .syntax = SYNTAX_NAME, .about = "node that it moves to"},
    {U64(vm, generation), .about = "counts its assignments to a node; 0: never"},
    {ENUM(vm, desired, run_state), .required = true, .about = "state that it is to have"},
    {U64(vm, reboots), .about = "reboots ordered so far"},
    {U32(vm, cap_pct), .unit = UNIT_PCT, .required = true, .min = 1, .max = CPU_PCT_MAX,
     .about = "CPU cap"},
    {U32(vm, weight), .min = 1, .max = 65535,
     .about = "of the hypervisor's scheduler, default 256"},
    {U32(vm, vcpus), .min = 1, .max = VCPUS_MAX, .about = "virtual CPUs"},
    {U64(vm, memory_kib), .unit = UNIT_KIB, .min = 1, .max = KIB_MAX, .about = "memory"},
    {U64(vm, net_rate_kib_s), .unit = UNIT_KIB_S, .max = KIB_MAX,
     .about = "limit of network traffic; 0: none"},
    {U64(vm, disk_rate_kib_s), .unit = UNIT_KIB_S, .max = KIB_MAX,
     .about = "limit of disk traffic; 0: none"},
    {U32(vm, load_share_permille), .unit = UNIT_PERMILLE, .min = 1, .max = 1000,
     .about = "share of the load that the entry point sends here"},
    {BOOL(vm, cap_pinned), .about = "a person set the cap: the manager leaves it"},
    {I64(vm, pinned_until_wall_ms), .unit = UNIT_WALL_MS,
     .about = "stays on its node until then, after a move by hand"},
    {BOOL(vm, live), .about = "moving: it goes over as it is"},
    {U64(vm, reserved_generation), .about = "newest generation that any node was told"},
    {BOOL(vm, paused_by_manager),
     .about = "paused or suspended by the manager, which takes it back"},
};
MESSAGE_BINDING(vm);

static const struct field_binding node_fields[] = {
    {U32(node, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(node, node), .syntax = SYNTAX_NAME, .required = true,
     .about = "name of the node, under which its agent's key is enrolled"},
    {BOOL(node, cordoned), .about = "true: no new VMs"},
    {BOOL(node, draining), .about = "true: VMs are moved away or restarted elsewhere"},
    {U32(node, cpu_pct), .unit = UNIT_PCT, .min = 1, .max = CPU_PCT_MAX,
     .fallback = "what the agent reports", .about = "declared CPU capacity in cores"},
    {U64(node, memory_kib), .unit = UNIT_KIB, .min = 1, .max = KIB_MAX,
     .fallback = "what the agent reports", .about = "declared memory"},
};
MESSAGE_BINDING(node);

static const struct field_binding image_fields[] = {
    {U32(image, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(image, image), .syntax = SYNTAX_NAME, .required = true,
     .about = "name of the image"},
    {ENUM(image, format, image_format), .required = true,
     .about = "raw: a disk; tar: a root file system for containers; kernel: no disk, only "
              "kernel and ramdisk; model: nothing, a guest of the model driver"},
    {STRING(image, source),
     .about = "where it is fetched: file:///..., http://... or https://..."},
    {STRING(image, sha256), .syntax = SYNTAX_SHA256, .about = "checksum of the source file"},
    {STRING(image, kernel), .syntax = SYNTAX_PATH,
     .about = "kernel on the node, for PV and PVH"},
    {STRING(image, ramdisk), .syntax = SYNTAX_PATH, .about = "initial ramdisk on the node"},
    {STRING(image, command_line), .about = "kernel command line"},
    {STRING(image, init), .syntax = SYNTAX_PATH, .fallback = "/sbin/init",
     .about = "first program of a container"},
    {ENUM(image, guest_type, guest_type), .fallback = "pvh",
     .about = "how Xen runs it: pv or pvh"},
};
MESSAGE_BINDING(image);

static const struct field_binding storage_fields[] = {
    {U32(storage, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(storage, storage), .syntax = SYNTAX_NAME, .required = true,
     .about = "name of the storage"},
    {STRING(storage, path), .syntax = SYNTAX_PATH, .required = true,
     .about = "folder that the nodes named here have"},
    {STRINGS(storage, nodes), .syntax = SYNTAX_NAME, .required = true,
     .about = "nodes that have it"},
};
MESSAGE_BINDING(storage);

static const struct field_binding network_fields[] = {
    {U32(network, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(network, network), .syntax = SYNTAX_NAME, .required = true,
     .about = "name of the network"},
    {STRING(network, bridge), .required = true, .about = "bridge on the nodes"},
    {STRING(network, script), .syntax = SYNTAX_PATH, .fallback = "vif-bridge of Xen",
     .about = "on the nodes, attaches the interfaces of Xen guests"},
};
MESSAGE_BINDING(network);

static const struct field_binding agreement_fields[] = {
    {U32(agreement, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(agreement, agreement), .syntax = SYNTAX_NAME, .required = true,
     .about = "name of the provider, as its key is enrolled"},
    {U32(agreement, weight), .min = 1, .max = 1000, .fallback = "1",
     .about = "multiplies the weights of its services"},
    {U32(agreement, cpu_pct), .unit = UNIT_PCT, .min = 1, .max = CPU_PCT_MAX,
     .fallback = "none", .about = "quota over the minimum caps of its VMs, in cores"},
    {U64(agreement, memory_kib), .unit = UNIT_KIB, .min = 1, .max = KIB_MAX, .fallback = "none",
     .about = "quota of memory"},
    {U32(agreement, vms), .min = 1, .max = UINT32_MAX, .fallback = "none",
     .about = "quota of VMs"},
};
MESSAGE_BINDING(agreement);

static const struct field_binding settings_fields[] = {
    {U32(settings, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(settings, settings), .syntax = SYNTAX_NAME, .required = true,
     .about = "cluster: there is one such object"},
    {ENUM(settings, mode, mode), .required = true,
     .about = "advise: decide and explain only; act: carry out; hold: decide nothing"},
    {U32(settings, control_period_ms), .unit = UNIT_MS, .min = 100, .max = 3600000,
     .fallback = "5s", .about = "period of the fast loop"},
};
MESSAGE_BINDING(settings);

static const struct field_binding profile_point_fields[] = {
    {DOUBLE(profile_point, load), .required = true, .low = 1e-3, .high = 1e9,
     .about = "requests/s"},
    {U32(profile_point, cap_pct), .unit = UNIT_PCT, .required = true, .min = 1,
     .max = CPU_PCT_MAX, .about = "CPU cap"},
    {DOUBLE(profile_point, x), .required = true, .low = 1e-6, .high = 1e6,
     .about = "measured / target; far above 1: it did not keep up"},
    {U32(profile_point, vcpus), .min = 1, .max = VCPUS_MAX, .about = "virtual CPUs"},
    {U64(profile_point, memory_kib), .unit = UNIT_KIB, .min = 1, .max = KIB_MAX,
     .about = "memory"},
    {U64(profile_point, io_kib_s), .unit = UNIT_KIB_S, .min = 1, .max = KIB_MAX,
     .fallback = "none", .about = "limit of disk traffic"},
};
MESSAGE_BINDING(profile_point);

static const struct field_binding profile_fields[] = {
    {U32(profile, version), .required = true, .min = 1, .max = 1, .when_zero = 1,
     .about = "version of this schema: 1"},
    {STRING(profile, profile), .syntax = SYNTAX_NAME, .required = true,
     .about = "name of the profile"},
    {MESSAGE(profile, response_time, response_time), .required = true,
     .about = "target over which x was measured"},
    {STRING(profile, on_node), .syntax = SYNTAX_NAME, .about = "node where it was measured"},
    {STRING(profile, governor),
     .about = "of that node's CPU clock: a profile holds for one only"},
    {STRING(profile, tool), .about = "how it was measured"},
    {I64(profile, measured_wall_ms), .unit = UNIT_WALL_MS, .about = "when it was measured"},
    {U32(profile, samples), .about = "measurements behind each point"},
    {MESSAGES(profile, points, profile_point), .required = true,
     .about = "load and allocation of a VM, and the x that was measured"},
};
MESSAGE_BINDING(profile);

static const struct field_binding object_fields[] = {
    {STRING(object, owner), .syntax = SYNTAX_NAME, .about = "principal that wrote it first"},
    {U64(object, revision), .about = "of its last change, unique in the cluster"},
    {I64(object, changed_wall_ms), .unit = UNIT_WALL_MS, .about = "instant of its last change"},
    {MEMBER(object, service, service, kind, OBJECT_KIND_SERVICE), .required = true},
    {MEMBER(object, vm, vm, kind, OBJECT_KIND_VM), .required = true},
    {MEMBER(object, node, node, kind, OBJECT_KIND_NODE), .required = true},
    {MEMBER(object, image, image, kind, OBJECT_KIND_IMAGE), .required = true},
    {MEMBER(object, storage, storage, kind, OBJECT_KIND_STORAGE), .required = true},
    {MEMBER(object, network, network, kind, OBJECT_KIND_NETWORK), .required = true},
    {MEMBER(object, agreement, agreement, kind, OBJECT_KIND_AGREEMENT), .required = true},
    {MEMBER(object, settings, settings, kind, OBJECT_KIND_SETTINGS), .required = true},
    {MEMBER(object, profile, profile, kind, OBJECT_KIND_PROFILE), .required = true},
};
MESSAGE_BINDING(object);

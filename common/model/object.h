// SPDX-License-Identifier: Apache-2.0
/*
 * The other objects of the desired state. Except for profiles, only the administrator writes
 * them (a provider's file names images, networks and storages, never a path, kernel, bridge,
 * script or host). "object" wraps any of them together with its revision and owner: the unit of
 * storing, reading and writing.
 */
#ifndef COMMON_MODEL_OBJECT_H
#define COMMON_MODEL_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/model/profile.h"
#include "common/model/service.h"
#include "common/model/vm.h"

enum object_kind {
    OBJECT_KIND_UNSPECIFIED = 0,
    OBJECT_KIND_SERVICE = 1,
    OBJECT_KIND_VM = 2,
    OBJECT_KIND_NODE = 3,
    OBJECT_KIND_IMAGE = 4,
    OBJECT_KIND_STORAGE = 5,
    OBJECT_KIND_NETWORK = 6,
    OBJECT_KIND_AGREEMENT = 7,
    OBJECT_KIND_SETTINGS = 8,
    OBJECT_KIND_PROFILE = 9,
};
#define OBJECT_KIND_COUNT 10

/* What a node is to hold; what it is and has comes from its agent (struct node_status). */
struct node {
    uint32_t version;
    char node[NAME_SIZE]; /* also the name under which its agent's key is enrolled */
    bool cordoned;        /* no new VMs */
    bool draining;        /* VMs are moved away or restarted elsewhere */
    uint32_t cpu_pct;     /* declared capacity; 0: what the agent reports */
    uint64_t memory_kib;  /* declared capacity; 0: what the agent reports */
};

enum image_format {
    IMAGE_FORMAT_UNSPECIFIED = 0,
    IMAGE_FORMAT_RAW = 1,    /* a disk */
    IMAGE_FORMAT_TAR = 2,    /* a root file system as tar, plain or gz, for containers */
    IMAGE_FORMAT_MODEL = 3,  /* nothing to fetch: a guest of the model driver */
    IMAGE_FORMAT_KERNEL = 4, /* kernel and ramdisk are all of it: a guest without a disk */
};

struct image {
    uint32_t version;
    char image[NAME_SIZE];
    enum image_format format;
    char source[URL_SIZE];    /* file:///..., http://..., https://... */
    char sha256[SHA256_SIZE]; /* of the source file */
    char kernel[PATH_SIZE];   /* on the node; PV and PVH */
    char ramdisk[PATH_SIZE];
    char command_line[TEXT_SIZE];
    char init[PATH_SIZE];       /* of a container; default /sbin/init */
    enum guest_type guest_type; /* of Xen; default pvh */
};

struct storage {
    uint32_t version;
    char storage[NAME_SIZE];
    char path[PATH_SIZE]; /* a folder that the nodes named here have */
    uint32_t nodes_count;
    char nodes[STORAGE_NODES_MAX][NAME_SIZE];
};

/* A network that exists on nodes as a bridge; agents map its name to their bridge. */
struct network {
    uint32_t version;
    char network[NAME_SIZE];
    char bridge[NAME_SIZE];
    char script[PATH_SIZE]; /* on the node: attaches interfaces of Xen guests; default
                               vif-bridge */
};

/* What administrator and provider agreed on. */
struct agreement {
    uint32_t version;
    char agreement[NAME_SIZE]; /* the provider's name, as its key is enrolled */
    uint32_t weight;           /* multiplies the weights of its services; default 1 */
    uint32_t cpu_pct;          /* quota over minimum caps; 0: none */
    uint64_t memory_kib;       /* quota; 0: none */
    uint32_t vms;              /* quota; 0: none */
};

enum mode {
    MODE_UNSPECIFIED = 0,
    MODE_ADVISE = 1, /* decide, explain, change nothing */
    MODE_ACT = 2,
    MODE_HOLD = 3, /* decide nothing */
};

/* Of the whole cluster; one object named "cluster". */
struct settings {
    uint32_t version;
    char settings[NAME_SIZE];
    enum mode mode;
    uint32_t control_period_ms; /* of the fast loop, default 5 s */
};

struct object {
    enum object_kind kind; /* which member of the union is set */
    char owner[NAME_SIZE]; /* principal that wrote it first */
    uint64_t revision; /* of its last change, unique in the cluster, set by the orchestrator */
    int64_t changed_wall_ms;
    union {
        struct service service;
        struct vm vm;
        struct node node;
        struct image image;
        struct storage storage;
        struct network network;
        struct agreement agreement;
        struct settings settings;
        struct profile profile;
    };
};

/* The name field of whichever member is set; "" for an unspecified kind. */
const char *object_name(const struct object *object);

/* The word used in files and commands: "service", "vm", ...; "object" when out of range. */
const char *object_kind_word(enum object_kind kind);

#endif

// SPDX-License-Identifier: Apache-2.0
/* For the problem_*.c files that read: the fields of a mapping by a table, mistakes by their
 * place. */
#ifndef ORCHESTRATOR_CLIENT_PROBLEM_FIELDS_H
#define ORCHESTRATOR_CLIENT_PROBLEM_FIELDS_H

#include "common/table.h"
#include "orchestrator/client/problem.h"

/* Where a value stands: a chain up to the root, on the stack of who reads. */
struct problem_place {
    const struct problem_place *above; /* NULL: key is one of the root */
    const char *key;                   /* NULL: index in a list */
    size_t index;
};

void problem_mistake(struct problem_mistakes *mistakes, const struct problem_place *place,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));

enum problem_field_kind {
    PROBLEM_NUMBER = 1,
    PROBLEM_WHOLE, /* a number without a part behind the point */
    PROBLEM_TEXT,
    PROBLEM_LIST,
    PROBLEM_MAPPING,
};

/* One field of a mapping; NUMBER and WHOLE have a range. */
struct problem_field {
    const char *key;
    enum problem_field_kind kind;
    bool required;
    bool above; /* least itself is too low */
    double least;
    double most;
    double missing; /* the number that stands for one that is not given */
};

struct problem_value {
    bool given; /* and right */
    bool wrong; /* told */
    double number;
    const char *text;
    json_t *json; /* of LIST and MAPPING */
};

/* Fills a value for each field and tells: unknown, missing, of the wrong type, out of range.
 * False: mapping is none. place NULL: the root. */
bool problem_fields_read(json_t *mapping, const struct problem_place *place,
                         const struct problem_field *fields, size_t fields_count,
                         struct problem_value *values, struct problem_mistakes *mistakes);

/* One number of a list against a field's kind and range. */
bool problem_number_read(const json_t *json, const struct problem_place *place,
                         const struct problem_field *field, double *out,
                         struct problem_mistakes *mistakes);

#define PROBLEM_MEM_MIB_MAX 1e9 /* of a node or VM */
#define PROBLEM_KIB_PER_MIB 1024

struct problem_name {
    char name[NAME_SIZE];
    uint32_t index;
};

struct problem_reader {
    struct problem *problem;
    struct problem_mistakes *mistakes;
    struct table node_names; /* of struct problem_name */
    struct table service_names;
    uint32_t vms_capacity;
    uint32_t levels_capacity;
    uint32_t first_level; /* of the VM under way */
};

/* vms: of a service, which gets its range of VMs; tells all mistakes. 0 or -ENOMEM. */
int problem_vms_read(struct problem_reader *reader, json_t *list,
                     struct allocation_service *service, const struct problem_place *place);

/* model: of a service; tells all mistakes. */
void problem_model_read(json_t *json, const struct problem_place *place, struct proposal *out,
                        struct problem_mistakes *mistakes);

#endif

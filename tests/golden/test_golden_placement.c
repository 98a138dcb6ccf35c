// SPDX-License-Identifier: Apache-2.0
/* placement_choose(): which node for which VM. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schedulers/placement.h"
#include "tests/golden/golden.h"

#define NODES 16
#define NEEDS 32

struct situation {
    uint32_t nodes_count;
    uint32_t needs_count;
    const char *node_names[NODES];
    const char *vm_names[NEEDS];
    struct placement_node nodes[NODES];
    struct placement_need needs[NEEDS];
    uint8_t closed[NEEDS][NODES];
    uint8_t occupied[NEEDS * NODES]; /* a row per group that spreads */
    uint32_t chosen[NEEDS];
};

static enum reason reason_of(const char *word)
{
    for (int i = 0; i < REASON_COUNT; i++) {
        if (strcmp(reason_word((enum reason)i), word) == 0) {
            return (enum reason)i;
        }
    }
    golden_wrong("\"%s\" is no reason", word);
}

static void read_nodes(struct situation *at, const json_t *nodes)
{
    const char *name = NULL;
    json_t *given = NULL;
    json_object_foreach((json_t *)(uintptr_t)nodes, name, given)
    {
        golden_keys(given, "cpu memory free_cpu free_memory closed spare");
        struct placement_node *node = &at->nodes[at->nodes_count];
        at->node_names[at->nodes_count++] = name;
        node->cpu_pct = golden_cpu_pct(given, "cpu", 0);
        node->memory_kib = golden_memory_kib(given, "memory", 0);
        node->cpu_pct_free = golden_cpu_pct(given, "free_cpu", node->cpu_pct);
        node->memory_kib_free = golden_memory_kib(given, "free_memory", node->memory_kib);
        node->slack_pct = golden_cpu_pct(given, "spare", node->cpu_pct_free);
        node->closed = reason_of(golden_text(given, "closed", "none"));
    }
}

static void read_needs(struct situation *at, const json_t *vms)
{
    const char *name = NULL;
    json_t *given = NULL;
    json_object_foreach((json_t *)(uintptr_t)vms, name, given)
    {
        golden_keys(given, "cpu memory floor apart not_on because");
        const uint32_t index = at->needs_count++;
        struct placement_need *need = &at->needs[index];
        at->vm_names[index] = name;
        need->cpu_pct = golden_cpu_pct(given, "cpu", 0);
        need->floor_pct = golden_cpu_pct(given, "floor", 0);
        need->memory_kib = golden_memory_kib(given, "memory", 0);
        need->spread_group = (uint32_t)golden_number(given, "apart", 0);
        need->closed = at->closed[index];
        for (uint32_t j = 0; j < at->nodes_count; j++) {
            const json_t *list = golden_list(given, "not_on");
            at->closed[index][j] = (uint8_t)(golden_has(list, at->node_names[j])
                                                 ? reason_of(golden_text(given, "because", ""))
                                                 : REASON_NONE);
        }
    }
}

static void print_why_not(struct golden_case *it, const struct situation *at, uint32_t need)
{
    for (uint32_t j = 0; j < at->nodes_count; j++) {
        uint64_t needed = 0;
        uint64_t available = 0;
        const enum reason why = placement_why_not(&at->nodes[j], j, &at->needs[need],
                                                  at->occupied, &needed, &available);
        (void)fprintf(it->out, "      %-6s %s", at->node_names[j], reason_word(why));
        if (why == REASON_NO_CPU) {
            (void)fprintf(it->out, ": needs %s CPU, %s left", golden_cpu((uint32_t)needed),
                          golden_cpu((uint32_t)available));
        } else if (why == REASON_NO_MEMORY) {
            (void)fprintf(it->out, ": needs %s, %s left", golden_memory(needed),
                          golden_memory(available));
        }
        (void)fprintf(it->out, "\n");
    }
}

static void outcome(struct golden_case *it)
{
    golden_keys(it->situation, "about nodes vms");
    struct situation *at = calloc(1, sizeof *at);
    read_nodes(at, golden_list(it->situation, "nodes"));
    read_needs(at, golden_list(it->situation, "vms"));
    const uint32_t without = placement_choose(at->nodes, at->nodes_count, at->needs,
                                              at->needs_count, at->occupied, at->chosen);
    for (uint32_t i = 0; i < at->needs_count; i++) {
        const bool placed = at->chosen[i] != PLACEMENT_NONE;
        (void)fprintf(it->out, "  %-8s -> %s\n", at->vm_names[i],
                      placed ? at->node_names[at->chosen[i]] : "no node");
        if (!placed) {
            print_why_not(it, at, i);
        }
    }
    (void)fprintf(it->out, "\n%u of %u VMs have a node. Left then:\n",
                  at->needs_count - without, at->needs_count);
    for (uint32_t j = 0; j < at->nodes_count; j++) {
        (void)fprintf(it->out, "  %-6s %s CPU, %s\n", at->node_names[j],
                      golden_cpu(at->nodes[j].cpu_pct_free),
                      golden_memory(at->nodes[j].memory_kib_free));
    }
    free(at);
}

Test(golden_placement, outcomes_are_what_the_files_say)
{
    golden_check("placement", outcome);
}

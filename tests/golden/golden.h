// SPDX-License-Identifier: Apache-2.0
/*
 * Golden files of the planners. A case is tests/golden/PLANNER/NAME.yaml and, beside it,
 * NAME.txt: what the planner made of it, for people to read. The first YAML document is the
 * situation, with a sentence about it; documents behind it are objects as "arbiter apply" reads
 * them. The test plays each case and compares; where they differ it shows both, as diff -u.
 *
 * After a change on purpose, ARBITER_GOLDEN_WRITE=1 writes the .txt files anew: read what
 * changed in them like code.
 */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct golden_case {
    const char *name; /* of the file, without .yaml */
    const json_t *situation;
    const char *objects; /* the documents behind the situation; "": none */
    FILE *out;           /* the outcome; it begins with the sentence */
};

/* Plays every case of a planner, in the order of their names; fails where one differs. */
void golden_check(const char *planner, void (*outcome)(struct golden_case *));

/* Ends the test with the name of the case and this text: a mistake in the case itself. */
_Noreturn void golden_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A mapping has no other keys than these, which are divided by spaces. */
void golden_keys(const json_t *mapping, const char *keys);

/* Values of a mapping, as files write them: 0.5 or 50%, 512MiB, 30s. Without the key: fallback.
 */
const char *golden_text(const json_t *mapping, const char *key, const char *fallback);
uint32_t golden_cpu_pct(const json_t *mapping, const char *key, uint32_t fallback_pct);
uint64_t golden_memory_kib(const json_t *mapping, const char *key, uint64_t fallback_kib);
uint64_t golden_number(const json_t *mapping, const char *key, uint64_t fallback);
/* A list or mapping that may be missing: NULL, over which jansson's loops do nothing. */
const json_t *golden_list(const json_t *mapping, const char *key);
/* True where a list of words has this one. */
int golden_has(const json_t *list, const char *word);

/* Of single words, as in a step. */
uint32_t golden_parse_cpu_pct(const char *word);
uint64_t golden_parse_kib(const char *word);
int64_t golden_parse_ms(const char *word);

/* "0.5", "512MiB", in one of a few buffers that are used in turn. */
const char *golden_cpu(uint32_t pct);
const char *golden_memory(uint64_t kib);

#endif

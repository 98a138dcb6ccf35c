// SPDX-License-Identifier: Apache-2.0
/*
 * "did you mean": of the words that are allowed, the one that a mistyped word was meant to be.
 * Offer every allowed word, then print; nothing is suggested when none is close.
 */
#ifndef COMMON_CLOSEST_WORD_H
#define COMMON_CLOSEST_WORD_H

#include <stddef.h>

#define CLOSEST_WORD_SIZE 64

struct closest_word {
    const char *wanted;           /* as it was typed; borrowed until the last offer */
    unsigned distance;            /* of the best so far */
    char word[CLOSEST_WORD_SIZE]; /* empty: none is close enough */
};

void closest_word_begin(struct closest_word *closest, const char *wanted);
/* A word that begins with what was typed (three letters or more) counts as close, whatever
 * follows. The first of equally close words stays. */
void closest_word_offer(struct closest_word *closest, const char *word);
/* "" or "; did you mean \"vcpus\"?" */
void closest_word_print(const struct closest_word *closest, char *out, size_t size);

#endif

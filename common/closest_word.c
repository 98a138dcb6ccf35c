// SPDX-License-Identifier: Apache-2.0
#include "common/closest_word.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Changes that turn one word into the other; two neighbours swapped count as one (optimal
 * string alignment). Words longer than the table are far from everything. */
static unsigned distance(const char *a, const char *b)
{
    enum { LENGTH_MAX = 40 };
    unsigned rows[3][LENGTH_MAX + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > LENGTH_MAX || b_length > LENGTH_MAX) {
        return LENGTH_MAX;
    }
    for (unsigned j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *above_that = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned same = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + same);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) {
                row[j] = least(row[j], above_that[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

void closest_word_begin(struct closest_word *closest, const char *wanted)
{
    *closest = (struct closest_word){.wanted = wanted, .distance = UINT_MAX};
}

void closest_word_offer(struct closest_word *closest, const char *word)
{
    size_t length = strlen(closest->wanted);
    unsigned allowed = length < 4 ? 1 : 2;
    unsigned found = distance(closest->wanted, word);
    bool begins = length >= 3 && strncmp(closest->wanted, word, length) == 0;
    found = begins ? least(found, allowed) : found;
    if (found <= allowed && found < closest->distance && strlen(word) < CLOSEST_WORD_SIZE) {
        closest->distance = found;
        (void)snprintf(closest->word, sizeof closest->word, "%s", word);
    }
}

void closest_word_print(const struct closest_word *closest, char *out, size_t size)
{
    out[0] = '\0';
    if (closest->word[0] != '\0') {
        (void)snprintf(out, size, "; did you mean \"%s\"?", closest->word);
    }
}

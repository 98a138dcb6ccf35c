// SPDX-License-Identifier: Apache-2.0
/*
 * Where a falling function crosses zero, between two points on both sides: false position, and
 * where one end stays it counts half (Illinois), so that it cannot stay for long.
 */
#ifndef SCHEDULERS_OPTIMIZER_ROOT_H
#define SCHEDULERS_OPTIMIZER_ROOT_H

#include <stdbool.h>

struct root {
    double low;  /* the function is over zero here ... */
    double high; /* ... and not over zero here */
    double over;
    double under;
    int side; /* of the last point: 1 low, -1 high */
};

static inline double root_next(const struct root *root)
{
    const double width = root->high - root->low;
    const double at = root->low + width * root->over / (root->over - root->under);
    return at > root->low && at < root->high ? at : 0.5 * (root->low + root->high);
}

static inline void root_take(struct root *root, double at, double value)
{
    if (value > 0.0) {
        root->low = at;
        root->over = value;
        root->under = root->side > 0 ? 0.5 * root->under : root->under;
        root->side = 1;
    } else {
        root->high = at;
        root->under = value;
        root->over = root->side < 0 ? 0.5 * root->over : root->over;
        root->side = -1;
    }
}

#endif

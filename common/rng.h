// SPDX-License-Identifier: Apache-2.0
/* Seeded random numbers held in a struct (SplitMix64): the same seed, the same numbers,
 * everywhere. */
#ifndef COMMON_RNG_H
#define COMMON_RNG_H

#include <stdint.h>

#include "common/limits.h"

struct rng {
    uint64_t state;
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* 0 <= value < bound; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* 0 <= value < 1, 53 bits. */
double rng_unit(struct rng *rng);
/* Mean 0, deviation 1: sum of 12 uniform numbers minus 6, so that it needs no libm and is the
 * same with every compiler. */
double rng_normal(struct rng *rng);
/* A version 4 UUID. */
void rng_uuid(struct rng *rng, char out[UUID_SIZE]);

#endif

// SPDX-License-Identifier: Apache-2.0
#include "common/rng.h"

void rng_init(struct rng *rng, uint64_t seed)
{
    rng->state = seed;
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound; /* no value is likelier than another */
    uint64_t value = rng_next(rng);
    while (value >= limit) {
        value = rng_next(rng);
    }
    return value % bound;
}

double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1.0p-53;
}

double rng_normal(struct rng *rng)
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += rng_unit(rng);
    }
    return sum - 6.0;
}

void rng_uuid(struct rng *rng, char out[UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t bits[2] = {rng_next(rng), rng_next(rng)};
    bits[0] = (bits[0] & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    bits[1] = (bits[1] & 0x3fffffffffffffffu) | 0x8000000000000000u;
    int at = 0;
    for (int nibble = 0; nibble < 32; nibble++) {
        if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) {
            out[at++] = '-';
        }
        uint64_t word = bits[nibble / 16];
        out[at++] = digits[(word >> (60 - 4 * (nibble % 16))) & 15u];
    }
    out[at] = '\0';
}

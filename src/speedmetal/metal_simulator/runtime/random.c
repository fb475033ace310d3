/* Orders in which lanes, simdgroups and threadgroups run. */
#include "random.h"

/* SplitMix64: http://prng.di.unimi.it/splitmix64.c */
uint64_t smr_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void smr_make_order(uint8_t *order, uint32_t count, enum smr_order kind, uint64_t *random)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = (uint8_t)(kind == SMR_REVERSE ? count - 1 - i : i);
    if (kind != SMR_RANDOM)
        return;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)(smr_random(random) % i);
        uint8_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

/* A permutation of 0..count-1 that needs no memory: a Feistel network over the next even number of
 * bits, applied until the result is below `count`. */
uint64_t smr_permuted(uint64_t index, uint64_t count, uint64_t seed)
{
    uint32_t half = 1;
    while (half < 32 && count > (uint64_t)1 << (2 * half))
        half++;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = index >> half, right = index & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t state = seed ^ (right + (round << 56));
            uint64_t kept = right;
            right = left ^ (smr_random(&state) & mask);
            left = kept;
        }
        index = left << half | right;
    } while (index >= count);
    return index;
}

/* Orders in which lanes, simdgroups and threadgroups run. */
#ifndef SPEEDMETAL_RANDOM_H
#define SPEEDMETAL_RANDOM_H

#include "state.h"

uint64_t smr_random(uint64_t *state);
void smr_make_order(uint8_t *order, uint32_t count, enum smr_order kind, uint64_t *random);
uint64_t smr_permuted(uint64_t index, uint64_t count, uint64_t seed);

#endif

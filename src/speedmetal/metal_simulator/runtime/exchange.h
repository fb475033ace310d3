/* Values that the lanes of a simdgroup show each other. */
#ifndef SPEEDMETAL_EXCHANGE_H
#define SPEEDMETAL_EXCHANGE_H

#include "state.h"

void smr_exchange_reset(struct simdgroup *simdgroup);
void smr_exchange_complete(struct simdgroup *simdgroup, uint32_t mask);

#endif

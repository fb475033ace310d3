/* What a report says of an address. */
#ifndef SPEEDMETAL_ADDRESSES_H
#define SPEEDMETAL_ADDRESSES_H

#include "state.h"

/* Notes which memory an address belongs to. */
void smr_report_address(struct slot const *slot, uint64_t address);

#endif

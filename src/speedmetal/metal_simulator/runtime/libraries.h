/* Libraries in memory. */
#ifndef SPEEDMETAL_LIBRARIES_H
#define SPEEDMETAL_LIBRARIES_H

#include "state.h"

/* Where the library that has an address begins; the address itself where none is known. */
uint64_t smr_library_begin(uint64_t address);

#endif

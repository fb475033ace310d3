/* Bounds of threads' own arrays and of the program's tables. */
#ifndef SPEEDMETAL_OWN_ARRAYS_H
#define SPEEDMETAL_OWN_ARRAYS_H

#include "state.h"

bool smr_own_arrays_begin(struct worker *worker, uintptr_t begin, uintptr_t end);
void smr_own_arrays_end(struct worker *worker);
bool smr_own_memory_is_right(struct slot const *slot, uintptr_t address, size_t size_bytes);
bool smr_table_is_right(struct worker const *worker, uintptr_t address, size_t size_bytes);
bool smr_locate_own_array(struct slot const *slot, uintptr_t address);

#endif

/* Memory of a threadgroup: guards, poison, and whose a faulty address is. */
#ifndef SPEEDMETAL_THREADGROUP_MEMORY_H
#define SPEEDMETAL_THREADGROUP_MEMORY_H

#include "state.h"

bool smr_threadgroup_memory_begin(struct worker *worker);
void smr_threadgroup_memory_end(struct worker *worker);
void smr_threadgroup_memory_repair(struct worker *worker);
void smr_threadgroup_memory_locate(struct worker *worker, uint64_t address);

#endif

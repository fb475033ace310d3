/* Accesses that nothing orders. */
#ifndef SPEEDMETAL_RACES_H
#define SPEEDMETAL_RACES_H

#include "state.h"

enum access_kind { PLAIN_READ, PLAIN_WRITE, ATOMIC_CHANGE, ATOMIC_READ };

struct races *smr_races_begin(struct worker *worker);
void smr_races_end(struct races *races);
void smr_races_threadgroup(struct races *races, uint64_t index);
bool smr_races_threadgroup_memory(struct races *races, uintptr_t address, size_t size_bytes);
void smr_races_threadgroup_barrier(struct races *races, int flags);
void smr_races_simdgroup(struct races *races, struct simdgroup *simdgroup, uint32_t mask, int flags, bool is_barrier);
void smr_races_fence(struct races *races, uint32_t thread);
bool smr_races_access(struct slot *slot, uintptr_t address, size_t size_bytes, enum access_kind kind, uintptr_t code);

#endif

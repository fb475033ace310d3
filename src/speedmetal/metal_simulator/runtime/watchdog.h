/* The end of endless loops, and of runs of which a part has failed. */
#ifndef SPEEDMETAL_WATCHDOG_H
#define SPEEDMETAL_WATCHDOG_H

#include "state.h"

uint64_t smr_clock_nanoseconds(void);
bool smr_watchdog_add(struct run *run);
void smr_watchdog_remove(struct run *run);
void smr_watchdog_register(struct worker *worker, bool is_registered);
void smr_watchdog_stop_others(struct run *run);
void smr_watchdog_after_fork(void);

#endif

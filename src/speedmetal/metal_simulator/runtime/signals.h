/* Faults of kernels become reports. */
#ifndef SPEEDMETAL_SIGNALS_H
#define SPEEDMETAL_SIGNALS_H

#include "state.h"

bool smr_signals_acquire(void);
void smr_signals_release(void);
void smr_signals_after_fork(void);
void smr_signals_enter(struct worker *worker, stack_t *previous, sigset_t *mask);
void smr_signals_leave(stack_t const *previous, sigset_t const *mask);
void smr_kick(struct worker *worker);

#endif

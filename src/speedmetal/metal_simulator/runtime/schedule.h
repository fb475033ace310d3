/* Which thread of a threadgroup runs next. */
#ifndef SPEEDMETAL_SCHEDULE_H
#define SPEEDMETAL_SCHEDULE_H

#include "state.h"

void smr_run_fibers(struct worker *worker);
void smr_wait(struct slot *slot, enum wait_kind kind, void **frame);

#endif

/* The threadgroups of a run. */
#ifndef SPEEDMETAL_THREADGROUPS_H
#define SPEEDMETAL_THREADGROUPS_H

#include "state.h"

/* Runs one threadgroup after another on a worker until none is left, or the run ends. */
void smr_run_threadgroups(struct worker *worker);

#endif

/* The floating-point mode of a run. */
#ifndef SPEEDMETAL_FLOATS_H
#define SPEEDMETAL_FLOATS_H

#include "state.h"

uint64_t smr_float_mode_enter(bool flush_denormals);
void smr_float_mode_leave(uint64_t saved);

#endif

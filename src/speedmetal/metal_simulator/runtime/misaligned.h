/* The address of a misaligned access. */
#ifndef SPEEDMETAL_MISALIGNED_H
#define SPEEDMETAL_MISALIGNED_H

#include "state.h"

bool smr_report_misaligned(struct slot const *slot, ucontext_t const *context);

#endif

/* What a report says of a thread, and how a run ends from inside a kernel. */
#ifndef SPEEDMETAL_REPORT_H
#define SPEEDMETAL_REPORT_H

#include "state.h"

/* Notes which thread it was, and where: at `code`, in calls of which `frame` is the innermost. */
void smr_report_thread(struct worker *worker, struct fiber const *fiber, uintptr_t code, void **frame);
struct smr_position smr_position_of(struct smr_thread const *thread);

/* Ends the worker's run from anywhere on a fiber's stack. */
_Noreturn void smr_escape(struct worker *worker, enum smr_status status);

#endif

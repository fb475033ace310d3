/* What a report says of a thread, and how a run ends from inside a kernel. */
#include "report.h"

#include "stacks.h"

struct smr_position smr_position_of(struct smr_thread const *thread)
{
    struct smr_position position;
    for (int axis = 0; axis < 3; axis++) {
        position.threadgroup[axis] = thread->threadgroup_position[axis];
        position.thread[axis] = thread->position_in_threadgroup[axis];
    }
    return position;
}

void smr_report_thread(struct worker *worker, struct fiber const *fiber, uintptr_t code, void **frame)
{
    struct smr_report *report = &worker->report;
    uintptr_t begin = worker->stacks + STACK_BYTES * (uintptr_t)(fiber - worker->fiber);
    uintptr_t end = (uintptr_t)slot_of(begin);
    report->has_position = 1;
    report->position = smr_position_of(&fiber->thread);
    report->code[0] = code;
    for (int level = 1; level < SMR_CODE_DEPTH; level++) {
        uintptr_t at = (uintptr_t)frame;
        if (at < begin + STACK_GUARD_BYTES || at + 2 * sizeof(void *) > end || (at & 7) != 0)
            return;
        report->code[level] = (uintptr_t)frame[1] - 1;
        frame = (uintptr_t)frame[0] > at ? frame[0] : NULL;
    }
}

_Noreturn void smr_escape(struct worker *worker, enum smr_status status)
{
    worker->report.status = status;
    siglongjmp(worker->escape, 1);
}

/* What a report says of an address. */
#include "addresses.h"

#include "stacks.h"
#include "threadgroup_memory.h"

void smr_report_address(struct slot const *slot, uint64_t address)
{
    struct smr_report *report = &slot->worker->report;
    report->address = address;
    report->is_stack = is_own_stack(slot, (uintptr_t)address);
    smr_threadgroup_memory_locate(slot->worker, address);
}

/* Workers with the stacks of their fibers; which worker and fiber an address of a stack belongs to. */
#ifndef SPEEDMETAL_STACKS_H
#define SPEEDMETAL_STACKS_H

#include "state.h"

#define SIGNAL_STACK_BYTES ((size_t)128 << 10) /* vector registers alone may take 11 KiB */

/* At the high end of every stack's slot. */
struct slot {
    struct worker *worker;
    struct fiber *fiber;
};

extern uintptr_t smr_stacks_begin, smr_stacks_bytes;

static inline bool is_stack_address(uintptr_t address)
{
    return address - smr_stacks_begin < smr_stacks_bytes;
}

static inline struct slot *slot_of(uintptr_t stack_address)
{
    return (struct slot *)((stack_address | (STACK_BYTES - 1)) + 1 - sizeof(struct slot));
}

/* Whether an address is of the stack of this slot, its guard included. */
static inline bool is_own_stack(struct slot const *slot, uintptr_t address)
{
    return is_stack_address(address) && slot_of(address) == slot;
}

/* The fiber that calls; only for code that runs on a fiber's stack. */
static inline struct slot *current_slot(void)
{
    return slot_of((uintptr_t)__builtin_frame_address(0));
}

struct worker *smr_worker_acquire(bool wait);
void smr_worker_release(struct worker *worker);
bool smr_stacks_prepare(struct worker *worker, uint32_t count);
void *smr_stack_prepare(struct worker *worker, uint32_t index, void (*start)(void));
void smr_stacks_after_fork(void);

#endif

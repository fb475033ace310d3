/* Which thread of a threadgroup runs next, and when those that wait go on.
 *
 * The threads of a simdgroup run one after another, each until it waits or returns. When none can go
 * on, those that wait for their simdgroup at one place are released. When no simdgroup can go on, the
 * threads at the threadgroup's barrier are. Whoever waits switches to the next thread directly. */
#include "schedule.h"

#include <string.h>

#include "exchange.h"
#include "place.h"
#include "races.h"
#include "random.h"
#include "report.h"
#include "stacks.h"
#include "switch.h"

static uint32_t lanes_mask(struct simdgroup const *simdgroup)
{
    return simdgroup->lanes == SMR_SIMDGROUP ? ~0u : (1u << simdgroup->lanes) - 1;
}

static void note_thread(struct fiber const *fiber, bool waits, struct smr_position *position, uint64_t *code)
{
    *position = smr_position_of(&fiber->thread);
    if (waits)
        smr_place_code(&fiber->place, code);
    else
        memset(code, 0, SMR_CODE_DEPTH * sizeof *code);
}

/* Counts a barrier that `waiting` waits at and `other` is not at; strictly, it ends the run. */
static void divergent_barrier(struct worker *worker, struct fiber const *waiting, struct fiber const *other,
                              bool other_waits, uint32_t count, uint32_t expected)
{
    struct smr_report *report = &worker->report;
    if (report->divergent_barriers++ == 0) {
        struct smr_divergence *divergence = &report->divergence;
        note_thread(waiting, true, &divergence->waiting, divergence->waiting_code);
        note_thread(other, other_waits, &divergence->other, divergence->other_code);
        divergence->waiting_threads = count;
        divergence->expected_threads = expected;
        divergence->is_simdgroup = waiting->wait == SIMDGROUP_BARRIER;
    }
    if (worker->run->dispatch->strict)
        smr_escape(worker, SMR_DIVERGENCE);
}

/* ---- simdgroups */

/* The lanes, among those that wait for their simdgroup, that are released together: those at one
 * place. Of several places the first comes first (place.c), since lanes that skipped a branch, or
 * left a loop, wait behind it for those inside. */
static uint32_t lanes_at_first_place(struct simdgroup *simdgroup)
{
    struct fiber *first = NULL;
    uint32_t mask = 0;
    for (uint32_t rest = simdgroup->waits_for_simdgroup; rest; rest &= rest - 1) {
        uint32_t lane = (uint32_t)__builtin_ctz(rest);
        struct fiber *fiber = &simdgroup->first[lane];
        bool is_same = first && fiber->place.identity == first->place.identity;
        if (!first || (!is_same && smr_place_compare(&fiber->place, &first->place) < 0)) {
            first = fiber;
            mask = 0;
            is_same = true;
        }
        if (is_same)
            mask |= 1u << lane;
    }
    return mask;
}

static void partial_simdgroup(struct worker *worker, struct simdgroup *simdgroup, uint32_t mask)
{
    struct fiber *waiting = &simdgroup->first[__builtin_ctz(mask)];
    if (waiting->wait == EXCHANGE) {
        worker->report.partial_collectives++;
        return;
    }
    uint32_t other = (uint32_t)__builtin_ctz(lanes_mask(simdgroup) & ~mask);
    bool waits = (simdgroup->waits_for_simdgroup | simdgroup->waits_for_threadgroup) >> other & 1;
    divergent_barrier(worker, waiting, &simdgroup->first[other], waits, (uint32_t)__builtin_popcount(mask),
                      simdgroup->lanes);
}

static void release_simdgroup(struct worker *worker, struct simdgroup *simdgroup)
{
    uint32_t mask = lanes_at_first_place(simdgroup);
    struct fiber *first = &simdgroup->first[__builtin_ctz(mask)];
    if (mask != (simdgroup->waits_for_simdgroup | simdgroup->waits_for_threadgroup))
        worker->report.mixed_collectives++;
    if (mask != lanes_mask(simdgroup))
        partial_simdgroup(worker, simdgroup, mask);
    if (first->wait == EXCHANGE)
        smr_exchange_complete(simdgroup, mask);
    if (worker->races)
        smr_races_simdgroup(worker->races, simdgroup, mask, first->flags, first->wait == SIMDGROUP_BARRIER);
    simdgroup->waits_for_simdgroup &= ~mask;
    simdgroup->ready |= mask;
    simdgroup->next = 0;
    if (worker->run->dispatch->order == SMR_RANDOM)
        smr_make_order(simdgroup->order, simdgroup->lanes, SMR_RANDOM, &worker->random);
}

/* ---- the threadgroup */

/* The first thread that is not at the barrier of `waiting`; NULL: all are. */
static struct fiber *missing_thread(struct worker *worker, struct fiber const *waiting, bool *waits, uint32_t *count)
{
    struct fiber *missing = NULL;
    for (uint32_t i = 0; i < worker->thread_count; i++) {
        struct fiber *fiber = &worker->fiber[i];
        struct simdgroup *simdgroup = &worker->simdgroup[fiber->thread.simdgroup];
        bool is_waiting = simdgroup->waits_for_threadgroup >> fiber->thread.lane & 1;
        if (is_waiting && fiber->place.identity == waiting->place.identity) {
            ++*count;
        } else if (!missing) {
            missing = fiber;
            *waits = is_waiting;
        }
    }
    return missing;
}

static void prepare_orders(struct worker *worker, enum smr_order order)
{
    smr_make_order(worker->simdgroup_order, worker->simdgroup_count, order, &worker->random);
    for (uint32_t i = 0; i < worker->simdgroup_count; i++) {
        struct simdgroup *simdgroup = &worker->simdgroup[i];
        smr_make_order(simdgroup->order, simdgroup->lanes, order, &worker->random);
    }
}

/* Lets the threads at the threadgroup's barrier go on; false: there are none. */
static bool release_threadgroup(struct worker *worker)
{
    struct fiber *first = NULL;
    for (uint32_t i = 0; i < worker->simdgroup_count && !first; i++) {
        struct simdgroup *simdgroup = &worker->simdgroup[i];
        if (simdgroup->waits_for_threadgroup)
            first = &simdgroup->first[__builtin_ctz(simdgroup->waits_for_threadgroup)];
    }
    if (!first)
        return false;
    if (atomic_load_explicit(&worker->run->stop, memory_order_relaxed) != RUNNING)
        smr_escape(worker, SMR_DONE);
    bool waits = false;
    uint32_t count = 0;
    struct fiber *missing = missing_thread(worker, first, &waits, &count);
    if (missing)
        divergent_barrier(worker, first, missing, waits, count, worker->thread_count);
    if (worker->races)
        smr_races_threadgroup_barrier(worker->races, first->flags);
    for (uint32_t i = 0; i < worker->simdgroup_count; i++) {
        struct simdgroup *simdgroup = &worker->simdgroup[i];
        simdgroup->ready |= simdgroup->waits_for_threadgroup;
        simdgroup->waits_for_threadgroup = 0;
        simdgroup->next = 0;
    }
    worker->simdgroup_next = 0;
    if (worker->run->dispatch->order == SMR_RANDOM)
        prepare_orders(worker, SMR_RANDOM);
    return true;
}

/* ---- fibers */

/* The thread to run next; NULL: all have returned. */
static struct fiber *next_fiber(struct worker *worker)
{
    for (;;) {
        while (worker->simdgroup_next < worker->simdgroup_count) {
            struct simdgroup *simdgroup = &worker->simdgroup[worker->simdgroup_order[worker->simdgroup_next]];
            while (simdgroup->next < simdgroup->lanes) {
                uint32_t lane = simdgroup->order[simdgroup->next++];
                if (simdgroup->ready >> lane & 1)
                    return &simdgroup->first[lane];
            }
            if (simdgroup->waits_for_simdgroup)
                release_simdgroup(worker, simdgroup);
            else
                worker->simdgroup_next++;
        }
        if (!release_threadgroup(worker))
            return NULL;
    }
}

/* The calling thread waits until others have come as far. */
void smr_wait(struct slot *slot, enum wait_kind kind, void **frame)
{
    struct worker *worker = slot->worker;
    struct fiber *fiber = slot->fiber;
    if (!worker->run->dispatch->uses_fibers)
        __smr_fail("a barrier or a simdgroup function in a kernel that was said to have none");
    struct simdgroup *simdgroup = &worker->simdgroup[fiber->thread.simdgroup];
    uint32_t lane = 1u << fiber->thread.lane;
    fiber->wait = (uint8_t)kind;
    smr_place_note(fiber, frame);
    simdgroup->ready &= ~lane;
    if (kind == THREADGROUP_BARRIER)
        simdgroup->waits_for_threadgroup |= lane;
    else
        simdgroup->waits_for_simdgroup |= lane;
    struct fiber *next = next_fiber(worker);
    if (next == fiber)
        return;
    worker->report.switches++;
    smr_switch(&fiber->stack_pointer, next->stack_pointer);
}

static void fiber_main(void)
{
    struct slot *slot = current_slot();
    struct worker *worker = slot->worker;
    struct fiber *fiber = slot->fiber;
    worker->run->dispatch->entry(&fiber->thread);
    worker->simdgroup[fiber->thread.simdgroup].ready &= ~(1u << fiber->thread.lane);
    struct fiber *next = next_fiber(worker);
    worker->report.switches++;
    smr_switch(&fiber->stack_pointer, next ? next->stack_pointer : worker->host_stack_pointer);
    __builtin_trap(); /* nobody switches to a thread that has returned */
}

static void prepare_simdgroup(struct worker *worker, uint32_t index)
{
    struct simdgroup *simdgroup = &worker->simdgroup[index];
    uint32_t begin = index * SMR_SIMDGROUP;
    uint32_t rest = worker->thread_count - begin;
    simdgroup->first = &worker->fiber[begin];
    simdgroup->lanes = rest < SMR_SIMDGROUP ? rest : SMR_SIMDGROUP;
    simdgroup->next = 0;
    simdgroup->ready = lanes_mask(simdgroup);
    simdgroup->waits_for_simdgroup = simdgroup->waits_for_threadgroup = 0;
    smr_exchange_reset(simdgroup);
}

/* Runs the threadgroup whose threads are in worker->fiber. */
void smr_run_fibers(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->thread_count; i++) {
        worker->fiber[i].stack_pointer = smr_stack_prepare(worker, i, fiber_main);
        worker->fiber[i].loop_count = 0;
    }
    for (uint32_t i = 0; i < worker->simdgroup_count; i++)
        prepare_simdgroup(worker, i);
    worker->simdgroup_next = 0;
    prepare_orders(worker, (enum smr_order)worker->run->dispatch->order);
    smr_switch(&worker->host_stack_pointer, next_fiber(worker)->stack_pointer);
}

/* ---- what kernels call */

SMR_EXPORT void __smr_threadgroup_barrier(int flags)
{
    struct slot *slot = current_slot();
    slot->fiber->flags = flags;
    smr_wait(slot, THREADGROUP_BARRIER, __builtin_frame_address(0));
}

SMR_EXPORT void __smr_simdgroup_barrier(int flags)
{
    struct slot *slot = current_slot();
    slot->fiber->flags = flags;
    smr_wait(slot, SIMDGROUP_BARRIER, __builtin_frame_address(0));
}

SMR_EXPORT unsigned long long __smr_exchange(unsigned long long value, unsigned int size, unsigned long long mask)
{
    struct slot *slot = current_slot();
    struct fiber *fiber = slot->fiber;
    if (size > SMR_SLOT_BYTES)
        __smr_fail("a simdgroup function exchanges at most 32 bytes of each thread");
    fiber->published = (void const *)(uintptr_t)value;
    fiber->published_bytes = size;
    smr_wait(slot, EXCHANGE, __builtin_frame_address(0));
    *(uint32_t *)(uintptr_t)mask = fiber->active_mask;
    struct simdgroup *simdgroup = &slot->worker->simdgroup[fiber->thread.simdgroup];
    return (unsigned long long)(uintptr_t)simdgroup->slots[fiber->bank[1]];
}

SMR_EXPORT unsigned int __smr_lane(void) { return current_slot()->fiber->thread.lane; }

/* One worker: its threadgroups one after another, and the threads of each. */
#include "threadgroups.h"

#include <string.h>

#include "races.h"
#include "random.h"
#include "schedule.h"
#include "threadgroup_memory.h"

/* ---- threads */

/* What all threads of a threadgroup have in common. */
static void describe_threadgroup(struct worker *worker, uint64_t index, struct smr_thread *thread)
{
    struct run const *run = worker->run;
    struct smr_dispatch const *dispatch = run->dispatch;
    uint32_t position[3], threads = 1, whole = 1;
    position[0] = (uint32_t)(index % run->threadgroups[0]);
    position[1] = (uint32_t)(index / run->threadgroups[0] % run->threadgroups[1]);
    position[2] = (uint32_t)(index / run->threadgroups[0] / run->threadgroups[1]);
    for (int axis = 0; axis < 3; axis++) {
        uint32_t size = dispatch->threads_per_threadgroup[axis];
        uint32_t rest = dispatch->grid[axis] - position[axis] * size;
        thread->threadgroup_position[axis] = position[axis];
        thread->threads_per_grid[axis] = dispatch->grid[axis];
        thread->threads_per_threadgroup[axis] = rest < size ? rest : size;
        thread->dispatch_threads_per_threadgroup[axis] = size;
        thread->threadgroups_per_grid[axis] = run->threadgroups[axis];
        threads *= thread->threads_per_threadgroup[axis];
        whole *= size;
    }
    worker->thread_count = threads;
    worker->simdgroup_count = (threads + SMR_SIMDGROUP - 1) / SMR_SIMDGROUP;
    thread->simdgroups = worker->simdgroup_count;
    thread->dispatch_simdgroups = (whole + SMR_SIMDGROUP - 1) / SMR_SIMDGROUP;
    thread->buffers = (unsigned long long const *)dispatch->buffers;
    thread->bindings = dispatch->bindings;
    thread->threadgroup = (unsigned long long const *)worker->threadgroup_addresses;
}

/* Makes `thread` the one with this index in its threadgroup. */
static inline void become(struct smr_thread *thread, uint32_t index)
{
    uint32_t width = thread->threads_per_threadgroup[0], height = thread->threads_per_threadgroup[1];
    uint32_t position[3] = {index, 0, 0};
    if (index >= width) { /* no division for threadgroups of one row */
        position[1] = index / width;
        position[0] = index - position[1] * width;
        position[2] = position[1] / height;
        position[1] -= position[2] * height;
    }
    for (int axis = 0; axis < 3; axis++) {
        thread->position_in_threadgroup[axis] = position[axis];
        thread->position_in_grid[axis] =
            thread->threadgroup_position[axis] * thread->dispatch_threads_per_threadgroup[axis] + position[axis];
    }
    thread->index_in_threadgroup = index;
    thread->lane = index % SMR_SIMDGROUP;
    thread->simdgroup = index / SMR_SIMDGROUP;
}

/* ---- threadgroups */

/* All threads as fibers. */
static void run_with_fibers(struct worker *worker, struct smr_thread const *common)
{
    for (uint32_t index = 0; index < worker->thread_count; index++) {
        worker->fiber[index].thread = *common;
        become(&worker->fiber[index].thread, index);
    }
    smr_run_fibers(worker);
}

/* All threads one after another, on the caller's stack, which is that of the first fiber. */
static void run_in_loop(struct worker *worker, struct smr_thread const *common)
{
    struct smr_dispatch const *dispatch = worker->run->dispatch;
    struct smr_thread *thread = &worker->fiber[0].thread;
    smr_entry entry = dispatch->entry;
    uint32_t count = worker->thread_count;
    *thread = *common;
    if (dispatch->order == SMR_FORWARD) {
        for (uint32_t index = 0; index < count; index++) {
            become(thread, index);
            entry(thread);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_random = dispatch->order == SMR_RANDOM;
        become(thread, is_random ? (uint32_t)smr_permuted(i, count, worker->random) : count - 1 - i);
        entry(thread);
    }
}

static uint64_t threadgroup_at(struct run const *run, uint64_t turn)
{
    switch ((enum smr_order)run->dispatch->order) {
    case SMR_REVERSE:
        return run->threadgroup_total - 1 - turn;
    case SMR_RANDOM:
        return smr_permuted(turn, run->threadgroup_total, run->dispatch->seed);
    default:
        return turn;
    }
}

static bool run_threadgroup(struct worker *worker, uint64_t index)
{
    struct smr_thread common;
    describe_threadgroup(worker, index, &common);
    /* The order depends on the threadgroup alone, not on the worker that it came to. */
    worker->random = worker->run->dispatch->seed ^ (index + 1) * 0xD1342543DE82EF95u;
    if (worker->races)
        smr_races_threadgroup(worker->races, index);
    if (!smr_threadgroup_memory_begin(worker)) {
        memcpy(worker->report.position.threadgroup, common.threadgroup_position, sizeof common.threadgroup_position);
        return false;
    }
    if (worker->run->dispatch->uses_fibers)
        run_with_fibers(worker, &common);
    else
        run_in_loop(worker, &common);
    smr_threadgroup_memory_end(worker);
    if (worker->report.status == SMR_DONE)
        return true;
    memcpy(worker->report.position.threadgroup, common.threadgroup_position, sizeof common.threadgroup_position);
    return false;
}

void smr_run_threadgroups(struct worker *worker)
{
    struct run *run = worker->run;
    for (;;) {
        if (atomic_load_explicit(&run->stop, memory_order_relaxed) != RUNNING)
            return;
        uint64_t turn = atomic_fetch_add_explicit(&run->next_threadgroup, 1, memory_order_relaxed);
        if (turn >= run->threadgroup_total || !run_threadgroup(worker, threadgroup_at(run, turn)))
            return;
    }
}

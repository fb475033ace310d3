/* A run: all threadgroups of one dispatch, spread over workers. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "runtime.h"

#define HOST_STACK_BYTES ((size_t)256 << 10) /* of a worker's own thread; kernels run on stacks.c's */

/* ---- reports */

struct smr_position smr_position_of(struct smr_thread const *thread)
{
    struct smr_position position;
    for (int axis = 0; axis < 3; axis++) {
        position.threadgroup[axis] = thread->threadgroup_position[axis];
        position.thread[axis] = thread->position_in_threadgroup[axis];
    }
    return position;
}

/* Notes which thread it was, and where: at `code`, in calls of which `frame` is the innermost. */
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

/* Ends the run at the call of the function whose frame it is. */
static _Noreturn void escape_at(struct slot *slot, void **frame, enum smr_status status)
{
    smr_report_thread(slot->worker, slot->fiber, (uintptr_t)frame[1] - 1, frame[0]);
    smr_escape(slot->worker, status);
}

SMR_EXPORT void __smr_fail(char const *message)
{
    struct slot *slot = current_slot();
    strncpy(slot->worker->report.message, message, SMR_MESSAGE_BYTES - 1);
    escape_at(slot, __builtin_frame_address(0), SMR_FAILED);
}

SMR_EXPORT void __smr_outside_texture(struct smr_texture const *texture, long x, long y, int is_write)
{
    struct slot *slot = current_slot();
    snprintf(slot->worker->report.message, SMR_MESSAGE_BYTES, "%s %s at (%ld, %ld), but %s",
             is_write ? "wrote" : "read", texture->name, x, y,
             texture->address ? "" : "nothing is bound there");
    if (texture->address) {
        size_t length = strlen(slot->worker->report.message);
        snprintf(slot->worker->report.message + length, SMR_MESSAGE_BYTES - length,
                 "its width is %u and its height %u", texture->width, texture->height);
    }
    escape_at(slot, __builtin_frame_address(0), SMR_OUTSIDE_TEXTURE);
}

SMR_EXPORT void __smr_undefined_division(void)
{
    struct slot *slot = current_slot();
    slot->worker->report.undefined_divisions++;
    if (slot->worker->run->dispatch->strict)
        escape_at(slot, __builtin_frame_address(0), SMR_DIVISION);
}

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

static void run_threadgroups(struct worker *worker)
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

/* ---- workers */

static void loop_main(void)
{
    struct slot *slot = current_slot();
    run_threadgroups(slot->worker);
    smr_switch(&slot->fiber->stack_pointer, slot->worker->host_stack_pointer);
    __builtin_trap(); /* nobody switches back */
}

/* Everything that a signal, or a failing thread, may leave by siglongjmp. */
__attribute__((noinline)) static void run_until_escape(struct worker *worker)
{
    if (sigsetjmp(worker->escape, 1) != 0)
        return;
    if (worker->run->dispatch->uses_fibers)
        run_threadgroups(worker);
    else
        smr_switch(&worker->host_stack_pointer, smr_stack_prepare(worker, 0, loop_main));
}

static bool worker_prepare(struct worker *worker)
{
    struct smr_dispatch const *dispatch = worker->run->dispatch;
    uint32_t const *size = dispatch->threads_per_threadgroup;
    uint32_t stacks = dispatch->uses_fibers ? size[0] * size[1] * size[2] : 1;
    worker->races = NULL;
    if (!smr_stacks_prepare(worker, stacks))
        return false;
    if (dispatch->check_races)
        worker->races = smr_races_begin(worker);
    return !dispatch->check_races || worker->races;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    stack_t signal_stack;
    sigset_t signal_mask;
    smr_signals_enter(worker, &signal_stack, &signal_mask);
    smr_watchdog_register(worker, true);
    uint64_t mode = smr_float_mode_enter(worker->run->dispatch->flush_denormals);
    if (worker_prepare(worker))
        run_until_escape(worker);
    else
        worker->report.status = SMR_NO_MEMORY;
    smr_float_mode_leave(mode);
    smr_watchdog_register(worker, false);
    smr_signals_leave(&signal_stack, &signal_mask);
    atomic_store(&worker->critical, 0);
    if (worker->races)
        smr_races_end(worker->races);
    worker->races = NULL;
    if (worker->report.status != SMR_DONE) {
        smr_threadgroup_memory_repair(worker);
        smr_watchdog_stop_others(worker->run);
    }
    return NULL;
}

/* Runs all workers, the first on the calling thread. Where the system gives no more threads, those
 * that there are do all. */
static void run_workers(struct run *run)
{
    pthread_t thread[WORKERS_MAXIMUM];
    uint32_t started = 1;
    sigset_t all, previous;
    pthread_attr_t attributes;
    if (run->worker_count > 1) {
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, HOST_STACK_BYTES);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &previous); /* others' signals are not for our threads */
        while (started < run->worker_count
               && pthread_create(&thread[started], &attributes, worker_main, run->worker[started]) == 0)
            started++;
        pthread_sigmask(SIG_SETMASK, &previous, NULL);
        pthread_attr_destroy(&attributes);
    }
    worker_main(run->worker[0]);
    for (uint32_t i = 1; i < started; i++)
        pthread_join(thread[i], NULL);
}

static void acquire_workers(struct run *run)
{
    uint64_t wanted = run->dispatch->workers;
    if (wanted > run->threadgroup_total)
        wanted = run->threadgroup_total;
    if (wanted > WORKERS_MAXIMUM)
        wanted = WORKERS_MAXIMUM;
    if (run->dispatch->check_races)
        wanted = 1; /* what is found does not depend on timing; one worker needs no locks */
    while (run->worker_count < wanted) {
        struct worker *worker = smr_worker_acquire(run->worker_count == 0);
        if (!worker)
            return;
        worker->run = run;
        worker->is_registered = false;
        memset(&worker->report, 0, sizeof worker->report);
        run->worker[run->worker_count++] = worker;
    }
}

static bool is_graver(enum smr_status status, enum smr_status than)
{
    return status != SMR_DONE && (than == SMR_DONE || than == SMR_TIMEOUT);
}

static void merge(struct smr_report *into, struct smr_report const *part)
{
    struct smr_report sums = *into;
    if (is_graver((enum smr_status)part->status, (enum smr_status)into->status))
        *into = *part;
    into->divergence = sums.divergent_barriers ? sums.divergence : part->divergence;
    into->divergent_barriers = sums.divergent_barriers + part->divergent_barriers;
    into->mixed_collectives = sums.mixed_collectives + part->mixed_collectives;
    into->partial_collectives = sums.partial_collectives + part->partial_collectives;
    into->undefined_divisions = sums.undefined_divisions + part->undefined_divisions;
    into->switches = sums.switches + part->switches;
    into->threadgroup_bytes =
        sums.threadgroup_bytes > part->threadgroup_bytes ? sums.threadgroup_bytes : part->threadgroup_bytes;
    if (part->races > 0) { /* then there is one worker */
        into->races = part->races;
        into->distinct_races = part->distinct_races;
        memcpy(into->race, part->race, sizeof into->race);
    }
}

static void run_and_report(struct run *run, struct smr_report *report)
{
    if (!smr_signals_acquire()) {
        report->status = SMR_NO_MEMORY;
        return;
    }
    if (smr_watchdog_add(run)) {
        run_workers(run);
        smr_watchdog_remove(run);
        for (uint32_t i = 0; i < run->worker_count; i++)
            merge(report, &run->worker[i]->report);
        if (report->status == SMR_DONE && atomic_load(&run->stop) == STOPPED_BY_TIMEOUT)
            report->status = SMR_TIMEOUT;
    } else {
        report->status = SMR_NO_MEMORY;
    }
    smr_signals_release();
}

/* Runs a dispatch to its end, on the calling thread and, if more workers are asked for, on others. */
SMR_EXPORT void smr_run(struct smr_dispatch const *dispatch, struct smr_report *report)
{
    uint64_t begin = smr_clock_nanoseconds();
    struct run run = {.dispatch = dispatch, .threadgroup_total = 1, .deadline = UINT64_MAX};
    memset(report, 0, sizeof *report);
    for (int axis = 0; axis < 3; axis++) {
        uint32_t size = dispatch->threads_per_threadgroup[axis];
        run.threadgroups[axis] = (uint32_t)(((uint64_t)dispatch->grid[axis] + size - 1) / size);
        run.threadgroup_total *= run.threadgroups[axis];
    }
    if (dispatch->timeout_nanoseconds > 0)
        run.deadline = begin + dispatch->timeout_nanoseconds;
    acquire_workers(&run);
    if (run.worker_count == 0)
        report->status = SMR_NO_MEMORY;
    else
        run_and_report(&run, report);
    for (uint32_t i = 0; i < run.worker_count; i++)
        smr_worker_release(run.worker[i]);
    report->nanoseconds = smr_clock_nanoseconds() - begin;
}

/* Where the library that has an address begins; the address itself where none is known. */
SMR_EXPORT uint64_t smr_library_begin(uint64_t address)
{
    Dl_info library;
    bool is_known = dladdr((void *)(uintptr_t)address, &library) != 0;
    return is_known ? (uint64_t)(uintptr_t)library.dli_fbase : address;
}

/* The name of the library that has an address, as it was loaded. */
SMR_EXPORT char const *smr_library_name(uint64_t address)
{
    Dl_info library;
    return dladdr((void *)(uintptr_t)address, &library) ? library.dli_fname : NULL;
}

/* In the child of a fork. */
SMR_EXPORT void smr_after_fork(void)
{
    smr_stacks_after_fork();
    smr_signals_after_fork();
    smr_watchdog_after_fork();
}

/* Sizes of the structures that Python has too. */
SMR_EXPORT void smr_layout(uint64_t sizes[4])
{
    sizes[0] = sizeof(struct smr_dispatch);
    sizes[1] = sizeof(struct smr_report);
    sizes[2] = sizeof(struct smr_divergence);
    sizes[3] = sizeof(struct smr_race);
}

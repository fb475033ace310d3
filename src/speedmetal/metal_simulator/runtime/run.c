/* A run: all threadgroups of one dispatch, spread over workers. */
#include <string.h>

#include "floats.h"
#include "races.h"
#include "signals.h"
#include "stacks.h"
#include "switch.h"
#include "threadgroup_memory.h"
#include "threadgroups.h"
#include "watchdog.h"

#define HOST_STACK_BYTES ((size_t)256 << 10) /* of a worker's own thread; kernels run on stacks.c's */

/* ---- workers */

static void loop_main(void)
{
    struct slot *slot = current_slot();
    smr_run_threadgroups(slot->worker);
    smr_switch(&slot->fiber->stack_pointer, slot->worker->host_stack_pointer);
    __builtin_trap(); /* nobody switches back */
}

/* Everything that a signal, or a failing thread, may leave by siglongjmp. */
__attribute__((noinline)) static void run_until_escape(struct worker *worker)
{
    if (sigsetjmp(worker->escape, 1) != 0)
        return;
    if (worker->run->dispatch->uses_fibers)
        smr_run_threadgroups(worker);
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

/* The state of a run, which all parts of the runtime work on. How it works:
 *
 * A run is one dispatch. It has workers, each an OS thread that takes one threadgroup after another.
 * A worker runs the threads of a threadgroup as fibers: each has a stack of its own, and a barrier or
 * a simdgroup exchange switches to the next fiber (schedule.c). Kernels without either run in a loop
 * on one stack (threadgroups.c).
 *
 * All stacks lie in one reserved range of addresses, in slots aligned to their size. So any address
 * of a stack, be it the stack pointer or one that a signal handler got, tells worker and fiber
 * without thread-local storage, which would not be safe in signal handlers (stacks.h).
 *
 * Includes go one way. At the bottom is this file; at the top is run.c, which Python calls. What a
 * part offers to others stands in its header: checks.c, tsan.c and run.c offer to programs and to
 * Python alone, in abi.h and interface.h. */
#ifndef SPEEDMETAL_STATE_H
#define SPEEDMETAL_STATE_H

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "interface.h"

#define SMR_EXPORT __attribute__((visibility("default")))

#define THREADS_MAXIMUM 1024 /* of a threadgroup: the limit of Apple's GPUs */
#define SIMDGROUPS_MAXIMUM (THREADS_MAXIMUM / SMR_SIMDGROUP)
#define WORKERS_MAXIMUM 24   /* in all runs together: a worker with all its stacks takes 2048 of the 65530 mappings of Linux */
#define STACK_BYTES ((size_t)512 << 10)       /* addresses of one stack */
#define STACK_GUARD_BYTES ((size_t)128 << 10) /* of these, at the low end, without memory */
#define SITES_MAXIMUM 1024   /* arrays of threadgroup memory of a program */
#define CALLS_MAXIMUM 16     /* that lead to a wait: beyond, the outermost do not tell places apart */
#define LOOPS_MAXIMUM 24     /* around a wait */
#define STEPS_MAXIMUM (CALLS_MAXIMUM + 2 * LOOPS_MAXIMUM)
#define BANKS 64             /* of exchanged values: two for each lane, see exchange.c */

/* ---- places of the program */

/* The way that leads to a wait, outermost first: for each call its return address, and before it,
 * for each loop that it stands in, the loop's address and the turn. Two lanes wait together if they
 * came the same way; a return address alone would not tell two calls of one helper apart. */
struct place {
    uint64_t identity; /* a hash over all steps */
    uint32_t count;
    uint32_t calls;
    uintptr_t steps[STEPS_MAXIMUM];
    uintptr_t code[CALLS_MAXIMUM]; /* the return addresses alone, innermost first */
};

struct loop {
    uintptr_t code;  /* behind the call of __smr_loop_enter */
    uintptr_t frame; /* of the function that the loop is in */
    uint32_t turn;
};

/* ---- threads */

#define MEMORY_DEVICE 1 /* mem_flags, with Metal's values */
#define MEMORY_THREADGROUP 2

enum wait_kind { THREADGROUP_BARRIER, SIMDGROUP_BARRIER, EXCHANGE };

struct fiber {
    void *stack_pointer; /* while it does not run */
    uint8_t wait;        /* enum wait_kind: what it waits at */
    int8_t bank[2];       /* of the last exchange but one, and the last; -1: none */
    int flags;            /* mem_flags of the barrier that it waits at */
    uint32_t active_mask; /* of the exchange that released it */
    void const *published;
    uint32_t published_bytes;
    struct place place;
    uint32_t loop_count;
    struct loop loop[LOOPS_MAXIMUM]; /* that the thread is in, outermost first */
    struct smr_thread thread;
};

/* What orders accesses of two lanes: times are those of `struct races`. */
enum order_kind { ORDER_EXECUTION, ORDER_DEVICE, ORDER_THREADGROUP, ORDER_KINDS };

struct known_times {
    uint32_t all[ORDER_KINDS]; /* every lane knows what every lane did before */
    int last_flags; /* mem_flags of the last barrier or function of the simdgroup */
    bool last_is_barrier;
    bool has_partial;
    uint32_t lane[ORDER_KINDS][SMR_SIMDGROUP][SMR_SIMDGROUP]; /* [knows][did]: before when */
};

struct simdgroup {
    struct fiber *first;
    uint32_t lanes;
    uint32_t next; /* position in `order` */
    /* One bit for each lane; a lane in none of them has returned. */
    uint32_t ready, waits_for_simdgroup, waits_for_threadgroup;
    uint64_t used_banks;
    uint8_t bank_users[BANKS];
    uint8_t order[SMR_SIMDGROUP];
    struct known_times known;
    char slots[BANKS][SMR_SIMDGROUP][SMR_SLOT_BYTES] __attribute__((aligned(64)));
};

/* ---- threadgroup memory: guard page, the array with unused bytes before or behind it, guard page */

struct site {
    char *mapping;
    size_t mapping_bytes;
    char *memory; /* behind the first guard page */
    size_t memory_bytes;
    uintptr_t address;
    size_t size_bytes;
    uint64_t threadgroup; /* that it was made ready for: worker->threadgroup_serial */
};

struct slot;
struct races;
struct tables;

struct worker {
    struct run *run;
    pthread_t os_thread;
    bool is_registered; /* os_thread may be signalled; under the run's lock */
    atomic_int critical; /* above 0: must not be left by a signal */
    sigjmp_buf escape;
    char *signal_stack;
    struct smr_report report;
    uint64_t random;
    uint64_t threadgroup_serial; /* counts threadgroups over the worker's life */
    uint64_t threadgroup_bytes;  /* of the current threadgroup */
    void *host_stack_pointer;    /* of threadgroups.c while fibers run */
    uint32_t thread_count, simdgroup_count, simdgroup_next;
    uint8_t simdgroup_order[SIMDGROUPS_MAXIMUM];
    uint32_t stacks_ready;
    uintptr_t stacks; /* the lowest address */
    struct races *races;
    uint8_t *shadow; /* where there are races: of the stacks, see own_arrays.c */
    struct tables const *tables;
    uint64_t threadgroup_addresses[SMR_THREADGROUP_SLOTS];
    uint32_t sites_used;
    uint32_t site_list[SITES_MAXIMUM];
    struct site site[SITES_MAXIMUM];
    struct simdgroup simdgroup[SIMDGROUPS_MAXIMUM];
    struct fiber fiber[THREADS_MAXIMUM];
};

enum stop_reason { RUNNING, STOPPED_BY_FAILURE, STOPPED_BY_TIMEOUT };

struct run {
    struct smr_dispatch const *dispatch;
    uint32_t threadgroups[3];
    uint64_t threadgroup_total;
    atomic_uint_fast64_t next_threadgroup;
    atomic_int stop;
    uint64_t deadline; /* of clock_nanoseconds(); UINT64_MAX: none */
    uint32_t worker_count;
    struct worker *worker[WORKERS_MAXIMUM];
    struct run *previous, *next; /* the watchdog's list */
};

#endif

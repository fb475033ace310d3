/* The runtime's own structures. How it works:
 *
 * A run is one dispatch. It has workers, each an OS thread that takes one threadgroup after another.
 * A worker runs the threads of a threadgroup as fibers: each has a stack of its own, and a barrier or
 * a simdgroup exchange switches to the next fiber (schedule.c). Kernels without either run in a loop
 * on one stack (run.c).
 *
 * All stacks lie in one reserved range of addresses, in slots aligned to their size. So any address
 * of a stack, be it the stack pointer or one that a signal handler got, tells worker and fiber
 * without thread-local storage, which would not be safe in signal handlers (stacks.c). */
#ifndef SPEEDMETAL_RUNTIME_H
#define SPEEDMETAL_RUNTIME_H

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
    void *host_stack_pointer;    /* of run.c while fibers run */
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

/* ---- stacks.c */

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

/* ---- switch.c */

/* Saves the caller's registers on its stack and its stack pointer to *save; goes on where the stack
 * `to` left off. */
void smr_switch(void **save, void *to);
void *smr_initial_stack(uintptr_t top, void (*start)(void));

/* ---- place.c */

void smr_place_note(struct fiber *fiber, void **frame);
int smr_place_compare(struct place const *a, struct place const *b);
void smr_place_code(struct place const *place, uint64_t code[SMR_CODE_DEPTH]);

/* ---- schedule.c */

void smr_run_fibers(struct worker *worker);
void smr_wait(struct slot *slot, enum wait_kind kind, void **frame);

/* ---- exchange.c */

void smr_exchange_reset(struct simdgroup *simdgroup);
void smr_exchange_complete(struct simdgroup *simdgroup, uint32_t mask);

/* ---- random.c */

uint64_t smr_random(uint64_t *state);
void smr_make_order(uint8_t *order, uint32_t count, enum smr_order kind, uint64_t *random);
uint64_t smr_permuted(uint64_t index, uint64_t count, uint64_t seed);

/* ---- threadgroup_memory.c */

bool smr_threadgroup_memory_begin(struct worker *worker);
void smr_threadgroup_memory_end(struct worker *worker);
void smr_threadgroup_memory_repair(struct worker *worker);
void smr_threadgroup_memory_locate(struct worker *worker, uint64_t address);

/* ---- guarded.c */

struct pages {
    char *begin, *end;
};

char *smr_map_guarded(size_t memory_bytes, size_t guard_bytes, size_t *mapping_bytes);
char *smr_place_memory(char *memory, size_t size_bytes, size_t alignment, enum smr_edge edge);
void smr_slack_fill(struct pages pages, char *memory, size_t size_bytes);
char const *smr_slack_damage(struct pages pages, char const *memory, size_t size_bytes);
size_t smr_page_bytes(void);

/* ---- signals.c */

bool smr_signals_acquire(void);
void smr_signals_release(void);
void smr_signals_after_fork(void);
bool smr_signal_stack_prepare(struct worker *worker);
void smr_signals_enter(struct worker *worker, stack_t *previous, sigset_t *mask);
void smr_signals_leave(stack_t const *previous, sigset_t const *mask);
void smr_kick(struct worker *worker);

/* ---- misaligned.c */

bool smr_report_misaligned(struct slot const *slot, ucontext_t const *context);

/* ---- watchdog.c */

uint64_t smr_clock_nanoseconds(void);
bool smr_watchdog_add(struct run *run);
void smr_watchdog_remove(struct run *run);
void smr_watchdog_register(struct worker *worker, bool is_registered);
void smr_watchdog_stop_others(struct run *run);
void smr_watchdog_after_fork(void);

/* ---- floats.c */

uint64_t smr_float_mode_enter(bool flush_denormals);
void smr_float_mode_leave(uint64_t saved);

/* ---- races.c */

enum access_kind { PLAIN_READ, PLAIN_WRITE, ATOMIC_CHANGE, ATOMIC_READ };

struct races *smr_races_begin(struct worker *worker);
void smr_races_end(struct races *races);
void smr_races_threadgroup(struct races *races, uint64_t index);
bool smr_races_threadgroup_memory(struct races *races, uintptr_t address, size_t size_bytes);
void smr_races_threadgroup_barrier(struct races *races, int flags);
void smr_races_simdgroup(struct races *races, struct simdgroup *simdgroup, uint32_t mask, int flags, bool is_barrier);
void smr_races_fence(struct races *races, uint32_t thread);
bool smr_races_access(struct slot *slot, uintptr_t address, size_t size_bytes, enum access_kind kind, uintptr_t code);

/* ---- own_arrays.c */

bool smr_own_arrays_begin(struct worker *worker, uintptr_t begin, uintptr_t end);
void smr_own_arrays_end(struct worker *worker);
bool smr_own_memory_is_right(struct slot const *slot, uintptr_t address, size_t size_bytes);
bool smr_table_is_right(struct worker const *worker, uintptr_t address, size_t size_bytes);
bool smr_locate_own_array(struct slot const *slot, uintptr_t address);

/* ---- run.c */

/* Ends the worker's run from anywhere on a fiber's stack. */
_Noreturn void smr_escape(struct worker *worker, enum smr_status status);
void smr_report_thread(struct worker *worker, struct fiber const *fiber, uintptr_t code, void **frame);
void smr_report_address(struct slot const *slot, uint64_t address);
uint64_t smr_library_begin(uint64_t address);
struct smr_position smr_position_of(struct smr_thread const *thread);

#endif

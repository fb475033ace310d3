/* What Python hands to the runtime and gets back. runtime/library.py has the same structures; the
 * sizes that smr_layout() tells are compared when the library is loaded. */
#ifndef SPEEDMETAL_INTERFACE_H
#define SPEEDMETAL_INTERFACE_H

#include <stdint.h>

#include "abi.h"

#define SMR_MESSAGE_BYTES 256
#define SMR_RACES 16     /* races that are told apart and described */
#define SMR_CODE_DEPTH 4 /* code addresses of a place: innermost first, 0 behind the last */

enum smr_order { SMR_FORWARD, SMR_REVERSE, SMR_RANDOM };

enum smr_status {
    SMR_DONE,
    SMR_FAULT,            /* a signal: see signal, access, address */
    SMR_TIMEOUT,          /* the watchdog ended the run */
    SMR_DIVERGENCE,       /* strict: a barrier that some threads did not reach */
    SMR_THREADGROUP_FULL, /* more threadgroup memory than the limit */
    SMR_DAMAGE,           /* bytes beside an array of threadgroup memory were written */
    SMR_FAILED,           /* __smr_fail: see message */
    SMR_NO_MEMORY,        /* the host has no memory or threads left */
    SMR_DIVISION,         /* strict: a division of integers that has no result */
    SMR_INDEX,            /* an array has no such element: see index, line, column, message (its type) */
    SMR_OWN_ARRAY,        /* beyond a thread's own array or a table of the text, by a pointer; where it
                           * is known: see index (a byte's), size_bytes (the array's), message (its name) */
    SMR_MISALIGNED,       /* see address, size_bytes, access */
    SMR_LANE,             /* a lane that no simdgroup has: see index, size_bytes (lanes) */
    SMR_OUTSIDE_TEXTURE   /* coordinates of no texel: see message */
};

/* Which end of memory touches a page without access. */
enum smr_edge { SMR_EDGE_END, SMR_EDGE_BEGIN };

enum smr_access { SMR_ACCESS_UNKNOWN, SMR_ACCESS_READ, SMR_ACCESS_WRITE };

struct smr_dispatch {
    smr_entry entry;
    uint64_t buffers[SMR_BUFFERS]; /* addresses; of nothing where nothing is bound */
    uint64_t buffer_bytes[SMR_BUFFERS];        /* from that address on; 0 where nothing is bound */
    uint64_t buffer_bytes_before[SMR_BUFFERS]; /* of the same buffer, before that address */
    uint64_t threadgroup_bytes[SMR_THREADGROUP_SLOTS];
    uint64_t threadgroup_limit; /* bytes, all arrays of a threadgroup together */
    uint64_t seed;
    uint64_t timeout_nanoseconds;         /* 0: never */
    uint32_t grid[3];                     /* threads */
    uint32_t threads_per_threadgroup[3];
    uint32_t order; /* smr_order */
    uint32_t workers;
    uint32_t uses_fibers;
    uint32_t poison;
    uint32_t flush_denormals;
    uint32_t strict;
    uint32_t check_races;
    uint32_t edge; /* smr_edge, of threadgroup memory */
    uint32_t other_count;
    uint64_t const *others; /* begins and ends of memory that the kernel may have the address of */
    struct smr_bindings const *bindings;
};

/* A thread of the grid. */
struct smr_position {
    uint32_t threadgroup[3];
    uint32_t thread[3]; /* in its threadgroup */
};

/* One side of a race. */
struct smr_party {
    struct smr_position position;
    uint32_t access; /* smr_access */
    uint32_t is_atomic;
    uint64_t code; /* an address in the kernel's code; 0: unknown */
};

struct smr_race {
    uint64_t address;
    uint64_t size_bytes;
    struct smr_party earlier, later;
    uint32_t meeting; /* smr_meeting */
    int32_t flags;    /* mem_flags of the barrier */
};

/* What the threads of a race met at between their accesses, though it does not order that memory. */
enum smr_meeting { SMR_NO_MEETING, SMR_THREADGROUP_BARRIER, SMR_SIMDGROUP_BARRIER, SMR_SIMDGROUP_FUNCTION };

/* The first barrier that some threads did not reach. */
struct smr_divergence {
    struct smr_position waiting, other;
    uint64_t waiting_code[SMR_CODE_DEPTH];
    uint64_t other_code[SMR_CODE_DEPTH]; /* 0: that thread has returned */
    uint32_t waiting_threads, expected_threads;
    uint32_t is_simdgroup; /* a simdgroup_barrier; else a threadgroup_barrier */
};

struct smr_report {
    uint32_t status; /* smr_status */
    uint32_t signal;
    uint32_t access;       /* smr_access */
    uint32_t has_position; /* whether `position` is known */
    struct smr_position position;
    uint64_t address;
    uint64_t size_bytes; /* of the access; 0: unknown */
    int64_t index;
    uint32_t line, column; /* of the array in the compiled text; 0: unknown */
    uint64_t code[SMR_CODE_DEPTH];
    int64_t threadgroup_site; /* declaration of threadgroup memory; -1 - n: [[threadgroup(n)]] */
    int64_t threadgroup_offset;
    uint32_t is_threadgroup_memory;
    uint32_t is_stack; /* the thread's own memory is exhausted */
    uint64_t divergent_barriers;
    uint64_t mixed_collectives;
    uint64_t partial_collectives;
    uint64_t undefined_divisions;
    uint64_t switches;
    uint64_t threadgroup_bytes;
    uint64_t nanoseconds;
    uint64_t races;
    uint64_t distinct_races;
    struct smr_divergence divergence;
    struct smr_race race[SMR_RACES];
    char message[SMR_MESSAGE_BYTES];
};

#endif

/* What clang calls at each access in programs built with -fsanitize=thread. The names are the
 * compiler's; its own detector is not linked, races.c takes the place. */
#include <string.h>

#include "addresses.h"
#include "own_arrays.h"
#include "races.h"
#include "report.h"
#include "stacks.h"

/* Constructors of a library are instrumented too, and run on stacks that are not ours. */
static inline struct slot *watched_slot(void)
{
    if (!is_stack_address((uintptr_t)__builtin_frame_address(0)))
        return NULL;
    struct slot *slot = current_slot();
    return slot->worker->races ? slot : NULL;
}

/* Ends the run at an access that must not be; `frame` is that of the function that the program called. */
static _Noreturn void end_run(struct slot *slot, uintptr_t address, size_t size_bytes, enum access_kind kind,
                              void **frame, enum smr_status status)
{
    struct smr_report *report = &slot->worker->report;
    report->access = kind == PLAIN_READ || kind == ATOMIC_READ ? SMR_ACCESS_READ : SMR_ACCESS_WRITE;
    report->size_bytes = size_bytes;
    smr_report_address(slot, address);
    if (status == SMR_FAULT && smr_locate_own_array(slot, address))
        status = SMR_OWN_ARRAY;
    smr_report_thread(slot->worker, slot->fiber, (uintptr_t)frame[1] - 1, frame[0]);
    smr_escape(slot->worker, status);
}

static inline void note(void const volatile *at, size_t size_bytes, enum access_kind kind, size_t alignment,
                        void **frame)
{
    struct slot *slot = watched_slot();
    uintptr_t address = (uintptr_t)at;
    if (!slot)
        return;
    if (address % alignment != 0)
        end_run(slot, address, alignment, kind, frame, SMR_MISALIGNED);
    if (!smr_races_access(slot, address, size_bytes, kind, (uintptr_t)frame[1] - 1))
        end_run(slot, address, size_bytes, kind, frame, SMR_FAULT);
}

#define NOTE_ALIGNED(address, bytes, kind, alignment) note(address, bytes, kind, alignment, __builtin_frame_address(0))
#define NOTE(address, bytes, kind) NOTE_ALIGNED(address, bytes, kind, 1)

/* Of an access of so many bytes that is said to be aligned; to 8 bytes is enough for that. */
#define ALIGNMENT_OF(bytes) ((bytes) < 8 ? (bytes) : 8)

SMR_EXPORT void __tsan_init(void) {}
SMR_EXPORT void __tsan_func_entry(void *caller) { (void)caller; }
SMR_EXPORT void __tsan_func_exit(void) {}
SMR_EXPORT void __tsan_ignore_thread_begin(void) {}
SMR_EXPORT void __tsan_ignore_thread_end(void) {}

#define PLAIN(name, bytes, alignment)                                           \
    SMR_EXPORT void __tsan_##name##read##bytes(void *address)                    \
    {                                                                            \
        NOTE_ALIGNED(address, bytes, PLAIN_READ, alignment);                     \
    }                                                                            \
    SMR_EXPORT void __tsan_##name##write##bytes(void *address)                   \
    {                                                                            \
        NOTE_ALIGNED(address, bytes, PLAIN_WRITE, alignment);                    \
    }                                                                            \
    SMR_EXPORT void __tsan_##name##read_write##bytes(void *address)              \
    {                                                                            \
        NOTE_ALIGNED(address, bytes, PLAIN_READ, alignment);                     \
        NOTE_ALIGNED(address, bytes, PLAIN_WRITE, alignment);                    \
    }

#define BOTH(bytes) PLAIN(, bytes, ALIGNMENT_OF(bytes)) PLAIN(unaligned_, bytes, 1)

BOTH(1)
BOTH(2)
BOTH(4)
BOTH(8)
BOTH(16)

SMR_EXPORT void __tsan_read_range(void *address, size_t bytes) { NOTE(address, bytes, PLAIN_READ); }
SMR_EXPORT void __tsan_write_range(void *address, size_t bytes) { NOTE(address, bytes, PLAIN_WRITE); }

SMR_EXPORT void *__tsan_memcpy(void *to, void const *from, size_t bytes)
{
    NOTE(from, bytes, PLAIN_READ);
    NOTE(to, bytes, PLAIN_WRITE);
    return memcpy(to, from, bytes);
}

SMR_EXPORT void *__tsan_memmove(void *to, void const *from, size_t bytes)
{
    NOTE(from, bytes, PLAIN_READ);
    NOTE(to, bytes, PLAIN_WRITE);
    return memmove(to, from, bytes);
}

SMR_EXPORT void *__tsan_memset(void *to, int value, size_t bytes)
{
    NOTE(to, bytes, PLAIN_WRITE);
    return memset(to, value, bytes);
}

#define CHANGE(bits, type, name, operation)                                                 \
    SMR_EXPORT type __tsan_atomic##bits##_##name(type volatile *address, type value, int order) \
    {                                                                                       \
        (void)order;                                                                        \
        NOTE_ALIGNED(address, sizeof(type), ATOMIC_CHANGE, sizeof(type));                                         \
        return operation(address, value, __ATOMIC_SEQ_CST);                                 \
    }

#define ATOMICS(bits, type)                                                                     \
    SMR_EXPORT type __tsan_atomic##bits##_load(type const volatile *address, int order)         \
    {                                                                                           \
        (void)order;                                                                            \
        NOTE_ALIGNED(address, sizeof(type), ATOMIC_READ, sizeof(type));                                               \
        return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                      \
    }                                                                                           \
    SMR_EXPORT void __tsan_atomic##bits##_store(type volatile *address, type value, int order)  \
    {                                                                                           \
        (void)order;                                                                            \
        NOTE_ALIGNED(address, sizeof(type), ATOMIC_CHANGE, sizeof(type));                                             \
        __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                     \
    }                                                                                           \
    SMR_EXPORT type __tsan_atomic##bits##_compare_exchange_val(type volatile *address, type expected, \
                                                               type desired, int order, int failure)  \
    {                                                                                           \
        (void)order, (void)failure;                                                             \
        NOTE_ALIGNED(address, sizeof(type), ATOMIC_CHANGE, sizeof(type));                                             \
        __atomic_compare_exchange_n(address, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return expected;                                                                        \
    }                                                                                           \
    CHANGE(bits, type, exchange, __atomic_exchange_n)                                           \
    CHANGE(bits, type, fetch_add, __atomic_fetch_add)                                           \
    CHANGE(bits, type, fetch_sub, __atomic_fetch_sub)                                           \
    CHANGE(bits, type, fetch_and, __atomic_fetch_and)                                           \
    CHANGE(bits, type, fetch_or, __atomic_fetch_or)                                             \
    CHANGE(bits, type, fetch_xor, __atomic_fetch_xor)                                           \
    CHANGE(bits, type, fetch_nand, __atomic_fetch_nand)

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

SMR_EXPORT void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    struct slot *slot = watched_slot();
    if (slot)
        smr_races_fence(slot->worker->races, slot->fiber->thread.index_in_threadgroup);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

SMR_EXPORT void __tsan_atomic_signal_fence(int order) { (void)order; }

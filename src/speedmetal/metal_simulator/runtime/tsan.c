/* What clang calls at each access in programs built with -fsanitize=thread. The names are the
 * compiler's; its own detector is not linked, races.c takes the place. */
#include <string.h>

#include "runtime.h"

/* Constructors of a library are instrumented too, and run on stacks that are not ours. */
static inline struct slot *watched_slot(void)
{
    if (!is_stack_address((uintptr_t)__builtin_frame_address(0)))
        return NULL;
    struct slot *slot = current_slot();
    return slot->worker->races ? slot : NULL;
}

static inline void note(void const volatile *address, size_t size_bytes, enum access_kind kind, void *return_address)
{
    struct slot *slot = watched_slot();
    if (slot)
        smr_races_access(slot, (uintptr_t)address, size_bytes, kind, (uintptr_t)return_address - 1);
}

#define NOTE(address, size_bytes, kind) note(address, size_bytes, kind, __builtin_return_address(0))

SMR_EXPORT void __tsan_init(void) {}
SMR_EXPORT void __tsan_func_entry(void *caller) { (void)caller; }
SMR_EXPORT void __tsan_func_exit(void) {}
SMR_EXPORT void __tsan_ignore_thread_begin(void) {}
SMR_EXPORT void __tsan_ignore_thread_end(void) {}

#define PLAIN(bytes)                                                                                       \
    SMR_EXPORT void __tsan_read##bytes(void *address) { NOTE(address, bytes, PLAIN_READ); }                \
    SMR_EXPORT void __tsan_write##bytes(void *address) { NOTE(address, bytes, PLAIN_WRITE); }              \
    SMR_EXPORT void __tsan_unaligned_read##bytes(void *address) { NOTE(address, bytes, PLAIN_READ); }      \
    SMR_EXPORT void __tsan_unaligned_write##bytes(void *address) { NOTE(address, bytes, PLAIN_WRITE); }    \
    SMR_EXPORT void __tsan_read_write##bytes(void *address)                                                \
    {                                                                                                      \
        NOTE(address, bytes, PLAIN_READ);                                                                  \
        NOTE(address, bytes, PLAIN_WRITE);                                                                 \
    }                                                                                                      \
    SMR_EXPORT void __tsan_unaligned_read_write##bytes(void *address)                                      \
    {                                                                                                      \
        NOTE(address, bytes, PLAIN_READ);                                                                  \
        NOTE(address, bytes, PLAIN_WRITE);                                                                 \
    }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

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
        NOTE(address, sizeof(type), ATOMIC_CHANGE);                                         \
        return operation(address, value, __ATOMIC_SEQ_CST);                                 \
    }

#define ATOMICS(bits, type)                                                                     \
    SMR_EXPORT type __tsan_atomic##bits##_load(type const volatile *address, int order)         \
    {                                                                                           \
        (void)order;                                                                            \
        NOTE(address, sizeof(type), ATOMIC_READ);                                               \
        return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                      \
    }                                                                                           \
    SMR_EXPORT void __tsan_atomic##bits##_store(type volatile *address, type value, int order)  \
    {                                                                                           \
        (void)order;                                                                            \
        NOTE(address, sizeof(type), ATOMIC_CHANGE);                                             \
        __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                     \
    }                                                                                           \
    SMR_EXPORT type __tsan_atomic##bits##_compare_exchange_val(type volatile *address, type expected, \
                                                               type desired, int order, int failure)  \
    {                                                                                           \
        (void)order, (void)failure;                                                             \
        NOTE(address, sizeof(type), ATOMIC_CHANGE);                                             \
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

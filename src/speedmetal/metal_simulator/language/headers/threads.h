// <metal_compute>, <metal_atomic>, <metal_simdgroup>, <metal_quadgroup>: threads together.
#pragma once
#include "packing.h"

namespace metal {
enum class mem_flags {
    mem_none = 0,
    mem_device = 1,
    mem_threadgroup = 2,
    mem_texture = 4,
    mem_threadgroup_imageblock = 8,
    mem_object_data = 16
};
constexpr mem_flags operator|(mem_flags a, mem_flags b) { return (mem_flags)((int)a | (int)b); }
constexpr mem_flags operator&(mem_flags a, mem_flags b) { return (mem_flags)((int)a & (int)b); }
enum memory_order {
    memory_order_relaxed = 0,
    memory_order_acquire = 2,
    memory_order_release = 3,
    memory_order_acq_rel = 4,
    memory_order_seq_cst = 5
};
enum thread_scope {
    thread_scope_thread,
    thread_scope_simdgroup,
    thread_scope_threadgroup,
    thread_scope_device
};
}  // namespace metal

#if !SMR_CHECKED
// The calls below must stay where they are: see SMR_COLLECTIVE.
extern "C" {
__attribute__((convergent, nomerge)) void __smr_threadgroup_barrier(int);
__attribute__((convergent, nomerge)) void __smr_simdgroup_barrier(int);
__attribute__((convergent, nomerge)) unsigned long long __smr_exchange(unsigned long long,
                                                                       unsigned int,
                                                                       unsigned long long);
}

namespace smr {
constexpr uint all_lanes = SMR_SIMDGROUP;

// What the threads of the simdgroup that came here have published.
template <class T>
struct exchanged {
    unsigned long long slots;
    uint mask;
    T at(uint lane) const {
        T value;
        __builtin_memcpy(&value, (const void*)(slots + lane * SMR_SLOT_BYTES), sizeof(T));
        return value;
    }
    bool has(uint lane) const { return lane < all_lanes && (mask >> lane & 1u) != 0; }
    // The value of a thread that is not there is undefined: a pattern shows where one is used.
    T given(uint lane) const {
        if (has(lane)) return at(lane);
        T value;
        __builtin_memset(&value, 0xFF, sizeof(T));
        return value;
    }
    // The same by a lane's index in its group, which may be one that no group has.
    T asked(uint first, uint index, uint count) const {
        if (index < count) return given(first + index);
        __smr_no_lane(index, count);
        return given(all_lanes);
    }
};
template <class T>
__attribute__((always_inline)) inline exchanged<T> publish(T value) {
    static_assert(sizeof(T) <= SMR_SLOT_BYTES, "the value is too large for a simdgroup function");
    exchanged<T> result;
    result.slots = __smr_exchange((unsigned long long)&value, sizeof(T),
                                  (unsigned long long)&result.mask);
    return result;
}
// Partners that are half the group apart, then a quarter, and so on: the order of a tree.
template <class T, class F>
__attribute__((always_inline, no_sanitize("bounds"))) inline T combined(exchanged<T> all, uint first, uint count, F f) {
    T values[all_lanes];
    bool present[all_lanes];
    for (uint i = 0; i < count; ++i) {
        present[i] = all.has(first + i);
        if (present[i]) values[i] = all.at(first + i);
    }
    for (uint half_count = count / 2; half_count > 0; half_count /= 2) {
        for (uint i = 0; i < half_count; ++i) {
            if (!present[i + half_count]) continue;
            values[i] = present[i] ? f(values[i], values[i + half_count]) : values[i + half_count];
            present[i] = true;
        }
    }
    return values[0];
}
}  // namespace smr
#endif

namespace smr {
template <class T>
SMR_VALUE bool is_exchangeable =
    (is_float<T> || is_integer<T> || __is_same(element<T>, bfloat)) && sizeof(element<T>) <= 4;
// Metal's own functions take no 64-bit integers, which lint tells. Texts that have them run all the
// same; a text's own function for them, which is no template, is preferred.
template <class T>
SMR_VALUE bool is_exchanged = is_exchangeable<T> || (!SMR_CHECKED && is_integer<T>);
template <class T>
using if_exchangeable = metal::enable_if_t<is_exchanged<T>>;
template <class T>
using if_exchangeable_integer = metal::enable_if_t<is_exchanged<T> && is_integer<T>>;
}  // namespace smr

namespace metal {
// --- Barriers ---------------------------------------------------------------------------------
#if SMR_CHECKED
void threadgroup_barrier(mem_flags flags);
void threadgroup_barrier(mem_flags flags, thread_scope scope);
void simdgroup_barrier(mem_flags flags);
void simdgroup_barrier(mem_flags flags, thread_scope scope);
#else
#define SMR_MEETING __attribute__((always_inline, convergent, nomerge)) inline
SMR_MEETING void threadgroup_barrier(mem_flags flags) { __smr_threadgroup_barrier((int)flags); }
SMR_MEETING void threadgroup_barrier(mem_flags flags, thread_scope) {
    __smr_threadgroup_barrier((int)flags);
}
SMR_MEETING void simdgroup_barrier(mem_flags flags) { __smr_simdgroup_barrier((int)flags); }
SMR_MEETING void simdgroup_barrier(mem_flags flags, thread_scope) {
    __smr_simdgroup_barrier((int)flags);
}
#endif
inline void atomic_thread_fence(mem_flags, memory_order, thread_scope = thread_scope_device)
    SMR_BODY(__atomic_thread_fence(__ATOMIC_SEQ_CST);)

// --- Atomics ----------------------------------------------------------------------------------
template <class T>
struct atomic {
    static_assert(__is_same(T, int) || __is_same(T, uint) || __is_same(T, bool) ||
                      __is_same(T, float) || __is_same(T, ulong),
                  "Metal has atomics of int, uint, bool, float and ulong");
    T smr_value;
};
typedef atomic<int> atomic_int;
typedef atomic<uint> atomic_uint;
typedef atomic<bool> atomic_bool;
typedef atomic<float> atomic_float;
typedef atomic<ulong> atomic_ulong;
}  // namespace metal

namespace smr {
using metal::atomic;
template <class T>
using if_word = metal::enable_if_t<sizeof(T) <= 4>;  // all but ulong
template <class T>
using if_number_word = metal::enable_if_t<sizeof(T) == 4>;
template <class T>
using if_integer_word = metal::enable_if_t<__is_integral(T) && sizeof(T) == 4>;
template <class T>
using if_long = metal::enable_if_t<sizeof(T) == 8>;
#if !SMR_CHECKED
template <class T>
inline T* plain(const volatile atomic<T>* object) {
    return const_cast<T*>(&object->smr_value);
}
template <class T>
inline T load(T* p) {
    T value;
    __atomic_load(p, &value, __ATOMIC_RELAXED);
    return value;
}
template <class T>
inline T exchange(T* p, T value) {
    T old;
    __atomic_exchange(p, &value, &old, __ATOMIC_RELAXED);
    return old;
}
template <class T>
inline bool compare_exchange(T* p, T* expected, T desired) {
    return __atomic_compare_exchange(p, expected, &desired, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED);
}
template <class T, class F>
inline T update(T* p, F f) {
    T old = load(p);
    while (!compare_exchange(p, &old, static_cast<T>(f(old)))) {
    }
    return old;
}
template <class T>
inline T add(T* p, T value) {
    if constexpr (__is_same(T, float)) {
        return update(p, [=](float old) { return old + value; });
    } else {
        return __atomic_fetch_add(p, value, __ATOMIC_RELAXED);
    }
}
template <class T>
inline T subtract(T* p, T value) {
    if constexpr (__is_same(T, float)) {
        return update(p, [=](float old) { return old - value; });
    } else {
        return __atomic_fetch_sub(p, value, __ATOMIC_RELAXED);
    }
}
#endif
}  // namespace smr

namespace metal {
#define SMR_RELAXED(order)                                                                        \
    __attribute__((diagnose_if((order) != memory_order_relaxed,                                   \
                               "Metal's atomic functions take memory_order_relaxed alone", "error")))
#define SMR_FETCH(space, name, condition, ...)                                                  \
    template <class T, class = condition<T>>                                                    \
    inline T atomic_fetch_##name##_explicit(volatile space atomic<T>* object, smr::same<T> value, \
                                            memory_order order) SMR_RELAXED(order)              \
        SMR_BODY(T* p = smr::plain(object); return __VA_ARGS__;)
#define SMR_ATOMICS(space)                                                                      \
    template <class T, class = smr::if_word<T>>                                                 \
    inline T atomic_load_explicit(const volatile space atomic<T>* object, memory_order order)   \
        SMR_RELAXED(order) SMR_BODY(return smr::load(smr::plain(object));)                      \
    template <class T, class = smr::if_word<T>>                                                 \
    inline void atomic_store_explicit(volatile space atomic<T>* object, smr::same<T> value,     \
                                      memory_order order) SMR_RELAXED(order)                    \
        SMR_BODY(__atomic_store(smr::plain(object), &value, __ATOMIC_RELAXED);)                 \
    template <class T, class = smr::if_word<T>>                                                 \
    inline T atomic_exchange_explicit(volatile space atomic<T>* object, smr::same<T> value,     \
                                      memory_order order) SMR_RELAXED(order)                    \
        SMR_BODY(return smr::exchange(smr::plain(object), value);)                              \
    template <class T, class = smr::if_word<T>>                                                 \
    inline bool atomic_compare_exchange_weak_explicit(                                          \
        volatile space atomic<T>* object, thread smr::same<T>* expected, smr::same<T> desired,  \
        memory_order order, memory_order failure) SMR_RELAXED(order) SMR_RELAXED(failure)       \
        SMR_BODY(return smr::compare_exchange(smr::plain(object), expected, desired);)          \
    SMR_FETCH(space, add, smr::if_number_word, smr::add(p, value))                              \
    SMR_FETCH(space, sub, smr::if_number_word, smr::subtract(p, value))                         \
    SMR_FETCH(space, and, smr::if_integer_word, __atomic_fetch_and(p, value, __ATOMIC_RELAXED)) \
    SMR_FETCH(space, or, smr::if_integer_word, __atomic_fetch_or(p, value, __ATOMIC_RELAXED))   \
    SMR_FETCH(space, xor, smr::if_integer_word, __atomic_fetch_xor(p, value, __ATOMIC_RELAXED)) \
    SMR_FETCH(space, min, smr::if_integer_word, __atomic_fetch_min(p, value, __ATOMIC_RELAXED)) \
    SMR_FETCH(space, max, smr::if_integer_word, __atomic_fetch_max(p, value, __ATOMIC_RELAXED))
SMR_ATOMICS(device)
#if SMR_CHECKED
SMR_ATOMICS(threadgroup)
#endif
#undef SMR_ATOMICS
#undef SMR_FETCH
// 64 bits: least and greatest alone, in device memory, without the old value.
template <class T, class = smr::if_long<T>>
inline void atomic_min_explicit(volatile device atomic<T>* object, smr::same<T> value,
                                memory_order order) SMR_RELAXED(order)
    SMR_BODY(__atomic_fetch_min(smr::plain(object), value, __ATOMIC_RELAXED);)
template <class T, class = smr::if_long<T>>
inline void atomic_max_explicit(volatile device atomic<T>* object, smr::same<T> value,
                                memory_order order) SMR_RELAXED(order)
    SMR_BODY(__atomic_fetch_max(smr::plain(object), value, __ATOMIC_RELAXED);)
#undef SMR_RELAXED

// --- Simdgroups and quadgroups ----------------------------------------------------------------
struct simd_vote {
    typedef ulong vote_t;
    vote_t smr_mask;
    explicit constexpr simd_vote(vote_t mask = 0) : smr_mask(mask) {}
    explicit constexpr operator vote_t() const { return smr_mask; }
    constexpr bool all() const { return (smr_mask & 0xffffffffu) == 0xffffffffu; }
    constexpr bool any() const { return (smr_mask & 0xffffffffu) != 0; }
};
struct quad_vote {
    typedef uint vote_t;
    vote_t smr_mask;
    explicit constexpr quad_vote(vote_t mask = 0) : smr_mask(mask) {}
    explicit constexpr operator vote_t() const { return smr_mask; }
    constexpr bool all() const { return (smr_mask & 15u) == 15u; }
    constexpr bool any() const { return (smr_mask & 15u) != 0; }
};

#define SMR_FIRST_simd 0u
#define SMR_FIRST_quad (lane & ~3u)
#define SMR_COUNT_simd 32u
#define SMR_COUNT_quad 4u
// In the bodies: `all` is what was published, `lane` the thread's own, `first` and `count` are the
// lanes of its group.
#define SMR_GROUP(group, T, published, ...)                                          \
    SMR_BODY(auto all = smr::publish<T>(published); const uint lane = __smr_lane();  \
             const uint first = SMR_FIRST_##group; const uint count = SMR_COUNT_##group; \
             (void)lane; (void)first; (void)count; __VA_ARGS__)
#define SMR_REDUCTION(group, name, condition, ...)   \
    template <class T, class = condition<T>>         \
    SMR_COLLECTIVE T group##_##name(T value)         \
        SMR_GROUP(group, T, value, return smr::combined(all, first, count, [](T a, T b) -> T { return __VA_ARGS__; });)
#define SMR_PREFIX(group, name, neutral, op, up_to)                                    \
    template <class T, class = smr::if_exchangeable<T>>                                \
    SMR_COLLECTIVE T group##_prefix_##name(T value)                                    \
        SMR_GROUP(group, T, value, T r = T(smr::element<T>(neutral));                  \
                  for (uint i = first; i up_to lane; ++i) if (all.has(i)) r = T(r op all.at(i)); \
                  return r;)
#define SMR_EXCHANGE(group, name, parameters, published, ...)  \
    template <class T, class = smr::if_exchangeable<T>>        \
    SMR_COLLECTIVE T group##_##name parameters SMR_GROUP(group, T, published, __VA_ARGS__)
#define SMR_FILL(group, name, sign, ...)                                                      \
    template <class T, class = smr::if_exchangeable<T>>                                       \
    SMR_COLLECTIVE T group##_shuffle_and_fill_##name(T data, T filling, ushort delta,         \
                                                     ushort modulo = SMR_COUNT_##group)       \
        SMR_GROUP(group, T, data, auto fills = smr::publish<T>(filling);                      \
                  const int width = modulo; const int start = (int)(lane - lane % modulo);    \
                  const int source = (int)lane sign (int)delta;                               \
                  if (source >= start && source < start + width) return all.given((uint)source); \
                  return fills.given((uint)(source < start ? source + width : source - width));)
#define SMR_FUNCTIONS(group)                                                                  \
    SMR_REDUCTION(group, sum, smr::if_exchangeable, T(a + b))                                 \
    SMR_REDUCTION(group, product, smr::if_exchangeable, T(a * b))                             \
    SMR_REDUCTION(group, min, smr::if_exchangeable, T(min(a, b)))                             \
    SMR_REDUCTION(group, max, smr::if_exchangeable, T(max(a, b)))                             \
    SMR_REDUCTION(group, and, smr::if_exchangeable_integer, T(a & b))                         \
    SMR_REDUCTION(group, or, smr::if_exchangeable_integer, T(a | b))                          \
    SMR_REDUCTION(group, xor, smr::if_exchangeable_integer, T(a ^ b))                         \
    SMR_PREFIX(group, inclusive_sum, 0, +, <=)                                                \
    SMR_PREFIX(group, exclusive_sum, 0, +, <)                                                 \
    SMR_PREFIX(group, inclusive_product, 1, *, <=)                                            \
    SMR_PREFIX(group, exclusive_product, 1, *, <)                                             \
    SMR_EXCHANGE(group, shuffle, (T data, ushort source), data,                               \
                 return all.asked(first, source, count);)          \
    SMR_EXCHANGE(group, broadcast, (T data, ushort source), data,                             \
                 return all.asked(first, source, count);)          \
    SMR_EXCHANGE(group, broadcast_first, (T data), data,                                      \
                 for (uint i = first; i < first + count; ++i) if (all.has(i)) return all.at(i); \
                 return data;)                                                                \
    SMR_EXCHANGE(group, shuffle_xor, (T value, ushort mask), value,                           \
                 const uint source = (lane - first) ^ mask;                                   \
                 return all.asked(first, source, count);)          \
    SMR_EXCHANGE(group, shuffle_up, (T data, ushort delta), data,                             \
                 const uint source = lane - delta;                                            \
                 return source - first < count ? all.given(source) : data;)                   \
    SMR_EXCHANGE(group, shuffle_down, (T data, ushort delta), data,                           \
                 const uint source = lane + delta;                                            \
                 return source - first < count ? all.given(source) : data;)                   \
    SMR_EXCHANGE(group, shuffle_rotate_up, (T data, ushort delta), data,                      \
                 return all.given(first + ((lane - first - delta) & (count - 1)));)           \
    SMR_EXCHANGE(group, shuffle_rotate_down, (T data, ushort delta), data,                    \
                 return all.given(first + ((lane - first + delta) & (count - 1)));)           \
    SMR_FILL(group, up, -)                                                                    \
    SMR_FILL(group, down, +)                                                                  \
    SMR_COLLECTIVE group##_vote group##_ballot(bool expression)                               \
        SMR_GROUP(group, bool, expression, group##_vote::vote_t mask = 0;                     \
                  for (uint i = 0; i < count; ++i)                                            \
                      if (all.has(first + i) && all.at(first + i)) mask |= group##_vote::vote_t(1) << i; \
                  return group##_vote(mask);)                                                 \
    SMR_COLLECTIVE group##_vote group##_active_threads_mask()                                 \
        SMR_GROUP(group, bool, true,                                                          \
                  return group##_vote((all.mask >> first) & (count == 32 ? ~0u : 15u));)      \
    SMR_COLLECTIVE bool group##_all(bool expression)                                          \
        SMR_GROUP(group, bool, expression,                                                    \
                  for (uint i = first; i < first + count; ++i) if (all.has(i) && !all.at(i)) return false; \
                  return true;)                                                               \
    SMR_COLLECTIVE bool group##_any(bool expression)                                          \
        SMR_GROUP(group, bool, expression,                                                    \
                  for (uint i = first; i < first + count; ++i) if (all.has(i) && all.at(i)) return true; \
                  return false;)                                                              \
    SMR_COLLECTIVE bool group##_is_first()                                                    \
        SMR_GROUP(group, bool, true,                                                          \
                  for (uint i = first; i < lane; ++i) if (all.has(i)) return false;           \
                  return true;)                                                               \
    inline bool group##_is_helper_thread() SMR_BODY(return false;)
SMR_FUNCTIONS(simd)
SMR_FUNCTIONS(quad)
#undef SMR_FUNCTIONS
#undef SMR_FILL
#undef SMR_EXCHANGE
#undef SMR_PREFIX
#undef SMR_REDUCTION
#undef SMR_GROUP
}  // namespace metal

// The library of the simulated reading, and what the entries of kernels need.
#pragma once
#include "builtins.h"

#include "containers.h"
#include "logging.h"
#include "textures.h"

namespace smr {
// The memory of one declaration `threadgroup T name[n]`.
template <class T>
using element_of = __remove_all_extents(__remove_reference_t(T));
template <class T>
__attribute__((always_inline)) inline T& threadgroup_memory(uint site, ulong alignment = alignof(T)) {
    return *(T*)__smr_threadgroup_memory(site, sizeof(T), alignment);
}

// A loop in which threads may wait for each other.
struct loop {
    unsigned int number = __smr_loop_enter();
    __attribute__((always_inline)) ~loop() { __smr_loop_leave(number); }
    __attribute__((always_inline)) bool turn() const {
        __smr_loop_turn(number);
        return true;
    }
};

// An address becomes whatever pointer or reference the kernel declares.
struct address {
    unsigned long long value;
    template <class T>
    operator T*() const { return (T*)value; }
    template <class T>
    operator T&() const { return *(T*)value; }
};

// A position becomes whatever vector or number the kernel declares.
struct position {
    const unsigned int* value;
    template <class T, class = metal::enable_if_t<__is_same(T, uint) || __is_same(T, ushort)>>
    operator T() const { return (T)value[0]; }
    template <class T, class = metal::enable_if_t<__is_same(T, uint) || __is_same(T, ushort)>>
    operator metal::vec<T, 2>() const { return metal::vec<T, 2>(value[0], value[1]); }
    template <class T, class = metal::enable_if_t<__is_same(T, uint) || __is_same(T, ushort)>>
    operator metal::vec<T, 3>() const { return metal::vec<T, 3>(value[0], value[1], value[2]); }
};
constexpr unsigned int no_origin[3] = {};
struct number {
    unsigned int value;
    template <class T, class = metal::enable_if_t<__is_same(T, uint) || __is_same(T, ushort)>>
    operator T() const { return (T)value; }
};

// Size and alignment of what a kernel's parameters refer to.
template <class T>
struct pointee {
    static constexpr unsigned int size = sizeof(T), alignment = alignof(T);
};
template <>
struct pointee<void> {
    static constexpr unsigned int size = 0, alignment = 1;
};
template <>
struct pointee<const void> : pointee<void> {};
template <class T>
struct parameter {
    static constexpr unsigned int size = 0, alignment = 1;
};
template <class T, metal::access A, metal::memory_coherence C>
struct parameter<metal::texture2d<T, A, C>> : texture_facts<T, A> {};
template <class T>
struct parameter<T*> : pointee<T> {};
template <class T>
struct parameter<T&> : pointee<T> {};
template <class F>
struct facts_of;
template <class... P>
struct facts_of<void(P...)> {
    unsigned int size[sizeof...(P) + 1] = {parameter<P>::size..., 0};
    unsigned int alignment[sizeof...(P) + 1] = {parameter<P>::alignment..., 0};
};
template <class... P>
struct facts_of<void (*)(P...)> : facts_of<void(P...)> {};
}  // namespace smr

// --- Entries ----------------------------------------------------------------------------------
#define SMR_EXPORT __attribute__((visibility("default"), used))
namespace smr {
inline uint quadgroups(const unsigned int* threads) {
    return (threads[0] * threads[1] * threads[2] + 3u) / 4u;
}
}  // namespace smr

// The table of threadgroup memory: rows of entry, declaration, size, alignment and size of an
// element. One row is of none, so that the table is always there. (Written into each text: the
// compiler forgets the section's kind in a precompiled header.)
#define SMR_TABLE                                                                             \
    extern "C" {                                                                              \
    __attribute__((section("smr_sites"), used)) static unsigned long smr_no_site[6] = {~0ul}; \
    __attribute__((visibility("hidden"))) extern unsigned long __start_smr_sites[];           \
    __attribute__((visibility("hidden"))) extern unsigned long __stop_smr_sites[];            \
    SMR_EXPORT unsigned long* smr_sites_begin = __start_smr_sites;                            \
    SMR_EXPORT unsigned long* smr_sites_end = __stop_smr_sites;                               \
    }

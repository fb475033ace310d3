// <metal_assert> and <metal_logging>. What a kernel logs goes nowhere: results do not depend on it.
#pragma once
#include "names.h"

#if SMR_CHECKED
#define assert(...) ((void)(__VA_ARGS__))
#else
#define assert(...) \
    ((__VA_ARGS__) ? (void)0 : __smr_fail("assert(" #__VA_ARGS__ ") does not hold"))
#endif

namespace metal {
enum os_log_type {
    os_log_type_debug,
    os_log_type_info,
    os_log_type_default,
    os_log_type_error,
    os_log_type_fault
};
struct os_log {
    constexpr os_log() {}
    constexpr os_log(const constant char*, const constant char*) {}
#if SMR_CHECKED
    constexpr os_log() __constant {}
    constexpr os_log(const constant char*, const constant char*) __constant {}
#define SMR_LOG(space)                                                                           \
    template <class... A> void log(const constant char*, A...) const space;                     \
    template <class... A> void log_debug(const constant char*, A...) const space;               \
    template <class... A> void log_info(const constant char*, A...) const space;                \
    template <class... A> void log_error(const constant char*, A...) const space;               \
    template <class... A> void log_fault(const constant char*, A...) const space;               \
    template <class... A> void log_with_type(os_log_type, const constant char*, A...) const space;
    SMR_LOG()
    SMR_LOG(constant)
#undef SMR_LOG
#else
    template <class... A> void log(const char*, A...) const {}
    template <class... A> void log_debug(const char*, A...) const {}
    template <class... A> void log_info(const char*, A...) const {}
    template <class... A> void log_error(const char*, A...) const {}
    template <class... A> void log_fault(const char*, A...) const {}
    template <class... A> void log_with_type(os_log_type, const char*, A...) const {}
#endif
};
static constexpr constant os_log os_log_default{};
}  // namespace metal

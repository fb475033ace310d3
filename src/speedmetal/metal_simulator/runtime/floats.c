/* The floating-point mode of a run, and conversions that clang leaves to a support library, of which
 * kernels have none but this. */
#include "floats.h"

#include <string.h>

/* ---- the mode: round to nearest even, no traps, subnormal numbers as the run asks */

#if defined(__x86_64__)

#define MODE_STANDARD 0x1F80u            /* all exceptions masked */
#define MODE_FLUSH (1u << 15 | 1u << 6)  /* FTZ: results; DAZ: operands */

uint64_t smr_float_mode_enter(bool flush_denormals)
{
    uint32_t saved, mode = MODE_STANDARD | (flush_denormals ? MODE_FLUSH : 0);
    __asm__ volatile("stmxcsr %0" : "=m"(saved));
    __asm__ volatile("ldmxcsr %0" : : "m"(mode));
    return saved;
}

void smr_float_mode_leave(uint64_t saved)
{
    uint32_t mode = (uint32_t)saved;
    __asm__ volatile("ldmxcsr %0" : : "m"(mode));
}

#else

#define MODE_FLUSH (1u << 24) /* FZ: operands and results, not of half */

uint64_t smr_float_mode_enter(bool flush_denormals)
{
    uint64_t saved, mode = flush_denormals ? MODE_FLUSH : 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
    return saved;
}

void smr_float_mode_leave(uint64_t saved) { __asm__ volatile("msr fpcr, %0" : : "r"(saved)); }

#endif

/* ---- conversions, on bits alone: the mode must not change them */

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Rounds to nearest even while `drop` low bits go. */
static uint32_t rounded(uint32_t bits, uint32_t drop)
{
    uint32_t half = 1u << (drop - 1);
    return (bits + half - 1 + (bits >> drop & 1)) >> drop;
}

static uint16_t bfloat_of_float(uint32_t bits)
{
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)rounded(bits, 16);
}

static uint16_t half_of_float(uint32_t bits)
{
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000)
        return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
    if (magnitude >= 0x477FF000) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude >= 0x38800000) /* normal: the exponent's bias falls from 127 to 15 */
        return (uint16_t)(sign | rounded(magnitude - (112u << 23), 13));
    if (magnitude < 0x33000000) /* less than half of the smallest number */
        return (uint16_t)sign;
    uint32_t shift = 126 - (magnitude >> 23); /* 14 to 24 */
    return (uint16_t)(sign | rounded((magnitude & 0x7FFFFF) | 0x800000, shift));
}

static uint32_t float_of_half(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3FF;
    if (exponent == 31)
        return sign | 0x7F800000 | fraction << 13 | (fraction ? 0x400000 : 0);
    if (exponent != 0)
        return sign | (exponent + 112) << 23 | fraction << 13;
    if (fraction == 0)
        return sign;
    uint32_t shift = (uint32_t)__builtin_clz(fraction) - 21;
    return sign | (113 - shift) << 23 | (fraction << shift & 0x3FF) << 13;
}

/* The support library's names and conventions: half and bfloat travel in the registers of floats. */
static __bf16 as_bfloat(uint16_t bits)
{
    __bf16 value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static _Float16 as_half(uint16_t bits)
{
    _Float16 value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

SMR_EXPORT __bf16 __truncsfbf2(float value) { return as_bfloat(bfloat_of_float(bits_of_float(value))); }
SMR_EXPORT _Float16 __truncsfhf2(float value) { return as_half(half_of_float(bits_of_float(value))); }

SMR_EXPORT float __extendhfsf2(_Float16 value)
{
    uint16_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t wide = float_of_half(bits);
    float result;
    memcpy(&result, &wide, sizeof result);
    return result;
}

SMR_EXPORT float __extendbfsf2(__bf16 value)
{
    uint16_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t wide = (uint32_t)bits << 16;
    float result;
    memcpy(&result, &wide, sizeof result);
    return result;
}

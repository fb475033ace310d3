"""The words of the Metal Shading Language, and what Metal GPUs lack."""

from __future__ import annotations

import re

from speedmetal import dtypes as d
from speedmetal.backends.c_family.check import Limits
from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.dtypes import DType
from speedmetal.intrinsics import TABLE
from speedmetal.ir.nodes import Atomic
from speedmetal.ir.types import Space
from speedmetal.msl.types import TYPES

_SUFFIXES = dict.fromkeys(TYPES, "") | {
    d.uint32: "u",
    d.int64: "l",
    d.uint64: "ul",
    d.float32: "f",
}

# A user's name would be confused with these.
_KEYWORDS = """
kernel vertex fragment device constant thread threadgroup threadgroup_imageblock object mesh metal
uint uchar ushort ulong ptrdiff_t char2 char3 char4 uchar2 uchar3 uchar4 short2 short3 short4
ushort2 ushort3 ushort4 int2 int3 int4 uint2 uint3 uint4 long2 long3 long4 half2 half3 half4
float2 float3 float4 bool2 bool3 bool4 atomic_int atomic_uint atomic_bool atomic_ulong
atomic_float texture sampler INFINITY NAN MAXFLOAT HUGE_VALF M_PI_F M_E_F
"""
_LIBRARY = """
clamp mix saturate sign smoothstep step acos acosh asin asinh atan atan2 atanh ceil copysign cos
cosh cospi divide exp exp10 exp2 fabs abs fdim floor fma fmax fmax3 fmedian3 fmin fmin3 fmod fract
frexp ilogb ldexp log log10 log2 max max3 median3 min min3 modf nextafter pow powr rint round
rsqrt sin sincos sinh sinpi sqrt tan tanh tanpi trunc absdiff addsat clz ctz extract_bits hadd
insert_bits mad24 madhi madsat mul24 mulhi popcount reverse_bits rhadd rotate subsat all any
isfinite isinf isnan isnormal isordered isunordered not select signbit cross distance
distance_squared dot faceforward length length_squared normalize reflect refract determinant
transpose as_type vec matrix array precise fast simd_sum simd_product simd_min simd_max simd_and
simd_or simd_xor simd_shuffle simd_shuffle_up simd_shuffle_down simd_shuffle_xor simd_broadcast
simd_broadcast_first simd_ballot simd_any simd_all simd_is_first quad_sum quad_product
quad_broadcast quad_shuffle simdgroup_load simdgroup_store simdgroup_multiply
simdgroup_multiply_accumulate thread_position_in_grid thread_position_in_threadgroup
threadgroup_position_in_grid threads_per_threadgroup threadgroups_per_grid threads_per_grid
thread_index_in_threadgroup thread_index_in_simdgroup simdgroup_index_in_threadgroup
threads_per_simdgroup simdgroups_per_threadgroup floor_divide floor_remainder shift_left
shift_right range_next minimum maximum absolute report_failure open_record write_value double_bits
read_word replace_word functions
"""


def _find_spelling_words() -> frozenset[str]:
    """Every word that an intrinsic may be printed with: a variable of that name would hide it."""
    spellings = (
        intrinsic.spelling("metal", dtype)
        for intrinsic in TABLE.values()
        for dtype in (None, *d.ALL)
    )
    texts = " ".join(text for text in spellings if isinstance(text, str))
    return frozenset(re.findall(r"[A-Za-z_]\w*", texts))


def _words(space: str, prefix: str) -> str:
    return f"""
static inline uint {prefix}read_word({space} uint* word) {{
    return atomic_load_explicit(({space} atomic_uint*)word, memory_order_relaxed);
}}

static inline bool {prefix}replace_word({space} uint* word, thread uint& old, uint desired) {{
    return atomic_compare_exchange_weak_explicit(
        ({space} atomic_uint*)word, &old, desired, memory_order_relaxed, memory_order_relaxed);
}}
"""


DIALECT = Dialect(
    target="metal",
    types=TYPES,
    suffixes=_SUFFIXES,
    spaces={Space.DEVICE: "device ", Space.THREADGROUP: "threadgroup ", Space.THREAD: "thread "},
    function="static inline ",
    infinity="INFINITY",
    nan="NAN",
    double_infinity="INFINITY",
    double_nan="NAN",
    prelude={
        "word_device": _words("device", ""),
        "word_threadgroup": _words("threadgroup", "threadgroup_"),
    },
    keywords=frozenset(_KEYWORDS.split()),
    library=frozenset(_LIBRARY.split()) | _find_spelling_words(),
    namespace="functions",  # `metal` has names that no list has: traits, samplers' words ...
)

_HEAD = """\
#include <metal_stdlib>
using namespace metal;
"""

HEADS = {
    "safe": f"""{_HEAD}
// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif
""",
    "fast": f"""{_HEAD}
// The compiler may reorder and contract operations, and need not keep NaN and infinities.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(fast)
#pragma METAL fp contract(fast)
#endif
""",
}
"""What the source begins with, for each math mode."""

MATRIX_TYPES = {
    d.float16: "simdgroup_half8x8",
    d.bfloat16: "simdgroup_bfloat8x8",
    d.float32: "simdgroup_float8x8",
}

ATOMIC_TYPES = {d.int32: "atomic_int", d.uint32: "atomic_uint", d.float32: "atomic_float"}
_FETCH = ("add", "subtract", "min", "max", "and", "or", "xor")
_RELAXED = "memory_order_relaxed"


def _native() -> dict[tuple[str, DType, Space], str]:
    """The bodies of atomic operations that Metal has (specification, section 6.15)."""
    bodies = {}
    for dtype, atomic in ATOMIC_TYPES.items():
        for space in (Space.DEVICE, Space.THREADGROUP):
            if dtype is d.float32 and space is Space.THREADGROUP:
                continue  # atomic_float exists in device memory alone
            word = f"({space.value} {atomic}*)address"
            fetches = _FETCH[:2] if dtype is d.float32 else _FETCH
            for operation in fetches:
                verb = "sub" if operation == "subtract" else operation
                bodies[operation, dtype, space] = (
                    f"return atomic_fetch_{verb}_explicit({word}, value, {_RELAXED});"
                )
            bodies["load", dtype, space] = f"return atomic_load_explicit({word}, {_RELAXED});"
            bodies["store", dtype, space] = f"atomic_store_explicit({word}, value, {_RELAXED});"
            bodies["exchange", dtype, space] = (
                f"return atomic_exchange_explicit({word}, value, {_RELAXED});"
            )
    return bodies


NATIVE_ATOMICS = _native()


def _atomic(node: Atomic) -> str | None:
    if node.array.type.dtype.bits == 64:
        return "Metal compares and exchanges at most 32 bits; use a type of 32 bits"
    return None


LIMITS = Limits(
    target="metal",
    place="Metal GPUs",
    types={d.float64: "use float32", d.complex128: "use complex64"},
    atomic=_atomic,
    threadgroup_bytes=32768,  # Apple's table of limits, all families
    buffers=29,  # of 31 slots, one is for the arguments and one for the mailbox
    matrix_types=frozenset(MATRIX_TYPES),
    strided_matrices=False,
)

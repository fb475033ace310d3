"""The words of CUDA C++, without its headers, and what NVIDIA GPUs lack.

float16 and bfloat16 are small types of our own: NVRTC comes without the headers that have them,
and those take longer to compile than most kernels.
"""

from __future__ import annotations

from speedmetal import dtypes as d
from speedmetal.backends.c_family.check import Limits
from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.cuda.codegen.matrices import (
    ASYNC_COPY,
    MATRIX,
    MATRIX_16_BIT,
    MATRIX_TF32,
    MULTIPLY,
    tensor_cores,
)
from speedmetal.dtypes import DType
from speedmetal.ir.nodes import Atomic
from speedmetal.ir.types import Space

TYPES: dict[DType, str] = {
    d.bool_: "bool",
    d.int8: "int8",
    d.int16: "short",
    d.int32: "int",
    d.int64: "int64",
    d.uint8: "uint8",
    d.uint16: "uint16",
    d.uint32: "uint32",
    d.uint64: "uint64",
    d.float16: "half",
    d.bfloat16: "bfloat",
    d.float32: "float",
    d.float64: "double",
}

_SUFFIXES = dict.fromkeys(TYPES, "") | {
    d.uint32: "u",
    d.int64: "ll",
    d.uint64: "ull",
    d.float32: "f",
}

_HALF = """
// A float of 16 bits. Each operation is rounded to nearest, ties to even.
struct half {
    unsigned short bits;

    half() = default;
    __device__ explicit half(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
    __device__ explicit half(double x) { asm("cvt.rn.f16.f64 %0, %1;" : "=h"(bits) : "d"(x)); }
    __device__ explicit operator float() const {
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
    }
    __device__ half operator-() const {
        half x;
        x.bits = bits ^ 0x8000;
        return x;
    }
};

__device__ inline half operator+(half a, half b) {
    half x;
    asm("add.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator-(half a, half b) {
    half x;
    asm("sub.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator*(half a, half b) {
    half x;
    asm("mul.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
"""

# float32 has more than twice the bits, and two more, of bfloat16 and float16: a sum, difference,
# product or quotient rounded to float32 and then to them is the exact one rounded once (Figueroa,
# "When is double rounding innocuous?", 1995).
_BFLOAT = """
// A float of 16 bits: the upper half of a float of 32. Each operation is rounded to nearest.
struct bfloat {
    unsigned short bits;

    bfloat() = default;
    __device__ explicit bfloat(float x) {
#if __CUDA_ARCH__ >= 800
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
#else
        unsigned int word = __float_as_uint(x);
        unsigned int rounded = word + 0x7fff + (word >> 16 & 1);
        bits = x == x ? rounded >> 16 : 0x7fff;
#endif
    }
    // Rounded to odd on the way, so that the second rounding sees what the first one cut off.
    __device__ explicit bfloat(double x) {
        float cut = __double2float_rz(x);
        bool exact = double(cut) == x || x != x;
        *this = bfloat(__uint_as_float(__float_as_uint(cut) | (exact ? 0 : 1)));
    }
    __device__ explicit operator float() const {
        return __uint_as_float((unsigned int)(bits) << 16);
    }
    __device__ bfloat operator-() const {
        bfloat x;
        x.bits = bits ^ 0x8000;
        return x;
    }
};

__device__ inline bfloat operator+(bfloat a, bfloat b) { return bfloat(float(a) + float(b)); }
__device__ inline bfloat operator-(bfloat a, bfloat b) { return bfloat(float(a) - float(b)); }
__device__ inline bfloat operator*(bfloat a, bfloat b) { return bfloat(float(a) * float(b)); }
"""


def _operators(name: str) -> str:
    """The operators that float16 and bfloat16 compute in float32."""
    two = f"({name} a, {name} b)"
    lines = [
        f"__device__ inline {name} operator/{two} {{ return {name}(float(a) / float(b)); }}",
        *(
            f"__device__ inline bool operator{sign}{two} {{ return float(a) {sign} float(b); }}"
            for sign in ("==", "!=", "<", "<=", ">", ">=")
        ),
        *(
            f"__device__ inline {name}& operator{sign}=({name}& a, {name} b) {{"
            f" return a = a {sign} b; }}"
            for sign in "+-*/"
        ),
    ]
    return "\n".join(lines) + "\n"


_AS_TYPE = """
// The same bits as another type.
template <typename To, typename From>
__device__ inline To as_type(From from) {
    static_assert(sizeof(To) == sizeof(From), "the sizes differ");
    To to;
    memcpy(&to, &from, sizeof(To));
    return to;
}
"""

_DOUBLE_BITS = """
__device__ inline unsigned long long double_bits(double x) {
    return (unsigned long long)__double_as_longlong(x);
}
"""


def _word(name: str) -> str:
    return f"""
__device__ inline {name} read_word({name}* word) {{
    return *(volatile {name}*)word;
}}

__device__ inline bool replace_word({name}* word, {name}& old, {name} desired) {{
    {name} seen = atomicCAS(word, old, desired);
    bool replaced = seen == old;
    old = seen;
    return replaced;
}}
"""


_LANE = """
// The thread's place among the 32 of its simdgroup.
__device__ inline unsigned int lane_index() {
    unsigned int lane;
    asm("mov.u32 %0, %laneid;" : "=r"(lane));
    return lane;
}
"""

# ptxas (CUDA 13.0, for sm_90) negates 16 bits in 32 and takes the result for one of 16: the least
# number's is then positive, and differs from itself. Bytes that are put together are cut off.
_NEGATED = """static __device__ inline {type} {name}({type} x) {{
    return {type}(__byte_perm((unsigned int)(-int(x)), 0, {bytes}));
}}"""

_NEIGHBOURS = """
// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};
"""

_LOADED_TOGETHER = """
template <typename T, int count>
static __device__ inline neighbours<T, count> load_neighbours(const T* first) {
    if ((size_t(first) & (sizeof(T) * count - 1)) == 0) return *(const neighbours<T, count>*)first;
    neighbours<T, count> loaded;
    for (int i = 0; i < count; ++i) loaded.element[i] = first[i];
    return loaded;
}
"""

_STORED_TOGETHER = """
template <typename T, int count>
static __device__ inline void store_neighbours(T* first, const neighbours<T, count>& stored) {
    if ((size_t(first) & (sizeof(T) * count - 1)) == 0) {
        *(neighbours<T, count>*)first = stored;
    } else {
        for (int i = 0; i < count; ++i) first[i] = stored.element[i];
    }
}
"""

PRELUDE = {
    "negated_short": _NEGATED.format(type="short", name="negated_short", bytes="0x9910"),
    "negated_uint16": _NEGATED.format(type="uint16", name="negated_uint16", bytes="0x4410"),
    "int8": "typedef signed char int8;",
    "int64": "typedef long long int64;",
    "uint8": "typedef unsigned char uint8;",
    "uint16": "typedef unsigned short uint16;",
    "uint32": "typedef unsigned int uint32;",
    "uint64": "typedef unsigned long long uint64;",
    "half": _HALF + _operators("half"),
    "bfloat": _BFLOAT + _operators("bfloat"),
    "as_type": _AS_TYPE,
    "double_bits": _DOUBLE_BITS,
    "word": _word("unsigned int") + _word("unsigned long long"),
    "lane_index": _LANE,
    "neighbours": _NEIGHBOURS,
    "load_neighbours": _LOADED_TOGETHER,
    "store_neighbours": _STORED_TOGETHER,
    "matrix": MATRIX,
    "matrix_16_bit": MULTIPLY + MATRIX_16_BIT,
    "matrix_float": MATRIX_TF32,
    "matrix_half": tensor_cores("half", "f16", 75),
    "matrix_bfloat": tensor_cores("bfloat", "bf16", 80),
    "async_copy": ASYNC_COPY,
}

_KEYWORDS = """
int8 int64 uint8 uint16 uint32 uint64 float2 float3 float4 double2 int2 int3 int4 uint2 uint3 uint4
threadIdx blockIdx blockDim gridDim warpSize dim3 assert
"""
_LIBRARY = """
memcpy memset printf malloc free abs acos acosf acosh asin asinh atan atan2 atanh cbrt ceil
copysign cos cosh cospi erf erfc erfcinv erfcx erfinv exp exp10 exp2 expf expm1 fabs fabsf fdim
fdividef floor fma fmax fmaxf fmin fminf fmod frexp hypot ilogb isfinite isinf isnan j0 j1 jn
ldexp lgamma llrint llround log log10 log1p log2 logb logf lrint lround max min modf nearbyint
nextafter norm norm3d norm4d normcdf normcdfinv pow powf powi rcbrt remainder remquo rhypot rint
rnorm round rsqrt scalbln scalbn signbit sin sincos sincospi sinf sinh sinpi sqrt sqrtf tan tanf
tanh tgamma trunc y0 y1 yn min max clock clock64 clz ffs mul24 saturate as_type double_bits
read_word replace_word lane_index simdgroup_matrix matrix_pair matrix_word widened matrix_fill
matrix_load matrix_load_aligned matrix_store are_pairs load_part load_four_parts as_right
matrix_access load_pair store_pair multiply_by_shuffles multiply_by_tensor_cores multiply_16x8x8
multiply_16x8x16 as_tf32 multiply_16x8x8_tf32 matrix_multiply_accumulate copy_pieces
copy_elements async_copy_group async_copy_wait simdgroup_mask threadgroup_memory place threads
thread_position_in_grid_x thread_position_in_grid_y thread_position_in_grid_z
threads_per_threadgroup_x threads_per_threadgroup_y threads_per_threadgroup_z
thread_index_in_threadgroup floor_divide floor_remainder shift_left shift_right range_next
range_turns minimum maximum absolute report_failure open_record write_value negated_short
negated_uint16 neighbours load_neighbours store_neighbours first_neighbour
"""

# One instruction from Ampere on, where a comparison and a look for NaN are five.
_EXTREMUM = """#if __CUDA_ARCH__ >= 800
float extremum;
asm("{instruction}.NaN.f32 %0, %1, %2;" : "=f"(extremum) : "f"(a), "f"(b));
return extremum;
#else
return isnan(a) || a {sign} b ? a : b;
#endif"""

DIALECT = Dialect(
    target="cuda",
    types=TYPES,
    suffixes=_SUFFIXES,
    spaces={Space.DEVICE: "", Space.THREADGROUP: "", Space.THREAD: ""},
    function="static __device__ inline ",
    infinity="__int_as_float(0x7f800000)",
    nan="__int_as_float(0x7fc00000)",
    double_infinity="__longlong_as_double(0x7ff0000000000000ll)",
    double_nan="__longlong_as_double(0x7ff8000000000000ll)",
    prelude=PRELUDE,
    keywords=frozenset(_KEYWORDS.split()),
    library=frozenset(_LIBRARY.split()),
    # These saturate, and give 0 for NaN (PTX, instruction cvt).
    conversions={
        (d.float32, d.int32): "__float2int_rz",
        (d.float32, d.uint32): "__float2uint_rz",
    },
    negations={d.int16: "negated_short", d.uint16: "negated_uint16"},
    counts_turns=True,
    extrema={
        "minimum": _EXTREMUM.format(instruction="min", sign="<"),
        "maximum": _EXTREMUM.format(instruction="max", sign=">"),
    },
)

_64 = "(unsigned long long*)address"
_WIDE = (d.int64, d.uint64)


def _native() -> dict[tuple[str, DType, Space], str]:
    """The bodies of atomic operations that every GPU of compute capability 7.5 has."""
    bodies: dict[tuple[str, DType], str] = {}
    for dtype in (d.int32, d.uint32, d.int64, d.uint64, d.float32, d.float64):
        bodies["load", dtype] = f"return *(volatile {TYPES[dtype]}*)address;"
        bodies["store", dtype] = f"*(volatile {TYPES[dtype]}*)address = value;"
    for dtype in (d.int32, d.uint32, d.int64, d.uint64):
        pointer = _64 if dtype.bits == 64 else "address"
        t = TYPES[dtype]
        given = "(unsigned long long)value" if dtype.bits == 64 else "value"
        for operation, function in _FUNCTIONS.items():
            bodies[operation, dtype] = f"return {t}({function}({pointer}, {given}));"
        bodies["subtract", dtype] = f"return {t}(atomicAdd({pointer}, 0 - {given}));"
        if dtype.bits == 32:
            bodies["subtract", dtype] = "return atomicSub(address, value);"
        for operation in ("min", "max"):
            bodies[operation, dtype] = f"return atomic{operation.title()}(address, value);"
    for dtype in (d.float32, d.float64):
        bodies["add", dtype] = "return atomicAdd(address, value);"
        bodies["subtract", dtype] = "return atomicAdd(address, -value);"
    bodies["exchange", d.float32] = "return atomicExch(address, value);"
    spaces = (Space.DEVICE, Space.THREADGROUP)
    return {(o, t, space): body for (o, t), body in bodies.items() for space in spaces}


_FUNCTIONS = {
    "add": "atomicAdd",
    "exchange": "atomicExch",
    "and": "atomicAnd",
    "or": "atomicOr",
    "xor": "atomicXor",
}

NATIVE_ATOMICS = _native()


def _atomic(node: Atomic) -> str | None:
    if node.array.type.dtype.is_complex:
        return "a complex number is two floats, which change one after the other"
    return None


LIMITS = Limits(
    target="cuda",
    place="NVIDIA GPUs",
    types={},
    atomic=_atomic,
    # Of compute capability 9.0 and 10.0; 7.5 has 64 KiB, 8.6 and 8.9 have 99 (programming guide,
    # technical specifications). A launch tells what the card has; above 48 KiB it has to ask.
    threadgroup_bytes=232448,
    buffers=None,
    matrix_types=frozenset({d.float16, d.bfloat16, d.float32, d.float64}),
    strided_matrices=True,
)

STATIC_THREADGROUP_BYTES = 49152
"""What arrays declared in a kernel may take together; more has to be asked for at launch."""

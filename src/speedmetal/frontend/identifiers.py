"""Names of variables in the IR: the user's, made valid and unique in every target's language."""

from __future__ import annotations

import re

_CPP = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
co_return co_yield decltype default delete do double dynamic_cast else enum explicit export extern
false final float for friend goto if import inline int long module mutable namespace new noexcept
not not_eq nullptr operator or or_eq override private protected public register reinterpret_cast
requires restrict return short signed sizeof static static_assert static_cast struct switch lambda
template this thread_local throw true try typedef typeid typename typeof union unsigned using
virtual void volatile wchar_t while xor xor_eq main std size_t ptrdiff_t int8_t int16_t int32_t
int64_t uint8_t uint16_t uint32_t uint64_t NAN INFINITY NULL assert printf
"""
_METAL = """
kernel vertex fragment device constant thread threadgroup threadgroup_imageblock ray_data
object_data mesh metal half bfloat uint ushort uchar ulong half2 half3 half4 float2 float3 float4
int2 int3 int4 uint2 uint3 uint4 sampler texture buffer atomic_int atomic_uint atomic_ulong
atomic_float simdgroup_matrix simdgroup_float8x8 simdgroup_half8x8 mem_flags memory_order access
as_type select precise fast clamp saturate mix step smoothstep sign fract powr min3 max3 median3
dot cross normalize length distance reflect refract any all select discard quad
"""
_CUDA = """
__half half2 dim3 threadIdx blockIdx blockDim gridDim warpSize __shared__ __device__ __global__
__constant__ __syncthreads atomicAdd cudaStream_t clock signal index abort exit rand time
"""
_FUNCTIONS = """
abs acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh cospi erf erfc erfcinv
erfinv exp exp10 exp2 expm1 fabs fdim fdiv floor fma fmax fmin fmod frexp gamma hypot ilogb isfinite
isinf isnan isnormal j0 j1 jn ldexp lgamma llrint log log10 log1p log2 logb lrint max min modf nan
nearbyint nextafter norm normcdf popcount clz ctz mulhi pow powi rcbrt remainder remquo rhypot rint
round rsqrt scalbn signbit sin sincos sincospi sinh sinpi sqrt tan tanh tanpi tgamma trunc y0 y1 yn
reverse_bits extract_bits insert_bits rotate mad24 mul24 absdiff hadd
"""
RESERVED = frozenset(f"{_CPP} {_METAL} {_CUDA} {_FUNCTIONS}".split()) | frozenset(
    f"{name}f" for name in _FUNCTIONS.split()
)
"""What no variable may be called: keywords, types and functions of C++, Metal and CUDA."""

_PLAIN = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")


def valid_identifier(name: str) -> str:
    """The name, or the nearest one that C++, Metal and CUDA allow.

    Letters beyond ASCII are written as their code points; leading, trailing and doubled
    underscores, which C++ keeps for itself, go; what is reserved, and the prefix ``sm_`` of the
    printers' own helpers, is set apart by an underscore at the end.

    >>> [valid_identifier(n) for n in ("x", "_x", "a__b", "float", "é", "sm_x", "_")]
    ['x', 'x', 'a_b', 'float_', 'ue9', 'sm_x_', 'value']
    """
    if not _PLAIN.match(name):
        ascii_name = "".join(c if c.isascii() else f"u{ord(c):x}" for c in name)
        name = re.sub("__+", "_", re.sub(r"\W", "_", ascii_name)).strip("_") or "value"
        if name[0].isdigit():
            name = f"n{name}"
    return f"{name}_" if name in RESERVED or name.startswith("sm_") else name


class Names:
    """Hands out names, each one once."""

    def __init__(self, taken: set[str] | None = None) -> None:
        self.taken = set() if taken is None else taken
        self._next: dict[str, int] = {}

    def unique(self, wanted: str) -> str:
        """``wanted`` made valid, with a number where it is taken.

        >>> names = Names()
        >>> names.unique("x"), names.unique("x"), names.unique("x")
        ('x', 'x_1', 'x_2')
        """
        base = valid_identifier(wanted)
        name = base
        while name in self.taken:
            number = self._next.get(base, 0) + 1
            self._next[base] = number
            name = f"{base.rstrip('_')}_{number}"
        self.taken.add(name)
        return name

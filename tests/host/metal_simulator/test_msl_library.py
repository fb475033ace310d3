"""The Metal library of the simulator computes what its names say, for every bit pattern it can."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from speedmetal.metal_simulator.simulate import simulate

HEAD = "#include <metal_stdlib>\nusing namespace metal;\n"
BFLOAT = np.dtype(ml_dtypes.bfloat16)


@pytest.fixture(scope="module")
def library():
    """All kernels of this file, compiled once."""
    return simulate(HEAD + "".join(text for text, _ in KERNELS.values()))


KERNELS: dict[str, tuple[str, tuple[str, ...]]] = {}


def kernel(name: str, types: tuple[str, ...], result: str, body: str) -> str:
    """A kernel of one thread for each element: `a`, `b`, `c` are its operands."""
    operands = "".join(f"device const {t}* p{i} [[buffer({i})]], " for i, t in enumerate(types))
    loads = "".join(
        f"{t} {letter} = p{i}[i]; " for i, (t, letter) in enumerate(zip(types, "abc", strict=False))
    )
    KERNELS[name] = (
        (
            f"kernel void {name}({operands}device {result}* out [[buffer({len(types)})]], "
            f"uint i [[thread_position_in_grid]]) {{ {loads}out[i] = {body}; }}\n"
        ),
        types,
    )
    return name


def run(library, name: str, result: np.dtype, *operands: np.ndarray) -> np.ndarray:
    out = np.zeros(operands[0].size, result)
    library.function(name)(*operands, out, grid=out.size)
    return out


# --- Integers ---------------------------------------------------------------------------------

KINDS = {"char": np.int8, "uchar": np.uint8}
INTEGER2 = {
    "addsat": lambda a, b, low, high: min(max(a + b, low), high),
    "subsat": lambda a, b, low, high: min(max(a - b, low), high),
    "hadd": lambda a, b, low, high: (a + b) >> 1,
    "rhadd": lambda a, b, low, high: (a + b + 1) >> 1,
    "mulhi": lambda a, b, low, high: (a * b) >> 8,
    "absdiff": lambda a, b, low, high: abs(a - b),
    "rotate": lambda a, b, low, high: ((a & 255) << (b & 7)) | ((a & 255) >> (8 - (b & 7))),
    "min": lambda a, b, low, high: min(a, b),
    "max": lambda a, b, low, high: max(a, b),
}
INTEGER1 = {
    "popcount": lambda a: (a & 255).bit_count(),
    "clz": lambda a: 8 - (a & 255).bit_length(),
    "ctz": lambda a: 8 if a == 0 else (a & -a).bit_length() - 1,
    "reverse_bits": lambda a: int(f"{a & 255:08b}"[::-1], 2),
    "abs": abs,
}
for kind in KINDS:
    for name in INTEGER2:
        kernel(f"{name}_{kind}", (kind, kind), kind, f"{name}(a, b)")
    for name in INTEGER1:
        kernel(f"{name}_{kind}", (kind,), kind, f"{name}(a)")
    kernel(f"extract_{kind}", (kind,), kind, "extract_bits(a, 2u, 3u)")
    kernel(f"insert_{kind}", (kind, kind), kind, "insert_bits(a, b, 3u, 4u)")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", INTEGER2)
def test_functions_of_two_integers(library, name, kind):
    dtype = KINDS[kind]
    limits = np.iinfo(dtype)
    every = np.arange(limits.min, limits.max + 1)
    a, b = (x.ravel().astype(dtype) for x in np.meshgrid(every, every))
    expected = [
        INTEGER2[name](int(x), int(y), limits.min, limits.max) for x, y in zip(a, b, strict=True)
    ]
    out = run(library, f"{name}_{kind}", dtype, a, b)
    assert np.array_equal(out, np.array(expected).astype(np.uint8).view(dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_functions_of_one_integer(library, kind):
    dtype = KINDS[kind]
    a = np.arange(256).astype(np.uint8).view(dtype)
    for name, function in INTEGER1.items():
        expected = np.array([function(int(x)) for x in a]).astype(np.uint8).view(dtype)
        assert np.array_equal(run(library, f"{name}_{kind}", dtype, a), expected), name
    extracted = [(int(x) >> 2) & 7 for x in a]
    if dtype is np.int8:
        extracted = [x - 8 if x >= 4 else x for x in extracted]
    assert run(library, f"extract_{kind}", dtype, a).tolist() == extracted
    b = np.roll(a, 77)
    inserted = [(int(x) & ~0x78) | (int(y) << 3 & 0x78) for x, y in zip(a, b, strict=True)]
    expected = (np.array(inserted) & 255).astype(np.uint8).view(dtype)
    assert np.array_equal(run(library, f"insert_{kind}", dtype, a, b), expected)


# --- half and bfloat --------------------------------------------------------------------------

OPERATIONS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
SMALL = {"half": np.dtype(np.float16), "bfloat": BFLOAT}
for kind in SMALL:
    for number, sign in enumerate(OPERATIONS):
        kernel(f"operation{number}_{kind}", (kind, kind), kind, f"a {sign} b")
    kernel(f"from_float_{kind}", ("float",), kind, f"{kind}(a)")
    kernel(f"to_float_{kind}", (kind,), "float", "float(a)")
kernel("half_fma", ("half", "half", "half"), "half", "fma(a, b, c)")
kernel("half_steps", ("half", "half", "half"), "half", "a * b + c")
kernel("half_next", ("half", "half"), "half", "nextafter(a, b)")


def bits(seed: int, count: int, dtype: np.dtype) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 16, count, np.uint16).view(dtype)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    nan = np.isnan(a.astype(np.float32)) & np.isnan(b.astype(np.float32))
    return bool(np.all(nan | (a.view(np.uint16) == b.view(np.uint16))))


@pytest.mark.parametrize("kind", SMALL)
def test_operations_are_rounded_to_the_type(library, kind):
    dtype = SMALL[kind]
    a, b = bits(1, 20000, dtype), bits(2, 20000, dtype)
    for number, operation in enumerate(OPERATIONS.values()):
        with np.errstate(all="ignore"):
            expected = operation(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
            expected = operation(a.astype(np.float32), b.astype(np.float32)).astype(dtype)
        assert same(run(library, f"operation{number}_{kind}", dtype, a, b), expected)


@pytest.mark.parametrize("kind", SMALL)
def test_conversions(library, kind):
    dtype = SMALL[kind]
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    wide = run(library, f"to_float_{kind}", np.float32, every)
    assert np.array_equal(wide, every.astype(np.float32), equal_nan=True)
    assert same(run(library, f"from_float_{kind}", dtype, wide), every)
    floats = np.random.default_rng(3).integers(0, 1 << 32, 50000, np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        expected = floats.astype(dtype)
    assert same(run(library, f"from_float_{kind}", dtype, floats), expected)


def test_fma_of_half_is_rounded_once(library):
    a, b, c = (bits(seed, 3000, np.float16) for seed in (4, 5, 6))
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    a, b, c = a[finite], b[finite], c[finite]
    with np.errstate(all="ignore"):
        exact = [
            Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
            for x, y, z in zip(a, b, c, strict=True)
        ]
        expected = np.array([nearest_half(x) for x in exact], np.float16)
    out = run(library, "half_fma", np.float16, a, b, c)
    is_zero = (out == 0) & (expected == 0)  # whose sign the exact number does not have
    assert np.all(is_zero | (out == expected))


def test_fma_of_half_beside_a_tie(library):
    """A float on the way would end on the tie, and the tie on the wrong side."""
    tiny = 2.0**-10
    a = np.array([(1 + tiny) * 2.0**-5] * 2, np.float16)
    b = np.array([(1 - tiny) * 2.0**-6, -(1 - tiny) * 2.0**-6], np.float16)
    c = np.array([1 + tiny, 1 + 2 * tiny], np.float16)
    out = run(library, "half_fma", np.float16, a, b, c)
    assert out.tolist() == [1 + tiny, 1 + 2 * tiny]


def test_each_step_of_half_is_rounded(library):
    a, b, c = (bits(seed, 20000, np.float16) for seed in (9, 10, 11))
    with np.errstate(all="ignore"):
        expected = a * b + c
    assert same(run(library, "half_steps", np.float16, a, b, c), expected)


def nearest_half(x: Fraction) -> float:
    """To nearest, ties to even."""
    if x == 0:
        return 0.0
    exponent = max(-14, _exponent(abs(x)))
    unit = Fraction(2) ** (exponent - 10)
    rounded = round(x / unit) * unit  # round() of a Fraction is to even
    return float(rounded) if abs(rounded) < 65536 else float(np.copysign(np.inf, float(x)))


def _exponent(x: Fraction) -> int:
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= x else exponent - 1


def test_the_next_half(library):
    a, b = bits(7, 20000, np.float16), bits(8, 20000, np.float16)
    b[::5] = a[::5]
    assert same(run(library, "half_next", np.float16, a, b), np.nextafter(a, b))


# --- float ------------------------------------------------------------------------------------

for name in ("sinpi", "cospi", "fract", "sign", "round", "rint", "rsqrt", "saturate"):
    kernel(f"{name}_float", ("float",), "float", f"{name}(a)")
for name in ("min", "max", "fdim", "powr"):
    kernel(f"{name}_float", ("float", "float"), "float", f"{name}(a, b)")


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("sinpi", [0.0, 0.5, 1.0, 1e6 + 0.5, 0.25, 3e9], [0, 1, 0, 1, np.sqrt(0.5), 0]),
        ("cospi", [0.0, 0.5, 1.0, 1e6 + 0.5, 2.5, 3e9], [1, 0, -1, 0, 0, 1]),
        ("fract", [1.25, -0.25, -1e-10, np.nan], [0.25, 0.75, 1 - 2.0**-24, np.nan]),
        ("sign", [-0.0, 3.0, -np.inf, np.nan], [-0.0, 1, -1, 0]),
        ("round", [0.5, 1.5, -2.5, 8388609.0], [1, 2, -3, 8388609]),
        ("rint", [0.5, 1.5, -2.5, 8388609.0], [0, 2, -2, 8388609]),
        ("rsqrt", [4.0, 0.0, np.inf, -1.0], [0.5, np.inf, 0, np.nan]),
        ("saturate", [-1.0, 0.5, 2.0, np.nan], [0, 0.5, 1, 0]),
    ],
)
def test_functions_of_a_float(library, name, given, expected):
    out = run(library, f"{name}_float", np.float32, np.array(given, np.float32))
    assert np.array_equal(out, np.array(expected, np.float32), equal_nan=True)
    assert np.array_equal(np.signbit(out), np.signbit(np.array(expected))) or np.isnan(out).any()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("min", [1, 1, 2, np.nan]),
        ("max", [2, 1, 2, np.nan]),
        ("fdim", [0, np.nan, np.nan, np.nan]),
        ("powr", [1, np.nan, np.nan, np.nan]),
    ],
)
def test_functions_of_two_floats(library, name, expected):
    a = np.array([1, 1, np.nan, np.nan], np.float32)
    b = np.array([2, np.nan, 2, np.nan], np.float32)
    out = run(library, f"{name}_float", np.float32, a, b)
    assert np.array_equal(out, np.array(expected, np.float32), equal_nan=True)


# --- Vectors ----------------------------------------------------------------------------------

VECTORS = f"""{HEAD}
constant constexpr float4 table = float4(1, 2, 3, 4) * 2;
static_assert(table.x == 2 && table[3] == 8);
static_assert(sizeof(float3) == 16 && sizeof(packed_float3) == 12 && sizeof(bool3) == 4);
static_assert(alignof(half4) == 8 && alignof(packed_half4) == 2);
static_assert(is_same_v<decltype(1.0), float> && is_same_v<decltype(1.0h), half>);
template <typename T> T scaled(T x) {{
  static_assert(is_same_v<decltype(0.5 * x), T>);
  return 0.5 * x;
}}
kernel void vectors(device float4* out, device packed_float3* packed, device int4* counts) {{
  float4 a = float4(float2(1, 2), 3, 4), b = {{4, 3}};
  a.xy = a.wz;                       // 4 3 3 4
  a.zw += float2(1, 2);              // 4 3 4 6
  out[0] = a;
  out[1] = float4(a > b);            // comparisons are 0 or 1
  out[2] = select(a, b, bool4(true, false, a.x == 4, !true));
  out[3] = a.bgra * scaled(2.0);
  out[4] = -a.xxyy + 1;
  packed[0] = packed[1] * 2 + float3(1, 1, 1).zyx;
  packed[0].xy = packed[0].yx;
  counts[0] = int4(a) << 1 | (int4(b) & 1);
  counts[1] = int4(int2(7, 8) % 4, any(a < b), all(a >= b));
  a[2] = dot(a, b);
  a.w++;
  out[5] = max(min(a, 5), 4.5);
  out[6] = table;
}}
"""


def test_vectors():
    out, packed = np.zeros((7, 4), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    counts = np.zeros((2, 4), np.int32)
    simulate(VECTORS).function("vectors")(out, packed, counts, grid=1)
    assert out.tolist() == [
        [4, 3, 4, 6],
        [0, 0, 1, 1],
        [4, 3, 0, 6],
        [4, 3, 4, 6],
        [-3, -3, -2, -2],
        [4.5, 4.5, 5, 5],
        [2, 4, 6, 8],
    ]
    assert packed[0].tolist() == [9, 7, 11]
    assert counts.tolist() == [[8, 7, 8, 12], [3, 0, 0, 1]]

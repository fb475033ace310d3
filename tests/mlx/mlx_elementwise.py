"""MLX's kernels for elementwise operations and copies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from mlx_case import Array, Made, case, floats, int32, int64, random, strides, wide

# --- Elementwise ----------------------------------------------------------------------------------


def _arange(dtype: Any) -> Made:
    right = (3 + np.arange(100) * 2).astype(dtype)
    return {0: np.array(3, dtype), 1: np.array(2, dtype), 2: np.zeros(100, dtype)}, {2: right}


for _type, _dtype in (("float", np.float32), ("half", np.float16), ("int64_t", np.int64)):
    case(f"arange, {_type}", "utils.h arange.h", f"arange<{_type}>", 100, 64)(
        lambda dtype=_dtype: _arange(dtype)
    )


@case("copy, with a cast", "utils.h copy.h", "copy_v<float, half>", 26, 32)
def _copy_cast() -> Made:
    x = floats(101)
    return {0: x, 1: np.zeros(101, np.float16), 2: np.uint32(101)}, {1: x.astype(np.float16)}


@case(
    "copy, of a transposed matrix", "utils.h copy.h", "copy_g_nd2<int, int, int>", (37, 21), (8, 8)
)
def _copy_transposed() -> Made:
    x = random().integers(-99, 99, (37, 21)).astype(np.int32)
    t = x.T
    return {0: x, 1: np.zeros((21, 37), np.int32), 3: strides(t)}, {1: t.copy()}


@case("copy, of any shape", "utils.h copy.h", "copy_gg<float, float, 2, int>", (3, 5, 4), (2, 5, 2))
def _copy_general() -> Made:
    x = floats(2, 5, 2, 6)
    source, target = x.transpose(2, 0, 1, 3), np.zeros((2, 2, 5, 6), np.float32)
    arguments = {
        0: x,
        1: target,
        2: int32(2, 2, 5, 6),
        3: strides(source),
        4: strides(target),
        5: np.int32(4),
    }
    return arguments, {1: source.copy()}


UNARY = "utils.h unary_ops.h unary.h"
_POSITIVE = (0.05 + 3 * random(3).random(77)).astype(np.float32)
_UNARY: dict[str, tuple[Callable[[Array], Array], float]] = {
    "Abs": (np.abs, 0.0),
    "ArcCos": (lambda x: np.arccos(x / 4), 1e-6),
    "ArcTan": (np.arctan, 1e-6),
    "Ceil": (np.ceil, 0.0),
    "Cos": (np.cos, 1e-6),
    "Erf": (None, 2e-6),
    "Exp": (np.exp, 1e-6),
    # MLX leaves the low part of log(2) out of its reduction of the argument: 1.43e-6 for each turn.
    "Expm1": (np.expm1, 1e-5),
    "Floor": (np.floor, 0.0),
    "Log": (np.log, 1e-6),
    "Log1p": (np.log1p, 1e-6),
    "Log2": (np.log2, 1e-6),
    "Log10": (np.log10, 1e-6),
    "Negative": (np.negative, 0.0),
    "Round": (np.rint, 0.0),
    "Rsqrt": (lambda x: 1 / np.sqrt(x), 1e-6),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 1e-6),
    "Sign": (np.sign, 0.0),
    "Sin": (np.sin, 1e-6),
    "Sinh": (np.sinh, 1e-6),
    "Sqrt": (np.sqrt, 1e-6),
    "Square": (np.square, 1e-6),
    "Tanh": (np.tanh, 1e-6),
}


def _erf(x: Array) -> Array:

    return np.array([math.erf(v) for v in x.ravel()]).reshape(x.shape)


def _unary(name: str) -> Made:
    reference = _UNARY[name][0] or _erf
    x = _POSITIVE if name != "ArcCos" else _POSITIVE / 4
    exact = reference(wide(x) if name != "ArcCos" else wide(x) * 4)
    return {0: x, 1: np.zeros(77, np.float32), 2: np.uint32(77)}, {1: exact.astype(np.float32)}


for _name, (_, _tolerance) in _UNARY.items():
    case(f"unary {_name}", UNARY, f"unary_v<float, float, {_name}>", 39, 32, tolerance=_tolerance)(
        lambda name=_name: _unary(name)
    )


@case("unary, half", UNARY, "unary_v<half, half, Exp>", 20, 32, tolerance=1e-3)
def _unary_half() -> Made:
    x = floats(80, dtype=np.float16)
    return {0: x, 1: np.zeros_like(x), 2: np.uint32(80)}, {1: np.exp(wide(x)).astype(np.float16)}


@case("unary, bfloat", UNARY, "unary_v<bfloat16_t, bfloat16_t, Tanh>", 20, 32, tolerance=1e-2)
def _unary_bfloat() -> Made:
    x = floats(80, dtype=ml_dtypes.bfloat16)
    return {0: x, 1: np.zeros_like(x), 2: np.uint32(80)}, {
        1: np.tanh(wide(x)).astype(ml_dtypes.bfloat16)
    }


@case("unary, complex", UNARY, "unary_v<complex64_t, complex64_t, Exp, 1>", 40, 32, tolerance=1e-6)
def _unary_complex() -> Made:
    x = (floats(40) + 1j * floats(40, seed=1)).astype(np.complex64)
    return {0: x, 1: np.zeros_like(x), 2: np.uint32(40)}, {1: np.exp(x)}


@case("unary, of any shape", UNARY, "unary_g<float, float, Square, 1, int>", (6, 5, 4), (6, 5, 4))
def _unary_general() -> Made:
    x = floats(5, 2, 2, 6)
    t = x.transpose(1, 2, 0, 3)
    arguments = {
        0: x,
        1: np.zeros((2, 2, 5, 6), np.float32),
        2: int32(*t.shape),
        3: strides(t),
        4: np.int32(4),
    }
    return arguments, {1: np.square(t)}


BINARY = "utils.h binary_ops.h binary.h"
_BINARY: dict[str, tuple[Callable[[Array, Array], Array], float]] = {
    "Add": (np.add, 0.0),
    "Divide": (np.divide, 2e-7),
    "LogAddExp": (lambda a, b: np.logaddexp(wide(a), wide(b)), 1e-6),
    "Maximum": (np.maximum, 0.0),
    "Minimum": (np.minimum, 0.0),
    "Multiply": (np.multiply, 0.0),
    "Power": (lambda a, b: np.abs(wide(a)) ** wide(b), 1e-6),
    "Remainder": (np.remainder, 1e-6),
    "Subtract": (np.subtract, 0.0),
    "ArcTan2": (lambda a, b: np.arctan2(wide(a), wide(b)), 1e-6),
}


def _binary(name: str) -> Made:
    a, b = floats(61), floats(61, seed=1)
    if name == "Power":
        a = np.abs(a)
    right = _BINARY[name][0](a, b).astype(np.float32)
    return {0: a, 1: b, 2: np.zeros(61, np.float32), 3: np.uint32(61)}, {2: right}


for _name, (_, _tolerance) in _BINARY.items():
    case(
        f"binary {_name}", BINARY, f"binary_vv<float, float, {_name}>", 31, 32, tolerance=_tolerance
    )(lambda name=_name: _binary(name))


def _integers(reference: Callable[[Array, Array], Array], dtype: Any = np.int32) -> Made:
    a = random().integers(-99, 99, 61).astype(np.int32)
    b = random(1).integers(1, 9, 61).astype(np.int32)
    return {0: a, 1: b, 2: np.zeros(61, dtype), 3: np.uint32(61)}, {
        2: reference(a, b).astype(dtype)
    }


for _name, _reference in (
    ("Remainder", np.remainder),
    ("BitwiseXor", np.bitwise_xor),
    ("LeftShift", np.left_shift),
    ("FloorDivide", np.floor_divide),
    ("Power", lambda a, b: a.astype(np.int64) ** b),
):
    case(f"binary {_name}, int", BINARY, f"binary_vv<int32_t, int32_t, {_name}>", 31, 32)(
        lambda reference=_reference: _integers(reference)
    )
case("binary Less, int to bool", BINARY, "binary_vv<int32_t, bool, Less>", 31, 32)(
    lambda: _integers(np.less, np.bool_)
)


@case("binary, with a number", BINARY, "binary_sv<float, float, Subtract>", 31, 32)
def _binary_scalar() -> Made:
    a, b = floats(1), floats(61)
    return {0: a, 1: b, 2: np.zeros(61, np.float32), 3: np.uint32(61)}, {2: a - b}


@case("binary, spread over rows", BINARY, "binary_g_nd2<float, float, Add, int>", (21, 17), (8, 8))
def _binary_broadcast() -> Made:
    a, b = floats(17, 1), floats(21)
    return {0: a, 1: b, 2: np.zeros((17, 21), np.float32), 3: int64(1, 0), 4: int64(0, 1)}, {
        2: a + b
    }


@case(
    "binary, of any shape", BINARY, "binary_g<float, float, Multiply, 2, int>", (3, 5, 4), (3, 5, 4)
)
def _binary_general() -> Made:
    x, y = floats(5, 2, 2, 6), floats(2, 2, 5, 6, seed=1)
    t = x.transpose(1, 2, 0, 3)
    arguments = {
        0: x,
        1: y,
        2: np.zeros_like(y),
        3: int32(*t.shape),
        4: strides(t),
        5: strides(y),
        6: np.int32(4),
    }
    return arguments, {2: t * y}


@case(
    "two results of a pair (divmod)",
    "utils.h binary_ops.h binary_two.h",
    "binary_vv<int32_t, int32_t, DivMod>",
    31,
    32,
)
def _divmod() -> Made:
    a = random().integers(0, 99, 61).astype(np.int32)
    b = random(1).integers(1, 9, 61).astype(np.int32)
    zero = np.zeros(61, np.int32)
    return {0: a, 1: b, 2: zero, 3: zero.copy(), 4: np.uint32(61)}, {2: a // b, 3: a % b}


TERNARY = "utils.h ternary_ops.h ternary.h"


@case("select", TERNARY, "ternary_v<float, Select, false, false>", 31, 32)
def _select() -> Made:
    a, b, c = floats(61) > 0, floats(61, seed=1), floats(61, seed=2)
    return {0: a, 1: b, 2: c, 3: np.zeros(61, np.float32), 4: np.uint32(61)}, {3: np.where(a, b, c)}


@case("select, spread over rows", TERNARY, "ternary_g_nd2<half, Select, int>", (9, 7), (9, 7))
def _select_broadcast() -> Made:
    a = floats(7, 9) > 0
    b, c = floats(7, 1, seed=1, dtype=np.float16), floats(9, seed=2, dtype=np.float16)
    arguments = {
        0: a,
        1: b,
        2: c,
        3: np.zeros((7, 9), np.float16),
        4: int64(9, 1),
        5: int64(1, 0),
        6: int64(0, 1),
    }
    return arguments, {3: np.where(a, b, c)}

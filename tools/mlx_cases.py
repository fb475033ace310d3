"""Launches of MLX's Metal kernels with small inputs, and NumPy's results: the cases of `mlx_kernels.py`.

Shapes are uneven on purpose: rows that no threadgroup divides, tiles that stick out.
"""

# ruff: noqa: E501, FBT001 - declarations of templates read best in one line; flags of kernels

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]
Made = tuple[dict[int, Any], dict[int, Array]]


@dataclass(frozen=True)
class Case:
    """One launch.

    Args:
        name: What MLX uses the kernel for.
        files: Where the kernel is, named from MLX's folder of kernels; all are one program.
        function: The kernel: `name<arguments>`, or a name.
        make: Gives the arguments by buffer index, and what must be in some of them afterwards.
        grid: Threads of the grid.
        threads: Threads of a threadgroup.
        constants: Values of function constants.
        tolerance: The greatest right difference, relative to the greatest magnitude expected; 0: the
            same bits.
        fault: What is wrong with the kernel itself; the simulator must find it. Empty: nothing.
        is_strict: Whether threads that miss a barrier are an error.
    """

    name: str
    files: tuple[str, ...]
    function: str
    make: Callable[[], Made]
    grid: Any
    threads: Any
    constants: Mapping[int | str, object] = field(default_factory=dict)
    tolerance: float = 0.0
    fault: str = ""
    is_strict: bool = True

    @property
    def template(self) -> str:
        return self.function.partition("<")[0]


CASES: list[Case] = []


def case(
    name: str, files: str, function: str, grid: Any, threads: Any, **fields: Any
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Makes a case of the function below, which gives its arguments."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        CASES.append(Case(name, tuple(files.split()), function, make, grid, threads, **fields))
        return make

    return add


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def floats(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    return random(seed).standard_normal(shape).astype(dtype)


def wide(x: Array) -> Array:
    return x.astype(np.float64)


def int32(*values: int) -> Array:
    return np.array(values, np.int32)


def int64(*values: int) -> Array:
    return np.array(values, np.int64)


def strides(x: Array) -> Array:
    """In elements, as MLX gives them."""
    return np.array([s // x.itemsize for s in x.strides], np.int64)


def rows(x: Array) -> int:
    """Threads for a row of which each thread reads four elements, in whole simdgroups."""
    return (x.shape[-1] + 127) // 128 * 32


# --- Elementwise ---------------------------------------------------------------------------------


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
    import math

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


# --- Rows ----------------------------------------------------------------------------------------


def _softmax(x: Array) -> Array:
    power = np.exp(wide(x) - wide(x).max(-1, keepdims=True))
    return (power / power.sum(-1, keepdims=True)).astype(x.dtype)


def _row_kernel(name: str, files: str, function: str, reference: Callable[[Array], Array]) -> None:
    """A kernel with one threadgroup a row, in float, half and bfloat."""
    for kind, dtype, tolerance in (
        ("float", np.float32, 3e-6),
        ("half", np.float16, 2e-3),
        ("bfloat16_t", ml_dtypes.bfloat16, 2e-2),
    ):
        for columns in (300,) if "looped" not in function else (5000,):

            def make(dtype: Any = dtype, columns: int = columns) -> Made:
                x = floats(3, columns, dtype=dtype)
                out = reference(x)
                return {0: x, 1: np.zeros_like(out), 2: np.int32(columns)}, {1: out}

            threads = 1024 if "looped" in function else rows(np.empty(columns))
            case(
                f"{name}, {kind}",
                files,
                f"{function}<{kind}, float>",
                3 * threads,
                threads,
                tolerance=tolerance,
            )(make)


def _logsumexp(x: Array) -> Array:
    high = wide(x).max(-1)
    return (high + np.log(np.exp(wide(x) - high[:, None]).sum(-1))).astype(x.dtype)


_row_kernel("softmax", "utils.h softmax.h", "softmax_single_row", _softmax)
_row_kernel("softmax of long rows", "utils.h softmax.h", "softmax_looped", _softmax)
_row_kernel("logsumexp", "utils.h logsumexp.h", "logsumexp", _logsumexp)
_row_kernel("logsumexp of long rows", "utils.h logsumexp.h", "logsumexp_looped", _logsumexp)


def _entropy() -> tuple[Array, Array, Array]:
    x = floats(4, 333)
    targets = int32(3, 332, -1, 100)
    loss = _logsumexp(wide(x)) - wide(x)[np.arange(4), targets]
    return x, targets, loss


@case(
    "cross entropy", "utils.h cross_entropy.h", "cross_entropy<float>", 4 * 96, 96, tolerance=3e-6
)
def _cross_entropy() -> Made:
    x, targets, loss = _entropy()
    arguments = {0: x, 1: targets, 2: np.zeros(4, np.float32), 3: np.int32(333)}
    return arguments, {2: loss.astype(np.float32)}


@case(
    "cross entropy, backwards",
    "utils.h cross_entropy.h",
    "cross_entropy_vjp<float>",
    4 * 96,
    96,
    tolerance=3e-6,
)
def _cross_entropy_vjp() -> Made:
    x, targets, loss = _entropy()
    cotangent = floats(4, seed=1)
    right = np.array(_softmax(wide(x)))
    right[np.arange(4), targets] -= 1
    right *= cotangent[:, None]
    arguments = {
        0: x,
        1: targets,
        2: loss.astype(np.float32),
        3: cotangent,
        4: np.zeros_like(x),
        5: np.int32(333),
    }
    return arguments, {4: right.astype(np.float32)}


def _layer_norm(columns: int) -> Made:
    x, w, b = floats(3, columns), floats(columns, seed=1), floats(columns, seed=2)
    mean = wide(x).mean(-1, keepdims=True)
    right = (x - mean) / np.sqrt(wide(x).var(-1, keepdims=True) + 1e-5) * w + b
    one = np.uint32(1)
    arguments = {0: x, 1: w, 2: b, 3: np.zeros_like(x), 4: np.float32(1e-5), 5: np.uint32(columns)}
    return {**arguments, 6: one, 7: one}, {3: right.astype(np.float32)}


NORM = {"constants": {20: True}, "tolerance": 3e-6}
case("layer norm", "layer_norm.metal", "layer_norm_single_row<float>", 3 * 64, 64, **NORM)(
    lambda: _layer_norm(512)
)
case(
    "layer norm of uneven rows",
    "layer_norm.metal",
    "layer_norm_single_row<float>",
    3 * 64,
    64,
    fault="threads behind the row's end write before their own array: `for (int i = n; ...) thread_x[i] = mean` with n < 0",
    **NORM,
)(lambda: _layer_norm(301))
case(
    "layer norm of long rows", "layer_norm.metal", "layer_norm_looped<float>", 3 * 256, 256, **NORM
)(lambda: _layer_norm(1301))


def _rms(columns: int) -> Made:
    x, w = floats(3, columns), floats(columns, seed=1)
    right = x / np.sqrt((wide(x) ** 2).mean(-1, keepdims=True) + 1e-5) * w
    arguments = {
        0: x,
        1: w,
        2: np.zeros_like(x),
        3: np.float32(1e-5),
        4: np.uint32(columns),
        5: np.uint32(1),
    }
    return arguments, {2: right.astype(np.float32)}


case(
    "rms norm",
    "rms_norm.metal",
    "rms_single_row<float>",
    3 * 96,
    96,
    constants={20: True},
    tolerance=3e-6,
)(lambda: _rms(301))
case(
    "rms norm of long rows",
    "rms_norm.metal",
    "rms_looped<float>",
    3 * 1024,
    1024,
    constants={20: True},
    tolerance=3e-6,
)(lambda: _rms(5000))

# --- Sorting and searching -----------------------------------------------------------------------

SORT = "utils.h sort.h"


def _sort(is_argsort: bool, dtype: Any) -> Made:
    x = (100 * floats(3, 700)).astype(dtype)
    if dtype == np.float32:
        x[1, 5] = x[2, 600] = np.nan
    right = np.argsort(x, -1, kind="stable").astype(np.uint32) if is_argsort else np.sort(x, -1)
    arguments = {0: x, 1: np.zeros_like(right), 2: np.int32(700)}
    return {**arguments, 3: np.int32(1), 4: np.int32(1), 5: np.int32(700), 6: np.int32(700)}, {
        1: right
    }


for _type, _dtype in (("float", np.float32), ("int32_t", np.int32), ("half", np.float16)):
    case(
        f"sort, {_type}", SORT, f"block_sort<{_type}, {_type}, false, 128, 8>", (128, 3), (128, 1)
    )(lambda dtype=_dtype: _sort(False, dtype))
    case(
        f"argsort, {_type}",
        SORT,
        f"block_sort<{_type}, uint32_t, true, 128, 8>",
        (128, 3),
        (128, 1),
    )(lambda dtype=_dtype: _sort(True, dtype))


@case("searchsorted", "utils.h sort.h searchsorted.h", "searchsorted<float, true>", 50, 32)
def _searchsorted() -> Made:
    a, v = np.sort(floats(200)), floats(50, seed=1)
    right = np.searchsorted(a, v, "right").astype(np.uint32)
    return {0: a, 1: v, 2: np.zeros(50, np.uint32), 3: np.uint32(200), 4: np.int64(1)}, {2: right}


def _arg_reduce(name: str) -> Made:
    x = random().integers(-50, 50, (4, 500)).astype(np.float32)
    right = (x.argmin(1) if name == "ArgMin" else x.argmax(1)).astype(np.uint32)
    arguments = {0: x, 1: np.zeros(4, np.uint32), 2: int32(4), 3: int64(500), 4: int64(1)}
    return {**arguments, 5: np.uint64(1), 6: np.int64(1), 7: np.uint64(500)}, {1: right}


for _name in ("ArgMin", "ArgMax"):
    case(
        f"{_name.lower()}",
        "arg_reduce.metal",
        f"arg_reduce_general<float, {_name}<float>>",
        (128, 4),
        (128, 1),
    )(lambda name=_name: _arg_reduce(name))

# --- Reductions and scans ------------------------------------------------------------------------

REDUCE = "utils.h atomic.h reduction/ops.h reduce.h"


@case(
    "reduction of everything",
    REDUCE,
    "all_reduce<float, float, Sum<float>>",
    256,
    256,
    tolerance=1e-6,
)
def _all_reduce() -> Made:
    x = random().random(3001).astype(np.float32)
    right = np.array([x.sum(dtype=np.float64)], np.float32)
    return {0: x, 1: np.zeros(1, np.float32), 2: np.uint64(3001), 3: np.uint64(3001)}, {1: right}


@case(
    "reduction of everything, in two steps",
    REDUCE,
    "all_reduce<int32_t, int32_t, Max<int32_t>>",
    (64, 5),
    (64, 1),
)
def _all_reduce_steps() -> Made:
    x = random().integers(-9999, 9999, (5, 600)).astype(np.int32)
    return {0: x, 1: np.zeros(5, np.int32), 2: np.uint64(3000), 3: np.uint64(600)}, {1: x.max(1)}


@case(
    "reduction of rows",
    REDUCE,
    "row_reduce_simple<float, float, Sum<float>>",
    (64, 3),
    (64, 1),
    tolerance=1e-6,
)
def _row_reduce() -> Made:
    x = random().random((10, 700)).astype(np.float32)
    arguments = {0: x, 1: np.zeros(10, np.float32), 2: np.uint64(700), 3: np.int64(10)}
    return arguments, {1: x.sum(1, dtype=np.float64).astype(np.float32)}


def _strided(x: Array, right: Array, row: int, kept: Array, dropped: Array, first: int) -> Made:
    """Arguments of the reductions with shapes; `kept` and `dropped` are shape and stride in pairs."""
    arguments = {0: x, 1: np.zeros_like(right), 2: np.int64(row), 3: np.int64(first)}
    arguments |= {
        4: kept[:, 0].astype(np.int32),
        5: kept[:, 1].astype(np.int64),
        6: np.int32(len(kept)),
    }
    arguments |= {
        7: dropped[:, 0].astype(np.int32),
        8: dropped[:, 1].astype(np.int64),
        9: np.int32(len(dropped)),
    }
    return arguments, {1: right}


@case(
    "reduction of rows of several axes",
    REDUCE,
    "row_reduce_looped<float, float, Sum<float>, int, 1>",
    (64, 6),
    (64, 1),
    tolerance=1e-6,
)
def _row_reduce_looped() -> Made:
    x = random().random((4, 6, 90)).astype(np.float32)
    right = x.sum((0, 2), dtype=np.float64).astype(np.float32)
    return _strided(x, right, 90, np.array([[6, 90]]), np.array([[4, 540]]), 4)


@case(
    "reduction of short rows",
    REDUCE,
    "row_reduce_small<int32_t, int32_t, Sum<int32_t>, int, 1>",
    6,
    6,
)
def _row_reduce_small() -> Made:
    x = random().integers(-99, 99, (4, 6, 7)).astype(np.int32)
    right = x.sum((0, 2), dtype=np.int32)
    return _strided(x, right, 7, np.array([[6, 7]]), np.array([[4, 42]]), 4)


def _columns(x: Array, right: Array) -> Made:
    made, expected = _strided(
        x, right, x.shape[0], np.zeros((1, 2)), np.array([[x.shape[0], x.shape[1]]]), x.shape[1]
    )
    return {**made, 6: np.int32(0), 10: np.uint64(1), 11: np.int64(0)}, expected


@case(
    "reduction of short columns",
    REDUCE,
    "col_reduce_small<float, float, Prod<float>, int, 1>",
    (8, 4),
    (8, 4),
    tolerance=1e-6,
)
def _column_reduce_small() -> Made:
    x = (1 + 0.1 * floats(20, 30)).astype(np.float32)
    return _columns(x, wide(x).prod(0).astype(np.float32))


@case(
    "reduction of columns",
    REDUCE,
    "col_reduce_looped<float, float, Sum<float>, int, 1, 32, 32>",
    (256 * 3, 1),
    (256, 1),
    tolerance=1e-6,
)
def _column_reduce() -> Made:
    x = random().random((100, 75)).astype(np.float32)
    return _columns(x, x.sum(0, dtype=np.float64).astype(np.float32))


@case(
    "reduction of long columns",
    REDUCE,
    "col_reduce_longcolumn<float, float, Min<float>, int, 1>",
    (8, 32, 1),
    (8, 32, 1),
)
def _column_reduce_long() -> Made:
    x = floats(500, 8)
    made, expected = _columns(x, x.min(0))
    return {**made, 11: np.uint64(1)}, expected


@case("start of a reduction", REDUCE, "init_reduce<float, Min<float>>", 60, 32)
def _init_reduce() -> Made:
    return {0: np.zeros(60, np.float32)}, {0: np.full(60, np.inf, np.float32)}


SCAN = "utils.h binary_ops.h scan.h"


def _scan(dtype: Any, is_inclusive: bool, is_reverse: bool) -> Made:
    x = random().integers(0, 9, (3, 1001)).astype(dtype)
    y = x[:, ::-1] if is_reverse else x
    right = np.cumsum(y, 1, dtype=dtype)
    right = right if is_inclusive else right - y
    right = right[:, ::-1].copy() if is_reverse else right
    return {0: x, 1: np.zeros_like(x), 2: np.uint64(1001)}, {1: right}


for _inclusive, _reverse in ((True, False), (False, False), (True, True), (False, True)):
    _words = f"{'inclusive' if _inclusive else 'exclusive'}{', from the end' if _reverse else ''}"
    _flags = f"{str(_inclusive).lower()}, {str(_reverse).lower()}"
    case(
        f"scan, {_words}",
        SCAN,
        f"contiguous_scan<int32_t, int32_t, CumSum<int32_t>, 4, {_flags}>",
        (96, 3),
        (96, 1),
    )(lambda inclusive=_inclusive, reverse=_reverse: _scan(np.int32, inclusive, reverse))
case(
    "scan, 64-bit",
    SCAN,
    "contiguous_scan<int64_t, int64_t, CumSum<int64_t>, 2, true, false>",
    (96, 3),
    (96, 1),
)(lambda: _scan(np.int64, True, False))


@case(
    "scan of columns",
    SCAN,
    "strided_scan<float, float, CumMax<float>, 4, true, false>",
    (256, 2),
    (256, 1),
)
def _strided_scan() -> Made:
    x = floats(70, 45)
    arguments = {0: x, 1: np.zeros_like(x), 2: np.uint64(70), 3: np.uint64(45), 4: np.uint64(2)}
    return arguments, {1: np.maximum.accumulate(x, 0)}


# --- Indexing ------------------------------------------------------------------------------------

GATHER = "utils.h indexing/gather_front.h indexing/gather_axis.h"


@case("rows by index", GATHER, "gather_front<float, int32_t, int, 2>", (12, 9), (12, 9))
def _gather_front() -> Made:
    x, indices = floats(20, 23), random(1).integers(-20, 20, 9).astype(np.int32)
    arguments = {
        0: x,
        1: indices,
        2: np.zeros((9, 23), np.float32),
        3: np.int64(23),
        4: np.int32(20),
    }
    return arguments, {2: x[indices]}


@case(
    "elements of an axis by index",
    GATHER,
    "gather_axis<float, uint32_t, int, true, true>",
    (5, 7, 4),
    (5, 7, 4),
)
def _gather_axis() -> Made:
    x, indices = floats(4, 9, 5), random(1).integers(0, 9, (4, 7, 5)).astype(np.uint32)
    arguments = {
        0: x,
        1: indices,
        2: np.zeros((4, 7, 5), np.float32),
        3: int32(4, 5),
        4: int64(45, 1),
        5: int64(35, 1),
    }
    arguments |= {
        6: np.uint64(2),
        7: np.int32(1),
        8: np.int32(9),
        9: np.uint64(5),
        10: np.uint64(5),
    }
    return arguments, {2: np.take_along_axis(x, indices.astype(np.int64), 1)}


SCATTER = "utils.h atomic.h reduction/ops.h indexing/scatter_axis.h"


@case(
    "sums by index",
    SCATTER,
    "scatter_axis<float, uint32_t, int, Sum<float>, true, true>",
    (5, 7, 4),
    (5, 7, 4),
    tolerance=1e-6,
)
def _scatter_axis() -> Made:
    update, indices = floats(4, 7, 5), random(1).integers(0, 9, (4, 7, 5)).astype(np.uint32)
    right = np.zeros((4, 9, 5))
    a, _, c = np.indices(indices.shape)
    np.add.at(right, (a, indices, c), update)
    arguments = {
        0: update,
        1: indices,
        2: np.zeros((4, 9, 5), np.float32),
        3: int32(4, 5),
        4: int64(35, 1),
        5: int64(35, 1),
    }
    arguments |= {
        6: np.uint64(2),
        7: np.int32(1),
        8: np.int32(9),
        9: np.uint64(5),
        10: np.uint64(5),
    }
    return arguments, {2: right.astype(np.float32)}


@case(
    "elements under a mask",
    "utils.h indexing/masked_scatter.h",
    "masked_assign_impl<float, true>",
    60,
    32,
)
def _masked() -> Made:
    mask, x = floats(60) > 0, floats(60, seed=1)
    offsets = (np.cumsum(mask) - mask).astype(np.uint32)
    out = floats(60, seed=2)
    right = out.copy()
    right[mask] = x[: mask.sum()]
    arguments = {
        0: mask,
        1: offsets,
        2: x,
        3: out,
        4: int32(60),
        5: int64(1),
        6: np.int32(1),
        7: np.int64(60),
        8: np.int64(60),
    }
    return arguments, {3: right}


# --- Random numbers, positions -------------------------------------------------------------------


def _threefry(key: Array, count: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32 with 20 rounds: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3."""
    mask, turns = 0xFFFFFFFF, ((13, 15, 26, 6), (17, 29, 16, 24))
    ks = (int(key[0]), int(key[1]), int(key[0]) ^ int(key[1]) ^ 0x1BD11BDA)
    x, y = (count[0] + ks[0]) & mask, (count[1] + ks[1]) & mask
    for i in range(5):
        for turn in turns[i % 2]:
            x = (x + y) & mask
            y = ((y << turn | y >> 32 - turn) & mask) ^ x
        x, y = (x + ks[(i + 1) % 3]) & mask, (y + ks[(i + 2) % 3] + i + 1) & mask
    return x, y


@case("random bits", "random.metal", "rbitsc", (2, 8), (2, 8))
def _random_bits() -> Made:
    keys = random().integers(0, 2**32, (2, 2)).astype(np.uint32)
    right = np.zeros((2, 16), np.uint32)
    for row, key in enumerate(keys):
        for i in range(8):
            right[row, i], right[row, i + 8] = _threefry(key, (i, i + 8))
    out = np.zeros((2, 64), np.uint8)
    return {0: keys, 1: out, 2: np.bool_(False), 3: np.uint64(64)}, {1: right.view(np.uint8)}


@case(
    "rotary positions",
    "rope.metal",
    "rope_single<float>",
    (16, 3),
    (16, 3),
    constants={1: True, 2: False, 3: False},
    tolerance=1e-5,
)
def _rope() -> Made:
    x = floats(3, 32)
    angle = 7 * 10000.0 ** (-np.arange(16) / 16)
    a, b = wide(x)[:, :16], wide(x)[:, 16:]
    right = np.concatenate(
        [a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], 1
    )
    arguments = {
        0: x,
        1: np.zeros_like(x),
        2: np.int32(7),
        3: np.float32(1),
        4: np.int64(32),
        10: np.float32(np.log2(10000)),
    }
    return arguments, {1: right.astype(np.float32)}


# --- Products ------------------------------------------------------------------------------------

GEMM_CONSTANTS = {10: False, 100: False, 110: False}
_PARAMETERS = np.dtype(
    [(n, np.int32) for n in ("M", "N", "K", "lda", "ldb", "ldd", "tiles_n", "tiles_m")]
    + [(n, np.int64) for n in ("batch_stride_a", "batch_stride_b", "batch_stride_d")]
    + [(n, np.int32) for n in ("swizzle_log", "gemm_k_iterations_aligned", "batch_ndim")],
    align=True,
)


def _gemm(
    dtype: Any, shape: tuple[int, int, int], is_a_transposed: bool, is_b_transposed: bool, tile: int
) -> Made:
    m, n, k = shape
    a, b = floats(m, k, dtype=dtype), floats(k, n, seed=1, dtype=dtype)
    right = (wide(a) @ wide(b)).astype(dtype)
    a = a.T.copy() if is_a_transposed else a
    b = b.T.copy() if is_b_transposed else b
    tiles = -(-n // tile), -(-m // tile)
    parameters = np.array(
        [(m, n, k, a.shape[1], b.shape[1], n, *tiles, 0, 0, 0, 0, k // 16, 1)], _PARAMETERS
    )
    return {0: a, 1: b, 3: np.zeros((m, n), dtype), 4: parameters.tobytes()}, {3: right}


for _type, _dtype, _shape, _ta, _tb, _tolerance in (
    ("float", np.float32, (64, 64, 48), False, False, 1e-6),
    ("float", np.float32, (50, 70, 37), False, True, 1e-6),
    ("float", np.float32, (33, 40, 20), True, False, 1e-6),
    ("half", np.float16, (50, 70, 37), False, False, 2e-3),
    ("bfloat16_t", ml_dtypes.bfloat16, (50, 70, 37), False, False, 1e-2),
):
    _m, _n, _k = _shape
    case(
        f"matrix product {_m}x{_n}x{_k}, {_type}",
        "utils.h steel/gemm/gemm.h steel/gemm/kernels/steel_gemm_fused.h",
        f"gemm<{_type}, 32, 32, 16, 2, 2, {str(_ta).lower()}, {str(_tb).lower()}>",
        (32 * -(-_n // 32), 2 * -(-_m // 32), 2),
        (32, 2, 2),
        constants={**GEMM_CONSTANTS, 200: _m % 32 == 0, 201: _n % 32 == 0, 202: _k % 16 == 0},
        tolerance=_tolerance,
    )(lambda dtype=_dtype, shape=_shape, ta=_ta, tb=_tb: _gemm(dtype, shape, ta, tb, 32))


def _gemv(is_transposed: bool, dtype: Any) -> Made:
    matrix, x = floats(70, 101, dtype=dtype), floats(101, seed=1, dtype=dtype)
    right = (wide(matrix) @ wide(x)).astype(dtype)
    matrix = matrix.T.copy() if is_transposed else matrix
    arguments = {0: matrix, 1: x, 2: x, 3: np.zeros(70, dtype), 4: np.int32(101), 5: np.int32(70)}
    arguments |= {
        6: np.int32(matrix.shape[1]),
        7: np.float32(1),
        8: np.float32(0),
        9: np.int32(1),
        10: int32(1),
    }
    arguments |= {11: int64(0), 12: int64(0), 13: int64(0), 14: np.int32(1)}
    return arguments, {3: right}


case(
    "matrix times vector",
    "gemv.h",
    "gemv<float, 4, 1, 1, 32, 4, 4, false, false>",
    (32 * 5, 4),
    (32, 4),
    tolerance=1e-6,
)(lambda: _gemv(False, np.float32))
_GEMV_FAULT = "a barrier that a part of the threads reaches: `if (thrN == 0) { ... threadgroup_barrier(mem_none)`"
for _words, _settings in (
    ("", {"fault": _GEMV_FAULT}),
    (", barriers not counted", {"is_strict": False}),
):
    case(
        f"matrix times vector, half{_words}",
        "gemv.h",
        "gemv<half, 1, 8, 1, 32, 4, 4, false, false>",
        (32 * 18, 8),
        (32, 8),
        tolerance=2e-3,
        **_settings,
    )(lambda: _gemv(False, np.float16))
    case(
        f"transposed matrix times vector{_words}",
        "gemv.h",
        "gemv_t<float, 1, 4, 8, 4, 4, 4, false, false>",
        (32 * 2, 4),
        (32, 4),
        tolerance=1e-6,
        **_settings,
    )(lambda: _gemv(True, np.float32))


@case("inner product", "dot.h", "dot_product<float, 4, 64, 2>", 64 * 3, 64, tolerance=1e-6)
def _dot() -> Made:
    a, b = random().random(700).astype(np.float32), random(1).random(700).astype(np.float32)
    parts = np.zeros(3)
    for i in range(3):
        here = slice(256 * i, 256 * (i + 1))
        parts[i] = wide(a)[here] @ wide(b)[here]
    return {0: a, 1: b, 2: np.zeros(3, np.float32), 3: np.int32(700)}, {2: parts.astype(np.float32)}


@case(
    "Hadamard transform",
    "hadamard.h",
    "hadamard_n<float, 64, 8, 4>",
    (8, 3),
    (8, 1),
    tolerance=1e-6,
)
def _hadamard() -> Made:
    h = np.ones((1, 1))
    while len(h) < 64:
        h = np.block([[h, h], [h, -h]])
    x = floats(3, 64)
    return {0: x, 1: np.zeros_like(x), 2: np.float32(0.125)}, {
        1: (wide(x) @ h / 8).astype(np.float32)
    }


ATTENTION = {20: False, 21: False, 22: True, 23: False, 24: False, 25: False, 26: 1}


@case(
    "attention of few queries",
    "utils.h sdpa_vector.h",
    "sdpa_vector<float, 64>",
    (1024 * 4, 2),
    (1024, 1),
    constants=ATTENTION,
    tolerance=3e-6,
)
def _attention() -> Made:
    heads, queries, keys, width = 4, 2, 45, 64
    q, k, v = (
        floats(heads, queries, width),
        floats(2, keys, width, seed=1),
        floats(2, keys, width, seed=2),
    )
    right = np.zeros((heads, queries, width))
    for head in range(heads):
        scores = wide(q[head]) @ wide(k[head // 2]).T * 0.125
        for row in range(queries):
            seen = keys - queries + row + 1
            right[head, row] = _softmax(scores[row, :seen]) @ wide(v[head // 2, :seen])
    arguments = {0: q, 1: k, 2: v, 3: np.zeros_like(q), 4: np.int32(2), 5: np.int32(keys)}
    arguments |= {
        6: np.uint64(keys * width),
        7: np.uint64(width),
        8: np.uint64(keys * width),
        9: np.uint64(width),
    }
    return {**arguments, 10: np.float32(0.125)}, {3: right.astype(np.float32)}


# --- Quantized numbers ---------------------------------------------------------------------------

QUANTIZED = "utils.h steel/gemm/gemm.h quantized_utils.h quantized.h"


def _quantized(n: int, k: int) -> tuple[Array, Array, Array, Array]:
    """Packed 4-bit numbers, scales, biases, and the matrix that they stand for."""
    digits = random().integers(0, 16, (n, k)).astype(np.uint32)
    scales, biases = random(1).random((n, k // 64)).astype(np.float32), floats(n, k // 64, seed=2)
    packed = (
        (digits.reshape(n, k // 8, 8) << (4 * np.arange(8, dtype=np.uint32)))
        .sum(-1)
        .astype(np.uint32)
    )
    return (
        packed,
        scales,
        biases,
        digits * np.repeat(wide(scales), 64, 1) + np.repeat(wide(biases), 64, 1),
    )


@case("dequantize", QUANTIZED, "affine_dequantize<float, 64, 4>", (64, 6), (32, 2), tolerance=1e-6)
def _dequantize() -> Made:
    packed, scales, biases, matrix = _quantized(6, 128)
    return {0: packed.view(np.uint8), 1: scales, 2: biases, 3: np.zeros((6, 128), np.float32)}, {
        3: matrix.astype(np.float32)
    }


def _quantized_product(n: int, k: int) -> Made:
    packed, scales, biases, matrix = _quantized(n, k)
    x = floats(k, seed=3)
    arguments = {
        0: packed,
        1: scales,
        2: biases,
        3: x,
        4: np.zeros(n, np.float32),
        5: np.int32(k),
        6: np.int32(n),
    }
    arguments |= {
        7: np.int32(0),
        8: int32(1),
        9: int64(0),
        10: np.int32(0),
        11: int32(1),
        12: int64(0),
        13: int64(0),
        14: int64(0),
    }
    return arguments, {4: (matrix @ wide(x)).astype(np.float32)}


case(
    "quantized matrix times vector",
    QUANTIZED,
    "affine_qmv<float, 64, 4, false>",
    (32, 2 * 2),
    (32, 2),
    tolerance=2e-6,
)(lambda: _quantized_product(13, 192))


# --- Compiled only -------------------------------------------------------------------------------

STEEL = "utils.h steel/gemm/gemm.h"
COMPILED: tuple[tuple[str, str], ...] = (
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_splitk.h",
        "gemm_splitk<float, float, 32, 32, 16, 2, 2, false, false, false, false>",
    ),
    (f"{STEEL} steel/gemm/kernels/steel_gemm_splitk.h", "gemm_splitk_accum<float, float>"),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_gather.h",
        "gather_mm<float, 32, 32, 16, 2, 2, false, false>",
    ),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_gather.h",
        "gather_mm_rhs<float, 32, 32, 16, 2, 2, false, false>",
    ),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_segmented.h",
        "segmented_mm<float, 32, 32, 16, 2, 2, false, false>",
    ),
    (
        f"{STEEL} steel/gemm/kernels/steel_gemm_masked.h",
        "block_masked_gemm<float, nomask_t, nomask_t, 32, 32, 16, 2, 2, false, false, false, false>",
    ),
    ("utils.h gemv_masked.h", "gemv_masked<float, bool, bool, 4, 1, 1, 32, 4, 4, false>"),
    (
        "utils.h steel/attn/attn.h steel/attn/kernels/steel_attention.h",
        "attention<half, 32, 32, 64, 4, 1, half, float>",
    ),
    ("utils.h sdpa_vector.h", "sdpa_vector_2pass_1<float, 64>"),
    ("utils.h sdpa_vector.h", "sdpa_vector_2pass_2<float, 64>"),
    (
        "utils.h steel/conv/conv.h steel/conv/kernels/steel_conv.h",
        "implicit_gemm_conv_2d<float, 32, 32, 16, 2, 2, 0, false>",
    ),
    (
        "utils.h steel/conv/conv.h steel/conv/kernels/steel_conv_general.h",
        "implicit_gemm_conv_2d_general<float, 32, 32, 16, 2, 2>",
    ),
    ("utils.h fft.h", "fft<1024, float2, float2>"),
    ("utils.h fft.h", "rader_fft<1024, float2, float2>"),
    ("utils.h fft.h", "bluestein_fft<1024, float2, float2>"),
    (QUANTIZED, "affine_qmm_t<float, 64, 4, false, false>"),
    (QUANTIZED, "affine_qvm<float, 64, 4, false>"),
    (QUANTIZED, "affine_quantize<float, 64, 4>"),
    (
        "utils.h steel/gemm/gemm.h quantized_utils.h fp_quantized.h",
        "fp_dequantize<float, 32, 4, false>",
    ),
    ("utils.h sort.h", "mb_block_sort<float, uint, true, 128, 8>"),
    ("utils.h sort.h", "mb_block_merge<float, uint, true, 128, 8>"),
    ("utils.h gated_delta_update.h", "gated_delta_seq<half, 128, 128, 4, 4, 0>"),
    ("conv.metal", "depthwise_conv_2d<float>"),
)

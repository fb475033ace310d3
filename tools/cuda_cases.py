"""Launches whose results on a GPU are compared with the CPU's: the cases of ``cuda_check.py``."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import speedmetal as sm
from speedmetal import dtypes
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.accuracy import stratified
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result

_TESTS = Path(__file__).parent.parent / "tests"
sys.path += [str(_TESTS), str(_TESTS / "host/backends/c_family")]

Arrays = tuple[np.ndarray[Any, Any], ...]


@dataclass(frozen=True)
class Case:
    """One launch.

    Args:
        name: Unique.
        group: The cases that run in one process.
        run: Launches, and gives what was written.
        ulp: The greatest difference from the CPU that is right, in units in the last place; 0: the
            same bits. NaN are equal.
        exact: Gives the exact results, in a wider type, where they are known.
        exact_ulp: The greatest error of these that is right.
    """

    name: str
    group: str
    run: Callable[[], Arrays]
    ulp: float = 0.0
    exact: Callable[[], np.ndarray[Any, Any]] | None = None
    exact_ulp: float = math.inf


# --- Kernels as users write them -----------------------------------------------------------------


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _floats(seed: int, shape: Any, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return _random(seed).normal(size=shape).astype(dtype)


def _whole(seed: int, shape: Any, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    """Small whole numbers, whose sums are exact in any order."""
    return _random(seed).integers(-4, 5, shape).astype(dtype)


@dataclass(frozen=True)
class _Ball:
    x: float
    y: float
    radius: float


def _launches() -> dict[str, tuple[Callable[[], tuple[Any, ...]], dict[str, Any], tuple[int, ...]]]:
    """Name -> arguments, options of the launch, and which arguments it writes."""

    def zeros(shape: Any, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
        return np.zeros(shape, dtype)

    numbers = np.arange(1, 501, dtype=np.int64)
    return {
        "vector_add": (
            lambda: (_floats(1, 1000), _floats(2, 1000), zeros(1000)),
            {"grid": 1024, "threads": 96},
            (2,),
        ),
        "saxpy": (lambda: (2.5, _floats(1, 777), _floats(2, 777)), {"grid": 777}, (2,)),
        "saxpy_half": (
            lambda: (np.float16(2.5), _floats(1, 777, np.float16),
                     _floats(2, 1554, np.float16)[::2]),
            {"grid": 777},
            (2,),
        ),
        "stencil": (
            lambda: (_floats(1, (50, 37)), zeros((50, 37))),
            {"grid": (50, 37), "threads": (16, 8)},
            (1,),
        ),
        "reduction": (
            lambda: (_whole(1, 100_000), zeros(1)), {"groups": 7, "threads": 224}, (1,)
        ),
        "matmul": (
            lambda: (_floats(1, (48, 64)), _floats(2, (64, 32)), zeros((48, 32))),
            {"grid": (32, 48), "threads": (16, 16)},
            (2,),
        ),
        "histogram": (
            lambda: (_random(3).integers(0, 256, 9999, np.uint8), zeros(256, np.uint32)),
            {"grid": 9999, "threads": 128},
            (1,),
        ),
        "report_0": (lambda: (np.abs(_floats(1, 100)),), {"grid": 100, "debug": 0}, (0,)),
        "report_1": (lambda: (np.abs(_floats(1, 100)),), {"grid": 100, "debug": 1}, (0,)),
        "report_2": (lambda: (np.abs(_floats(1, 100)),), {"grid": 100, "debug": 2}, (0,)),
        "hits": (
            lambda: (_Ball(0.1, -0.2, 0.8), _floats(1, 300), _floats(2, 300), zeros(300, np.bool_)),
            {"grid": 300},
            (3,),
        ),
        "mandelbrot": (
            lambda: ((_floats(1, 2000) + 1j * _floats(2, 2000)).astype(np.complex64),
                     zeros(2000, np.int32)),
            {"grid": 2000},
            (1,),
        ),
        "matrix_product": (
            lambda: (_floats(1, (24, 72)), _floats(2, (72, 40)), zeros((24, 40))),
            {"groups": (5, 3), "threads": 32},
            (2,),
        ),
        "matrix_product_half": (
            lambda: (_whole(1, (24, 72), np.float16), _whole(2, (72, 40), np.float16),
                     zeros((24, 40), np.float16)),
            {"groups": (5, 3), "threads": 32},
            (2,),
        ),
        "matrix_product_bfloat": (
            lambda: (_whole(1, (8, 8), sm.bfloat16.numpy), _whole(2, (8, 8), sm.bfloat16.numpy),
                     zeros((8, 8), sm.bfloat16.numpy)),
            {"groups": 1, "threads": 32},
            (2,),
        ),
        "noise": (lambda: (np.uint32(7), zeros(5000)), {"grid": 5000}, (1,)),
        "gelu": (
            lambda: (_floats(1, 4000, sm.bfloat16.numpy), zeros(4000, sm.bfloat16.numpy)),
            {"grid": 4000},
            (1,),
        ),
        "collatz": (lambda: (numbers, zeros(500, np.int32)), {"grid": 500}, (1,)),
    }  # fmt: skip


_KERNEL_OF = {
    **{f"report_{level}": "report" for level in range(3)},
    "saxpy_half": "saxpy",
    "matrix_product_half": "matrix_product",
    "matrix_product_bfloat": "matrix_product",
}
_NEAR = {"gelu": 1.0}  # by way of NVIDIA's own erf


def _written_cases() -> Iterator[Case]:
    import written_kernels

    for name, (arguments, options, written) in _launches().items():
        kernel = sm.kernel(getattr(written_kernels, _KERNEL_OF.get(name, name)))
        yield Case(
            name, "written", _launch(kernel, arguments, options, written), _NEAR.get(name, 0)
        )


def _launch(
    kernel: sm.Kernel,
    arguments: Callable[[], tuple[Any, ...]],
    options: dict[str, Any],
    written: tuple[int, ...],
) -> Callable[[], Arrays]:
    def run() -> Arrays:
        given = arguments()
        kernel(*given, **options)
        return tuple(np.ascontiguousarray(given[n]) for n in written)

    return run


# --- Failures and prints -------------------------------------------------------------------------


def _report_cases() -> Iterator[Case]:
    import written_kernels

    for level in range(3):
        kernel = sm.kernel(written_kernels.report)
        yield Case(f"failure_{level}", "reports", _reported(kernel, level))


def _reported(kernel: sm.Kernel, level: int) -> Callable[[], Arrays]:
    """One element is negative: prints, the message of the failure, and what was written."""

    def run() -> Arrays:
        import contextlib
        import io

        x = np.abs(_floats(1, 100))
        x[41] = -1
        told, message = io.StringIO(), ""
        with contextlib.redirect_stdout(told):
            try:
                kernel(x, grid=100, threads=32, debug=level)
            except sm.KernelError as error:
                message = str(error)
        return x, np.frombuffer((told.getvalue() + "|" + message).encode(), np.uint8)

    return run


# --- Mathematical functions ----------------------------------------------------------------------

NVIDIA_ULP: dict[str, tuple[float, float]] = {
    "sqrt": (0, 0), "rsqrt": (2, 1), "cbrt": (1, 1), "hypot": (3, 2), "exp": (2, 1), "exp2": (2, 1),
    "exp10": (2, 1), "expm1": (1, 1), "log": (1, 1), "log2": (1, 1), "log10": (2, 1),
    "log1p": (1, 1), "sin": (2, 2), "cos": (2, 2), "tan": (4, 2), "sinpi": (1, 2), "cospi": (1, 2),
    "asin": (2, 2), "acos": (2, 2), "atan": (2, 2), "atan2": (3, 2), "sinh": (3, 2), "cosh": (2, 1),
    "tanh": (2, 1), "asinh": (3, 3), "acosh": (4, 3), "atanh": (3, 2), "pow": (4, 2),
    "erf": (2, 2), "erfc": (4, 5), "erfinv": (2, 5), "lgamma": (6, 4), "gamma": (5, 10),
}  # fmt: skip
"""Greatest errors of NVIDIA's functions, float32 and float64: CUDA C++ Programming Guide, tables of
its appendix on mathematical functions."""
_PER_EXPONENT = {np.float32: 16, np.float64: 3}
_PAIRS = 20_000


def _operands(record: Intrinsic, dtype: Any) -> list[np.ndarray[Any, Any]]:
    values = stratified(dtype, _PER_EXPONENT[dtype])
    if record.arity == 1:
        return [np.concatenate([values, _random(4).uniform(-30, 30, 4000).astype(dtype)])]
    random = _random(5)
    pool = np.concatenate([values, random.uniform(-20, 20, values.size).astype(dtype)])
    columns = [random.choice(pool, _PAIRS) for _ in range(record.arity)]
    for k in record.scalar_operands:
        columns[k] = random.integers(-300, 300, _PAIRS).astype(np.int32)
    return columns


def _result_type(record: Intrinsic, dtype: Any) -> Any:
    types = {Result.SAME: dtype, Result.BOOL: np.bool_, Result.INT32: np.int32}
    return types[record.result]


def _elementwise(function: Any, arity: int) -> sm.Kernel:
    def of_one(a: Any, out: Any) -> None:
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i])

    def of_two(a: Any, b: Any, out: Any) -> None:
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i], b[i])

    def of_three(a: Any, b: Any, c: Any, out: Any) -> None:
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i], b[i], c[i])

    return sm.kernel((of_one, of_two, of_three)[arity - 1])


def _math_cases() -> Iterator[Case]:
    for record, dtype in itertools.product(TABLE.values(), (np.float32, np.float64)):
        if record.kind is IntrinsicKind.MATH and dtypes.Kind.FLOAT in record.accepts:
            yield _math_case(record, dtype)


def _math_case(record: Intrinsic, dtype: Any) -> Case:
    def run() -> Arrays:
        columns = _operands(record, dtype)
        out = np.zeros(columns[0].size, _result_type(record, dtype))
        _elementwise(record, record.arity)(*columns, out, grid=out.size)
        return (out,)

    def exact() -> np.ndarray[Any, Any]:
        columns = _operands(record, dtype)
        wide = [c.astype(np.float64) if c.dtype == np.float32 else c for c in columns]
        with np.errstate(all="ignore"):
            return np.asarray(record.reference(*wide))

    name = f"{record.name}_{np.dtype(dtype).name}"
    group = f"math_{np.dtype(dtype).name}_{sum(map(ord, record.name)) % 4}"
    if record.ulp == 0:
        return Case(name, group, run)
    theirs = NVIDIA_ULP.get(record.name, (record.ulp, record.ulp))[dtype is np.float64]
    is_own = callable(record.spelling("cuda", dtypes.float64 if dtype is np.float64 else None))
    bound = max(theirs, record.ulp if is_own else 0) + 0.5
    known = exact if dtype is np.float32 and record.result is Result.SAME else None
    # Two functions differ by both errors, and by the rounding of each.
    return Case(name, group, run, bound + record.ulp + 1, known, bound)


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _written_cases()
    yield from _report_cases()
    yield from _math_cases()

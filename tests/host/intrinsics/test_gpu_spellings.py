"""What the table calls a function on CUDA is one that NVRTC knows, and Metal's text prints."""

import numpy as np
import pytest

import speedmetal as sm
from nvrtc import needs_nvrtc
from speedmetal.backends.cuda import nvrtc as build
from speedmetal.dtypes import float32, float64, int32, int64, uint8
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import IntrinsicKind, Result

MATH = [record for record in TABLE.values() if record.kind is IntrinsicKind.MATH]
TYPES = (float32, float64, uint8, int32, int64)
CASES = [
    pytest.param(record, dtype, id=f"{record.name}-{dtype.short}")
    for record in MATH
    for dtype in TYPES
    if dtype.kind in record.accepts
]


@sm.kernel
def _scale_by_powers(f, x, counts, out):
    i = sm.thread_position_in_grid().x
    out[i] = f(x[i], counts[i])


@sm.kernel
def _unary(f, x, out):
    i = sm.thread_position_in_grid().x
    out[i] = f(x[i])


@sm.kernel
def _binary(f, x, out):
    i = sm.thread_position_in_grid().x
    out[i] = f(x[i], x[i])


@sm.kernel
def _ternary(f, x, out):
    i = sm.thread_position_in_grid().x
    out[i] = f(x[i], x[i], x[i])


def _source(record, dtype, target):
    results = {Result.BOOL: np.bool_, Result.INT32: np.int32}
    x = np.zeros(1, dtype.numpy)
    out = np.zeros(1, results.get(record.result, dtype.numpy))
    if record.scalar_operands:
        return sm.code(_scale_by_powers, record, x, np.zeros(1, np.int32), out, target=target)
    return sm.code((_unary, _binary, _ternary)[record.arity - 1], record, x, out, target=target)


@needs_nvrtc
@pytest.mark.parametrize(("record", "dtype"), CASES)
def test_nvrtc_compiles_it(record, dtype):
    assert ".visible .entry" in build.compile_ptx(_source(record, dtype, "cuda"))


@pytest.mark.parametrize(("record", "dtype"), [c for c in CASES if c.values[1] is not float64])
def test_metals_text_uses_the_precise_function(record, dtype):
    source = _source(record, dtype, "metal")
    spelling = record.spelling("metal", dtype)
    assert "double" not in source
    if isinstance(spelling, str) and not spelling.startswith("@"):
        assert f"{spelling}(" in source

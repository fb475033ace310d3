"""The functions that printers add, computed by NVIDIA's compiler while it compiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nvrtc import NEEDS_NVRTC
from speedmetal import dtypes as d
from speedmetal.backends.c_family.device_prelude import (
    DevicePrelude,
    greatest_literal,
    least_literal,
)
from speedmetal.backends.c_family.literals import literal
from speedmetal.backends.cuda.codegen.spellings import DIALECT
from speedmetal.backends.cuda.nvrtc import compile_ptx

pytestmark = NEEDS_NVRTC

CONSTEXPR = replace(DIALECT, function="static __device__ constexpr ")
TYPES = (d.int8, d.int16, d.int32, d.int64, d.uint8, d.uint32, d.uint64)


def assert_equal(helpers: DevicePrelude, cases: list[tuple[str, int, d.DType]]) -> None:
    """Compile an assertion for each call and its value."""
    lines = [
        f'static_assert({call} == {literal(value, dtype, DIALECT)}, "{index}");'
        for index, (call, value, dtype) in enumerate(cases)
    ]
    compile_ptx("\n".join([helpers.text(), *lines]), "compute_80")


def interesting(dtype: d.DType) -> list[int]:
    low, high = int(np.iinfo(dtype.numpy).min), int(np.iinfo(dtype.numpy).max)
    small = [n for n in (-7, -3, -2, -1, 0, 1, 2, 3, 7) if n >= low]
    return [low, low + 1, *small, high - 1, high]


def wrapped(value: int, dtype: d.DType) -> int:
    low = int(np.iinfo(dtype.numpy).min)
    return (value - low) % 2**dtype.bits + low


def pairs(dtype: d.DType) -> list[tuple[int, int]]:
    values = interesting(dtype)
    return [(a, b) for a in values for b in values]


def written(dtype: d.DType, *values: int) -> str:
    return ", ".join(literal(value, dtype, DIALECT) for value in values)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_division_rounds_down_and_by_zero_gives_zero(dtype):
    helpers = DevicePrelude(CONSTEXPR)
    divide, remainder = helpers.floor_divide(dtype), helpers.remainder(dtype)
    cases = []
    for a, b in pairs(dtype):
        arguments = written(dtype, a, b)
        cases.append((f"{divide}({arguments})", wrapped(a // b, dtype) if b else 0, dtype))
        cases.append((f"{remainder}({arguments})", a % b if b else 0, dtype))
    assert_equal(helpers, cases)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_shifts_by_the_width_and_more(dtype):
    helpers = DevicePrelude(CONSTEXPR)
    left, right = helpers.shift(dtype, "shift_left"), helpers.shift(dtype, "shift_right")
    cases = []
    for a in interesting(dtype):
        for count in (0, 1, dtype.bits - 1, dtype.bits, dtype.bits + 1, 100):
            arguments = written(dtype, a, count)
            cases.append((f"{left}({arguments})", wrapped(a << count, dtype), dtype))
            cases.append((f"{right}({arguments})", a >> count, dtype))
    assert_equal(helpers, cases)


@pytest.mark.parametrize("dtype", [d.int32, d.int64, d.uint32], ids=str)
def test_a_range_ends_where_pythons_does(dtype):
    helpers = DevicePrelude(CONSTEXPR)
    name = helpers.range_next(dtype)
    cases = []
    for i, stop in pairs(dtype):
        for step in (s for s in interesting(dtype) if s):
            if not (i < stop if step > 0 else i > stop):
                continue
            following = i + step
            inside = following < stop if step > 0 else following > stop
            arguments = written(dtype, i, stop, step)
            cases.append((f"{name}({arguments})", following if inside else stop, dtype))
    assert_equal(helpers, cases)


@pytest.mark.parametrize("dtype", [d.int32, d.int64, d.uint32], ids=str)
def test_a_rising_range_has_as_many_turns_as_pythons(dtype):
    helpers = DevicePrelude(CONSTEXPR)
    name = helpers.range_turns(dtype)
    kind = d.uint64 if dtype.bits == 64 else d.uint32
    cases = [
        (f"{name}({written(dtype, start, stop, step)})", max(-(-(stop - start) // step), 0), kind)
        for start, stop in pairs(dtype)
        for step in (s for s in interesting(dtype) if s > 0)
    ]
    assert_equal(helpers, cases)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_extrema_and_ends(dtype):
    helpers = DevicePrelude(CONSTEXPR)
    low, high = helpers.extremum(dtype, "minimum"), helpers.extremum(dtype, "maximum")
    cases = []
    for a, b in pairs(dtype):
        arguments = written(dtype, a, b)
        cases += [(f"{low}({arguments})", min(a, b), dtype)]
        cases += [(f"{high}({arguments})", max(a, b), dtype)]
    cases.append((least_literal(dtype, DIALECT), int(np.iinfo(dtype.numpy).min), dtype))
    cases.append((greatest_literal(dtype, DIALECT), int(np.iinfo(dtype.numpy).max), dtype))
    assert_equal(helpers, cases)


@pytest.mark.parametrize("dtype", [d.int8, d.int32, d.int64], ids=str)
def test_the_absolute_value_of_the_least_integer_stays_itself(dtype):
    helpers = DevicePrelude(CONSTEXPR)
    name = helpers.absolute(dtype)
    cases = [
        (f"{name}({written(dtype, a)})", wrapped(abs(a), dtype), dtype) for a in interesting(dtype)
    ]
    assert_equal(helpers, cases)


def test_a_helper_is_printed_once():
    helpers = DevicePrelude(DIALECT)
    helpers.floor_divide(d.int32)
    once = helpers.text()
    helpers.floor_divide(d.int32)
    assert helpers.text() == once
    helpers.floor_divide(d.int64)
    assert helpers.text().count("floor_divide(") == 2

"""Constructs outside kernels, and that the front end knows every one."""

from __future__ import annotations

import math

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.errors import UserInputError
from speedmetal.frontend.construct_calls import HANDLERS
from speedmetal.intrinsics import TABLE, constructs
from speedmetal.intrinsics.record import IntrinsicKind


def test_every_construct_has_a_meaning_in_kernels():
    assert {record.name for record in constructs.RECORDS} == set(HANDLERS)


def test_no_construct_hides_an_intrinsic():
    assert not set(constructs.TABLE) & set(TABLE)


@pytest.mark.parametrize("record", constructs.RECORDS, ids=lambda record: record.name)
def test_every_construct_is_documented(record):
    assert record.meaning.endswith(".")
    assert record.__doc__.startswith(f"{record.name}({record.parameters.partition(chr(10))[0]})")


@pytest.mark.parametrize(
    "record", [r for r in constructs.RECORDS if r.host is None], ids=lambda record: record.name
)
def test_constructs_of_kernels_say_so_outside(record):
    with pytest.raises(UserInputError) as caught:
        record()
    assert str(caught.value) == (
        f"sm.{record.name} works only inside a kernel: call it in a function decorated with"
        " @sm.kernel, or in one that such a function calls"
    )


def test_what_works_outside():
    assert sm.cdiv(7, 2) == 4
    assert sm.cdiv(-7, 2) == -3
    assert list(sm.static_range(1, 4)) == [1, 2, 3]
    assert sm.bitcast(1.0, sm.int32) == 0x3F800000
    assert sm.bitcast(np.float64(1), sm.uint64) == 0x3FF0000000000000
    assert sm.select(np.array([True, False]), 1, 2).tolist() == [1, 2]
    assert sm.where(False, 1, 2) == 2
    assert sm.sincos(0.0) == (0.0, 1.0)
    assert sm.modf(-1.5) == (-0.5, -1.0)
    assert sm.frexp(8.0) == (0.5, 4)


HOST = [
    *(r for r in TABLE.values() if r.kind is IntrinsicKind.MATH),
    *(constructs.TABLE[name] for name in ("cdiv", "select", "sincos", "modf", "frexp", "bitcast")),
    *(sm.float16, sm.int64, sm.bool_, sm.complex64),
]


@pytest.mark.parametrize("function", HOST, ids=lambda function: function.name)
def test_arrays_of_devices_are_not_answered_with_numpys(function):
    a = sm.ones(3)
    calls = [(a,), (1.0, a)] if getattr(function, "arity", 1) > 1 else [(a,)]
    for operands in calls:
        try:
            result = function(*operands)
        except UserInputError as error:
            assert function.name in str(error) or "expected" in str(error)  # noqa: PT017
        except TypeError as error:  # too few operands
            assert "missing" in str(error)  # noqa: PT017
        else:
            results = result if isinstance(result, tuple) else (result,)
            assert all(isinstance(each, sm.Array) for each in results)


def test_random_numbers_of_devices_are_not_numpys():
    assert isinstance(sm.random.uniform(0, sm.arange(3)), sm.Array)


def test_names_of_other_modules():
    assert constructs.by_object(np.where) is constructs.select
    assert constructs.by_object(math.floor).name == "math.floor"
    assert constructs.by_object(sm.cdiv) is sm.cdiv
    assert constructs.by_object(print) is None

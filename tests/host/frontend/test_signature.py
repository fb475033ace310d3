"""Types of arguments: from real ones, from text, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal import dtypes as d
from speedmetal.errors import UnknownNameError, UserInputError
from speedmetal.frontend.signature import (
    ArrayArgument,
    ScalarArgument,
    StaticArgument,
    TupleArgument,
    leaves,
    signature_of,
    unit_axis,
)
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.types import ArrayType


class Point(NamedTuple):
    x: float
    y: int


@dataclass(frozen=True)
class Settings:
    scale: float
    origin: Point


@dataclass
class Changing:
    scale: float


dtypes = st.sampled_from(d.ALL)


@st.composite
def array_types(draw):
    rank = draw(st.integers(0, 4))
    axes = st.one_of(st.none(), st.integers(0, rank - 1)) if rank else st.none()
    return ArrayType(draw(dtypes), rank, draw(axes))


arguments = st.recursive(
    st.builds(ScalarArgument, dtypes) | st.builds(ArrayArgument, array_types()),
    lambda inner: st.builds(TupleArgument, st.lists(inner, max_size=3).map(tuple)),
    max_leaves=5,
)


@given(st.lists(arguments, max_size=5).map(tuple))
def test_text_and_back(signature):
    assert parse_signature(" ".join(map(str, signature))) == signature


@given(st.lists(arguments, max_size=5).map(tuple))
def test_signatures_are_keys(signature):
    assert {signature: 1}[parse_signature(" ".join(map(str, signature)))] == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, ScalarArgument(d.bool_)),
        (3, ScalarArgument(d.int32, weak=True)),
        (2**31, ScalarArgument(d.int64, weak=True)),
        (2**63, ScalarArgument(d.uint64, weak=True)),
        (1.5, ScalarArgument(d.float32, weak=True)),
        (1j, ScalarArgument(d.complex64, weak=True)),
        (np.complex64(1j), ScalarArgument(d.complex64)),
        (np.complex128(1j), ScalarArgument(d.complex128)),
        (np.float16(1), ScalarArgument(d.float16)),
        (np.float64(1), ScalarArgument(d.float64)),
        (np.bool_(True), ScalarArgument(d.bool_)),
        (ml_dtypes.bfloat16(1), ScalarArgument(d.bfloat16)),
        (None, StaticArgument(None)),
        ("fast", StaticArgument("fast")),
        (len, StaticArgument(len)),
        (d.float16, StaticArgument(d.float16)),
        (np.dtype("f4"), StaticArgument(d.float32)),
    ],
)
def test_scalars_and_static_values(value, expected):
    assert signature_of([value]) == (expected,)


def test_records_keep_their_class_and_the_order_of_fields():
    (argument,) = signature_of([Settings(0.5, Point(1.0, 2))])
    point = TupleArgument(
        (ScalarArgument(d.float32, weak=True), ScalarArgument(d.int32, weak=True)), Point
    )
    assert argument == TupleArgument((ScalarArgument(d.float32, weak=True), point), Settings)
    assert [str(leaf) for leaf in leaves([argument])] == ["f32", "f32", "i32"]


@pytest.mark.parametrize(
    "other",
    [
        *(np.zeros(2), np.float64(1), (np.zeros(2, "f8"),), Settings(np.float64(1), Point(1, 2))),
        *(np.zeros(2, "c16"), np.complex128(1), (np.zeros(2, "c16"),)),
    ],
)
def test_floats_are_float64_beside_float64(other):
    assert signature_of([other, 1.5])[1] == ScalarArgument(d.float64, weak=True)
    assert signature_of([other, 1j])[1] == ScalarArgument(d.complex128, weak=True)
    assert signature_of([1.5, np.zeros(2, "f4")])[0] == ScalarArgument(d.float32, weak=True)
    assert signature_of([1j, np.zeros(2, "c8")])[0] == ScalarArgument(d.complex64, weak=True)


def test_without_float64_numpys_wide_numbers_are_pythons():
    found = signature_of([np.float64(1), np.complex128(1j), 1j], has_float64=False)
    narrow = ScalarArgument(d.complex64, weak=True)
    assert found == (ScalarArgument(d.float32, weak=True), narrow, narrow)


@pytest.mark.parametrize(
    ("array", "axis"),
    [
        (np.zeros(4, "f4"), 0),
        (np.zeros((4, 5), "f4"), 1),
        (np.zeros((4, 5), "f4").T, 0),
        (np.zeros((4, 5), "f4")[:, ::2], None),
        (np.zeros((4, 5), "f4")[::2], 1),
        (np.zeros((4, 5, 6), "f4").transpose(2, 0, 1), 0),
        (np.zeros((4, 1), "f4"), 1),
        (np.zeros((), "f4"), None),
        (np.zeros(4, "f4")[::-1], None),
        (np.zeros((4, 0), "f4"), 1),
    ],
)
def test_unit_axis(array, axis):
    assert unit_axis(array, 4) == axis
    (argument,) = signature_of([array])
    assert argument == ArrayArgument(ArrayType(d.float32, array.ndim, axis))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "a kernel can not take a list"),
        (Changing(1.0), "a kernel can not take a Changing"),
        (2**64, "does not fit into 64 bits"),
        (np.zeros(2, np.clongdouble), "is not supported; supported are"),
    ],
)
def test_what_a_kernel_cannot_take(value, message):
    with pytest.raises(UserInputError, match=message):
        signature_of([value])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f32[", r"cannot read '\['"),
        ("f32[3]", r"expected a ':' for each axis, found '\[3\]'"),
        ("(f32", r"expected '\)', found 'the end'"),
        ("f32[:]/unit1", "an axis N, found '/unit1'"),
        (")", r"expected a dtype or '\(', found '\)'"),
    ],
)
def test_text_that_is_no_signature(text, message):
    with pytest.raises(UserInputError, match=message):
        parse_signature(text)


def test_unknown_dtype_in_text():
    with pytest.raises(UnknownNameError, match="did you mean"):
        parse_signature("flot32")

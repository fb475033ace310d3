"""Types of elements: conversion, promotion, limits and kinds."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal import dtypes
from speedmetal.arrays.promotion import is_same_kind

STANDARD = [d for d in dtypes.ALL if d not in (dtypes.float16, dtypes.bfloat16)]
any_dtypes = st.sampled_from(dtypes.ALL)


@given(
    st.lists(any_dtypes, min_size=1, max_size=4).flatmap(
        lambda d: st.permutations(d).map(lambda p: (d, p))
    )
)
def test_result_type_does_not_depend_on_the_order(pair):
    """Proves that promotion is associative and commutative, errors included."""

    def found(given_dtypes):
        try:
            return sm.result_type(*given_dtypes)
        except sm.UserInputError:
            return None

    assert found(pair[0]) is found(pair[1])


@pytest.mark.parametrize(("left", "right"), [*itertools.product(STANDARD, repeat=2)], ids=repr)
def test_promotion_of_one_kind_is_numpys(left, right):
    """Proves it against NumPy where the standard says something: both of one kind."""
    if left.is_bool or right.is_bool or left.is_integer != right.is_integer:
        return
    wanted = np.promote_types(left.numpy, right.numpy)
    if wanted not in [dtype.numpy for dtype in STANDARD]:
        return
    if wanted == np.float64 and left.is_integer:
        with pytest.raises(sm.UserInputError, match="no common type for"):
            sm.promote_types(left, right)
        return
    assert sm.promote_types(left, right) == wanted
    assert sm.result_type(sm.ones(1, left), right) == wanted
    assert (sm.ones(1, left) + sm.ones(1, right)).dtype == wanted
    assert sm.can_cast(left, right) == (wanted == right.numpy)
    assert sm.can_cast(sm.ones(1, left), right) == (wanted == right.numpy)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=repr)
def test_kinds(dtype):
    kinds = [
        kind
        for kind in (
            *("bool", "signed integer", "unsigned integer", "integral", "real floating"),
            *("complex floating", "numeric"),
        )
        if sm.isdtype(dtype, kind)
    ]
    if dtype.is_bool:
        assert kinds == ["bool"]
    elif dtype.is_integer:
        assert kinds == [f"{'' if dtype.is_signed else 'un'}signed integer", "integral", "numeric"]
    else:
        assert kinds == [f"{'complex' if dtype.is_complex else 'real'} floating", "numeric"]
    assert sm.isdtype(dtype.numpy, dtype)
    assert sm.isdtype(dtype, ("bool", "numeric"))
    assert not sm.isdtype(dtype, ())


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=repr)
def test_limits_of_floats(dtype):
    found = sm.finfo(dtype)
    wanted = ml_dtypes.finfo(dtype.numpy)
    assert found.dtype == dtype
    for name in ("bits", "eps", "max", "min", "smallest_normal"):
        assert getattr(found, name) == float(getattr(wanted, name))
    assert type(found.eps) is float
    assert sm.finfo(sm.ones(1, dtype)) == found


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=repr)
def test_limits_of_integers(dtype):
    found, wanted = sm.iinfo(sm.ones(1, dtype)), np.iinfo(dtype.numpy)
    assert (found.bits, found.max, found.min) == (wanted.bits, wanted.max, wanted.min)
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sm.result_type(1, 2.0),
            (
                "result_type expected an array or a dtype among its arguments; a Python number has"
                " no type of its own"
            ),
        ),
        (
            lambda: sm.result_type(sm.int64, sm.uint64),
            (
                "result_type: there is no common type for int64 and uint64; convert one:"
                " x.astype(sm.int64) or x.astype(sm.uint64)"
            ),
        ),
        (
            lambda: sm.isdtype(sm.int8, "integer"),
            "unknown kind of dtypes 'integer'; did you mean",
        ),
        (lambda: sm.finfo("i8"), "finfo expected a float or complex type, got int8; use iinfo"),
        (lambda: sm.iinfo("f4"), "unknown dtype 'f4'"),
        (lambda: sm.iinfo("f32"), "iinfo expected an integer type, got float32; use finfo"),
        (
            lambda: sm.astype(sm.array([1j]), "f32"),
            (
                "astype does not make float32 of complex64, which has two parts; take one:"
                " sm.real(x), sm.imag(x) or sm.abs(x)"
            ),
        ),
        (
            lambda: sm.astype([1], "f32"),
            "astype expected an array, got a list; make one with sm.asarray",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(sm.UserInputError) as raised:
        call()
    assert str(raised.value).startswith(message)


def test_astype():
    x = sm.array([1.7, 0.0])
    assert sm.astype(x, "i8").tolist() == [1, 0]
    assert sm.astype(x, "f32", copy=False) is x
    assert sm.astype(x, "f32") is not x
    assert sm.astype(x, "f64", device=sm.default_device()).dtype == sm.float64
    assert sm.array([0j, 1j]).astype(bool).tolist() == [False, True]
    assert (sm.array([0j, 1j]) * 2).astype(bool).tolist() == [False, True]


@pytest.mark.parametrize(("target", "source"), [*itertools.product(STANDARD, repeat=2)], ids=repr)
def test_same_kinds_are_numpys(target, source):
    assert is_same_kind(target, source) == np.can_cast(source.numpy, target.numpy, "same_kind")


@pytest.mark.parametrize(
    ("compute", "told"),
    [
        (lambda x: x + 1, "add of float64"),
        (sm.sin, "sin of float64"),
        (lambda x: sm.sum(x.astype("f32"), dtype="f64"), "sum of float64"),
        (sm.cumsum, "cumulative_sum of float64"),
        (sm.argmax, "argmax of float64"),
        (lambda x: x[sm.array([0, 1]).to("metal-sim")], "an index array of float64"),
        (lambda x: x.astype("c128") * 2, "multiply of complex128"),
    ],
)
def test_what_a_device_does_not_compute_with_is_named(compute, told):
    """Such arrays can be there, and converted; a kernel of theirs would not compile."""
    x = sm.array(np.arange(4.0)).to("metal-sim")
    with pytest.raises(sm.UserInputError, match=told + r": metal-sim does not .* x\.astype\("):
        compute(x)
    np.testing.assert_array_equal(x.astype("f32").numpy(), np.arange(4, dtype="f4"))

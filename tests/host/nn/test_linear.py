"""Layers that are products, against the formula and the benchmark's reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.bench.operations.matmul import OPERATIONS
from tiers import examples

LINEAR = next(operation for operation in OPERATIONS if operation.name == "linear")


def whole(seed, *shape, dtype="f4"):
    """Small whole numbers, so that sums are exact."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


@given(
    st.sampled_from([(), (3,), (2, 5), (0,), (40,)]),
    st.sampled_from([1, 7, 64]),
    st.sampled_from([1, 20, 33]),
    st.booleans(),
    st.sampled_from(["f4", "f8", "f2"]),
)
@settings(max_examples=examples(60), deadline=None)
def test_it_is_the_formula(outer, inputs, outputs, has_bias, dtype):
    x, weight = whole(0, *outer, inputs, dtype=dtype), whole(1, outputs, inputs, dtype=dtype)
    bias = whole(2, outputs, dtype=dtype) if has_bias else None
    found = sm.nn.linear(sm.asarray(x), sm.asarray(weight), bias)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), x @ weight.T + (0 if bias is None else bias))


@pytest.mark.parametrize("sizes", [(4, 300, 32, 40), (2, 1, 512, 1), (3, 50, 64, 100)], ids=str)
def test_the_benchmarks_operation(sizes):
    """Its weight is (inputs, outputs): ours is that, transposed."""
    batch, rows, inner, columns = sizes
    params = {"x": [batch, rows, inner], "weight": [inner, columns]}
    inputs = LINEAR.inputs(params, np.random.default_rng(0))
    (expected,) = LINEAR.reference(params, {k: v.astype("f8") for k, v in inputs.items()})
    x, weight, bias = (sm.asarray(inputs[k]) for k in ("x", "weight", "bias"))
    found = sm.nn.linear(x, weight.T, bias)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_bias_and_activation_are_computed_as_sums_are_stored():
    x, weight, bias = sm.ones((4000, 64)), sm.ones((128, 64)), sm.ones(128)
    found = sm.nn.relu(sm.nn.linear(x, weight, bias) - 60)
    assert "1 step" in str(sm.explain(found))
    np.testing.assert_array_equal(found.numpy(), np.full((4000, 128), 5, "f4"))


@given(
    st.sampled_from([(), (3,), (2, 5), (0,)]),
    st.sampled_from([(1, 1), (4, 9), (9, 4)]),
    st.sampled_from([1, 6]),
    st.booleans(),
    st.sampled_from(["f4", "f8", "f2"]),
)
@settings(max_examples=examples(40), deadline=None)
def test_bilinear_is_the_formula(outer, sizes, outputs, has_bias, dtype):
    first, second = (whole(k, *outer, size, dtype=dtype) for k, size in enumerate(sizes))
    weight = whole(3, outputs, *sizes, dtype=dtype)
    bias = whole(4, outputs, dtype=dtype) if has_bias else None
    found = sm.nn.bilinear(sm.asarray(first), sm.asarray(second), sm.asarray(weight), bias)
    assert found.dtype == dtype
    expected = np.einsum("...i,oij,...j->...o", *(x.astype("f8") for x in (first, weight, second)))
    expected = expected + (0 if bias is None else bias)
    np.testing.assert_array_equal(found.numpy(), expected.astype(dtype))


def test_both_agree_with_pytorch():
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    x, y, weight, tensor, bias = (
        generator.normal(size=shape).astype("f4")
        for shape in ((5, 7), (5, 3), (4, 7), (4, 7, 3), (4,))
    )
    theirs = torch.nn.functional
    for name, operands in (("linear", (x, weight, bias)), ("bilinear", (x, y, tensor, bias))):
        found = getattr(sm.nn, name)(*map(sm.asarray, operands)).numpy()
        expected = getattr(theirs, name)(*map(torch.from_numpy, operands)).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_what_is_wrong():
    x, weight = sm.ones((2, 3)), sm.ones((4, 3))
    with pytest.raises(sm.UserInputError, match=r"\(outputs, inputs\), got \(2, 3\) and"):
        sm.nn.linear(x, weight.T)
    with pytest.raises(sm.UserInputError, match=r"bias of shape \(outputs,\) = \(4,\), got \(3,\)"):
        sm.nn.linear(x, weight, sm.ones(3))
    with pytest.raises(sm.UserInputError, match="linear expected floats for weight, got int32"):
        sm.nn.linear(x, weight.astype(sm.int32))
    with pytest.raises(sm.UserInputError, match=r"inputs2\) = \(4, 3, 3\), got \(4, 3, 2\)"):
        sm.nn.bilinear(x, x, sm.ones((4, 3, 2)))
    with pytest.raises(sm.UserInputError, match="bilinear expected x1 of shape"):
        sm.nn.bilinear(x, x[0], sm.ones((4, 3, 3)))

"""Activations against PyTorch's, of ordinary and special numbers, and what they refuse."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from strategies import views
from tiers import examples

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional

nn = sm.nn
PAIRS = {
    "leaky_relu": (nn.leaky_relu, F.leaky_relu),
    "leaky_relu slope": (
        lambda x: nn.leaky_relu(x, negative_slope=0.3),
        lambda x: F.leaky_relu(x, 0.3),
    ),
    "relu6": (nn.relu6, F.relu6),
    "hardtanh": (
        lambda x: nn.hardtanh(x, min_value=-2.0, max_value=0.5),
        lambda x: F.hardtanh(x, -2.0, 0.5),
    ),
    "hardsigmoid": (nn.hardsigmoid, F.hardsigmoid),
    "hardswish": (nn.hardswish, F.hardswish),
    "softshrink": (lambda x: nn.softshrink(x, lambd=0.7), lambda x: F.softshrink(x, 0.7)),
    "hardshrink": (lambda x: nn.hardshrink(x, lambd=0.7), lambda x: F.hardshrink(x, 0.7)),
    "threshold": (lambda x: nn.threshold(x, 0.5, -3.0), lambda x: F.threshold(x, 0.5, -3.0)),
    "elu": (lambda x: nn.elu(x, alpha=1.3), lambda x: F.elu(x, 1.3)),
    "celu": (lambda x: nn.celu(x, alpha=1.3), lambda x: F.celu(x, 1.3)),
    "selu": (nn.selu, F.selu),
    "mish": (nn.mish, F.mish),
    "log_sigmoid": (nn.log_sigmoid, F.logsigmoid),
    "tanhshrink": (nn.tanhshrink, F.tanhshrink),
    "softsign": (nn.softsign, F.softsign),
    "quick_gelu": (nn.quick_gelu, lambda x: x * torch.sigmoid(1.702 * x)),
    "relu": (nn.relu, F.relu),
    "sigmoid": (nn.sigmoid, torch.sigmoid),
    "silu": (nn.silu, F.silu),
    "gelu": (nn.gelu, F.gelu),
    "softplus": (nn.softplus, F.softplus),
}
ORDINARY = np.linspace(-12, 12, 1001)
SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e-7, -1e-7, 3e38, -3e38, 88.8, -88.8, -104]
)
KEEP_DENORMALS = {"leaky_relu", "elu", "celu", "selu", "softsign", "mish", "silu", "hardswish"}


def compare(name: str, host: np.ndarray, tolerance: float) -> None:
    ours, theirs = PAIRS[name]
    found = ours(sm.asarray(host))
    assert found.dtype == host.dtype
    wide = torch.from_numpy(np.asarray(host, np.float64))
    expected = theirs(wide).numpy()
    np.testing.assert_allclose(
        found.numpy().astype("f8"), expected, rtol=tolerance, atol=tolerance * 1e-2
    )


@pytest.mark.parametrize("name", PAIRS)
def test_they_are_pytorchs(name):
    compare(name, ORDINARY.astype(np.float32), 4e-6)
    compare(name, ORDINARY, 1e-12)
    compare(name, ORDINARY.astype(np.float16), 1e-3)
    compare(name, ORDINARY.astype(ml_dtypes.bfloat16), 8e-3)


@pytest.mark.parametrize("name", sorted(PAIRS.keys() - {"gelu"}))  # its infinity is NaN there
def test_special_numbers(name):
    """Proves that infinities, NaN, denormal and huge numbers give what PyTorch gives in float32."""
    ours, theirs = PAIRS[name]
    host = SPECIAL.astype(np.float32)
    expected = theirs(torch.from_numpy(host)).numpy()
    found = ours(sm.asarray(host)).numpy()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    rounded = 2e-14 if name == "tanhshrink" else 1e-36  # which has no digits left near 0
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=rounded)
    tiny = (np.abs(host) < 1e-30) & (host != 0)
    if name in KEEP_DENORMALS:
        assert (found[tiny] != 0).all()


def test_constants_of_selu_are_the_papers():
    ends = nn.selu(sm.array(np.array([1.0, -1000.0]))).tolist()
    assert ends == [1.0507009873554805, -1.7580993408473766]


def test_mish_keeps_its_digits_where_it_is_small():
    host = np.array([-20.0, -50.0, -80.0], np.float32)
    wide = host.astype(np.float64)
    expected = wide * np.tanh(np.log1p(np.exp(wide)))
    np.testing.assert_allclose(nn.mish(sm.array(host)).numpy(), expected, rtol=2e-6)


@given(data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_of_any_strides_and_fused(data):
    """Proves that strides do not matter, and that two of them are one kernel of the same bits."""
    host = data.draw(views(st.just(np.dtype(np.float32))))
    name = data.draw(st.sampled_from(sorted(PAIRS)))
    compare(name, host, 4e-6)
    ours, _ = PAIRS[name]
    fused = nn.leaky_relu(ours(sm.asarray(host) + 0.5)) * 2.0
    with sm.no_fusion():
        apart = nn.leaky_relu(ours(sm.asarray(host) + 0.5)) * 2.0
    assert fused.numpy().tobytes() == apart.numpy().tobytes()


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 1, 3)])
def test_prelu(layout, shape):
    rng = np.random.default_rng(1)
    host = rng.standard_normal(shape, dtype=np.float32)
    slopes = rng.standard_normal(4, dtype=np.float32)
    expected = F.prelu(torch.from_numpy(host), torch.from_numpy(slopes)).numpy()
    if layout == "channels_last":
        host, expected = np.moveaxis(host, 1, -1), np.moveaxis(expected, 1, -1)
    found = nn.prelu(sm.asarray(host), sm.asarray(slopes), layout=layout)
    np.testing.assert_array_equal(found.numpy(), expected)
    one = nn.prelu(sm.asarray(host), sm.array([0.25]))
    np.testing.assert_array_equal(one.numpy(), np.where(host > 0, host, host * np.float32(0.25)))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gated_units(axis):
    host = np.random.default_rng(2).standard_normal((4, 6, 8), dtype=np.float32)
    x = sm.array(host)
    theirs = torch.from_numpy(host)
    np.testing.assert_allclose(nn.glu(x, axis=axis).numpy(), F.glu(theirs, axis), rtol=2e-6)
    a, b = torch.chunk(theirs, 2, axis)
    found = nn.swiglu(x, axis=axis)
    np.testing.assert_allclose(found.numpy(), (F.silu(a) * b).numpy(), rtol=2e-6, atol=1e-7)
    apart = nn.swiglu(sm.array(a.numpy().copy()), sm.array(b.numpy().copy()))
    np.testing.assert_array_equal(found.numpy(), apart.numpy())
    found = nn.softmin(x, axis=axis)
    np.testing.assert_allclose(found.numpy(), F.softmin(theirs, axis).numpy(), rtol=3e-6)


def test_integers_stay_where_pytorch_takes_them():
    x = sm.array([-9, 3, 9], dtype=sm.int32)
    assert nn.relu6(x).tolist() == [0, 3, 6]
    assert nn.hardtanh(x, min_value=-2, max_value=4).tolist() == [-2, 3, 4]
    assert nn.threshold(x, 3, -7).tolist() == [-7, -7, 9]
    assert nn.relu6(x).dtype == sm.int32


REFUSED = [
    (lambda x: nn.elu(x.astype(sm.int32)), "elu expected floats for x, got int32; convert with"),
    (lambda x: nn.mish(x.astype(sm.complex64)), "mish expected floats for x, got complex64; take"),
    (lambda x: nn.celu(x, alpha=0.0), "celu expected alpha to be other than 0"),
    (lambda x: nn.hardshrink(x, lambd=-1.0), "hardshrink expected lambd of 0 or more, got -1.0"),
    (lambda x: nn.softshrink(x, lambd=-1.0), "softshrink expected lambd of 0 or more, got -1.0"),
    (lambda x: nn.hardtanh(x, min_value=1, max_value=0), "min_value to be at most max_value, got"),
    (nn.glu, r"glu expected an even extent of axis -1, which it halves, got shape"),
    (lambda x: nn.prelu(x, sm.ones(2)), r"prelu expected one slope or 3, one for each channel"),
    (lambda x: nn.prelu(x, sm.ones(3), layout="NHWC"), "unknown layout 'NHWC'"),
    (lambda x: nn.threshold(x.astype(sm.int32), 1, 0.5), "threshold expected a whole number"),
    (lambda x: nn.relu6(3.0), "relu6 expected an array"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(sm.UserInputError, match=message):
        call(sm.ones((2, 3)))


def test_of_nothing():
    for ours, _ in PAIRS.values():
        assert ours(sm.zeros((0, 3))).shape == (0, 3)

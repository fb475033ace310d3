"""Elementwise functions of complex arrays, against NumPy's."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal import dtypes
from strategies import host_arrays, laid_out, shapes
from tiers import examples

NAN, INF = math.nan, math.inf
FUNCTIONS = {
    "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "log2": np.log2, "log10": np.log10, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}  # fmt: skip
"""Those of one complex number that give one."""

PARTS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.3, 2.0, -7.0, 1e-3, 1e3, -30.0]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, INF, -INF, NAN]


def grid(parts: list[float], dtype: sm.DType) -> np.ndarray:
    """All pairs of parts. (``x + 1j * y`` would lose signs of zeros and infinities.)"""
    found = np.empty((len(parts), len(parts)), dtype.numpy)
    found.real, found.imag = np.array(parts)[:, None], np.array(parts)
    return found


def exactly(name: str, host: np.ndarray) -> np.ndarray:
    """NumPy's function, wider than the operand where there is something wider."""
    z = host.astype(np.clongdouble)
    with np.errstate(all="ignore"):
        found = np.asarray(FUNCTIONS[name](z))
        if name == "log1p":  # of small numbers NumPy forms the sum with 1
            near = np.log1p(z.real * (2 + z.real) + z.imag * z.imag) / 2
            found.real = np.where(np.abs(z) < 0.5, near, found.real)
    return found


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=repr)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(name, dtype):
    """Proves that the distance to the exact result is some units of its size, on a grid."""
    host = grid(PARTS, dtype)
    found = getattr(sm, name)(sm.array(host))
    assert found.dtype == dtype
    wanted = exactly(name, host)
    finite = np.isfinite(wanted.real) & np.isfinite(wanted.imag)
    finite &= np.abs(wanted) < sm.finfo(dtype).max
    error = np.abs(found.numpy() - wanted)[finite]
    assert (error <= 8 * sm.finfo(dtype).eps * np.abs(wanted)[finite]).all()


def _is_like(found: float, wanted: float, other: float) -> bool:
    """Whether a part is right; where the other one is NaN C leaves its sign open."""
    if math.isnan(wanted) or math.isnan(found):
        return math.isnan(wanted) and math.isnan(found)
    if math.isnan(other):
        found, wanted = abs(found), abs(wanted)
    if math.isinf(wanted) or wanted == 0:
        return found == wanted and math.copysign(1, found) == math.copysign(1, wanted)
    return math.isclose(found, wanted, rel_tol=1e-5)


# Where C's library, which NumPy calls, does not say what C's annex G says, or not all.
OPEN = {"log2", "log10", "expm1", "log1p"}


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=repr)
@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - OPEN))
def test_special_values(name, dtype):
    """Proves signed zeros, infinities and NaN against the C library."""
    host = grid(SPECIAL, dtype)
    found = getattr(sm, name)(sm.array(host)).numpy()
    with np.errstate(all="ignore"):
        wanted = FUNCTIONS[name](host.astype(np.complex128))
    # The array API has the sign of y, where NumPy has that of sin(2y).
    if name == "tanh":
        wanted.imag[np.isinf(host.real)] = np.copysign(0.0, host.imag[np.isinf(host.real)])
    if name == "tan":
        wanted.real[np.isinf(host.imag)] = np.copysign(0.0, host.real[np.isinf(host.imag)])
    for z, ours, theirs in zip(host.flat, found.flat, wanted.flat, strict=True):
        real = _is_like(ours.real, theirs.real, theirs.imag)
        imag = _is_like(ours.imag, theirs.imag, theirs.real)
        assert real, f"{name}({z}) is {theirs}, not {ours}"
        assert imag, f"{name}({z}) is {theirs}, not {ours}"


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=repr)
def test_expm1_of_0_has_a_real_part_without_sign(dtype):
    """As the array API says; NumPy keeps the sign."""
    found = sm.expm1(sm.array(grid([0.0, -0.0], dtype))).numpy()
    assert (found == 0).all()
    assert not np.signbit(found.real).any()
    np.testing.assert_array_equal(np.signbit(found.imag), np.signbit(grid([0.0, -0.0], dtype).imag))


@pytest.mark.parametrize("name", ["asin", "acos", "atan", "asinh", "acosh", "atanh", "log1p"])
@settings(max_examples=examples(100))
@given(
    x=st.floats(-38, 38).map(lambda e: 10.0**e),
    y=st.floats(-38, 38).map(lambda e: 10.0**e),
    signs=st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, -1])),
)
def test_no_step_overflows(name, x, y, signs):
    """Proves that inverse functions are right for parts of all sizes, and on either side."""
    host = np.array([complex(x * signs[0], y * signs[1])], np.complex64)
    found, wanted = getattr(sm, name)(sm.array(host)).numpy(), exactly(name, host)
    tiny = sm.finfo(sm.float32).smallest_normal
    for part in ("real", "imag"):
        ours, theirs = getattr(found, part)[0], getattr(wanted, part)[0]
        # Of one size with the result: a part that cancels is as exact as the other.
        size = abs(theirs) if name != "log1p" else abs(wanted[0])
        assert abs(ours - theirs) <= 16 * sm.finfo(sm.float32).eps * size + tiny


@settings(max_examples=examples(40))
@given(data=st.data())
def test_parts(data: st.DataObject) -> None:
    """Proves what takes numbers apart and puts them together, on all shapes and strides."""
    dtype = data.draw(st.sampled_from(dtypes.COMPLEX))
    host = data.draw(host_arrays(dtype, data.draw(shapes)))
    z = data.draw(laid_out(host))
    assert sm.real(z).dtype == sm.imag(z).dtype == sm.abs(z).dtype == dtype.part
    np.testing.assert_array_equal(sm.real(z).numpy(), host.real)
    np.testing.assert_array_equal(sm.imag(z).numpy(), host.imag)
    np.testing.assert_array_equal(sm.conj(z).numpy(), np.conj(host))
    np.testing.assert_array_equal(z.conj().numpy(), np.conj(host))
    np.testing.assert_array_equal(sm.isnan(z).numpy(), np.isnan(host))
    np.testing.assert_array_equal(sm.isinf(z).numpy(), np.isinf(host))
    np.testing.assert_array_equal(sm.isfinite(z).numpy(), np.isfinite(host))
    np.testing.assert_array_equal(sm.round(z).numpy(), np.round(host))
    rtol = 8 * sm.finfo(dtype).eps
    np.testing.assert_allclose(sm.angle(z).numpy(), np.angle(host), rtol=rtol)
    np.testing.assert_array_equal(sm.polar(z)[1].numpy(), sm.angle(z).numpy())


def test_of_real_numbers():
    x = sm.array([1.5, -2.0])
    assert sm.real(x).tolist() == sm.conj(x).tolist() == [1.5, -2.0]
    assert sm.imag(x).tolist() == [0.0, 0.0]
    assert sm.angle(x).tolist() == pytest.approx([0.0, math.pi])
    assert sm.real(sm.array([2, 3])).dtype == sm.int32
    size, angle = sm.array([2.0, 3.0]), sm.array([0.5, -2.0])
    wanted = [cmath.rect(2.0, 0.5), cmath.rect(3.0, -2.0)]
    np.testing.assert_allclose(sm.rect(size, angle).numpy(), wanted, rtol=1e-6)
    assert sm.rect(size.astype("f64"), angle).dtype == sm.complex128


def test_arithmetic():
    host = grid([0.5, -1.0, 2.0, 3.0], dtypes.complex64)
    z, w = sm.array(host), sm.array(host[::-1].copy())
    other = host[::-1]
    for found, wanted in (
        (z * w, host * other),
        (z / w, host / other),
        (z**2, host**2),
        (z**w, host**other),
        (z**1.5, host**1.5),
        (2 / z, 2 / host),
        (sm.square(z), host * host),
        (sm.reciprocal(z), 1 / host),
        (sm.sign(z), host / np.abs(host)),
        (-z, -host),
        (sm.where(sm.real(z) > 1, z, 1j), np.where(host.real > 1, host, 1j)),
        (sm.logical_not(z), host == 0),
        (abs(z * w + 1), abs(host * other + 1)),
        (sm.exp(1j * sm.abs(z)), np.exp(1j * np.abs(host))),
    ):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert sm.sign(sm.array([0j])).item() == 0
    assert sm.nan_to_num(sm.array([complex(NAN, 1.0)])).item() == 1j
    with pytest.raises(sm.UserInputError, match=r"\+ - \* / and \*\* alone"):
        z // w
    with pytest.raises(sm.UserInputError, match="no order"):
        z < w  # noqa: B015 - it raises


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=repr)
def test_fused_and_unfused_agree_bit_for_bit(dtype):
    """Proves that rounding does not depend on what is computed together."""
    host = grid(PARTS, dtype)

    def compute():
        z = sm.array(host)
        return sm.abs(sm.exp(z * 0.1) / (z + 3j)) + sm.real(sm.asin(z) ** 2) - sm.imag(sm.conj(z))

    fused = compute().numpy()
    with sm.no_fusion():
        apart = compute().numpy()
    assert fused.tobytes() == apart.tobytes()

"""Functions of complex numbers: errors are within the stated bound, special values NumPy's."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.dtypes import DType, from_numpy
from speedmetal.errors import UserInputError

pytestmark = pytest.mark.tier("default")

FUNCTIONS = ("exp", "log", "log2", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
BOUND = 4
"""Error in units of the last place of the result's size, which docs/language.md states."""
UNITS = {sm.complex64: 2.0**-23, sm.complex128: 2.0**-52}
EXACT = {sm.complex64: np.complex128, sm.complex128: np.clongdouble}
"""What is right to far more digits than the type has."""
HAS_EXACT = np.finfo(np.longdouble).nmant > 60

every_type = pytest.mark.parametrize(
    "dtype",
    [
        sm.complex64,
        pytest.param(
            sm.complex128,
            marks=pytest.mark.skipif(not HAS_EXACT, reason="NumPy's longdouble has no more digits"),
        ),
    ],
    ids=str,
)


def on_cpu(function: Callable[[Any], Any], *operands: np.ndarray) -> np.ndarray:
    """``function`` of each element, by a kernel; the result has the first operand's type."""

    def of_one(x, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(x[i])

    def of_two(x, y, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(x[i], y[i])

    found = np.zeros_like(operands[0])
    sm.kernel(of_one if len(operands) == 1 else of_two)(*operands, found, grid=found.size)
    return found


def of_numpy(name: str, z: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        found: np.ndarray = getattr(np, name)(exact(z))
    return found


def exact(z: np.ndarray) -> np.ndarray:
    return z.astype(EXACT[from_numpy(z.dtype)])


def unit_of(z: np.ndarray) -> float:
    return UNITS[from_numpy(z.dtype)]


def samples(dtype: DType) -> np.ndarray:
    """Of every size, near 1, on the unit circle, and where sizes overflow before results do."""
    least, greatest, far = (-149, 127, 92) if dtype is sm.complex64 else (-1074, 1023, 713)
    random = np.random.default_rng(4)

    def by_parts(low: float, high: float) -> np.ndarray:
        parts = np.exp2(random.uniform(low, high, (2, 4000))) * random.choice([-1, 1], (2, 4000))
        return parts[0] + 1j * parts[1]

    return np.concatenate(
        [
            by_parts(least, greatest),
            by_parts(-20, 7),
            np.exp(by_parts(-12, -1)),
            np.exp(1j * random.uniform(-math.pi, math.pi, 4000)),
            random.uniform(-far, far, 4000) + 1j * random.uniform(-far, far, 4000),
        ]
    ).astype(dtype.numpy)


def errors(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """In units of the last place of the result's size, where the type holds the result."""
    with np.errstate(all="ignore"):
        narrow = wanted.astype(found.dtype)
        held = np.isfinite(narrow) & (abs(wanted) > 64 * np.finfo(found.dtype).tiny)
        return abs(exact(found) - wanted)[held] / (abs(wanted)[held] * unit_of(found))


@every_type
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_right_to_the_stated_bound(name, dtype):
    z = samples(dtype)
    found = errors(on_cpu(getattr(sm, name), z), of_numpy(name, z))
    assert found.size > 9000
    assert found.max() <= BOUND


PARTS = (0.0, -0.0, 1.0, -1.0, 89.0, -89.0, 200.0, -200.0, 710.0, -1500.0)
EVERY_PART = (*PARTS, math.inf, -math.inf, math.nan)


def special(dtype: DType) -> np.ndarray:
    return np.array([complex(x, y) for x in EVERY_PART for y in EVERY_PART], dtype.numpy)


OPEN_SIGNS = {
    # Of zeros and infinities beside a NaN, whose sign the standard leaves open.
    "sin": lambda z: np.isinf(z.imag),
    "cos": lambda z: (z.real == 0) & ~np.isfinite(z.imag) | (z.imag == 0) & ~np.isfinite(z.real),
    "sinh": lambda z: np.isinf(z.real) & ~np.isfinite(z.imag),
    "cosh": lambda z: (z.real == 0) & ~np.isfinite(z.imag) | (z.imag == 0) & ~np.isfinite(z.real),
}


def agree(found: np.ndarray, wanted: np.ndarray, *, signed: np.ndarray) -> np.ndarray:
    """Whether parts are the same: zeros and infinities with their signs, where these count."""
    with np.errstate(all="ignore"):
        near = np.isclose(found, wanted, rtol=1e-5, atol=0, equal_nan=True)
        mirrored = np.isclose(-found, wanted, rtol=1e-5, atol=0, equal_nan=True)
    with_signs = near & ((np.signbit(found) == np.signbit(wanted)) | np.isnan(wanted))
    return np.where(signed, with_signs, near | mirrored)


def with_standards_zeros(name: str, z: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """At the infinities tanh's and tan's zero has the sign of its part of z in the array API, of
    the sine of twice that part in NumPy.
    """
    if name == "tanh":
        wanted.imag[np.isinf(z.real)] = np.copysign(0.0, z.imag[np.isinf(z.real)])
    if name == "tan":
        wanted.real[np.isinf(z.imag)] = np.copysign(0.0, z.real[np.isinf(z.imag)])
    return wanted


@every_type
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_values_are_numpys(name, dtype):
    """Branch cuts by the zeros' signs, infinities, NaN, and what overflows on the way."""
    z = special(dtype)
    found, wanted = on_cpu(getattr(sm, name), z), of_numpy(name, z)
    wanted = with_standards_zeros(name, z, wanted)
    with np.errstate(all="ignore"):
        wanted = wanted.astype(dtype.numpy)
    signed = ~OPEN_SIGNS.get(name, lambda z: np.zeros(z.size, bool))(z)
    right = agree(found.real, wanted.real, signed=signed)
    right &= agree(found.imag, wanted.imag, signed=signed)
    wrong = [*zip(z[~right], found[~right], wanted[~right], strict=True)]
    assert wrong == []


@every_type
def test_branches_are_cut_along_the_negative_axis(dtype):
    """Above the cut and on it, with a zero of either sign."""
    z = np.array([-4 + 0j, complex(-4, -0.0)], dtype.numpy)
    assert on_cpu(sm.sqrt, z).tolist() == [2j, -2j]
    wanted = np.array([math.pi, -math.pi], dtype.part.numpy)
    np.testing.assert_array_equal(on_cpu(sm.log, z).imag, wanted)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_complex128_is_as_right_in_a_kernel_of_float32(name):
    """There, constants that meet no float64 are float32."""
    function = getattr(sm, name)

    @sm.kernel
    def split(z, out):
        i = sm.thread_position_in_grid().x
        w = function(sm.complex128(z[i]) * sm.complex128(2.0**-1000) * sm.complex128(2.0**1000))
        for part in sm.static_range(2):
            wide = (w.real, w.imag)[part]
            out[part, 0, i] = wide
            out[part, 1, i] = wide - wide.astype(sm.float32).astype(sm.float64)

    z = samples(sm.complex64)[8000:9000]
    z = z[(abs(z.real) < 80) & (abs(z.imag) < 80)]
    out = np.zeros((2, 2, z.size), np.float32)
    split(z, out, grid=z.size)
    real, imag = out.astype(float).sum(axis=1)
    wanted = of_numpy(name, z)
    assert (abs(real + 1j * imag - wanted) <= 2.0**-44 * abs(wanted)).all()


# --- Powers ----------------------------------------------------------------------------------


@every_type
def test_powers_are_right_to_the_stated_bound(dtype):
    unit = UNITS[dtype]
    random = np.random.default_rng(2)
    sizes, angles = np.exp2(random.uniform(-4, 4, (2, 4000))), random.uniform(-3.1, 3.1, (2, 4000))
    z, w = (sizes * np.exp(1j * angles)).astype(dtype.numpy)
    base, exponent = exact(z), exact(w)
    cases = [
        (on_cpu(lambda a, b: a**b, z, w), base, exponent),
        (on_cpu(lambda a, b: a ** abs(b), z, w), base, abs(exponent)),
        (on_cpu(lambda a: a**0.5, z), base, np.array(0.5)),
        (on_cpu(lambda a: a**-40, z), base, np.array(-40.0)),
        (on_cpu(lambda a: 2.5**a, z), np.array(2.5), base),
    ]
    for found, of, power in cases:
        wanted = of**power
        held = (abs(wanted) < 1e38) & (abs(wanted) > 1e-35)
        relative = abs(found - wanted)[held] / (abs(wanted)[held] * unit)
        bound = BOUND * (1 + abs(power) * (1 + abs(np.log(of))))
        assert (relative <= np.broadcast_to(bound, z.shape)[held]).all()
    for power in (0, 1, 2, 3, 7, 16, -1, -5):
        found, wanted = on_cpu(lambda a, n=power: a**n, z), base ** float(power)
        held = (abs(wanted) < 1e38) & (abs(wanted) > 1e-35)
        relative = abs(found - wanted)[held] / abs(wanted)[held]
        assert relative.max() <= BOUND * unit * max(1, abs(power) / 2)


@every_type
@pytest.mark.parametrize("exponent", [0, 2, 3, 0.5, 2.5, 0.0, 0j, 2j, -1, -0.5])
def test_powers_of_zero_and_one(exponent, dtype):
    z = np.array([0, 1, complex(0, -0.0)], dtype.numpy)
    with np.errstate(all="ignore"):
        wanted = np.array([x ** dtype.numpy.type(exponent) for x in z])
    np.testing.assert_allclose(on_cpu(lambda a: a**exponent, z), wanted, rtol=1e-6)


# --- Parts, and names ------------------------------------------------------------------------


@every_type
def test_parts_sizes_and_angles(dtype):
    z = special(dtype)
    z = np.concatenate([z[np.isfinite(z)], samples(dtype)[:500]])
    near, largest = 3 * UNITS[dtype], np.finfo(dtype.numpy).max / 4
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(on_cpu(np.conj, z), np.conj(z))
        np.testing.assert_array_equal(on_cpu(np.real, z).real, z.real)
        np.testing.assert_array_equal(on_cpu(np.imag, z).real, z.imag)
        for function in (np.angle, cmath.phase, sm.angle, lambda a: cmath.polar(a)[1]):
            np.testing.assert_allclose(on_cpu(function, z).real, np.angle(z), rtol=near)
        np.testing.assert_allclose(on_cpu(lambda a: sm.polar(a)[0], z).real, abs(z), rtol=near)
        back = on_cpu(lambda a: sm.rect(*sm.polar(a)), z)
        held = (abs(z) < largest) & (abs(z) > 1 / largest)
        assert (abs(back - z)[held] <= near * abs(z)[held]).all()


@every_type
def test_pairs_and_sizes_of_complex_numbers(dtype):
    z = samples(dtype)[:500]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(on_cpu(lambda a: sm.sincos(a)[1], z), on_cpu(sm.cos, z))
        for function in (abs, np.abs, sm.abs):
            np.testing.assert_allclose(on_cpu(function, z).real, abs(z), rtol=2 * UNITS[dtype])
    assert on_cpu(lambda a: a * abs(3 + 4j) + np.abs(5j), np.zeros(1, dtype.numpy)) == [5]


def test_real_numbers_among_complex_ones():
    def kernel(x, z, b):
        z[0] = cmath.sqrt(x[0]) + np.conj(x[1])
        z[1] = cmath.log(x[1]) + cmath.log(8, 2) * 1j + sm.angle(x[0])
        z[2] = cmath.rect(2, 0) + np.real(3.5) + np.imag(2) + np.imag(1j)
        z[3] = sm.exp(0.5j) * cmath.exp(1) + np.sqrt(-4 + 0j)
        b[0], b[1] = cmath.isnan(x[0]), sm.isfinite(z[0])
        b[2], b[3] = sm.isinf(z[0] * 1e38 * 1e38), np.isnan(complex(math.nan, 1) * z[0])

    x, z, b = np.float32([-4, 0.5]), np.zeros(4, np.complex64), np.zeros(4, np.bool_)
    sm.kernel(kernel)(x, z, b, grid=1)
    second = math.log(0.5) + 3j + math.pi
    third = 5.5 + 1
    np.testing.assert_allclose(z, [0.5 + 2j, second, third, np.exp(1 + 0.5j) + 2j], rtol=1e-6)
    assert b.tolist() == [False, True, True, True]


def test_functions_of_complex_numbers_outside_kernels():
    assert sm.exp(1j) == np.exp(1j)
    assert sm.sqrt(np.complex64(-4)).dtype == sm.pow(np.complex64(2), 1j).dtype == np.complex64
    assert sm.sqrt(np.complex128(-4)).dtype == np.complex128
    for wide in (np.complex128(2), np.float64(2)):
        assert sm.pow(np.complex64(3), wide).dtype == np.complex128
    np.testing.assert_array_equal(sm.log(np.array([1j, -1])), np.log([1j, -1]))
    assert sm.isnan(complex(0, math.nan)) and not sm.isfinite(complex(math.inf, 0))  # noqa: PT018
    assert sm.polar(3j) == (3, math.pi / 2)
    assert sm.rect(2.0, 0.0) == 2
    assert sm.conj(1j) == -1j
    with pytest.raises(UserInputError) as caught:
        sm.erf(1j)
    assert str(caught.value) == "expected real numbers, found complex ones; use their parts"

"""Functions of complex numbers, and programs that newcomers write with them, on every device."""

from __future__ import annotations

import cmath

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.dtypes import COMPLEX

SIZE = 500
UNITS = {sm.complex64: 2.0**-23, sm.complex128: 2.0**-52}

every_type = pytest.mark.parametrize("dtype", COMPLEX, ids=str)


def normal(dtype, size=SIZE, seed=3):
    random = np.random.default_rng(seed)
    return (3 * (random.normal(size=size) + 1j * random.normal(size=size))).astype(dtype.numpy)


@sm.kernel
def exponentials(z, out):
    i = sm.thread_position_in_grid().x
    out[0, i] = sm.exp(z[i])
    out[1, i] = np.log(z[i])
    out[2, i] = sm.sqrt(z[i])
    out[3, i] = cmath.log10(z[i])
    out[4, i] = z[i] ** 0.5 + 1j * z[i] ** 5
    out[5, i] = z[i] ** (0.5 + 1j)
    out[6, i] = sm.rect(*cmath.polar(z[i]))


@sm.kernel
def angles(z, out):
    i = sm.thread_position_in_grid().x
    out[0, i] = sm.sin(z[i])
    out[1, i] = np.cos(z[i])
    out[2, i] = cmath.tan(z[i])
    out[3, i] = sm.sinh(z[i])
    out[4, i] = sm.cosh(z[i])
    out[5, i] = np.tanh(z[i])
    out[6, i] = np.conj(z[i]) * np.angle(z[i])


def by_numpy(kernel, z):
    if kernel is angles:
        functions = (np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh)
        return [*(function(z) for function in functions), np.conj(z) * np.angle(z)]
    first = [np.exp(z), np.log(z), np.sqrt(z), np.log10(z)]
    return [*first, z**0.5 + 1j * z**5, z ** (0.5 + 1j), z]


@every_type
@pytest.mark.parametrize("kernel", [exponentials, angles], ids=lambda k: k.__name__)
def test_functions_of_complex_numbers(launch, kernel, dtype):
    z = normal(dtype)
    found = np.zeros((7, SIZE), dtype.numpy)
    launch(kernel, z, found, grid=SIZE)
    wanted = np.array(by_numpy(kernel, z.astype(np.clongdouble)))
    assert (abs(found - wanted) <= 25 * UNITS[dtype] * abs(wanted)).all()


PARTS = (0.0, -0.0, 1.0, -2.0, 100.0, 710.0, np.inf, -np.inf)


@every_type
@pytest.mark.parametrize("function", [sm.exp, sm.log, sm.sqrt, sm.tanh], ids=lambda f: f.name)
def test_special_values(launch, function, dtype):
    """Zeros with their signs, infinities, and what overflows only on the way to the result."""

    @sm.kernel
    def apply(z, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(z[i])

    z = np.array([complex(x, y) for x in PARTS for y in PARTS], dtype.numpy)
    found = np.zeros_like(z)
    launch(apply, z, found, grid=z.size)
    with np.errstate(all="ignore"):
        wanted = getattr(np, function.name)(z.astype(np.complex128)).astype(dtype.numpy)
    if function.name == "tanh":  # the array API has the sign of y; NumPy, that of sin(2y)
        wanted.imag[np.isinf(z.real)] = np.copysign(0.0, z.imag[np.isinf(z.real)])
    for ours, theirs in ((found.real, wanted.real), (found.imag, wanted.imag)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
        exact = ~np.isnan(theirs)
        np.testing.assert_array_equal(np.signbit(ours)[exact], np.signbit(theirs)[exact])


@sm.kernel
def mandelbrot(counts, most):
    column, row, _ = sm.thread_position_in_grid()
    c = complex(-2.0 + column / 16, -1.25 + row / 16)
    z = 0j
    count = 0
    while abs(z) <= 2 and count < most:
        z = z * z + c
        count += 1
    counts[row, column] = count


def escapes(c, most):
    z, count = np.complex64(0), 0
    while abs(z) <= 2 and count < most:
        z, count = z * z + c, count + 1
    return count


def test_the_mandelbrot_set(launch):
    counts = np.zeros((40, 48), np.int32)
    launch(mandelbrot, counts, 30, grid=(48, 40))
    wanted = [
        [escapes(complex(x / 16 - 2, y / 16 - 1.25), 30) for x in range(48)] for y in range(40)
    ]
    # Beside the set's edge a rounding decides.
    assert (counts != np.array(wanted)).mean() < 0.005


@sm.kernel
def discrete_fourier_transform(z, out):
    k = sm.thread_position_in_grid().x
    n = len(z)
    out[k] = sum(z[j] * sm.exp(-2j * cmath.pi * (j * k % n) / n) for j in range(n))


@every_type
def test_sums_of_complex_numbers(launch, dtype):
    z = normal(dtype, 60)
    found = np.zeros_like(z)
    launch(discrete_fourier_transform, z, found, grid=60)
    size = abs(z).sum()
    assert abs(found - np.fft.fft(z.astype(complex))).max() <= 16 * UNITS[dtype] * size


# --- Two types -------------------------------------------------------------------------------

OTHERS = (sm.int8, sm.int64, sm.float16, sm.float32, sm.float64, sm.complex64, sm.complex128)


@sm.kernel
def both_orders(z, x, out, facts):
    i = sm.thread_position_in_grid().x
    out[0, i], out[1, i] = z[i] + x[i], x[i] + z[i]
    out[2, i], out[3, i] = z[i] - x[i], x[i] - z[i]
    out[4, i], out[5, i] = z[i] * x[i], x[i] * z[i]
    out[6, i], out[7, i] = z[i] / x[i], x[i] / z[i]
    facts[0, i] = z[i] == x[i]
    facts[1, i] = (z[i] * x[i]).dtype == out.dtype == (x[i] / z[i]).dtype


@every_type
@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_operators_on_two_types(launch, dtype, other):
    """Of whole numbers; float64 beside complex64 makes complex128, integers do not."""
    result = sm.complex128 if sm.float64 in (dtype.part, other.part) else sm.complex64
    random = np.random.default_rng(5)
    z = (random.integers(-9, 9, 64) + 1j * random.integers(1, 9, 64)).astype(dtype.numpy)
    x = (random.integers(1, 9, 64) + (1j if other.is_complex else 0)).astype(other.numpy)
    z[:4] = x[:4]
    out, facts = np.zeros((8, 64), result.numpy), np.zeros((2, 64), np.bool_)
    launch(both_orders, z, x, out, facts, grid=64)
    a, b = z.astype(complex), x.astype(complex)
    wanted = np.array([a + b, b + a, a - b, b - a, a * b, b * a, a / b, b / a])
    np.testing.assert_allclose(out, wanted, rtol=4 * UNITS[result], atol=4 * UNITS[result])
    np.testing.assert_array_equal(facts[0], a == b)
    assert facts[1].all()


@every_type
def test_conversions_and_parts(launch, dtype):
    @sm.kernel
    def convert(z, x, out, wide, narrow):
        i = sm.thread_position_in_grid().x
        out[0, i] = dtype(z[i]) + z[i].astype(dtype) + dtype(3)
        out[1, i] = dtype(x[i], 2) + complex(x[i], i)
        out[2, i] = z[i].real + 1j * z[i].imag
        wide[i] = z[i] * (0.1 + 0.1j)
        narrow[i] = z[i] if i % 2 else 1j

    z, x = normal(dtype, 40), np.arange(40).astype(dtype.part.numpy)
    out, wide, narrow = np.zeros((3, 40), dtype.numpy), np.zeros_like(z), np.zeros(40, np.complex64)
    launch(convert, z, x, out, wide, narrow, grid=40)
    np.testing.assert_array_equal(out, [2 * z + 3, 2 * x + (2 + np.arange(40)) * 1j, z])
    # A constant is rounded once, to the type that it meets.
    np.testing.assert_allclose(wide, z * dtype.numpy.type(0.1 + 0.1j), rtol=4 * UNITS[dtype])
    np.testing.assert_array_equal(narrow, np.where(np.arange(40) % 2, z.astype(np.complex64), 1j))


CAPTURED = np.complex128(0.5 - 1j)


def test_complex128_numbers_of_numpy_are_taken_everywhere(device):
    """Where there is no float64, they are what Python's are."""

    @sm.kernel
    def combine(out, z):
        i = sm.thread_position_in_grid().x
        out[i] = out[i] * CAPTURED + z

    out = sm.full(4, 2j, dtype=sm.complex64, device=device)
    combine(out, np.complex128(3 + 1j), grid=4)
    assert out.tolist() == [2j * (0.5 - 1j) + 3 + 1j] * 4


def test_where_there_is_no_float64_complex128_is_refused(device):
    out = sm.zeros((7, 4), sm.complex128, device=device)
    if device.target.has_float64:
        pytest.skip(f"{device.name} has it")
    with pytest.raises(sm.CompileError) as caught:
        angles(out[0], out, grid=4)
    assert {d.message for d in caught.value.diagnostics} == {
        "complex128 is not available on Metal GPUs; use complex64"
    }

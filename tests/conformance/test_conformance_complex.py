"""Functions of complex numbers, and programs that newcomers write with them, on every device."""

from __future__ import annotations

import cmath

import numpy as np
import pytest

import speedmetal as sm

SIZE = 500


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


@pytest.mark.parametrize("kernel", [exponentials, angles], ids=lambda k: k.__name__)
def test_functions_of_complex_numbers(launch, kernel):
    random = np.random.default_rng(3)
    z = (3 * (random.normal(size=SIZE) + 1j * random.normal(size=SIZE))).astype(np.complex64)
    found = np.zeros((7, SIZE), np.complex64)
    launch(kernel, z, found, grid=SIZE)
    wanted = np.array(by_numpy(kernel, z.astype(np.complex128)))
    assert (abs(found - wanted) <= 3e-6 * abs(wanted)).all()


PARTS = (0.0, -0.0, 1.0, -2.0, 100.0, np.inf, -np.inf)


@pytest.mark.parametrize("function", [sm.exp, sm.log, sm.sqrt, sm.tanh], ids=lambda f: f.name)
def test_special_values(launch, function):
    """Zeros with their signs, infinities, and what overflows only on the way to the result."""

    @sm.kernel
    def apply(z, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(z[i])

    z = np.array([complex(x, y) for x in PARTS for y in PARTS], np.complex64)
    found = np.zeros_like(z)
    launch(apply, z, found, grid=z.size)
    with np.errstate(all="ignore"):
        wanted = getattr(np, function.name)(z.astype(np.complex128)).astype(np.complex64)
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


def test_sums_of_complex_numbers(launch):
    random = np.random.default_rng(6)
    z = (random.normal(size=60) + 1j * random.normal(size=60)).astype(np.complex64)
    found = np.zeros_like(z)
    launch(discrete_fourier_transform, z, found, grid=60)
    np.testing.assert_allclose(found, np.fft.fft(z), rtol=1e-4, atol=1e-5)

"""NumPy's loops are given factors of the operand's precision, and their results are NumPy's."""

import itertools

import numpy as np
import pytest

from speedmetal.arrays.algebra import pocketfft

LENGTH = 64  # a power of two, by which a number is divided exactly
OTHER = {"backward": "forward", "forward": "backward"}
LENGTHS = [1, 30, 31, LENGTH, 99]
NORMS = ["backward", "ortho", "forward"]
UNSCALED = [
    *((name, "backward") for name in ("fft", "rfft", "hfft")),
    *((name, "forward") for name in ("ifft", "irfft", "ihfft")),
]
TO_REAL = ("irfft", "hfft")
HALVING = ("rfft", "ihfft")


def signal(name, real_type):
    generator = np.random.default_rng(7)
    shape = (5, LENGTH // 2 + 1 if name in TO_REAL else LENGTH)
    host = generator.standard_normal(shape).astype(real_type)
    return host if name in HALVING else host + real_type(0.5) * 1j * host[::-1]


def written(name, host, norm, length=LENGTH):
    extent = length // 2 + 1 if name in HALVING else length
    complex_type = np.result_type(host.dtype, np.complex64)
    dtype = np.empty(0, complex_type).real.dtype if name in TO_REAL else complex_type
    out = np.empty((len(host), extent), dtype)
    pocketfft.write_transform(name, host, length, -1, norm, out)
    return out


@pytest.mark.parametrize(("name", "norm"), UNSCALED)
def test_single_precision_is_not_left(name, norm):
    """NumPy stays in it where it has to divide: by 64, which changes no digit."""
    host = signal(name, np.float32)
    assert host.dtype == (np.float32 if name in HALVING else np.complex64)
    divided = getattr(np.fft, name)(host, LENGTH, norm=OTHER[norm])
    np.testing.assert_array_equal(written(name, host, norm), divided * np.float32(LENGTH))


@pytest.mark.parametrize("has_loops", [True, False])
@pytest.mark.parametrize("name", [name for name, _ in UNSCALED])
def test_results_are_numpys(monkeypatch, name, has_loops):
    """Of cut, padded, odd lengths; of a NumPy without the loops as well."""
    if not has_loops:
        monkeypatch.setattr(pocketfft, "_loops", lambda: None)
    for norm, length, real_type in itertools.product(NORMS, LENGTHS, (np.float32, np.float64)):
        host = signal(name, real_type)
        wide = host.astype(np.result_type(host.dtype, np.float64))
        wanted = getattr(np.fft, name)(wide, length, norm=norm)
        found = written(name, host, norm, length)
        bound = 20 * np.finfo(real_type).eps * np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=bound)


def test_this_numpy_has_the_loops():
    for length in (4, 5):
        for name in ("fft", "ifft", "rfft", "irfft"):
            assert isinstance(pocketfft._loop(name, length), np.ufunc)

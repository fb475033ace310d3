"""A long transform in two passes is the transform, on any number of cores."""

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.algebra import fft, long_transforms


def signal(length, dtype=np.complex64):
    generator = np.random.default_rng(length)
    parts = generator.standard_normal((2, length))
    return (parts[0] + 1j * parts[1]).astype(dtype)


@pytest.fixture
def passes(monkeypatch):
    """The lengths that go by two passes, and several parts of each."""
    monkeypatch.setattr(long_transforms, "LEAST_LENGTH", 100)
    monkeypatch.setattr("speedmetal.arrays.host_routines.default_threads", lambda: 3)
    monkeypatch.setattr("speedmetal.arrays.host_routines.LEAST_PART", 1)
    seen = []

    def write(name, host, rows, norm, out):
        seen.append(host.size)
        long_transforms.write_long(name, host, rows, norm, out)

    monkeypatch.setattr(fft, "write_long", write)
    return seen


@pytest.mark.parametrize("name", ["fft", "ifft"])
def test_results_are_numpys(passes, name):
    for length in (100, 128, 102, 3 * 67, 80 * 80, 1 << 14):
        for norm in ("backward", "ortho", "forward"):
            for dtype in (np.complex64, np.complex128):
                host = signal(length, dtype)
                found = getattr(sm.fft, name)(sm.asarray(host, device="cpu"), norm=norm).numpy()
                wanted = getattr(np.fft, name)(host.astype(np.complex128), norm=norm)
                assert found.dtype == dtype
                bound = 20 * np.finfo(dtype).eps * np.abs(wanted).max()
                np.testing.assert_allclose(found, wanted, rtol=0, atol=bound)
    assert set(passes) == {100, 128, 102, 6400, 1 << 14}  # 201 has no rows to cut into


@pytest.mark.parametrize("axis", [0, 1])
def test_the_axis_may_be_beside_others_of_one_element(passes, axis):
    host = np.expand_dims(signal(256), 1 - axis)
    found = sm.fft.fft(sm.asarray(host, device="cpu"), axis=axis).numpy()
    np.testing.assert_allclose(found, np.fft.fft(host, axis=axis), rtol=0, atol=1e-4)
    assert passes == [256]


def test_what_is_not_whole_goes_by_one(passes):
    host = signal(256)
    x = sm.asarray(host, device="cpu")
    for n in (200, 300):
        np.testing.assert_allclose(sm.fft.fft(x, n), np.fft.fft(host, n), rtol=0, atol=1e-4)
    np.testing.assert_allclose(sm.fft.rfft(x.real), np.fft.rfft(host.real), rtol=0, atol=1e-4)
    np.testing.assert_allclose(sm.fft.fft(x.real), np.fft.fft(host.real), rtol=0, atol=1e-4)
    steps = sm.fft.fft(x[::-1][:144]).numpy()
    np.testing.assert_allclose(steps, np.fft.fft(host[::-1][:144]), rtol=0, atol=1e-4)
    assert passes == [144]


def test_how_a_length_is_cut():
    assert long_transforms.rows_of(1 << 20) == 1024
    assert long_transforms.rows_of(10**6) == 1000
    assert long_transforms.rows_of(2 * 999983) == 0
    assert long_transforms.rows_of(1 << 23) == 0
    assert long_transforms.rows_of(1 << 10) == 0

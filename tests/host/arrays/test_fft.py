"""Transforms are NumPy's, in the array's own precision; inverses are inverses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_array import RemoteDevice

import speedmetal as sm
from speedmetal.arrays.array import upload
from speedmetal.dtypes import ALL
from tiers import examples

fft = sm.fft
REMOTE = RemoteDevice()
WIDE = any(dtype.name == "complex128" for dtype in ALL)
REAL = [sm.float32, *([sm.float64] if WIDE else [])]
COMPLEX = [dtype for dtype in ALL if dtype.is_complex]
NORMS = st.sampled_from(["backward", "ortho", "forward"])
OF_REAL = ("rfft", "ihfft")
ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fftn", "ifftn", "rfftn", "irfftn"]


@st.composite
def signals(draw, dtypes, min_dims=1):
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=min_dims, max_size=3)))
    dtype = draw(st.sampled_from(dtypes)).numpy
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    host = generator.standard_normal(shape)
    if dtype.kind == "c":
        host = host + 1j * generator.standard_normal(shape)
    host = host.astype(dtype)
    return np.ascontiguousarray(host.T).T if draw(st.booleans()) else host


def close(actual, wanted):
    scale = np.abs(wanted).max(initial=1)
    epsilon = np.finfo(actual.dtype).eps
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=50 * epsilon * scale)


def wide(host):
    return host.astype(np.complex128 if host.dtype.kind == "c" else np.float64)


def expected_dtype(name, host):
    complex_type = np.result_type(host.dtype, np.complex64)
    is_real = name in ("irfft", "hfft", "irfftn")
    return np.empty(0, complex_type).real.dtype if is_real else complex_type


@pytest.mark.parametrize("name", ONE_AXIS)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_one_axis(name, data):
    is_half = name in ("irfft", "hfft")
    host = data.draw(signals(REAL if name in OF_REAL else REAL + COMPLEX))
    axis = data.draw(st.integers(-host.ndim, host.ndim - 1))
    n = data.draw(st.one_of(st.none(), st.integers(1, 9)))
    norm = data.draw(NORMS)
    options = {"n": n, "axis": axis, "norm": norm}
    if is_half and n is None and host.shape[axis] == 1:
        with pytest.raises(sm.UserInputError, match=f"{name} needs a length of 1 or more, got 0"):
            getattr(fft, name)(sm.asarray(host), **options)
        return
    found = getattr(fft, name)(sm.asarray(host), **options)
    assert found.dtype == expected_dtype(name, host)
    wanted = getattr(np.fft, name)(wide(host), **options)
    assert found.shape == wanted.shape
    close(found.numpy(), wanted)


@pytest.mark.parametrize("name", SEVERAL)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_several_axes(name, data):
    host = data.draw(signals(REAL if name == "rfftn" else REAL + COMPLEX))
    count = data.draw(st.integers(1, host.ndim))
    axes = data.draw(st.permutations(range(-host.ndim, 0)))[:count]
    s = data.draw(st.lists(st.integers(1, 8), min_size=count, max_size=count))
    s = data.draw(st.sampled_from([s, None]))
    if data.draw(st.booleans()):
        axes = None
    last = (-1 if axes is None else axes[-1]) % host.ndim
    if name == "irfftn" and s is None and host.shape[last] == 1:
        return
    norm = data.draw(NORMS)
    found = getattr(fft, name)(sm.asarray(host), s=s, axes=axes, norm=norm)
    assert found.dtype == expected_dtype(name, host)
    if axes is None and s is not None:
        axes = range(-count, 0)
    wanted = getattr(np.fft, name)(wide(host), s=s, axes=axes, norm=norm)
    assert found.shape == wanted.shape
    close(found.numpy(), wanted)


@settings(max_examples=examples(60), deadline=None)
@given(signals(REAL), NORMS)
def test_inverses(host, norm):
    x = sm.asarray(host)
    for back in (
        fft.ifft(fft.fft(x, norm=norm), norm=norm),
        fft.ifftn(fft.fftn(x, norm=norm), norm=norm),
        fft.irfft(fft.rfft(x, norm=norm), n=host.shape[-1], norm=norm),
        fft.irfftn(fft.rfftn(x, norm=norm), s=host.shape, norm=norm),
        fft.hfft(fft.ihfft(x, norm=norm), n=host.shape[-1], norm=norm),
    ):
        close(back.numpy(), host)


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_shifts(data):
    host = data.draw(signals(ALL))
    axes = data.draw(st.one_of(st.none(), st.lists(st.integers(0, host.ndim - 1), unique=True)))
    x = sm.asarray(host)
    shifted = fft.fftshift(x, axes=axes)
    np.testing.assert_array_equal(shifted.numpy(), np.fft.fftshift(host, axes))
    np.testing.assert_array_equal(fft.ifftshift(x, axes=axes).numpy(), np.fft.ifftshift(host, axes))
    np.testing.assert_array_equal(fft.ifftshift(shifted, axes=axes).numpy(), host)


def test_a_shift_is_no_view():
    x = sm.zeros(3)
    fft.fftshift(x, axes=())[0] = 1.0
    assert x.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("d", [1.0, 0.25])
def test_frequencies(n, d):
    for name in ("fftfreq", "rfftfreq"):
        found = getattr(fft, name)(n, d=d)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.numpy(), getattr(np.fft, name)(n, d).astype("f4"))
        assert getattr(fft, name)(n, d=d, dtype=sm.float64, device="cpu").dtype == np.float64


def test_narrow_floats_and_integers_are_converted_to_float32():
    for dtype in (sm.float16, sm.bfloat16, sm.int8, sm.bool_):
        assert fft.fft(sm.ones(4, dtype)).dtype == np.complex64
        assert fft.irfft(sm.ones(4, dtype)).dtype == np.float32


def test_it_is_lazy_and_cut_into_parts(monkeypatch):
    monkeypatch.setattr("speedmetal.arrays.host_routines.default_threads", lambda: 3)
    host = np.random.default_rng(0).standard_normal((4, 60, 2000)).astype(np.float32)
    for axis in (0, 2):
        found = fft.rfft(sm.asarray(host), axis=axis)
        assert found.pending is not None
        close(found.numpy(), np.fft.rfft(host.astype(np.float64), axis=axis))


def test_a_device_with_memory_of_its_own():
    found = fft.fft(upload(np.ones(4, np.float32), REMOTE))
    assert found.device is REMOTE
    np.testing.assert_array_equal(found.numpy(), [4, 0, 0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: fft.fft(x, norm="unit"),
            "unknown norm 'unit'. Valid norms: backward, forward, ortho",
        ),
        (lambda x: fft.fft(x, n=0), "fft needs a length of 1 or more, got 0"),
        (
            lambda x: fft.rfft(x.astype(sm.complex64)),
            "rfft takes real numbers, got complex64; take x.real, or use sm.fft.fft",
        ),
        (
            lambda x: fft.fftn(x, s=(2, 2), axes=(0,)),
            "fftn: s has 2 lengths for 1 axes; give one for each",
        ),
        (
            lambda x: fft.fftn(x, s=(2, 2, 2)),
            "fftn: s has 3 lengths, but shape (2, 3) has 2 axes",
        ),
        (lambda x: fft.fftn(x, axes=()), "fftn needs an axis, got none of shape (2, 3)"),
        (lambda _: fft.fftfreq(0), "fftfreq needs a length of 1 or more, got 0"),
        (
            lambda _: fft.fftfreq(3, dtype=sm.int32),
            "fftfreq gives real floats, got dtype int32",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(sm.UserInputError) as caught:
        call(sm.ones((2, 3)))
    assert str(caught.value).startswith(message)

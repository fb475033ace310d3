"""Page-locked memory: copies from and to it are direct, and nobody waits for them."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from nvrtc import NEEDS_NVRTC
from speedmetal.backends import registry
from speedmetal.backends.cuda.driver.memory import STAGING_BYTES

pytestmark = NEEDS_NVRTC
LONG = STAGING_BYTES // 4 + 7  # float32; so many bytes pass through no staging


@pytest.fixture
def driver():
    return DryDriver()


@pytest.fixture
def device(driver, monkeypatch):
    made = dry_device(driver)
    monkeypatch.setitem(registry._present, "cuda", made)
    return made


def pinned(values, **options):
    host = sm.cuda.pinned_empty(np.shape(values), np.asarray(values).dtype, **options)
    host[...] = values
    return host


@pytest.mark.parametrize("dtype", [sm.float32, sm.bfloat16, sm.bool_, sm.complex128, "int8"])
def test_it_is_a_numpy_array(device, dtype):
    host = sm.cuda.pinned_empty((3, 5), dtype)
    assert (host.shape, host.dtype) == ((3, 5), sm.zeros(1, dtype, device="cpu").dtype)
    assert host.flags.c_contiguous
    assert host.flags.writeable
    assert sm.cuda.pinned_empty((2, 0), dtype).shape == (2, 0)
    assert sm.cuda.pinned_empty(4).dtype == np.float32


@pytest.mark.parametrize("count", [5, LONG])
def test_nobody_waits_for_a_copy_from_it(device, driver, count):
    driver.is_held = True
    host = pinned(np.arange(count, dtype=np.float32))
    made = len(driver.host_memory)
    x, y = sm.array(host, device=device), sm.array(host[1:], device=device)
    host[:] += 1  # the card reads what is there when it comes to it
    driver.is_held = False
    np.testing.assert_array_equal(x.numpy(), np.arange(count) + 1)
    np.testing.assert_array_equal(y.numpy(), np.arange(1, count) + 1)
    assert len(driver.host_memory) - made <= 1  # for what goes back


@pytest.mark.parametrize("count", [5, LONG])
def test_nobody_waits_for_a_copy_to_it(device, driver, count):
    x = sm.array(np.arange(count, dtype=np.float32), device=device)
    host = pinned(np.zeros(count, np.float32))
    driver.is_held = True
    x.copy_to(host)
    x[2:].copy_to(host[:-2])
    assert not host.any()
    driver.is_held = False
    sm.synchronize()
    np.testing.assert_array_equal(host, [*range(2, count), count - 2, count - 1])


def test_its_memory_is_used_again_when_the_copies_are_done(device, driver):
    host = pinned(np.arange(9, dtype=np.float32))
    place = host.ctypes.data
    driver.is_held = True
    x = sm.array(host, device=device)
    view = host[3:].reshape(2, 3)
    del host
    gc.collect()
    assert sm.cuda.pinned_empty(9).ctypes.data != place
    del view
    gc.collect()
    assert sm.cuda.pinned_empty(9).ctypes.data != place
    driver.is_held = False
    np.testing.assert_array_equal(x.numpy(), np.arange(9))
    sm.synchronize()
    again = [sm.cuda.pinned_empty(9) for _ in range(4)]
    assert place in [each.ctypes.data for each in again]


def test_a_large_piece_goes_back_to_the_host(device, driver):
    host = sm.cuda.pinned_empty(100 << 20, sm.uint8)
    del host
    gc.collect()
    sm.synchronize()
    sm.empty_cache()
    assert not driver.host_memory


def test_copies_to_other_arrays_are_complete_at_return(device, driver):
    x = sm.array(np.arange(6, dtype=np.float32), device=device)
    plain, strided = np.zeros(6, np.float32), np.zeros(12, np.float32)
    x.copy_to(plain)
    x.copy_to(strided[::2])
    x.copy_to(pinned(np.zeros(12, np.float32))[::2])
    np.testing.assert_array_equal(plain, np.arange(6))
    np.testing.assert_array_equal(strided[::2], np.arange(6))
    on_host = sm.array(np.arange(6, dtype=np.float32), device="cpu")
    on_host.copy_to(plain[::-1])
    np.testing.assert_array_equal(plain, np.arange(6)[::-1])


def test_memory_of_one_card_is_any_hosts_to_another(device, driver):
    other = dry_device()
    x = sm.array(np.arange(6, dtype=np.float32), device=other)
    host = pinned(np.zeros(6, np.float32), device=device)
    x.copy_to(host)
    np.testing.assert_array_equal(host, np.arange(6))


@pytest.mark.parametrize(
    ("host", "given"),
    [
        (np.zeros(5, np.float32), r"float32 \(5,\)"),
        (np.zeros(6), r"float64 \(6,\)"),
        ([0.0] * 6, "list"),
    ],
)
def test_what_cannot_be_filled_is_refused(device, host, given):
    x = sm.array(np.arange(6, dtype=np.float32), device=device)
    with pytest.raises(
        sm.UserInputError, match=rf"a NumPy array of float32 \(6,\), got {given}; convert with"
    ):
        x.copy_to(host)
    fixed = np.zeros(6, np.float32)
    fixed.flags.writeable = False
    with pytest.raises(sm.UserInputError, match="that can be written to"):
        x.copy_to(fixed)


def test_a_graph_copies_nothing(device):
    host = pinned(np.arange(6, dtype=np.float32))
    with pytest.raises(sm.DeviceError, match=r"inside sm.capture\(\)"), sm.capture(device):
        sm.array(host, device=device)


def test_the_cpu_locks_no_pages():
    with pytest.raises(sm.DeviceError, match="cpu is no NVIDIA GPU"):
        sm.cuda.pinned_empty(3, device="cpu")

"""Several cards: names, contexts, and copies from one to another, behind drivers that run nothing.

What a kernel would write, a test says in Python.
"""

from __future__ import annotations

import gc
import pickle
import threading

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import CONTEXT, DryDriver, Fault, dry_device, forget_devices
from nvrtc import NEEDS_NVRTC
from speedmetal.backends import registry
from speedmetal.backends.cuda.driver import library as libraries
from speedmetal.backends.cuda.driver.library import Library

pytestmark = NEEDS_NVRTC


@sm.kernel
def doubled(x):
    i = sm.thread_position_in_grid().x
    x[i] = x[i] * 2


@pytest.fixture
def driver(monkeypatch):
    """Of a machine with three cards, the first two of which reach each other."""
    made = DryDriver()
    made.card_count = 3
    made.reachable = {(0, 1), (1, 0)}
    found = Library(made)
    found.start()
    monkeypatch.setattr(libraries, "library", lambda: found)
    monkeypatch.setattr(registry, "_present", {})
    forget_devices()
    yield made
    forget_devices()


@pytest.fixture
def pair(driver):
    return sm.device("cuda"), sm.device("cuda:1")


def contexts_made(driver):
    return driver.calls.count("cuDevicePrimaryCtxRetain")


def doubling(driver, array):
    """Have launches double an array, when the card comes to them."""
    memory = np.frombuffer((np.ctypeslib.ctypes.c_char * array.nbytes).from_address(array.address))
    values = memory.view(array.dtype)

    def double():
        values[:] *= 2

    driver.on_launch = lambda _launch: double


# --- Names ---------------------------------------------------------------------------------------


def test_every_card_is_a_device_and_the_first_has_two_names(driver):
    assert [device.name for device in sm.devices()] == ["cuda", "cuda:1", "cuda:2", "cpu"]
    assert sm.device("cuda:0") is sm.device("cuda") is sm.default_device()
    assert sm.device("cuda:1") is sm.devices()[1]
    assert [device.dlpack_device for device in sm.devices()[:3]] == [(2, 0), (2, 1), (2, 2)]
    assert sm.device("cuda").identity == sm.device("cuda:1").identity


def test_a_card_is_left_alone_until_something_is_asked_of_it(driver):
    sm.devices()
    sm.synchronize()
    sm.empty_cache()
    assert sm.memory_info("cuda:1").bytes_in_use == 0
    assert contexts_made(driver) == 1  # whether the first can be used decides on the default
    with sm.device("cuda:2"):
        x = sm.empty(3)
    assert (contexts_made(driver), x.device.name) == (2, "cuda:2")


def test_the_default_device_asks_for_no_other_card(driver):
    sm.zeros(3)
    assert driver.calls.count("cuDeviceGet") == 1


@pytest.mark.parametrize("name", ["cuda:3", "cuda:99"])
def test_a_card_that_is_not_there(driver, name):
    with pytest.raises(sm.DeviceError) as caught:
        sm.device(name)
    assert str(caught.value) == (
        f"device {name!r} is not available: NVIDIA's driver finds 3 GPU(s) here, cuda, cuda:1,"
        " cuda:2; CUDA_VISIBLE_DEVICES may hide others. Available: cuda, cuda:1, cuda:2, cpu"
    )


@pytest.mark.parametrize("name", ["cuda:", "cuda:-1", "cuda:x", "cuda:1:1", "cpu:0", "metal:1"])
def test_names_of_nothing(driver, name):
    with pytest.raises(sm.DeviceError, match=f"unknown device '{name}'"):
        sm.device(name)


def test_devices_and_arrays_are_pickled_by_name(pair):
    again = pickle.loads(pickle.dumps(pair[1]))  # noqa: S301 - our own bytes
    assert again is pair[1]
    x = sm.array(np.arange(5.0), device=pair[1])
    copied = pickle.loads(pickle.dumps(x))  # noqa: S301 - our own bytes
    assert copied.device is pair[1]
    np.testing.assert_array_equal(copied.numpy(), np.arange(5.0))


def test_a_card_that_another_process_has_for_itself(driver):
    driver.failures["cuDevicePrimaryCtxRetain"] = [46]
    assert sm.default_device().name == "cpu"
    second = sm.device("cuda:1")
    driver.failures["cuDevicePrimaryCtxRetain"] = [46]
    with pytest.raises(sm.DeviceError, match="cuda:1 cannot be used: cuDevicePrimaryCtx"):
        sm.zeros(3, device=second)


# --- Each by itself ------------------------------------------------------------------------------


def test_kernels_run_where_their_arrays_are(driver, pair):
    """The driver sees to it that the stream's context is current, on every thread."""

    def use(device):
        x = sm.array(np.ones(4, np.float32), device=device)
        doubled(x, grid=4)
        return x

    for _ in range(2):
        for device in pair:
            use(device)
    thread = threading.Thread(target=lambda: use(pair[1]).numpy())
    thread.start()
    thread.join()
    sm.synchronize()
    assert len(driver.launches) == 5
    assert driver.current == [CONTEXT]  # of the first card alone, as other libraries have it


def test_kernels_take_arrays_of_one_card(pair):
    first, second = (sm.zeros(4, device=device) for device in pair)

    @sm.kernel
    def add(x, y):
        x[0] += y[0]

    with pytest.raises(sm.LaunchError, match=r"runs on cuda, .* is an array on cuda:1; move it"):
        add(first, second, grid=1)
    with pytest.raises(sm.UserInputError, match="cuda:1"):
        first + second


def test_a_lost_context_leaves_the_other_card_alone(driver, pair):
    first, second = (sm.array(np.ones(4, np.float32), device=device) for device in pair)

    def access():
        raise Fault(700)

    driver.on_launch = lambda _launch: access
    doubled(second, grid=4)
    with pytest.raises(sm.KernelError, match="a kernel failed on cuda:1"):
        pair[1].synchronize()
    assert first.numpy().sum() == 4
    with pytest.raises(sm.DeviceError, match="cuda:1 failed before"):
        second.numpy()


def test_memory_that_is_short_is_told_of_the_card(pair):
    kept = sm.array(np.ones(1 << 20, np.float32), device=pair[1])
    with pytest.raises(sm.OutOfMemoryError) as caught:
        sm.empty(1 << 30, device=pair[1])
    assert str(caught.value) == (
        "cuda:1 has no memory for 4294967296 bytes in one piece: 1068498688 of its 1073741824 are"
        " free, 4194304 are in use by arrays, 0 kept for later ones, and 1048832 in use by others:"
        " code, libraries, other programs (nvidia-smi shows these). Delete arrays, or use smaller"
        " ones"
    )
    assert kept.numpy().sum() == 1 << 20  # and the process goes on


# --- Copies --------------------------------------------------------------------------------------


def test_a_copy_comes_behind_what_the_source_was_asked_for_and_nobody_waits(driver, pair):
    x = sm.array(np.arange(6, dtype=np.float32), device=pair[0])
    doubling(driver, x)
    doubled(x, grid=6)
    driver.is_held = True
    y = x.to(pair[1])
    driver.is_held = False
    assert y.device is pair[1]
    np.testing.assert_array_equal(y.numpy(), np.arange(6) * 2)
    assert driver.calls.count("cuMemcpyPeerAsync") == 1


def test_what_is_written_to_the_source_next_comes_behind_the_copy(driver, pair):
    x = sm.array(np.arange(6, dtype=np.float32), device=pair[0])
    doubling(driver, x)
    driver.is_held = True
    y = x.to(pair[1])
    doubled(x, grid=6)
    driver.is_held = False
    pair[0].synchronize()
    np.testing.assert_array_equal(y.numpy(), np.arange(6))
    np.testing.assert_array_equal(x.numpy(), np.arange(6) * 2)


def test_memory_of_the_source_is_not_used_again_before(driver, pair):
    x = sm.array(np.arange(64, dtype=np.float32), device=pair[0])
    address = x.address
    driver.is_held = True
    y = x.to(pair[1])
    del x
    gc.collect()
    other = sm.array(np.zeros(64, np.float32), device=pair[0])
    assert other.address == address
    driver.is_held = False
    pair[0].synchronize()
    np.testing.assert_array_equal(y.numpy(), np.arange(64))


def test_memory_of_the_target_is_not_written_to_before_its_last_use(driver, pair):
    y = sm.array(np.ones(64, np.float32), device=pair[1])
    seen = []
    memory = (np.ctypeslib.ctypes.c_float * 64).from_address(y.address)
    driver.on_launch = lambda _launch: lambda: seen.append(sum(memory))
    doubled(y, grid=64)
    address = y.address
    del y
    gc.collect()
    driver.is_held = True
    copy = sm.array(np.zeros(64, np.float32), device=pair[0]).to(pair[1])
    assert copy.address == address
    driver.is_held = False
    pair[0].synchronize()
    pair[1].synchronize()
    assert seen == [64]


@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[1:], lambda x: x[:, ::2], lambda x: x.T])
def test_copies_of_views_of_every_dtype(driver, pair, view):
    driver.is_eager = True
    for dtype in (np.int8, np.float64, np.complex64, np.bool_):
        content = np.arange(24).reshape(4, 6).astype(dtype)
        x = view(sm.array(content, device=pair[0]))
        if not x.elements.is_c_contiguous:  # the kernel that gathers them does not run here
            driver.untold = ()
            driver.on_launch = lambda launch: None
        copied = x.to("cuda:1")
        assert (copied.shape, copied.dtype, copied.device.name) == (x.shape, x.dtype, "cuda:1")
        if x.elements.is_c_contiguous:
            np.testing.assert_array_equal(copied.numpy(), view(content))
    assert sm.zeros((3, 0), device=pair[0]).to("cuda:1").shape == (3, 0)


def test_assignment_and_creation_copy_in_the_same_way(driver, pair):
    x = sm.array(np.arange(6, dtype=np.float32), device=pair[0])
    y = sm.zeros(6, device=pair[1])
    y[...] = x
    z = sm.array(x, device=pair[1])
    w = sm.asarray(x, sm.float32, pair[1])
    np.testing.assert_array_equal(z.numpy(), np.arange(6))
    np.testing.assert_array_equal(w.numpy(), np.arange(6))
    assert driver.calls.count("cuMemcpyPeerAsync") == 3


def test_cards_that_reach_each_other_are_told_once(driver, pair):
    x = sm.array(np.arange(6, dtype=np.float32), device=pair[0])
    for _ in range(2):
        x.to("cuda:1").to("cuda")
        x.to("cuda:2")
    assert driver.enabled == {(CONTEXT, CONTEXT + 1), (CONTEXT + 1, CONTEXT)}
    assert driver.calls.count("cuDeviceCanAccessPeer") == 4
    driver.enabled.add((CONTEXT + 2, CONTEXT))


def test_another_library_has_told_them_before(driver, pair):
    driver.enabled = {(CONTEXT, CONTEXT + 1), (CONTEXT + 1, CONTEXT)}
    x = sm.array(np.arange(6, dtype=np.float32), device=pair[0])
    np.testing.assert_array_equal(x.to("cuda:1").numpy(), np.arange(6))


def test_other_devices_copy_by_the_host(driver, pair):
    x = sm.array(np.arange(6, dtype=np.float32), device=pair[1])
    assert x.to("cpu").to(pair[1]).numpy().sum() == 15
    assert "cuMemcpyPeerAsync" not in driver.calls


def test_a_graph_has_no_copies_between_cards(driver, pair):
    x = sm.array(np.arange(6, dtype=np.float32), device=pair[0])
    refused = pytest.raises(sm.DeviceError, match="copy from one device to another inside")
    with refused, sm.capture(pair[0]):
        x.to("cuda:1")
    np.testing.assert_array_equal(x.to("cuda:1").numpy(), np.arange(6))


def test_copies_both_ways_from_two_threads(driver, pair):
    driver.is_eager = True
    arrays = [sm.array(np.arange(6, dtype=np.float32), device=device) for device in pair]
    failures = []

    def copy(array, target):
        try:
            for _ in range(50):
                np.testing.assert_array_equal(array.to(target).numpy(), np.arange(6))
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    ways = zip(arrays, reversed(pair), strict=True)
    threads = [threading.Thread(target=copy, args=way) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "the threads wait for each other"
    assert not failures


def test_one_card_of_its_own_is_like_any_other():
    """Without the others: as the tests of a single device have it."""
    device = dry_device()
    assert (device.name, device.dlpack_device) == ("cuda", (2, 0))
    assert not device.reaches(sm.device("cpu"))


def test_the_doctor_examines_each(driver):
    assert registry.known_names() == ("metal", "cuda", "cuda:1", "cuda:2", "cpu", "metal-sim")


def test_threads_that_launch_at_once_lose_nothing(driver, pair):
    """Each launch has its own arguments, and those of a thread stay in order."""
    seen = []
    driver.on_launch = lambda launch: seen.append(launch.bytes_of(0, 8))

    @sm.kernel
    def write(x, number):
        x[0] = number

    def work(own):
        for number in range(100):
            write(own[number % 2], number, grid=1)

    arrays = [[sm.empty(2, device=device) for _ in range(2)] for device in (*pair, *pair)]
    for own in arrays:
        write(own[0], 0, grid=1)  # so that the threads launch what is compiled
    seen.clear()
    threads = [threading.Thread(target=work, args=(own,)) for own in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sm.synchronize()
    for own in arrays:
        places = [array.address.to_bytes(8, "little") for array in own]
        assert [place for place in seen if place in places] == places * 50


def test_the_benchmark_measures_the_first(driver):
    from speedmetal.bench.frameworks.speedmetal.adapter import SpeedmetalAdapter

    assert [device.name for device in SpeedmetalAdapter.devices()] == ["cuda", "cpu"]

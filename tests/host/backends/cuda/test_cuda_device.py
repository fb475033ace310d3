"""NVIDIA's device behind a driver that runs no kernel: what it asks for, keeps, refuses, says."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import struct
import threading

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import MEMORY_BYTES, OUT_OF_MEMORY, DryDriver, Fault, dry_device, forget_devices
from speedmetal.arrays.memory import dlpack
from speedmetal.arrays.memory.dlpack import import_dlpack
from speedmetal.backends import registry
from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.cuda.driver import build as build_module
from speedmetal.backends.cuda.driver import library as libraries
from speedmetal.backends.cuda.driver.build import CudaCode, packed, unpacked
from speedmetal.backends.cuda.driver.library import Library, library
from speedmetal.backends.forks import EXIT_SECONDS
from speedmetal.errors import InternalError

ILLEGAL_ADDRESS = 700


@pytest.fixture
def driver():
    return DryDriver()


@pytest.fixture
def device(driver, monkeypatch):
    made = dry_device(driver)
    monkeypatch.setitem(registry._present, "cuda", made)
    yield made
    # Whoever asked for the machine's devices meanwhile would be told of it for ever.
    forget_devices()


@sm.kernel
def scaled(out, x, factor):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] * factor


def uploaded(device):
    """Four float32, for which no kernel is launched."""
    return sm.array(np.ones(4, np.float32), device=device)


def illegal_access():
    raise Fault(ILLEGAL_ADDRESS)


def launched(driver, sizes):
    """What each launch passes, read while it goes on: so many bytes of each parameter."""
    seen = []

    def look(launch):
        contents = [launch.bytes_of(number, size) for number, size in enumerate(sizes)]
        seen.append((launch, contents))

    driver.on_launch = look
    return seen


# --- The device ----------------------------------------------------------------------------------


def test_it_describes_itself(device):
    assert repr(device) == "<device cuda: a card that is not there>"
    assert device.kind == "cuda"
    assert not device.shares_host_memory
    assert device.limits.threads_per_threadgroup == 1024
    assert device.limits.threadgroup_memory_bytes == 232448
    assert device.limits.threadgroup_size == (1024, 1024, 64)
    assert device.bus_id == "0000:0A:00.0"
    assert device.cache_bytes == 50 << 20
    identity = json.loads(device.identity)
    assert identity["architecture"] == "sm_90"
    assert identity["driver"] == 13000
    assert identity["nvrtc"]


def test_copies_of_every_dtype_and_shape(device):
    for dtype in (np.int8, np.float16, np.complex64, np.uint64, np.bool_):
        content = np.arange(24).reshape(2, 3, 4).astype(dtype)
        array = sm.array(content, device=device)
        np.testing.assert_array_equal(array.numpy(), content)
    assert sm.zeros((3, 0), device=device).numpy().shape == (3, 0)


def test_memory_is_counted_and_kept_for_later_arrays(device, driver):
    first, second = (sm.empty(n, device=device) for n in (100, 50))
    address = second.address
    assert device.memory_info().bytes_in_use == 600
    view = first[10:]
    del first, second
    gc.collect()
    assert device.memory_info().bytes_in_use == 400
    assert device.memory_info().bytes_cached == 256
    assert len(driver.memory) == 2  # finalisers ask the driver for nothing
    assert sm.empty(64, device=device).address == address
    assert driver.calls.count("cuMemAlloc_v2") == 2
    assert view.numpy().size == 90


def test_arrays_that_die_in_a_circle_of_references_leave_their_memory_to_later_ones(device, driver):
    array = sm.empty(8, device=device)
    circle = [array]
    circle.append(circle)  # as an exception and its traceback hold each other
    address = array.address
    del array, circle
    gc.collect()
    again = sm.empty(8, device=device)
    device.synchronize()
    assert again.address == address
    assert address in driver.memory, "memory in use was given back"


def test_the_cache_is_given_back_after_the_work_that_may_use_it(device, driver):
    kept, gone = sm.empty(8, device=device), sm.empty(8, device=device)
    del gone
    gc.collect()
    scaled(kept, kept, 1.0, grid=8)
    sm.empty_cache()
    assert not any(driver.streams.values())
    assert list(driver.memory) == [kept.address]
    assert sm.memory_info("cuda").bytes_cached == 0


def test_idle_memory_is_given_back_where_there_is_no_more(device, driver):
    large = sm.empty(MEMORY_BYTES // 8, device=device)
    del large
    driver.failures["cuMemAlloc_v2"] = [OUT_OF_MEMORY]
    array = sm.empty(8, device=device)
    assert list(driver.memory) == [array.address]


def test_little_memory_is_idle(device):
    """As much as arrays had at once, at least 256 MiB."""
    assert device.pool.idle_limit(1000) == 256 << 20
    assert device.pool.idle_limit(1 << 30) == 9 << 27


def test_too_much_memory_is_a_clear_error(device):
    array = sm.array(np.zeros(25, np.float32), device=device)
    with pytest.raises(sm.DeviceError, match="cuda has no memory for 4294967296 bytes in one"):
        sm.zeros(1 << 30, device=device)
    assert array.numpy().sum() == 0


def test_the_context_is_current_around_each_call_and_no_longer_where_another_was(device, driver):
    """On every thread; what was current there before is current again."""
    driver.current.append(7)
    sm.array(np.ones(5), device=device).numpy()
    thread = threading.Thread(target=lambda: sm.zeros(3, device=device).numpy())
    thread.start()
    thread.join()
    assert driver.current == [7]
    driver.current.clear()
    sm.array(np.ones(5), device=device).numpy()
    assert driver.current == []


# --- Launches ------------------------------------------------------------------------------------


def test_a_launch_passes_addresses_then_the_structure(device, driver):
    out, x = sm.zeros(100, device=device), sm.ones(100, device=device)
    seen = launched(driver, (8, 8, 24))
    scaled(out, x, 2.5, grid=100)
    scaled(out[::-1], x[50:], 1e300, grid=50, threads=16)
    device.synchronize()
    (first, content), (second, other) = seen
    assert (first.entry, first.groups, first.threads) == (
        "scaled",
        (1, 1, 1),
        (25, 1, 1),
    )  # of neighbours
    assert content[:2] == [struct.pack("Q", out.address), struct.pack("Q", x.address)]
    assert content[2][:16] == struct.pack("iiif", 100, 1, 1, 2.5)
    assert (second.groups, second.threads) == ((1, 1, 1), (16, 1, 1))  # of positions apart
    assert other[:2] == [struct.pack("Q", out.address + 396), struct.pack("Q", x.address + 200)]
    assert struct.pack("f", np.inf) in other[2]


def test_threadgroup_memory_is_asked_for(device, driver):
    @sm.kernel
    def shares(out, n, m):
        few = sm.threadgroup_array(n, sm.uint8)
        more = sm.threadgroup_array((m, 3), sm.float64)
        few[0] = 1
        more[0, 0] = 2
        sm.threadgroup_barrier()
        out[0] = few[0]

    out = sm.zeros(1, device=device)
    seen = launched(driver, ())
    shares(out, 5, 2, grid=1)
    shares(out, 16, 2, grid=1)
    shares(out, 17, 2, grid=1)
    device.synchronize()
    assert [launch.dynamic_bytes for launch, _ in seen] == [64, 64, 80]
    with pytest.raises(sm.LaunchError, match="232464 bytes of threadgroup memory, each array"):
        shares(out, 232424, 1, grid=1)


def test_large_arrays_of_known_sizes_are_asked_for_as_well(device, driver):
    @sm.kernel
    def fills(out):
        cells = sm.threadgroup_array(15000, sm.float32)
        cells[sm.thread_index_in_threadgroup()] = 1
        sm.threadgroup_barrier()
        out[0] = cells[0]

    seen = launched(driver, ())
    fills(sm.zeros(1, device=device), grid=1)
    device.synchronize()
    assert seen[0][0].dynamic_bytes == 60000


def test_more_threadgroups_than_there_can_be_are_refused(device):
    @sm.kernel
    def marks(out):
        out[0] = sm.threadgroup_position_in_grid().y

    out = sm.zeros(1, dtype=sm.int32, device=device)
    for grid, axis in (((1, 65536, 65536), "z"), ((65536, 65536, 1), "x")):
        with pytest.raises(sm.LaunchError, match=f"65536 threadgroups along {axis} requested"):
            marks(out, grid=grid, threads=1)
    marks(out, grid=(1, 65536, 65536), threads=(1, 2, 2))


def test_many_threadgroups_lie_along_the_hardwares_x(device, driver):
    @sm.kernel
    def marks(out):
        out[0] = sm.thread_position_in_grid().x

    out = sm.empty(1, sm.int32, device=device)
    for grid in ((512, 65535), (512, 100_000), (16, 16, 100_000), (1, 2**27)):
        marks(out, grid=grid)
    device.synchronize()
    assert [launch.threads for launch in driver.launches] == [
        *((256, 1, 1), (256, 1, 1), (16, 16, 1), (1, 256, 1)),
    ]
    assert [launch.groups for launch in driver.launches] == [
        *((2, 65535, 1), (100_000, 2, 1), (100_000, 1, 1), (2**19, 1, 1)),
    ]


def test_a_threadgroup_is_no_longer_along_an_axis_than_it_can_be(device, driver):
    @sm.kernel
    def marks(out):
        out[0] = sm.thread_position_in_grid().z

    out = sm.zeros(1, dtype=sm.int32, device=device)
    seen = launched(driver, ())
    marks(out, grid=(1, 1, 1000))
    device.synchronize()
    assert seen[0][0].threads == (1, 1, 64)
    with pytest.raises(sm.LaunchError, match="65 threads per threadgroup requested along z, cuda"):
        marks(out, grid=(1, 1, 1000), threads=(1, 1, 65))


def test_registers_decide_how_many_threads_are_chosen(device, driver):
    """Of 72 each, 65536 suffice for 3 times 256 threads, and for 7 times 128."""
    out, x = sm.zeros(9999, device=device), sm.ones(9999, device=device)
    for registers, threads in ((32, 256), (72, 128)):
        driver.registers["scaled"] = registers
        sm.kernel(scaled.function)(out, x, 2.0, grid=9999)
        assert driver.launches[-1].threads == (threads, 1, 1)
    driver.bounds["scaled"] = 100
    sm.kernel(scaled.function)(out, x, 2.0, grid=9999)
    assert driver.launches[-1].threads == (64, 1, 1)


def test_code_for_many_threads_is_another(device, driver, monkeypatch):
    """With the registers that so many can have; what is asked of a kernel tells of the most."""
    bounds = []
    compile_cubin = build_module.compile_cubin

    def look(text, architecture):
        bounds.append(re.search(r"__launch_bounds__\((\d+)\)", text)[1])
        return compile_cubin(text, architecture)

    kernel = sm.kernel(scaled.function)
    out, x = sm.zeros(9999, device=device), sm.ones(9999, device=device)
    monkeypatch.setattr(build_module, "compile_cubin", look)
    for threads in (None, 256, (16, 16), 257, (8, 8, 16)):
        kernel(out, x, 2.0, grid=9999, threads=threads)
    assert bounds == ["256", "1024"]
    assert kernel.compile(out, x, 2.0, device=device).threads_per_threadgroup == 1024


def test_code_is_kept_on_disk(device, driver, monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))
    out, x = sm.zeros(4, device=device), sm.ones(4, device=device)
    seen = launched(driver, (8, 8, 16))
    scaled(out, x, 2.0, grid=4)
    monkeypatch.setattr(device, "build", lambda *_: pytest.fail("was compiled again"))
    sm.kernel(scaled.function)(out, x, 2.0, grid=4)
    device.synchronize()
    assert seen[0][1] == seen[1][1]


def test_damaged_code_is_not_loaded(device):
    kept = CudaCode(
        "entry",
        ArgumentLayout((), 0),
        (0,),
        has_mailbox=False,
        dynamic_bytes=(),
        neighbours=1,
        threadgroups="256",
        cubin=b"no machine code",
    )
    code = packed(kept)
    assert unpacked(code) == kept
    for damaged in (code[:-1], code[1:], code.replace(b"entry", b"entri"), b""):
        with pytest.raises(InternalError, match="damaged"):
            device.load(damaged, "k")
    with pytest.raises(InternalError, match="kernel 'k': cuModuleLoadData"):
        device.load(code, "k")


def test_programs_are_unloaded_when_nobody_has_them(device, driver):
    kernel = sm.kernel(scaled.function)
    kernel(uploaded(device), uploaded(device), 3.0, grid=4)
    assert len(driver.modules) == 1
    del kernel
    gc.collect()
    device.synchronize()
    assert not driver.modules


# --- Failures ------------------------------------------------------------------------------------


def test_a_lost_context_is_told_once_in_full_and_ever_after(device, driver):
    out, x = uploaded(device), uploaded(device)
    driver.on_launch = lambda _launch: illegal_access
    scaled(out, x, 1.0, grid=4)
    with pytest.raises(sm.KernelError) as caught:
        sm.synchronize()
    message = str(caught.value)
    assert "a kernel failed on cuda: CUDA_ERROR_700 (700: what the driver says)" in message
    assert "in one of the launches of 'scaled'" in message
    assert "debug=1" in message
    assert "is lost with all of its arrays: start the process again" in message
    for use in (device.synchronize, out.numpy, lambda: scaled(out, x, 1.0, grid=4)):
        with pytest.raises(sm.DeviceError, match="cuda failed before: CUDA_ERROR_700"):
            use()


def test_a_refused_launch_names_the_kernel_and_the_device_goes_on(device, driver):
    out, x = uploaded(device), uploaded(device)
    driver.failures["cuLaunchKernelEx"] = [701]
    scaled(out, x, 1.0, grid=4)
    scaled(out, x, 1.0, grid=4)
    with pytest.raises(sm.DeviceError) as caught:
        device.synchronize()
    assert str(caught.value) == (
        "cuda: the launch of kernel 'scaled' was not done: CudaError: cuLaunchKernelEx:"
        " CUDA_ERROR_701 (701: what the driver says)"
    )
    assert len(driver.launches) == 1
    device.synchronize()


def test_waiting_has_a_limit(device, driver):
    scaled(uploaded(device), uploaded(device), 1.0, grid=4)
    device.time_limit_seconds = 0.01
    driver.busy_polls = 10**9
    with pytest.raises(sm.DeviceError) as caught:
        device.synchronize()
    assert "cuda has not finished after 0.0" in str(caught.value)
    assert "still running or waiting: 'scaled'" in str(caught.value)
    driver.busy_polls = 3
    device.synchronize()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_cannot_use_it(device):
    array = sm.array(np.ones(4), device=device)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            array.numpy()
        except sm.DeviceError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as told:
        assert "cuda cannot be used in a process that was forked" in told.read()
    assert array.numpy().sum() == 4


def test_the_end_of_the_process_waits_and_tells_what_failed(device, driver):
    scaled(uploaded(device), uploaded(device), 1.0, grid=4)
    driver.busy_polls = 3
    device.drain()
    assert driver.busy_polls == 0
    assert not any(driver.streams.values())
    assert device.time_limit_seconds == EXIT_SECONDS
    driver.on_launch = lambda _launch: illegal_access
    scaled(uploaded(device), uploaded(device), 1.0, grid=4)
    with pytest.raises(sm.KernelError, match="in one of the launches of 'scaled'"):
        device.drain()
    device.drain()  # it was told


# --- Machines without one ------------------------------------------------------------------------


# --- Exchange ------------------------------------------------------------------------------------


class Elsewhere:
    """Hands NumPy a capsule of device memory, which behind this driver is the host's."""

    def __init__(self, array, **options):
        self.capsule = array.__dlpack__(**options)
        name = b"dltensor_versioned" if options.get("max_version") else b"dltensor"
        at = dlpack._capsule_pointer(self.capsule, name) + (32 if options.get("max_version") else 0)
        words = (ctypes.c_int32 * 2).from_address(at + 8)
        self.place = tuple(words)
        words[:] = (1, 0)

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, **options):
        return self.capsule


@pytest.mark.parametrize("version", [None, (1, 0)])
@pytest.mark.parametrize("name", ["float32", "bool", "int64", "complex64", "float16"])
def test_dlpack_exports_the_cards_own_memory(device, name, version):
    host = np.arange(12).reshape(3, 4).astype(name)
    ours = sm.array(host, device=device)
    assert ours.__dlpack_device__() == (2, 0)
    given = Elsewhere(ours.T[::-1], max_version=version, stream=1)
    assert given.place == (2, 0)
    theirs = np.from_dlpack(given)
    device.synchronize()  # who reads in a stream of the card's need not wait
    np.testing.assert_array_equal(theirs, host.T[::-1])
    assert theirs.__array_interface__["data"][0] == ours.T[::-1].address
    del ours, given
    gc.collect()
    sm.array(np.full(12, 7, name), device=device)  # would get the memory if it were free
    device.synchronize()
    np.testing.assert_array_equal(theirs, host.T[::-1])


def test_dlpack_exports_bfloat16_and_what_is_read_only(device):
    ours = sm.array(np.ones(3, sm.bfloat16.numpy), device=device)
    found = import_dlpack(Elsewhere(ours, max_version=(1, 0)))
    device.synchronize()
    assert (found.dtype, found.tolist()) == (sm.bfloat16, [1, 1, 1])
    fixed = sm.array(np.ones(1, np.float32), device=device).broadcast_to(3)
    assert not np.from_dlpack(Elsewhere(fixed, max_version=(1, 0))).flags.writeable


def test_dlpack_gives_the_host_copies_and_other_devices_nothing(device):
    ours = sm.array(np.arange(3, dtype=np.float32), device=device)
    assert np.from_dlpack(ours, device="cpu").tolist() == [0, 1, 2]
    with pytest.raises(BufferError, match="arrays on cuda get to the host by copies alone"):
        ours.__dlpack__(dl_device=(1, 0), copy=False)
    with pytest.raises(BufferError, match=r"arrays on cuda are not on DLPack's \(8, 0\)"):
        ours.__dlpack__(dl_device=(8, 0))


@pytest.fixture
def no_driver_yet(monkeypatch):
    library.cache_clear()
    yield monkeypatch
    library.cache_clear()


def test_without_the_driver_the_message_says_what_to_do(no_driver_yet):
    no_driver_yet.setattr(libraries, "_NAMES", ("libcuda-that-nobody-has.so.1",))
    with pytest.raises(sm.DeviceError, match="NVIDIA's driver was not found"):
        library()


def test_without_a_card_the_message_says_what_to_do(no_driver_yet, driver):
    no_driver_yet.setattr(libraries, "_open_library", lambda: driver)
    driver.failures["cuInit"] = [100]
    with pytest.raises(sm.DeviceError, match="finds no GPU that it can use: cuInit: CUDA"):
        library()
    assert isinstance(library(), Library)


def test_a_driver_that_sees_no_card_is_told(no_driver_yet, driver):
    no_driver_yet.setattr(libraries, "_open_library", lambda: driver)
    driver.card_count = 0
    with pytest.raises(sm.DeviceError, match="there is no GPU for it; CUDA_VISIBLE_DEVICES may"):
        library()


def test_an_old_driver_is_told(no_driver_yet):
    no_driver_yet.setattr(libraries, "_open_library", object)
    with pytest.raises(sm.DeviceError, match="NVIDIA's driver is too old for speedmetal"):
        library()

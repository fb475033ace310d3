"""Device memory: reuse only when nothing can still use it, and views that keep it alive."""

import gc
import mmap
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metal_machine import caching_machine, floats, launch, machine, pipeline, upload_array
from speedmetal.backends.metal.driver.address import BufferAddress
from speedmetal.backends.metal.driver.buffer_pool import Storage, current_storage, storage
from speedmetal.backends.pool import SMALLEST_BYTES, size_class
from speedmetal.errors import DeviceError, UnknownNameError


@given(st.integers(0, 1 << 40))
def test_size_classes_hold_what_is_asked_for_and_waste_little(size):
    capacity = size_class(size)
    assert capacity >= max(size, SMALLEST_BYTES)
    assert capacity <= max(size * 9 / 8 + 1, SMALLEST_BYTES)
    assert size_class(capacity) == capacity


def test_a_freed_buffer_is_used_again():
    device = caching_machine()
    first = device.allocate(1000).address.buffer
    assert device.allocate(1001).address.buffer is first
    assert device.bridge.simulation.live_buffers == 1


def test_other_sizes_and_storage_modes_get_other_buffers():
    device = caching_machine()
    first = device.allocate(1000).address.buffer
    assert device.allocate(10_000).address.buffer is not first
    with storage("private"):
        assert device.allocate(1000).address.buffer is not first


def test_a_freed_buffer_waits_for_the_launch_that_used_it():
    device = caching_machine()
    state = pipeline(device, "increment")
    buffer = upload_array(device, np.zeros(64, np.float32))
    used = buffer.address.buffer
    device.bridge.simulation.configure(hang=True)
    launch(device, state, [buffer], grid=64)
    del buffer
    # The host must not write to it yet.
    assert device.allocate(256).address.buffer is not used
    device.bridge.simulation.configure(hang=False)
    device.synchronize()
    held = [device.allocate(256) for _ in range(2)]
    assert used in [buffer.address.buffer for buffer in held]


def test_a_freed_private_buffer_is_reused_at_once_since_the_queue_keeps_the_order():
    device = caching_machine()
    state = pipeline(device, "increment")
    with storage("private"):
        buffer = upload_array(device, np.zeros(64, np.float32))
        used = buffer.address.buffer
        device.bridge.simulation.configure(hang=True)
        launch(device, state, [buffer], grid=64)
        del buffer
        again = device.allocate(256)
    device.bridge.simulation.configure(hang=False)
    assert again.address.buffer is used


def test_with_a_second_queue_private_buffers_wait_too():
    device = caching_machine()
    other = device.new_queue()
    state = pipeline(device, "increment")
    with storage("private"):
        buffer = upload_array(device, np.zeros(64, np.float32))
        device.synchronize()
        used = buffer.address.buffer
        device.bridge.simulation.configure(hang=True)
        launch(device, state, [buffer], grid=64, queue=other)
        del buffer
        assert device.allocate(256).address.buffer is not used
        device.bridge.simulation.configure(hang=False)
        device.synchronize()
        held = [device.allocate(256) for _ in range(2)]
        assert used in [buffer.address.buffer for buffer in held]


def test_memory_that_no_launch_uses_is_reused_though_nothing_is_ever_committed():
    device = caching_machine()
    for _ in range(100):
        device.allocate(5000).host[:] = 1
    assert device.bridge.simulation.live_buffers == 1


@pytest.mark.parametrize("make_device", [machine, caching_machine])
def test_views_keep_the_memory_alive(make_device):
    device = make_device()
    buffer = device.allocate(64)
    host = np.ndarray((16,), np.float32, buffer.host.data)
    host[:] = 7
    view = host[::2]
    del buffer, host
    gc.collect()
    assert device.bridge.simulation.live_buffers == 1
    other = device.allocate(64)
    other.host[:] = 0
    assert view.tolist() == [7.0] * 8
    del view
    device.pool.trim()
    assert device.bridge.simulation.live_buffers == 1
    del other
    device.pool.trim()
    assert device.bridge.simulation.live_buffers == 0


def test_nothing_is_left_for_the_simulator_to_complain_of():
    device = caching_machine()
    for size in (1, 100, 5000):
        device.allocate(size)
    device.pool.trim()
    assert device.bridge.simulation.reports == ()


def test_zero_bytes():
    for device in (machine(), caching_machine()):
        buffer = device.allocate(0)
        assert buffer.size_bytes == buffer.host.size == 0
        device.copy_from_host(np.empty(0, np.float32), buffer)
        device.copy_to_host(buffer, np.empty(0, np.float32))


def test_the_ledger_counts_arrays_not_the_cache():
    device = caching_machine()
    buffer = device.allocate(1000)
    assert device.memory_info().bytes_in_use == 1000
    assert device.pool_info().bytes_in_use == size_class(1000)
    del buffer
    info = device.memory_info()
    assert (info.bytes_in_use, info.peak_bytes, info.allocations) == (0, 1000, 1)
    assert device.pool_info().bytes_cached == size_class(1000)
    device.empty_cache()
    assert device.pool_info().bytes_cached == 0
    assert device.bridge.simulation.live_bytes == 0


def test_the_simulator_gets_exact_sizes_and_fresh_memory():
    device = machine()
    first = device.allocate(100)
    assert first.address.buffer.length() == 100
    first.host[:] = 1
    del first
    assert set(device.allocate(100).host.tolist()) != {1}


# --- Limits --------------------------------------------------------------------------------------


def test_the_cache_is_given_back_before_memory_is_refused():
    device = caching_machine(memory_bytes=1 << 20)
    limit = device.pool_info().bytes_allowed
    half = limit // 2
    device.allocate(half)
    second = device.allocate(limit - half // 4)
    assert second.size_bytes == limit - half // 4


def test_memory_that_running_launches_hold_is_waited_for():
    device = caching_machine(memory_bytes=1 << 20)
    state = pipeline(device, "increment")
    size = device.pool_info().bytes_allowed * 3 // 4
    first = device.allocate(size)
    first.host[:] = 0
    launch(device, state, [first], grid=size // 4)
    del first
    assert device.allocate(size + 4).size_bytes == size + 4


def test_no_memory_says_how_much_is_in_use_and_what_to_do():
    device = machine(memory_bytes=1 << 20)
    limit = device.pool_info().bytes_allowed
    kept = device.allocate(limit // 2)
    with pytest.raises(DeviceError) as caught:
        device.allocate(limit)
    assert str(caught.value) == (
        f"metal-sim has no memory for {limit} bytes: {kept.size_bytes} bytes are in use by arrays"
        f" of {limit} that the GPU should hold at most; delete some arrays (their views keep them"
        " alive), use smaller ones, or process the data in parts"
    )


def test_nil_from_metal_is_no_memory_too():
    device = machine(fail_allocations_over=10_000)
    device.allocate(10_000)
    with pytest.raises(DeviceError, match="metal-sim has no memory for 10001 bytes"):
        device.allocate(10_001)


def test_the_longest_buffer_is_checked_first():
    device = machine(max_buffer_length=1 << 16)
    with pytest.raises(DeviceError) as caught:
        device.allocate((1 << 16) + 1)
    assert str(caught.value) == (
        "metal-sim: an array of 65537 bytes is larger than the longest buffer of this GPU,"
        " 65536 bytes; use several smaller arrays"
    )


def test_rounding_up_does_not_pass_the_longest_buffer():
    device = caching_machine(max_buffer_length=5000)
    assert device.allocate(4999).size_bytes == 4999


# --- Storage modes -------------------------------------------------------------------------------


def test_the_storage_mode_holds_inside_the_block_and_for_its_thread():
    assert current_storage() is Storage.SHARED
    seen = []
    with storage("private"), storage("managed"):
        assert current_storage() is Storage.MANAGED
        thread = threading.Thread(target=lambda: seen.append(current_storage()))
        thread.start()
        thread.join()
    assert current_storage() is Storage.SHARED
    assert seen == [Storage.SHARED]


def test_an_unknown_storage_mode_is_answered_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="managed, private, shared"), storage("privat"):
        pass


@pytest.mark.parametrize("mode", ["shared", "private", "managed"])
@pytest.mark.parametrize("make_device", [machine, caching_machine])
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_copies_there_and_back(mode, make_device, count):
    device = make_device()
    state = pipeline(device, "increment")
    values = np.arange(count, dtype=np.float32)
    with storage(mode):
        assert device.shares_host_memory == (mode == "shared")
        buffer = upload_array(device, values)
    assert (buffer.host is not None) == (mode == "shared")
    launch(device, state, [buffer], grid=count)
    assert floats(device, buffer).tolist() == (values + 1).tolist()


@pytest.mark.parametrize("mode", ["private", "managed"])
def test_odd_sizes_are_copied_whole(mode):
    device = machine()
    for size in (1, 2, 3, 5, 4097):
        content = np.arange(size, dtype=np.uint8)
        with storage(mode):
            buffer = upload_array(device, content)
        back = np.zeros(size, np.uint8)
        device.copy_to_host(buffer, back)
        assert back.tolist() == content.tolist()


def test_long_copies_are_made_in_pieces(monkeypatch):
    monkeypatch.setattr("speedmetal.backends.metal.driver.device.STAGING_BYTES", 1024)
    monkeypatch.setattr("speedmetal.backends.metal.driver.commands.LONGEST_COPY_BYTES", 256)
    device = machine()
    content = np.arange(5001, dtype=np.uint8)
    with storage("private"):
        buffer = upload_array(device, content)
    back = np.zeros_like(content)
    device.copy_to_host(buffer, back)
    assert back.tolist() == content.tolist()


# --- The host's own memory -----------------------------------------------------------------------


def pages(count):
    return np.frombuffer(mmap.mmap(-1, count * mmap.PAGESIZE), np.float32)


def test_whole_pages_are_used_without_a_copy():
    device = machine()
    state = pipeline(device, "increment")
    host = pages(2)
    buffer = device.wrap(host)
    assert buffer is not None
    assert device.memory_info().bytes_in_use == 0
    launch(device, state, [buffer], grid=host.size)
    device.synchronize()
    assert (host == 1).all()
    assert np.shares_memory(buffer.host, host)


def test_what_metal_cannot_wrap_is_left_to_a_copy():
    device = machine()
    host = pages(2)
    assert device.wrap(host[1:]) is None, "does not start at a page"
    assert device.wrap(host[:-1]) is None, "does not end at a page"
    assert device.wrap(host[::2]) is None, "has gaps"
    assert device.wrap(host[:0]) is None, "is empty"
    host.flags.writeable = False
    assert device.wrap(host) is None, "is read-only"


def test_wrapped_memory_lives_until_the_gpu_has_finished():
    device = machine()
    state = pipeline(device, "increment")
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    watcher = weakref.ref(memory)
    buffer = device.wrap(np.frombuffer(memory, np.float32))
    device.bridge.simulation.configure(hang=True)
    launch(device, state, [buffer], grid=mmap.PAGESIZE // 4)
    del memory, buffer
    device.pool.collect()
    assert watcher() is not None
    device.bridge.simulation.configure(hang=False)
    device.synchronize()
    assert watcher() is None


# --- Addresses -----------------------------------------------------------------------------------


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_addresses_move_and_measure(offset, step):
    start = BufferAddress("buffer", offset)
    moved = start + step
    assert (moved.buffer, moved.offset) == ("buffer", offset + step)
    assert moved - start == step

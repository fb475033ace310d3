"""Launches: what is packed, what is sent, what is refused before."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm
from metal_machine import machine
from speedmetal.backends.device import ArrayParameter, Launch, Sizes
from speedmetal.backends.metal.driver import program
from speedmetal.errors import InternalError, LaunchError


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "0")


@pytest.fixture
def device():
    return sm.device("metal-sim")


# --- Launches ------------------------------------------------------------------------------------


def scaled(out, x, offset, factor, is_on):
    i = sm.thread_position_in_grid().x
    if is_on:
        out[i] = x[i] * factor + offset


def test_numbers_change_between_launches(device):
    kernel = sm.kernel(scaled)
    x = sm.array(np.arange(6, dtype=np.float32), device=device)
    out = sm.zeros(6, device=device)
    for offset, factor, is_on in ((1, 2.0, True), (5, np.float32(0.5), True), (9, 1.0, False)):
        before = out.numpy().copy()
        kernel(out, x, offset, factor, is_on, grid=6)
        sm.synchronize()
        expected = np.arange(6, dtype=np.float32) * factor + offset if is_on else before
        np.testing.assert_array_equal(out.numpy(), expected)


def test_an_infinite_number(device):
    @sm.kernel
    def fill(out, value):
        out[sm.thread_position_in_grid().x] = value

    out = sm.zeros(4, device=device)
    fill(out, 1e300, grid=4)
    sm.synchronize()
    assert np.isposinf(out.numpy()).all()
    fill(out, ml_dtypes.bfloat16(2.5), grid=4)
    sm.synchronize()
    assert (out.numpy() == 2.5).all()


def test_views_have_offsets_and_strides(device):
    @sm.kernel
    def copy(source, target):
        p = sm.thread_position_in_grid()
        target[p.y, p.x] = source[p.y, p.x]

    host = np.arange(60, dtype=np.float32).reshape(6, 10)
    whole = sm.array(host, device=device)
    for cut in (np.s_[1:5, 2:9:3], np.s_[::-1, ::-2], np.s_[2:3, :]):
        part = whole[cut]
        target = sm.zeros(part.shape, device=device)
        copy(part, target, grid=(part.shape[1], part.shape[0]))
        sm.synchronize()
        np.testing.assert_array_equal(target.numpy(), host[cut])
    turned = sm.zeros((10, 6), device=device)
    copy(whole.T, turned, grid=(6, 10))
    sm.synchronize()
    np.testing.assert_array_equal(turned.numpy(), host.T)


def test_memory_that_a_number_sizes(device):
    @sm.kernel
    def reverse(a, n):
        shared = sm.threadgroup_array(n, sm.float32)
        i = sm.thread_index_in_threadgroup()
        shared[i] = a[i]
        sm.threadgroup_barrier()
        a[i] = shared[n - 1 - i]

    for n in (5, 40, 5):
        host = np.arange(n, dtype=np.float32)
        a = sm.array(host, device=device)
        reverse(a, n, grid=n, threads=n)
        sm.synchronize()
        np.testing.assert_array_equal(a.numpy(), host[::-1])
    with pytest.raises(LaunchError, match="needs 40000 bytes of threadgroup memory"):
        reverse(sm.zeros(8, device=device), 10_000, grid=8)


def test_rounding_lengths_up_counts():
    """Three arrays of 10,921 bytes fit into 32 KiB, but not when each is rounded up to 16."""
    here = machine()

    def three(a):
        n = a.size
        x = sm.threadgroup_array(n, sm.uint8)
        y = sm.threadgroup_array(n, sm.uint8)
        z = sm.threadgroup_array(n, sm.uint8)
        i = sm.thread_position_in_grid().x
        x[i] = y[i] = z[i] = a[i]
        a[i] = x[i] + y[i] + z[i]

    made = _program(here, three, "u8[:]")
    sizes = Sizes((8, 1, 1), (8, 1, 1), (1, 1, 1))
    parameters = (ArrayParameter((10_921,), (1,)),)
    with pytest.raises(LaunchError) as caught:
        made.bind(Launch(sizes, parameters, threadgroup_lengths=(10_921,) * 3))
    assert str(caught.value) == (
        "kernel 'three' needs 32784 bytes of threadgroup memory, each array rounded up to 16;"
        " metal-sim allows 32768; make its threadgroup arrays smaller"
    )
    made.bind(Launch(sizes, parameters, threadgroup_lengths=(10_912,) * 3))


def _program(device, function, *types):
    from speedmetal.backends.device import BuildOptions
    from speedmetal.compiler import pipeline

    kernel = sm.kernel(function)
    lowered = pipeline.lower(kernel.specialisation(kernel.signature_for(types)), "metal")[0]
    return device.load(device.build(lowered, BuildOptions()), function.__name__)


def double(a):
    i = sm.thread_position_in_grid().x
    a[i] = 2 * a[i]


def test_a_pipeline_with_fewer_threads_than_asked():
    few = machine(max_threads_per_threadgroup=64)
    made = _program(few, double, "f32[:]")
    assert made.threads_per_threadgroup == 64
    with pytest.raises(LaunchError) as caught:
        made.bind(
            Launch(
                Sizes((100, 1, 1), (100, 1, 1), (1, 1, 1)),
                (ArrayParameter((100,), (1,)),),
            )
        )
    assert str(caught.value) == (
        "kernel 'double': 100 threads per threadgroup requested; metal-sim allows 64 for this"
        " kernel, because of the registers that it needs; use fewer, or leave threads out"
    )


def test_damaged_code():
    with pytest.raises(InternalError, match="damaged"):
        program.load(machine().context, machine().queue, b"speedmetal metal 1\nno", "k")


def test_the_mailbox_is_bound_behind_the_arguments(device):
    @sm.kernel
    def careful(a, index):
        a[index] = 1.0

    a = sm.zeros(4, device=device)
    careful(a, 3, grid=1, debug=2)
    sm.synchronize()
    careful(a, 7, grid=1, debug=2)
    with pytest.raises(sm.KernelError, match="index out of bounds"):
        sm.synchronize()
    careful(a, 0, grid=1, debug=2)
    sm.synchronize()
    assert a.numpy().tolist() == [1, 0, 0, 1]


def test_the_number_of_messages_of_a_launch(device):
    simulation = device.bridge.simulation
    kernel = sm.kernel(scaled)
    x, out = sm.zeros(8, device=device), sm.zeros(8, device=device)
    kernel(out, x, 1, 2.0, True, grid=8)
    sm.synchronize()
    count = 4 * device.queue.limits.launches
    before = simulation.messages
    for number in range(count):
        kernel(out, x, number, 2.0, True, grid=8)
    device.queue.flush()
    # Buffers, bytes, dispatch; the rest is shared by a command buffer.
    assert 3 <= (simulation.messages - before) / count <= 4
    sm.synchronize()


def test_a_known_launch_compiles_nothing(device):
    simulation = device.bridge.simulation
    kernel = sm.kernel(double)
    a = sm.zeros(8, device=device)
    kernel(a, grid=8)
    before = simulation.compilations
    kernel(a, grid=8)
    kernel(a, grid=4, threads=4)
    kernel(sm.zeros(100, device=device), grid=100)
    sm.synchronize()
    assert simulation.compilations == before

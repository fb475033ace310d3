"""Simulated Macs for tests of the Metal backend: devices, kernels, launches."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from speedmetal.backends.device import Buffer
from speedmetal.backends.metal.driver.bridge import simulated_bridge
from speedmetal.backends.metal.driver.buffer_pool import CACHING, Policy
from speedmetal.backends.metal.driver.device import MetalDevice
from speedmetal.backends.metal.driver.queue import Queue
from speedmetal.metal_simulator.api import Configuration

ADD = """
#include <metal_stdlib>
using namespace metal;
kernel void add(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                device float* c [[buffer(2)]], constant uint& n [[buffer(3)]],
                uint i [[thread_position_in_grid]]) {
  if (i < n) c[i] = a[i] + b[i];
}
kernel void increment(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  a[i] = a[i] + 1.0f;
}
kernel void outside(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  a[i + 100000] = 1.0f;
}
kernel void sum_arguments(device float* a [[buffer(0)]], constant float* v [[buffer(1)]],
                          uint i [[thread_position_in_grid]]) {
  float total = 0.0f;
  for (uint k = 0; k < 2048; ++k) total += v[k];
  a[i] = total;
}
kernel void report(device float* a [[buffer(0)]], constant uint& value [[buffer(1)]],
                   device uint* mailbox [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (i == 0) mailbox[0] = value;
}
kernel void through_one(device float* a [[buffer(0)]],
                        threadgroup float* scratch [[threadgroup(0)]],
                        uint i [[thread_position_in_threadgroup]]) {
  scratch[i] = a[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  a[i] = scratch[i] + 1.0f;
}
kernel void through_threadgroup(device float* a [[buffer(0)]], constant uint& n [[buffer(1)]],
                                threadgroup float* scratch [[threadgroup(0)]],
                                threadgroup float* more [[threadgroup(1)]],
                                uint i [[thread_position_in_threadgroup]]) {
  scratch[i] = a[i];
  more[i] = 2.0f;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  a[i] = scratch[n - 1 - i] * more[n - 1 - i];
}
"""


def machine(*, policy: Policy | None = None, **configuration: Any) -> MetalDevice:
    """The device of a simulated Mac of its own."""
    return MetalDevice(simulated_bridge(Configuration(**configuration)), "metal-sim", policy)


def caching_machine(**configuration: Any) -> MetalDevice:
    """A device that makes memory as on a real Mac."""
    return machine(policy=CACHING, **configuration)


def pipeline(device: MetalDevice, name: str, source: str = ADD) -> Any:
    """The pipeline state of a function."""
    with device.bridge.objc.autorelease_pool():
        options = device.bridge.Metal.MTLCompileOptions.alloc().init()
        library, error = device.native.newLibraryWithSource_options_error_(source, options, None)
        assert library is not None, error.localizedDescription()
        function = library.newFunctionWithName_(name)
        state, error = device.native.newComputePipelineStateWithFunction_error_(function, None)
        assert state is not None, error.localizedDescription()
    return state


def upload_array(device: MetalDevice, values: Any) -> Buffer:
    """A buffer with the bytes of an array."""
    host = np.ascontiguousarray(values)
    buffer = device.allocate(host.nbytes)
    device.copy_from_host(host, buffer)
    return buffer


def floats(device: MetalDevice, buffer: Buffer) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What a buffer has when everything is done."""
    host = np.empty(buffer.size_bytes // 4, np.float32)
    device.copy_to_host(buffer, host)
    return host


def launch(
    device: MetalDevice,
    state: Any,
    buffers: list[Buffer],
    *,
    packed: bytes = b"",
    grid: int = 1,
    threads: int = 32,
    lengths: tuple[int, ...] = (),
    label: str = "kernel",
    mailbox: tuple[Any, int] | None = None,
    touched_bytes: int = 0,
    queue: Queue | None = None,
) -> None:
    """Ask for a launch along one axis."""
    (queue or device.queue).dispatch(
        state,
        [buffer.address.buffer for buffer in buffers],
        [buffer.address.offset for buffer in buffers],
        packed,
        mailbox,
        lengths,
        (grid, 1, 1),
        (threads, 1, 1),
        label,
        touched_bytes,
    )


def number(value: int) -> bytes:
    """An argument of four bytes."""
    return struct.pack("<I", value)

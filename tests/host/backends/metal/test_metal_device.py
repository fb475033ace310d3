"""The device: what it says of itself, and that it keeps the contract of all devices."""

import json

import numpy as np
import pytest

from metal_machine import machine
from speedmetal.backends import registry
from speedmetal.backends.device import Device
from speedmetal.backends.metal.driver.device import MetalDevice, metal_device, simulated_device
from speedmetal.errors import DeviceError


def test_it_describes_itself():
    device = machine(name="Apple M4", max_threads_per_threadgroup=512, max_threadgroup_memory=16384)
    assert isinstance(device, Device)
    assert repr(device) == "<device metal-sim: Apple M4>"
    assert device.kind == "metal"
    assert device.target.math_modes == ("safe", "fast")
    assert device.shares_host_memory
    assert device.default_threads == (256, 256)
    assert device.limits.threads_per_threadgroup == 512
    assert device.limits.threadgroup_memory_bytes == 16384
    assert device.limits.grid_size == 2**32 - 1


def test_its_identity_changes_with_what_code_depends_on():
    first = machine()
    assert machine().identity == first.identity
    others = [
        machine(name="Apple M9"),
        machine(architecture="applegpu_g99"),
        machine(os_version=(15, 1, 0)),
    ]
    assert len({first.identity, *(other.identity for other in others)}) == 4
    assert json.loads(first.identity)["is_simulated"] is True


def test_copies_of_every_dtype_and_shape():
    device = machine()
    for dtype in (np.int8, np.float16, np.complex64, np.uint64, np.bool_):
        content = np.arange(24).reshape(2, 3, 4).astype(dtype)
        buffer = device.allocate(content.nbytes)
        device.copy_from_host(content, buffer)
        back = np.empty_like(content)
        device.copy_to_host(buffer, back)
        assert (back == content).all()


def test_there_is_one_simulated_device():
    device = registry.device("metal-sim")
    assert device.name == "metal-sim"
    assert registry.device("metal-sim") is device
    assert isinstance(device, MetalDevice)


def test_without_its_compiler_the_simulator_is_not_there(monkeypatch):
    from speedmetal.metal_simulator import toolchain

    def missing():
        raise DeviceError("no compiler")

    monkeypatch.setattr(toolchain, "find", missing)
    with pytest.raises(DeviceError, match="no compiler"):
        simulated_device()


def test_the_real_device_says_why_it_is_not_here():
    with pytest.raises(DeviceError, match="Metal needs macOS, and this is Linux"):
        metal_device()

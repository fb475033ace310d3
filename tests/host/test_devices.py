"""Which devices there are, and what is said of those that are not; what importing costs."""

import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.backends.cpu import address


def test_the_cpu_is_there():
    cpu = sm.device("cpu")
    assert sm.device(cpu) is cpu
    assert cpu in sm.devices()
    assert (cpu.kind, cpu.shares_host_memory) == ("cpu", True)
    assert cpu.limits.threads_per_threadgroup == 1024
    assert cpu.description
    assert pickle.loads(pickle.dumps(cpu)) is cpu  # noqa: S301 - our own bytes
    assert repr(cpu) == f"<device cpu: {cpu.description}>"
    sm.synchronize()


@pytest.mark.parametrize("name", ["metal", "cuda"])
def test_absent_devices_say_why(name):
    with pytest.raises(sm.DeviceError) as caught:
        sm.zeros(1, device=name)
    text = str(caught.value)
    assert text.startswith(f"device {name!r} is not available: ")
    assert f'sm.code(..., target="{name}")' in text
    assert text.endswith(". Available: cpu")


def test_unknown_devices_list_what_is_there():
    with pytest.raises(sm.DeviceError) as caught:
        sm.device("cpux")
    text = str(caught.value)
    assert text.startswith("unknown device 'cpux'; did you mean cpu? Valid devices: cpu. Not avail")
    assert "metal: " in text
    assert "cuda: " in text


def test_a_device_is_a_context_of_its_thread():
    from speedmetal.backends.cpu.device import CpuDevice

    other, seen = CpuDevice(), []
    with other:
        with sm.device("cpu"):
            assert sm.default_device() is sm.device("cpu")
        assert sm.default_device() is other
        thread = threading.Thread(target=lambda: seen.append(sm.default_device()))
        thread.start()
        thread.join()
        assert sm.zeros(1).device is other
    assert sm.default_device() is sm.device("cpu")
    assert seen == [sm.device("cpu")]


def test_too_much_memory_is_said():
    with pytest.raises(sm.DeviceError, match=r"no memory for 4611686018427387904 bytes: \d+ are"):
        sm.empty(2**60)


def test_both_ways_to_an_address_agree():
    for array in (np.zeros(3), np.zeros((4, 4))[::-1, 2:], np.zeros(()), np.zeros(2, np.bool_)):
        expected = array.__array_interface__["data"][0]
        assert address.address_of(array) == expected
        assert address._address_by_interface(array) == expected


def modules_after(statement):
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(answer.stdout.split())


def test_importing_is_cheap():
    assert not {"numpy", "ml_dtypes", "llvmlite"} & modules_after("import speedmetal")
    assert "numpy" not in modules_after("import speedmetal.cli")
    used = modules_after("import speedmetal as sm; sm.zeros(1); sm.kernel; sm.sin; sm.code")
    assert not {"llvmlite", "scipy", "torch", "typer", "rich"} & used

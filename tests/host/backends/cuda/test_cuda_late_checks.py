"""Positions that the card looks at when it comes to them; kernels run on the host."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from speedmetal.arrays.indices import late_checks


def new_device(host):
    driver = DryDriver()
    driver.untold = ()
    driver.on_launch = host.run
    return dry_device(driver)


@pytest.fixture
def device(host):
    return new_device(host)


def _limits(dtype):
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def rows_at(device, positions, dtype):
    x = sm.array(np.arange(12, dtype=np.float32).reshape(4, 3), device=device)
    return x[sm.array(np.array(positions, dtype), device=device)]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_rows_and_positions_outside(device, dtype):
    host = np.arange(12, dtype=np.float32).reshape(4, 3)
    positions = [[3, 0], [1, 2]] if np.dtype(dtype).kind == "u" else [[3, 0], [-1, -4]]
    for _ in range(2):  # as found, and as kept
        for shape in ((2, 2), (4,)):
            index = np.array(positions, dtype).reshape(shape)
            np.testing.assert_array_equal(rows_at(device, index, dtype).numpy(), host[index])
        np.testing.assert_array_equal(rows_at(device, 2, dtype).numpy(), host[2])
        assert rows_at(device, [], dtype).shape == (0, 3)
        for outside in {int(np.iinfo(dtype).max) - 1, *map(int, _limits(dtype))} - {0}:
            with pytest.raises(IndexError, match=f"index {outside} is out of bounds for axis 0"):
                rows_at(device, [0, outside], dtype).numpy()
        np.testing.assert_array_equal(rows_at(device, [1], dtype).numpy(), host[[1]])


@pytest.mark.parametrize("outside", [5, -4])
def test_positions_outside_of_rows_without_elements(device, outside):
    """Whoever reads the result, of which nothing is to be copied, is told."""
    x = sm.zeros((3, 0), device=device)
    rows = x[sm.array(np.array([0, outside]), device=device)]
    assert rows.shape == (2, 0)
    with pytest.raises(IndexError, match=f"index {outside} is out of bounds for axis 0 of extent"):
        rows.numpy()
    assert rows.numpy().shape == (2, 0)


def test_each_device_tells_of_its_own_positions(host, device):
    other = new_device(host)
    rows_at(device, [7], np.int64)
    rows_at(other, [9], np.int64)
    with pytest.raises(IndexError, match="index 9 "):
        other.synchronize()
    other.synchronize()
    with pytest.raises(IndexError, match="index 7 "):
        device.synchronize()
    device.synchronize()


def test_threads_that_come_first_at_once_have_their_positions_told(device, monkeypatch):
    found = []

    class Reports(late_checks.Reports):
        def __init__(self, device):
            if not found:  # another thread comes here meanwhile
                found.append(None)
                found.append(late_checks._reports_of(device))
            super().__init__(device)

    monkeypatch.setattr(late_checks, "Reports", Reports)
    assert late_checks._reports_of(device) is found[1]
    assert list(device.late_checks.values()) == [found[1]]

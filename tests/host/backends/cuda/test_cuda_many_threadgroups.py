"""Launches of more threadgroups along y or z than the hardware takes there.

The printed text runs on the host (`cuda_on_the_host`).
"""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from cuda_on_the_host import HostCode
from speedmetal.backends.cuda.codegen.threadgroups import VARIANTS, of_variant
from speedmetal.backends.cuda.driver import build


@pytest.fixture
def device(monkeypatch):
    host = HostCode()
    monkeypatch.setattr(build, "compile_cubin", host.compile_cubin)
    driver = DryDriver()
    driver.on_launch = host.run
    return dry_device(driver)


@pytest.mark.parametrize("axis", [1, 2])
def test_each_thread_knows_where_it_is(device, axis):
    @sm.kernel
    def places(out):
        at, group = sm.thread_position_in_grid(), sm.threadgroup_position_in_grid()
        groups = sm.threadgroups_per_grid()
        out[at.y + at.z, at.x] = group.x + 10 * (group.y + group.z) + groups.x

    count = 65_535 * 2 + 3
    grid, threads = [3, 1, 1], [2, 1, 1]
    grid[axis], threads[axis] = count, 2
    out = sm.zeros((count, 3), sm.int32, device=device)
    places(out, grid=tuple(grid), threads=tuple(threads))
    row = np.arange(count)[:, None] // 2 * 10
    np.testing.assert_array_equal(out.numpy(), row + np.array([0, 0, 1]) + 2)


def test_variants_are_found_by_their_names():
    assert len(set(VARIANTS)) == 12
    assert [str(of_variant(variant)) for variant in VARIANTS] == list(VARIANTS)

"""IR that a program built, compiled and launched as the kernels of users are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.compiler.source import IrSource, PythonSource
from speedmetal.errors import InternalError
from speedmetal.launch.launcher import Launcher


def double(a):
    i = sm.thread_position_in_grid().x
    a[i] = 2 * a[i] + 1


def built_like_double(counts):
    """A source whose IR is that of ``double``, and which counts how often it is asked for it."""

    def build(variant):
        counts.append(variant)
        return PythonSource(double).infer(variant, has_float64=True).kernel

    return IrSource("built", "double 1", build)


@pytest.fixture
def cold(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("device", ["cpu", "metal-sim"])
def test_built_ir_is_launched(device):
    launcher = Launcher(built_like_double([]), ["a"])
    a = sm.array(np.arange(5, dtype=np.float32), device=device)
    launcher.launch((a,), 5, None, None, None, None)
    np.testing.assert_array_equal(a.numpy(), 2 * np.arange(5) + 1)


def test_each_variant_is_built_once_in_a_process(cold):
    counts = []
    launcher = Launcher(built_like_double(counts), ["a"])
    for dtype in ("f4", "f4", "i4", "f4"):
        launcher.launch((np.ones(3, dtype),), 3, None, None, None, None)
    launcher.launch((np.ones(3, "f4"),), 3, None, None, 2, None)
    assert [variant.debug for variant in counts] == [0, 0, 2]


def test_the_code_on_disk_is_found_by_the_key(cold):
    counts = []
    for _ in range(2):  # another object of an equal source, as another process would make
        a = np.ones(3, "f4")
        Launcher(built_like_double(counts), ["a"]).launch((a,), 3, None, None, None, None)
        assert a.tolist() == [3, 3, 3]
    assert len(counts) == 1


def test_wrong_ir_is_refused():
    def build(variant):
        kernel = PythonSource(double).infer(variant, has_float64=True).kernel
        (store,) = kernel.body[-1:]
        return replace(kernel, body=(store,))  # reads a variable that nothing assigns

    with pytest.raises(InternalError, match=r"invalid kernel.*is given a value"):
        Launcher(IrSource("built", "wrong", build), ["a"]).launch(
            (np.ones(3, "f4"),), 3, None, None, None, None
        )

"""Code that takes arrays to lie apart runs where they do, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from cuda_on_the_host import HostCode
from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.cuda.driver import build
from speedmetal.backends.cuda.driver.apart import apart
from speedmetal.backends.cuda.driver.build import CudaCode
from speedmetal.backends.device import ArrayParameter, Launch, Sizes

ARRAYS = st.tuples(
    st.integers(0, 12),  # where it begins
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3)), min_size=1, max_size=2),
)


def touched(begin, axes):
    places = np.array([begin])
    for size, stride in axes:
        places = (places[:, None] + np.arange(size) * stride).ravel()
    return places


def code(count: int, written: tuple[int, ...]) -> CudaCode:
    layout = ArgumentLayout.from_record(ArgumentLayout((), 0).record())
    sizes = (4,) * count
    arrays = tuple(range(count))
    return CudaCode("k", layout, arrays, False, (), 1, "256", b"", written, sizes, "text", "sm_90")


@given(st.lists(ARRAYS, min_size=2, max_size=4), st.data())
def test_arrays_lie_apart_where_one_ends_before_the_other_begins(arrays, data):
    numbers = st.sets(st.integers(0, len(arrays) - 1), min_size=1)
    written = tuple(sorted(data.draw(numbers)))
    parameters = [ArrayParameter(*map(tuple, zip(*axes, strict=True))) for _, axes in arrays]
    launch = Launch(Sizes((1, 1, 1), (1, 1, 1), (1, 1, 1)), tuple(parameters))
    condition = apart(code(len(arrays), written), launch)
    places = [touched(*array) for array in arrays]
    expected = all(
        min(a.max(), b.max()) < max(a.min(), b.min())
        for i, a in enumerate(places)
        for j, b in enumerate(places)
        if i != j and i in written and a.size and b.size
    )
    assert condition([None, *(4 * begin for begin, _ in arrays)]) is expected


@sm.kernel
def running(x, y):
    """Each element of y is one more than that of x before it: in place, they count up."""
    for i in range(y.shape[0]):
        y[i] = x[i] + 1


@pytest.fixture
def host(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))
    made = HostCode()
    monkeypatch.setattr(build, "compile_cubin", made.compile_cubin)
    return made


@pytest.fixture
def device(host):
    driver = DryDriver()
    driver.on_launch, driver.untold = host.run, ()
    return dry_device(driver)


def own(host) -> list[str]:
    return ["__restrict__" in text for text in host.texts if " running(" in text]


def test_overlapping_arrays_have_code_of_their_own(device, host):
    whole, other = (sm.zeros(9, device=device) for _ in range(2))
    running(other[:8], whole[1:], grid=1)
    assert whole.tolist() == [0] + [1] * 8
    assert own(host) == [True]
    for _ in range(2):
        whole[...] = 0
        running(whole[:8], whole[1:], grid=1)
        assert whole.tolist() == [*range(9)]
        assert own(host) == [True, False]
    running(other[:8], whole[1:], grid=1)
    assert whole.tolist() == [0] + [1] * 8
    assert own(host) == [True, False]


def test_kept_code_knows_what_to_do_about_overlaps():
    kept = code(3, (1,))
    assert build.unpacked(build.packed(kept)) == kept


def loads_first(x, y):
    y[0] = x[0]


def test_kernels_that_load_first_need_not_know():
    assert "__restrict__" not in sm.code(loads_first, "f32[:]", "f32[:]", target="cuda")
    assert "__restrict__" in sm.code(running, "f32[:]", "f32[:]", target="cuda")

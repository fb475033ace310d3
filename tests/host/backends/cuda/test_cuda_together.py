"""Elements side by side that a thread loads and stores together: the same ones, and no others.

The printed text runs on the host (`cuda_on_the_host`), with its loads and stores of 16 bytes.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from speedmetal.arrays.kernels import softmax, teams
from speedmetal.launch.expressions import Followed

LENGTH = 48
BEYOND = 77
"""What is in memory that no kernel may write to."""


@sm.kernel
def weighted_rows(out, x, weight):
    """A thread takes a row, whose elements it adds up before it stores any."""
    row = sm.thread_position_in_grid().x
    total = x.dtype(0)
    for first in range(0, x.shape[1], 8):
        for k in sm.static_range(8):
            total += x[row, first + k]
    for first in range(0, x.shape[1], 8):
        results = sm.thread_array(8, x.dtype)
        for k in sm.static_range(8):
            results[k] = x[row, first + k] * weight[first + k] + total
        for k in sm.static_range(8):
            out[row, first + k] = results[k]


@pytest.fixture(scope="module")
def device(host):
    driver = DryDriver()
    made = dry_device(driver)
    driver.on_launch = host.run
    driver.untold = ()
    made.time_limit_seconds = 20
    return made


OFFSETS = st.sampled_from([0, 0, 4, 8, 1, 2, 3, 7])
"""Of the first element in its memory, which is aligned."""


@given(OFFSETS, OFFSETS, OFFSETS, st.integers(1, 4), st.sampled_from(["f4", "f8", "i4"]))
def test_the_same_elements_wherever_arrays_begin(device, host, one, two, three, rows, dtype):
    def placed(first, size):
        whole = np.full(first + size + 9, BEYOND, dtype)
        whole[first : first + size] = np.arange(size) % 5
        ours = sm.array(whole, device=device)
        return ours[first : first + size], ours, whole[first : first + size]

    x, _, x_host = placed(one, rows * LENGTH)
    weight, _, weight_host = placed(two, LENGTH)
    out, whole, _ = placed(three, rows * LENGTH)
    weighted_rows(out.reshape((rows, LENGTH)), x.reshape((rows, LENGTH)), weight, grid=rows)
    assert "load_neighbours<" in host.text_of(host.launches[-1])
    x_rows = x_host.reshape((rows, LENGTH))
    expected = x_rows * weight_host + x_rows.sum(axis=1, keepdims=True)
    found = whole.numpy()
    np.testing.assert_array_equal(found[three : three + rows * LENGTH], expected.reshape(-1))
    assert (found[:three] == BEYOND).all()
    assert (found[three + rows * LENGTH :] == BEYOND).all()


def test_what_a_follower_reads_is_loaded_before_results_are_stored():
    """They lie apart: nobody else has the memory of a result."""
    x, weight, target = (sm.ones((8, 1024), device="cpu") for _ in range(3))
    product = x * weight
    followed = Followed(product.pending, 0, (weight,), target)
    team = teams.Team(*map(sm.static, (1, 8, 4)))
    given = (followed, x, softmax.SOFTMAX, sm.static(1), team, sm.static(8), 1)
    text = str(sm.code(softmax.kept_rows, *given, target="cuda"))
    assert text.count("store_neighbours<float, 4>(") == 8
    assert text.count("load_neighbours<float, 4>(&target") == 8


@sm.kernel
def copied_from(out, x, begin: int):
    """Rows from an element on that only a launch knows."""
    row = sm.thread_position_in_grid().x
    for first in range(0, out.shape[1], 4):
        elements = sm.thread_array(4, x.dtype)
        for k in sm.static_range(4):
            elements[k] = x[row, begin + first + k]
        for k in sm.static_range(4):
            out[row, first + k] = elements[k]


def test_what_lies_as_its_array_does_is_looked_at_once(device, host):
    x = sm.array(np.arange(4 * 52, dtype=np.float32).reshape(4, 52), device=device)
    out = sm.zeros((4, 48), sm.float32, device=device)
    for begin in (0, 1, 4):
        copied_from(out, x, begin, grid=4)
        np.testing.assert_array_equal(out.numpy(), x.numpy()[:, begin : begin + 48])
    text = host.text_of(host.launches[-1])
    aligned, others = text.partition("if (is_aligned) {")[2].split("} else {")[:2]
    assert "*(neighbours<float, 4>*)out_first = " in aligned
    assert "load_neighbours<float, 4>(" in aligned  # which begins anywhere
    assert "store_neighbours<float, 4>(" in others
    assert "size_t(x)" not in text

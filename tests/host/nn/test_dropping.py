"""Dropout: which elements are left out, what becomes of the others, and that it is one kernel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from strategies import host_arrays, laid_out
from tiers import examples

dropout = sm.nn.dropout


@given(data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_numbers_of_the_generator_below_p_are_left_out(data):
    dtype = data.draw(st.sampled_from([sm.float32, sm.float16, sm.bfloat16, sm.float64]))
    shape = data.draw(st.sampled_from([(), (1,), (5,), (3, 4), (2, 3, 5), (0, 2)]))
    host = data.draw(host_arrays(dtype, shape))
    p = data.draw(st.sampled_from([0.1, 0.5, 0.9]))
    x = data.draw(laid_out(host))
    found = dropout(x, p, generator=sm.random.default_rng(3))
    numbers = sm.random.default_rng(3).random(shape).numpy()
    wide = np.asarray(host, np.float64 if dtype == sm.float64 else np.float32)
    with np.errstate(over="ignore"):
        scaled = (wide * wide.dtype.type(1 / (1 - p))).astype(host.dtype)
    expected = np.where(numbers >= np.float32(p), scaled, host.dtype.type(0))
    assert found.dtype == dtype
    # NumPy finds no NaN of bfloat16 equal to another.
    np.testing.assert_array_equal(found.numpy().astype("f8"), expected.astype("f8"))


def test_producers_and_followers_are_one_kernel():
    x = sm.array(np.random.default_rng(1).standard_normal((30, 40), dtype=np.float32))

    def made() -> sm.Array:
        return dropout(sm.nn.gelu(x) * 2.0, 0.3, generator=sm.random.default_rng(5)) + x

    found = made()
    assert len(sm.explain(found).steps) == 1
    with sm.no_fusion():
        apart = made()
    assert found.numpy().tobytes() == apart.numpy().tobytes()


def test_the_share_and_the_mean_are_right():
    found = dropout(sm.ones(100_000), 0.2, generator=sm.random.default_rng(1)).numpy()
    kept = found != 0
    assert abs(kept.mean() - 0.8) < 5 * math.sqrt(0.2 * 0.8 / 100_000)
    assert (found[kept] == np.float32(1.25)).all()


def test_the_ends_draw_nothing():
    x = sm.array([1.0, math.inf, math.nan])
    generator = sm.random.default_rng(1)
    copy = dropout(x, 0, generator=generator)
    np.testing.assert_array_equal(copy.numpy(), x.numpy())
    copy[0] = 5.0
    assert x[0].item() == 1.0
    assert dropout(x, 1.0, generator=generator).tolist() == [0, 0, 0]
    assert generator.random().item() == sm.random.default_rng(1).random().item()


def test_without_a_generator_it_is_that_of_the_module():
    x = sm.ones(64)
    sm.random.seed(4)
    first, second = dropout(x).tolist(), dropout(x).tolist()
    sm.random.seed(4)
    assert dropout(x).tolist() == first != second


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_other_probabilities_are_refused(p):
    with pytest.raises(sm.UserInputError, match=f"dropout expected p from 0 to 1, got {p}"):
        dropout(sm.ones(3), p)


def test_integers_are_refused():
    with pytest.raises(sm.UserInputError, match="dropout expected floats for x, got int32"):
        dropout(sm.ones(3, sm.int32))

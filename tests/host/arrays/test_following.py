"""Followers: what is computed from a call's result as its kernel stores it."""

from __future__ import annotations

import operator
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.along_axes import extremes, normalising, passes, scanning
from speedmetal.arrays.along_axes.normalising import MOST_KEPT
from speedmetal.arrays.along_axes.sorted_axes import SHORT
from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.deferred.following import follower_of
from speedmetal.arrays.deferred.pending import Call
from speedmetal.compiler import pipeline
from tiers import examples

DTYPES = [np.dtype(n) for n in ("float32", "float16", "int32", "uint8", "float64", "complex64")]
DTYPES.append(np.dtype(ml_dtypes.bfloat16))


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 1) -> sm.Array:
    values = np.random.default_rng(seed).integers(1, 9, shape)
    return sm.array((values + 0.25 if np.dtype(dtype).kind in "fcV" else values).astype(dtype))


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def follows(array: sm.Array) -> bool:
    """Whether the array, of which nobody else has what it is computed from, is a follower."""
    return follower_of(array) is not None


def check(make: Callable[[], sm.Array], *, follows: bool = True) -> None:
    """Whether the same bits come of one step or of several; ``make`` writes the operations down."""
    lazy = make()
    steps = sm.explain(lazy).steps
    assert (len(steps) == 1) == follows, steps
    with sm.no_fusion():
        apart = make()
    assert same_bits(lazy.numpy(), apart.numpy())


@pytest.fixture
def computed(monkeypatch):
    """The expressions that are computed by kernels of their own from now on."""
    seen: list[sm.Array] = []
    inner = schedule.compute

    def compute(array):
        seen.append(array)
        inner(array)

    monkeypatch.setattr(schedule, "compute", compute)
    return seen


# --- The same bits -------------------------------------------------------------------------------

SOFTMAX_SHAPES = [
    *(((5, n), 1) for n in (SHORT - 1, 100, MOST_KEPT, MOST_KEPT + 1)),
    ((40, 9), 0),
    ((3, 4, 20), 1),
    ((3, 4, 20), 2),
]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), SOFTMAX_SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_softmax(name, shape, axis, dtype):
    """Proves every kernel of softmax: what a target keeps meanwhile is not the follower's."""
    x, mask = numbers(*shape, dtype=dtype), numbers(*shape, dtype=dtype, seed=2)
    rows, columns = numbers(shape[-1], dtype=dtype), numbers(shape[-2], 1, dtype=dtype)
    check(lambda: getattr(sm, name)(x, axis=axis) * mask + rows - columns)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((5, SHORT - 1), 1), ((5, 100), 1), ((1 << 16,), 0), ((3, 600, 5), 1), ((600, 5), 0)],
    ids=str,
)
@pytest.mark.parametrize("name", ["cumulative_sum", "cummax"])
def test_scans(name, shape, axis):
    """Proves every kernel of scans, also where parts are added up first."""
    x, mask = numbers(*shape), numbers(*shape, seed=2)
    check(lambda: getattr(sm, name)(x, axis=axis) * mask + numbers(shape[-1]))
    # Of these the first element is written by the host.
    if name == "cumulative_sum":
        check(lambda: sm.cumulative_sum(x, axis=axis, include_initial=True) * 2, follows=False)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((5, SHORT - 1), 1),
        ((5, 100), 1),
        ((1 << 16,), 0),  # in parts, of which the second launch has the follower
        ((9, 40000), 1),
        ((600, 5), 0),  # folded
        ((3, 1200, 5), 1),
        ((40, 50, 60), (0, 2)),
        ((7, 9), None),
        ((2, 3, 4, 5), (0, 2)),
        ((6, 1), 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "max"])
def test_reductions(name, shape, axis, keepdims):
    """Proves every way of a reduction, and that the axes which are gone are no follower's."""
    x = numbers(*shape)
    alike = sm.sum(x, axis=axis, keepdims=keepdims).shape
    other = numbers(*alike, seed=3)
    check(lambda: getattr(sm, name)(x, axis=axis, keepdims=keepdims) * other - 1.5)
    if name == "max" and not isinstance(axis, tuple):
        check(lambda: sm.argmax(x, axis=axis, keepdims=keepdims) * 2 + 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes(dtype):
    """Proves that what is stored is rounded to the call's dtype before anything follows."""
    x, b = numbers(30, 40, dtype=dtype), numbers(30, dtype=dtype, seed=2)
    check(lambda: sm.sum(x, axis=1) * b + b)
    check(lambda: sm.mean(x, axis=1) * b)
    check(lambda: sm.cumulative_sum(x, axis=0).astype(sm.float32) * 0.1)
    if dtype.kind != "c":
        check(lambda: sm.softmax(x, axis=1) / 3 + 1)
        check(lambda: sm.where(sm.max(x, axis=1) > b, b, 1))
    else:
        check(lambda: sm.real(sm.sum(x, axis=1)) * 2.0)
        check(lambda: sm.sum(x, axis=1) * (1 + 2j) + b)
    check(lambda: sm.sum(x, axis=1).astype(sm.complex64) * (0.5 - 1j))


def test_a_product_and_a_sum_are_rounded_apart():
    """Proves that no follower's sum and no kernel's product become one fused multiply-add."""
    x = sm.array(np.random.default_rng(0).standard_normal((50, 200)).astype("f4"))
    b = sm.array(np.random.default_rng(1).standard_normal(200).astype("f4"))
    check(lambda: sm.softmax(x) + b)
    check(lambda: sm.cumulative_prod(x, axis=1) - b)


@pytest.mark.parametrize("seed", range(examples(60)))
def test_random_followers(seed):
    """Proves the same of sources and followers of any layout, made of any operations."""
    chosen = random.Random(seed)
    shape = chosen.choice([(6, 35), (4, 3, 40), (70, 3)])
    axis = chosen.randrange(len(shape))
    x = numbers(*shape, seed=seed)
    if chosen.random() < 0.5:
        x = numbers(*(2 * n for n in shape), seed=seed)[tuple(slice(1, None, 2) for _ in shape)]
    if chosen.random() < 0.3:
        x = x[::-1]
    calls = [sm.softmax, sm.cumulative_sum, sm.sum, sm.min, sm.argmin]
    call = chosen.choice(calls)
    steps = [chosen.choice([operator.add, operator.mul, operator.sub]) for _ in range(3)]
    result = call(x, axis=axis).shape
    others: list[Any] = [numbers(*result, seed=1), 2, numbers(*result[1:], seed=3)]
    others.append(numbers(*(2 * n for n in result), seed=4)[tuple(slice(n) for n in result)])
    wanted = [(step, chosen.choice(others), chosen.random() < 0.5) for step in steps]

    def make() -> sm.Array:
        y = call(x, axis=axis)
        for step, other, is_left in wanted:
            y = step(y, other) if is_left else step(other, y)
        return y

    fused = make()
    with sm.no_fusion():
        apart = make()
    assert same_bits(fused.numpy(), apart.numpy())


# --- When ----------------------------------------------------------------------------------------


def test_nothing_in_between_is_stored(computed):
    """Proves that a follower takes one launch, and memory for its own result alone."""
    x, b = numbers(512, 300), numbers(300)
    y = sm.softmax(x) * 2 + b
    before = sm.memory_info().bytes_in_use
    sm.eval(y)
    assert not computed
    assert before < sm.memory_info().bytes_in_use <= before + y.nbytes


def test_a_result_that_somebody_holds_is_stored(computed):
    x, b = numbers(20, 30), numbers(30)
    held = sm.softmax(x)
    y = held * 2 + b
    assert not follows(y)
    sm.eval(y)
    assert held.pending is None
    assert len(computed) == 1
    assert same_bits(held.numpy(), sm.softmax(x).numpy())
    assert same_bits(y.numpy(), held.numpy() * np.float32(2) + b.numpy())


def test_a_result_that_others_read_is_stored():
    """Proves it of another expression, also one with the very same leaves, of a view, of a call."""
    x, b = numbers(20, 30), numbers(30)

    def total() -> sm.Array:
        return sm.softmax(x)

    readers = [
        lambda s: (s * b, s + b),
        lambda s: (s * b, s[1:] + 1),
        lambda s: (s * b, sm.sum(s)),
    ]
    for read in readers:
        one, other = read(total())
        assert not follows(one), read
        expected = read(sm.array(total().numpy()))
        assert same_bits(one.numpy(), expected[0].numpy())
        assert same_bits(other.numpy(), expected[1].numpy())
    for _ in range(2):  # the second time it is found at once
        scaled = total() * b
        shared = -scaled
    assert shared.leaves is scaled.leaves
    assert not follows(scaled)
    assert not follows(shared)
    del scaled
    assert follows(shared)


def test_only_what_is_read_as_it_lies_is_followed():
    """Proves that a result which is broadcast, or which the other's layout turns, is stored."""
    x = numbers(20, 30)
    check(lambda: sm.sum(x, axis=1, keepdims=True) + x, follows=False)
    turned = numbers(30, 20).T
    check(lambda: turned * sm.softmax(x), follows=False)
    check(lambda: sm.softmax(x) * turned)


def test_a_sum_whose_order_would_change_is_not_followed():
    """Proves that columns which a follower's array keeps apart are added up as they are alone."""
    x = sm.array(np.random.default_rng(0).random((1000, 4, 5), np.float32))
    check(lambda: sm.sum(x, axis=0) * numbers(5), follows=False)
    check(lambda: sm.sum(x, axis=0) * numbers(4, 5))
    check(lambda: sm.sum(x, axis=0) * numbers(1))
    check(lambda: sm.sum(x, axis=1) * numbers(5))
    check(lambda: sm.sum(x, axis=2) * numbers(4))


def test_an_expression_of_two_calls_follows_one():
    x, y = numbers(20, 30), numbers(20, 30, seed=2)

    def make() -> sm.Array:
        return sm.softmax(x) * 2 + sm.softmax(y)

    fused = make()
    assert [step.name for step in sm.explain(fused).steps] == ["softmax", "softmax"]
    with sm.no_fusion():
        apart = make()
    assert same_bits(fused.numpy(), apart.numpy())


def test_what_the_operand_needs_comes_first():
    """Proves it of an operand that is a call, and of one too costly to be computed thrice."""
    x = numbers(20, 30)
    check(lambda: sm.softmax(sm.softmax(x) * 2) + 1, follows=False)
    check(lambda: sm.softmax(sm.exp(sm.sin(x))) + 1, follows=False)
    check(lambda: sm.softmax(x * 2) + 1)


def test_more_arrays_than_a_kernel_takes_are_not_followed():
    x = numbers(6, 20)
    others = [numbers(6, 20, seed=k) for k in range(14)]
    y = sm.softmax(x)
    for other in others:
        y = y + other
    assert not follows(y)
    expected = sm.softmax(x).numpy()
    for other in others:
        expected = expected + other.numpy()
    assert same_bits(y.numpy(), expected)


def test_several_are_asked_for_at_once():
    x, b = numbers(20, 30), numbers(30)
    arrays = [sm.softmax(x) * b, x + 1, sm.cumsum(x, axis=1) + b, sm.sum(x, axis=1) * 2]
    with sm.no_fusion():
        apart = [sm.softmax(x) * b, x + 1, sm.cumsum(x, axis=1) + b, sm.sum(x, axis=1) * 2]
    sm.eval(arrays)
    for one, other in zip(arrays, apart, strict=True):
        assert one.pending is None
        assert same_bits(one.numpy(), other.numpy())


def test_what_is_computed_at_once_is_followed_by_nothing():
    with sm.no_fusion():
        y = sm.softmax(numbers(3, 4)) * 2
        assert y.pending is None


def test_a_write_computes_what_waits():
    """Proves that an operand's and a leaf's values are those from before a write."""
    for place in range(2):
        x, b = numbers(20, 30), numbers(20, 30, seed=2)
        y = sm.softmax(x) * b
        with sm.no_fusion():
            expected = (sm.softmax(x) * b).numpy()
        (x, b)[place][...] = 0
        assert same_bits(y.numpy(), expected)


def test_a_failure_leaves_all_lazy(monkeypatch):
    """Proves that what could not be computed is computed when it is asked for again."""
    x, b = numbers(20, 30), numbers(30)
    y = sm.softmax(x) * b
    inner = normalising.planned

    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(normalising, "planned", fail)
    with pytest.raises(MemoryError):
        sm.eval(y)
    assert y.pending is not None
    assert type(y.leaves[0].pending) is Call
    monkeypatch.setattr(normalising, "planned", inner)
    assert follows(y)
    with sm.no_fusion():
        apart = sm.softmax(x) * b
    assert same_bits(y.numpy(), apart.numpy())


def test_a_count_that_was_too_low_costs_nothing_but_time(monkeypatch):
    """Proves that a result which another thread takes hold of meanwhile can still be computed."""
    x = numbers(20, 30)
    held = sm.softmax(x)
    y = held * 2
    monkeypatch.setattr("speedmetal.arrays.deferred.following._ALONE", sys.maxsize)
    sm.eval(y)
    assert held.pending is not None
    assert same_bits(held.numpy() * np.float32(2), y.numpy())


def test_threads():
    """Proves that what threads build on an expression while another one computes it is right."""
    x = numbers(64, 64)
    with sm.no_fusion():
        expected = (sm.softmax(x) * 2).numpy()

    def use(shared: sm.Array) -> bool:
        more = shared + 1.0
        return same_bits(shared.numpy(), expected) and same_bits(
            more.numpy(), expected + np.float32(1)
        )

    with ThreadPoolExecutor(4) as pool:
        for _ in range(50):
            shared = sm.softmax(x) * 2
            assert all(pool.map(use, [shared] * 4))


# --- What is kept --------------------------------------------------------------------------------


def test_the_same_again_compiles_nothing_and_finds_its_plan(monkeypatch):
    """Proves that numbers, and what arrays hold, change neither a kernel nor a plan."""
    x, b = numbers(21, 31), numbers(31)
    makers: list[tuple[Any, Callable[[float], sm.Array]]] = [
        (normalising._plans, lambda n: sm.softmax(x) * n + b),
        (scanning._plans, lambda n: sm.cumsum(x, axis=1) * n + b),
        (passes._plans, lambda n: sm.sum(x, axis=0) * n + b),
        (extremes._plans, lambda n: sm.argmax(x, axis=0) + int(n)),
    ]
    for plans, make in makers:
        sm.eval(make(2.0))
        known = dict(plans)
        compiled: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "compile_for", lambda *_: compiled.append("one"))  # noqa: B023
            y = make(3.0)
            sm.eval(y)
        assert not compiled
        assert plans.keys() == known.keys()
        with sm.no_fusion():
            apart = make(3.0)
        assert same_bits(y.numpy(), apart.numpy())


def test_explain_tells_the_follower():
    x, b = numbers(10, 100), numbers(100)
    y = sm.softmax(x * 2) * 3 + b  # pytest holds what stands in an assertion
    assert str(sm.explain(y)) == (
        "in memory: a (10, 100) float32, b (100,) float32\n"
        "1. softmax: r = softmax(a * 2.0) * 3.0 + b\n"
        "   reads 4.4 KB (a, b), writes 4.0 KB\n"
        "   r gets memory: it is asked for\n"
        "1 step, 8.4 KB moved"
    )

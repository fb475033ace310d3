"""Where functions of the library are inlined, and where they are called."""

from __future__ import annotations

import math
import re

import numpy as np

import speedmetal as sm
from speedmetal.backends.cpu import jit

UNROLLED = 4
MANY = 200


@sm.kernel
def cross_entropy(p, t, out) -> None:
    lane = sm.thread_index_in_threadgroup()
    total = 0.0
    for start in range(0, p.shape[0], 64 * UNROLLED):
        for u in sm.static_range(UNROLLED):
            a = p[start + 64 * u + lane]
            b = t[start + 64 * u + lane]
            total -= b * max(math.log(a), -100.0) + (1.0 - b) * max(math.log(1.0 - a), -100.0)
    out[lane] = total


@sm.kernel
def logarithms(x, out) -> None:
    i = sm.thread_position_in_grid().x
    value = x[i]
    for _ in sm.static_range(MANY):
        value = math.log(value + 3.0)
    out[i] = value


def calls_of_log(text: str) -> tuple[int, int]:
    """How often it is called for full vectors, and for the last, partial one."""
    calls = re.findall(r"call .* @log_\.v\d+(\.tail)?\(", text)
    return calls.count(""), calls.count(".tail")


def test_full_vectors_call_no_logarithm() -> None:
    """Eight copies stand in the loop; partial vectors, which are few, call one for all."""
    x = sm.zeros(1024, device="cpu")
    text = str(sm.code(cross_entropy, x, x, x))
    assert calls_of_log(text) == (2 * UNROLLED, 2 * UNROLLED)
    optimised = jit.optimised_text(text)
    assert calls_of_log(optimised) == (0, 2 * UNROLLED)
    assert len(re.findall(r"^define .*@log_", optimised, re.MULTILINE)) == 1


def test_copies_are_bounded() -> None:
    """Of many calls in a straight line none is inlined, and there is one body."""
    x = sm.zeros(1024, device="cpu")
    optimised = jit.optimised_text(str(sm.code(logarithms, x, x)))
    full, tail = calls_of_log(optimised)
    assert full >= MANY
    assert tail == 0
    assert len(re.findall(r"^define .*@log_", optimised, re.MULTILINE)) == 1


def test_called_and_inlined_logarithms_are_equal() -> None:
    """Bit for bit: the same numbers in full vectors, and in a threadgroup that is a part of one."""
    rng = np.random.default_rng(3)
    special = [0.0, 1.0, np.inf, np.nan, -1.0, 1e-45, 1e-40]
    p = rng.random((2, 64 * UNROLLED), np.float32)
    p[0, : len(special)] = special
    t = rng.random(p.shape, np.float32)
    full, partial = (np.zeros(64, np.float32) for _ in range(2))
    given = [sm.array(numbers.reshape(-1), device="cpu") for numbers in (p, t)]
    for out, threads in ((full, 64), (partial, 5)):
        made = sm.zeros(64, device="cpu")
        cross_entropy(*given, made, groups=1, threads=threads)
        out[:] = np.asarray(made)
    np.testing.assert_array_equal(full[:5].view(np.uint32), partial[:5].view(np.uint32))


def waves(value):
    return math.sin(value) + math.cos(value * 0.5)


@sm.kernel
def waves_of_rows(x, out) -> None:
    lane = sm.thread_index_in_threadgroup()
    total = 0.0
    for start in range(0, x.shape[0], 32 * MANY):
        for u in sm.static_range(MANY):
            total += waves(x[start + 32 * u + lane])
    out[lane] = sm.simd_sum(total)


@sm.kernel
def sines_and_cosines(x, out) -> None:
    i = sm.thread_position_in_grid().x
    out[i] = math.sin(x[i]) + math.cos(x[i])


def bodies(text: str, name: str) -> list[str]:
    """The first lines of the functions that are left of one."""
    return re.findall(rf"^define .*@{name}\.\w+\(.*$", text, re.MULTILINE)


def test_copies_count_with_what_they_call() -> None:
    """A short function that calls long ones is no short one: where it is called often, it stands
    once, and so do those, in it.
    """
    x = sm.zeros(1024, device="cpu")
    optimised = jit.optimised_text(str(sm.code(waves_of_rows, x, x)))
    assert len(bodies(optimised, "waves")) == 1
    assert len(re.findall(r"call .* @waves\.", optimised)) >= MANY
    assert bodies(optimised, "sin_") == bodies(optimised, "cos_") == []


def test_what_few_arguments_need_is_called() -> None:
    """The reduction of far arguments: one body for sine and cosine, of half a register's threads,
    and no copy of it beside what all arguments need.
    """
    x = sm.zeros(1024, device="cpu")
    optimised = jit.optimised_text(str(sm.code(sines_and_cosines, x, x)))
    (far,) = bodies(optimised, "far_sine")
    lanes = int(re.search(r"<(\d+) x float>", far).group(1))
    assert lanes == jit.vector_unit().lanes // 2
    assert bodies(optimised, "sin_") == bodies(optimised, "cos_") == []


def test_parts_of_vectors_are_computed_in_their_order() -> None:
    """Far arguments in some of 64 neighbouring threads, and not in others, and in the last few."""
    rng = np.random.default_rng(5)
    given = rng.uniform(-10, 10, 77).astype(np.float32)
    given[::3] *= np.float32(1e9)
    given[40] = np.inf
    out = sm.zeros(77, device="cpu")
    sines_and_cosines(sm.array(given, device="cpu"), out, grid=77)
    with np.errstate(invalid="ignore"):
        expected = np.sin(given.astype(np.float64)) + np.cos(given.astype(np.float64))
    np.testing.assert_allclose(np.asarray(out), expected, rtol=0, atol=3e-7)

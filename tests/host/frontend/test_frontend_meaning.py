"""Functions that give the same numbers compiled and in Python, whatever their control flow."""

# ruff: noqa: PLW2901, RUF021, PLC3002
# The functions here use Python's features as users may write them.

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.frontend import fixpoint
from speedmetal.frontend.infer import infer_kernel
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.signature_text import parse_signature
from tiers import examples


class Pair(NamedTuple):
    low: int
    high: int

    def width(self):
        return self.high - self.low


def nested_returns(x, y):
    for i in range(4):
        for j in range(x % 5):
            if i * j == y:
                return 100 * i + j
            if j > 3:
                break
        else_value = x - i
        if else_value == 0:
            return -1
    return y


def break_and_continue(x, y):
    total = 0
    for i in range(10):
        if i == x:
            continue
        k = 0
        while True:
            k += 1
            if k > i:
                break
            if k % 3 == y % 3:
                continue
            total += k
        if total > 50:
            break
    return total


def unrolled_with_exits(x, y):
    total = 0
    for i in sm.static_range(5):
        for j in (1, 2, 3):
            if x == i:
                break
            if (x + j) % 2:
                continue
            total += i * j + y
            if total > 40:
                return total
        if y == i:
            continue
        total -= 1
    return total


def loop_variable_afterwards(x, y):
    i = 7
    for i in range(x % 4):
        if i == y:
            break
    for j in range(3):
        i += j
        j = y
    return i * 10 + j


def negative_and_dynamic_steps(x, y):
    total = 0
    for i in range(5, -5, -2):
        total = total * 3 + i
    step = 1 + y % 3
    for i in range(x, x + 7, step):
        total += i
    for i in reversed(range(y % 6)):
        total = total * 2 - i
    return total % 1009


def swaps_and_tuples(x, y):
    a, b = x, y
    for _ in range(3):
        a, b = b, a + b
    t = (a, b, x)
    t = (t[1], t[2], t[0])
    pair = Pair(min(t), max(t))
    if x > y:
        pair = pair._replace(low=y)
    low, high = pair
    return pair.width() * 3 + low - high + t[x % 3]


def short_circuits(x, y):
    hits = 0

    def note(value):
        return value

    if x > 0 and note(y) > 2 or x < -3:
        hits += 1
    if not (x == 1 or y == 1) and -5 < x <= y < 5 != x:
        hits += 10
    hits += 100 if x in (1, 2, 3) else (200 if y not in (0, 1) else 300)
    hits += (x and y) + (x or y)
    return hits


def python_integers(x, y):
    d = y if y != 0 else 3
    q, r = divmod(x, d)
    return x // d * 7 + x % d + q - r + (x >> 1) + (x << 2) + (x & y) + (x | 5) + (x ^ y) + ~x


def closures(x, y):
    offset = y

    def shifted(v, by=2):
        if v < 0:
            return -v
        return v + offset * by

    offset = x
    return shifted(x) + shifted(y, by=1) + (lambda v: v * offset)(3)


def walrus(x, y):
    if (d := x - y) > 2:
        return d
    n = 0
    while (n := n + 1) < y:
        pass
    return n + d


def conditions_that_change_types_of_names(x, y):
    a = 0
    b = 1
    while a < 5:
        a, b = b, a + b
        if b == x:
            return b
    return a + y


FUNCTIONS = (
    nested_returns,
    break_and_continue,
    unrolled_with_exits,
    loop_variable_afterwards,
    negative_and_dynamic_steps,
    swaps_and_tuples,
    short_circuits,
    python_integers,
    closures,
    walrus,
    conditions_that_change_types_of_names,
)


def invoked(out, xs, ys, f):
    i = sm.thread_position_in_grid().x
    out[i] = f(xs[i], ys[i])


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("debug", [0, 1])
def test_same_as_python(function, debug):
    # At level 1, divisions assert: what divides is inlined instead of called.
    grid = [(x, y) for x in range(-4, 8) for y in range(-3, 7)]
    xs, ys = (np.array(column, np.int32) for column in zip(*grid, strict=True))
    out = np.zeros(len(grid), np.int32)
    sm.kernel(invoked)(out, xs, ys, function, grid=len(grid), debug=debug)
    assert out.tolist() == [function(x, y) for x, y in grid]


def early_return_with_effects(a, x):
    if x > 0:
        a[0] += 1
        if x > 2:
            return 7
        for k in range(x):
            a[1] += k
            if k == 1:
                return 8
    a[2] = x
    return 9


def calls_with_effects(a, results):
    for x in range(-1, 5):
        results[x + 1] = early_return_with_effects(a, x) + a[0]


def test_inlined_effects_happen_once_and_in_order():
    a, results = np.zeros(3, np.int32), np.zeros(6, np.int32)
    sm.kernel(calls_with_effects)(a, results, grid=1)
    expected_a, expected = [0, 0, 0], [0] * 6
    calls_with_effects(expected_a, expected)
    assert (a.tolist(), results.tolist()) == (expected_a, expected)


def floats(out, xs):
    i = sm.thread_position_in_grid().x
    x = xs[i]
    out[i, 0] = math.floor(x) + math.ceil(x) * 10 + math.trunc(x) * 100
    out[i, 1] = round(x)
    out[i, 2] = x % 3
    out[i, 3] = x // 0.75
    out[i, 4] = x % -3
    out[i, 5] = abs(x) + int(x)


@pytest.mark.tier("default")
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8))
@settings(max_examples=examples(20))
def test_floats_follow_python(values):
    xs = np.array(values, np.float32)
    out = np.zeros((len(values), 6), np.float32)
    sm.kernel(floats)(out, xs, grid=len(values))
    for x, row in zip(xs.astype(float), out, strict=True):
        expected = (
            math.floor(x) + math.ceil(x) * 10 + math.trunc(x) * 100,
            round(x),
            np.float32(x) % np.float32(3),
            np.float32(x) // np.float32(0.75),
            np.float32(x) % np.float32(-3),
            np.float32(abs(x) + int(x)),
        )
        assert row.tolist() == [np.float32(value) for value in expected]


def complex_arithmetic(out, z, w):
    i = sm.thread_position_in_grid().x
    out[i, 0] = z[i] + w[i]
    out[i, 1] = z[i] * w[i]
    out[i, 2] = z[i] / w[i]
    out[i, 3] = (2 - z[i]) * 1j + z[i] ** 2 - w[i].conjugate() / 2
    out[i, 4] = abs(z[i])


def test_complex_numbers_follow_numpy():
    rng = np.random.default_rng(1)
    z, w = (rng.normal(size=(2, 64)) + 1j * rng.normal(size=(2, 64))).astype(np.complex64)
    w[0], w[1] = 1e-30j, 1e30
    out = np.zeros((64, 5), np.complex64)
    sm.kernel(complex_arithmetic)(out, z, w, grid=64)
    exact_z, exact_w = z.astype(complex), w.astype(complex)
    expected = (
        exact_z + exact_w,
        exact_z * exact_w,
        exact_z / exact_w,
        (2 - exact_z) * 1j + exact_z**2 - exact_w.conjugate() / 2,
        abs(exact_z),
    )
    for column, value in enumerate(expected):
        np.testing.assert_allclose(out[:, column], value, rtol=2e-6)


def accumulates(a, n):
    total = 0.0
    count = 0
    for k in range(n):
        total += a[k]
        if a[k] > 0:
            count += 1
    a[0] = total / count


def test_types_settle_in_two_runs(monkeypatch):
    runs = []

    class Counted(AbstractInterpreter):
        def __init__(self, unit):
            super().__init__(unit)
            runs.append(unit.name)

    monkeypatch.setattr(fixpoint, "AbstractInterpreter", Counted)
    infer_kernel(accumulates, parse_signature("f32[:] i32"))
    assert len(runs) == 2


def widens(a):
    x0 = 0
    x1 = 0
    x2 = 0
    x3 = 0
    for _ in range(3):
        x3 = x2
        x2 = x1
        x1 = x0
        x0 = a[0]
    a[0] = x3


def test_chains_of_names_settle():
    made = infer_kernel(widens, parse_signature("f64[:]")).kernel
    assert {v.variable.type.name for v in made.body if hasattr(v, "variable")} == {"float64"}


def write_deep_module(path):
    """A sum of 1,500 terms and an ``elif`` chain of 200 branches."""
    terms = " + ".join(f"a[{k}]" for k in range(1500))
    branches = "".join(f"    elif a[0] == {k}:\n        a[1] = {k}\n" for k in range(200))
    path.write_text(
        f"def deep(a):\n    a[0] = {terms}\n    if a[0] < 0:\n        a[1] = 0\n{branches}"
    )


def test_long_chains_need_no_deep_stack(tmp_path):
    path = tmp_path / "deep.py"
    write_deep_module(path)
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102 - a module of its own
    limit = sys.getrecursionlimit()
    made = infer_kernel(names["deep"], parse_signature("f32[:]")).kernel
    assert len(made.body) > 20
    assert sys.getrecursionlimit() == limit

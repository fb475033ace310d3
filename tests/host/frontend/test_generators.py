"""Generators, stars and ordered tuples mean what they mean in Python, which runs them as well."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_reference import Pair, cases, check

import speedmetal as sm
from tiers import examples

# ruff: noqa: B905, C419, FURB192, PLC3002, PLR0124
# The functions are written as people write them, not as linters want it.


def sums_over_running_ranges(a, n, z, b):
    count = n[0] % 8
    a[0] = sum(a[k] * a[7 - k] for k in range(count))
    a[1] = sum((a[k] for k in range(count, 0, -2)), a[2])
    n[1] = sum(k for k in range(n[2]))
    n[2] = sum(k * j for k in range(count) for j in range(k) if (k + j) % 3)


def sums_over_tuples(a, n, z, b):
    weights = (0.25, 0.5, 0.25)
    a[0] = sum(w * a[k] for k, w in enumerate(weights))
    a[1] = sum(x * y for x, y in zip((a[2], a[3], 2), (1, a[4], 0.5)))
    a[2] = sum(x for x in reversed((a[5], a[6], a[7])) if x > 0.0)
    n[0] = sum(k for k in sm.static_range(1, 9, 3))
    n[1] = sum(x in (1, 3, 5) for x in (n[2], n[3], 3))
    a[3] = sum([a[k] for k in range(4)])
    n[2] = sum(())


def items_keep_their_own_types(a, n, z, b):
    doubled = tuple(2 * x for x in (n[0], a[0], 1.5, 7))
    n[1] = doubled[0] // 3 + doubled[3]
    a[1] = doubled[1] + doubled[2]


def sums_of_sums(a, n, z, b):
    a[0] = sum(sum(a[j] * (k + 1) for j in range(k)) for k in range(5))
    a[1] = sum(max(a[k], *tuple(a[j] for j in (0, 1))) for k in range(3)) if n[0] < 0 else a[1]


def products(a, n, z, b):
    a[0] = math.prod(a[k] for k in range(3))
    n[0] = math.prod((2, n[1], 3)) + math.prod(())
    n[1] = math.prod((k + 1 for k in range(n[2] % 5)), start=2)


def any_and_all(a, n, z, b):
    count = n[0] % 8
    b[0] = any(a[k] > 2.0 for k in range(count))
    b[1] = all(a[k] > -2.0 for k in range(count))
    b[2] = any(x == n[1] for x in (n[2], n[3], n[4]))
    b[3] = all([x < 9 for x in (n[5], n[6])]) or not any(b[k] for k in range(2))
    n[0] = any(n[i] == n[j] for i in range(8) for j in range(i))
    n[1] = all(k > 0 for k in (3, 2, 1)) + 2 * any(k > 3 for k in (3, 2, 1))


def any_stops_at_the_first(a, n, z, b):
    count = n[0] % 9
    b[0] = any(k < count and a[k] > 1.0 for k in range(8))
    b[1] = all(k >= count or n[k] != 5 for k in range(12) if k < 8)
    if any(a[k] > 3.0 for k in range(8)) and all(n[k] < 11 for k in range(8)):
        b[2] = not b[2]


def touched(n, k):
    n[k] += 100
    return n[k] > 104


def effects_stop_with_a_generator(a, n, z, b):
    b[0] = any(touched(n, k) for k in range(4))


def effects_go_on_in_a_list(a, n, z, b):
    b[0] = any([touched(n, k) for k in range(4)])
    b[1] = all([touched(n, 4 + k) for k in (0, 1, 2)])


def least_and_greatest(a, n, z, b):
    count = n[0] % 8
    a[0] = min((a[k] for k in range(count)), default=math.inf)
    a[1] = max((a[k] for k in range(count) if a[k] > 0.0), default=-1.0)
    a[2] = max(abs(a[k]) for k in range(3, 8))
    n[1] = min(n[k] for k in sm.static_range(8))
    n[2] = max((n[k] % 5 for k in range(count)), default=n[3])
    a[3] = min([a[k] * (k + 1) for k in range(4)])
    n[4] = max(2 * k for k in (3, 5, 1))
    a[5] = min((), default=a[6]) + max((a[0], a[1]), default=3.0)
    n[5] = max(k * j for k in range(1, 4) for j in range(3, 6))


def places_of_extremes(a, n, z, b):
    best, place = max((a[k], k) for k in range(8))
    a[0] = best
    n[0] = place
    least = min(((n[k], -k) for k in range(n[1] % 8)), default=(99, 1))
    n[1] = least[0]
    n[2] = least[1]
    n[3] = min((3, n[4]), (3, n[5]), (2, 50))[1]


def ranges_are_generators(a, n, z, b):
    count = n[0] % 8
    n[1] = sum(range(count)) + 3 * sum(range(5)) + sum(range(10, count, -3), n[2])
    n[2] = max(range(n[3]), default=-2) * 10 + min(range(3, 9))
    n[4] = sum(range(5000)) + math.prod(range(1, 5)) + len(range(4)) + len(range(9, 1, -2))
    b[0] = any(range(count)) and all(range(1, 4)) and not all(range(count))
    x, y, *rest = range(2, 6)
    n[5] = x * y + of_many(*range(3), *rest) + len(tuple(range(7)))
    a[0] = sum(a[k] * w + i for i, (k, w) in enumerate(zip(range(1, 4), (0.5, 1, 2))))
    a[1] = sum(a[k] * j for k, j in zip(range(3), reversed(range(3))))


def keys_order_items(a, n, z, b):
    n[0] = max(range(8), key=lambda k: a[k])
    n[1] = min(range(n[2] % 8), key=lambda k: n[k], default=-1)
    a[0] = min(a[1], a[2], a[3], key=abs)
    a[1] = max((a[4], a[5]), key=lambda x: -x * x)
    n[2] = max((k * 3 % 7 for k in range(n[3])), key=lambda k: k % 4, default=n[4] + 50)
    x, y = min(((a[k], n[k]) for k in range(3, 8)), key=lambda pair: pair[1] % 3)
    a[2] = x + y
    n[3] = max((3, 1, 2), key=lambda k: -k) + min((), key=abs, default=4)


def tuples_are_collected(a, n, z, b):
    row = tuple(a[k] for k in range(4))
    a[0], a[1] = row[3], row[2]
    again = tuple(x * y for x in row for y in (1, 2) if y > 1)
    a[2] = again[1] + len(again)
    n[0] = len(tuple(k for k in range(10) if k % 3 == 0)) + len(tuple())
    n[1], n[2] = tuple(n[k + 1] for k in sm.static_range(2))


def items_are_those_of_their_turn(a, n, z, b):
    flags = tuple(touched(n, k % 2) + n[0] for k in range(4))
    n[4], n[5], n[6], n[7] = flags


def names_of_generators_are_their_own(a, n, z, b):
    k = n[0]
    x = (n[1], n[2])
    n[3] = sum(x for x in x) + sum(k * 2 for k in range(3)) + k
    i = 3
    scale = a[0]
    a[1] = sum((lambda y: y * scale + i)(a[i]) for i in range(2)) + i
    for j in range(3):
        n[4 + j] = sum(j * k for k in range(j + 1))


def of_many(*values):
    return sum(value * value for value in values) + min(*values)


def stars(a, n, z, b):
    first, *rest = (n[0], n[1], n[2])
    *front, last = (*rest, first)
    head, *middle, (x, *y), tail = (1, 2, 3, (n[3], n[4], 5), 6)
    n[5] = first + len(rest) * last + front[0] + sum(middle) * head + tail + x + sum(y)
    n[6] = of_many(*front, last, *y)
    n[0], *_ = (n[7],)
    for k, *weights in ((0, 1, 2), (1, 3), (2,)):
        n[k] += sum(weights)
    place = (1,)
    a[*place] = a[*place] + min(*rest, *front)


def order_of_tuples(a, n, z, b):
    p, q = (n[0] % 2, n[1] % 3, a[0]), (n[2] % 2, n[3] % 3, a[1])
    n[0] = (p < q) + 2 * (p <= q) + 4 * (p > q) + 8 * (p >= q)
    n[1] = (p[:2] < q) + 2 * (p[:2] <= q[:1]) + 4 * (p > p) + 8 * (p >= p) + 16 * ((1, 2) < (1, 3))
    n[2] = (Pair(n[3], n[4]) <= (n[3], n[5])) + 2 * (((n[6], 1), 2) < ((n[7], 1), 3))


def orders_with_nan(a, n, z, b):
    # Each NaN is an object of its own: Python's tuples take one object for equal to itself.
    one, other = math.nan * a[0], math.nan * a[1]
    n[0] = ((one, 1) < (other, 2)) + 2 * ((1, one) <= (1, other)) + 4 * ((one, 1) >= (a[1], 1))


def sorted_tuples(a, n, z, b):
    a[0], a[1], a[2] = sorted((a[0], a[1], a[2]))
    n[0] = sorted((3, n[0], 1), reverse=True)[1] + sorted((5, 2, 7))[1]
    n[1], n[2], n[3], n[4] = sorted(n[k] for k in range(1, 5))
    a[4] = sorted((abs(x), x) for x in (a[5], a[6], a[7]))[0][1]


def functions_take_turns(a, n, z, b):
    now, after = math.floor, math.ceil
    for k in range(4):
        n[k] = now(a[k])
        if k == 2:
            continue
        now, after = after, now


def members_of_ranges(a, n, z, b):
    n[0] = (n[1] in range(3, n[2])) + 2 * (n[3] not in range(12)) + 4 * (3 in range(n[4]))
    n[1] = (n[5] in range(11, 1, -3)) + 2 * (n[6] in range(1, 12, 4)) + 4 * (5 in range(3))
    n[2] = (a[0] in range(-3, 6)) + 2 * (2.0 in range(5)) + 4 * (n[7] in range(10, 0, -1))


@cases(globals())
def test_python_gives_the_same(function, debug):
    check(function, debug)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=5))
def test_constants_are_ordered_and_reduced_while_compiling(pairs):
    """What is known while compiling stays known: each result chooses the code."""
    rows = tuple(pairs)

    def kernel(out):
        assert sorted(rows) == wanted, "sorted"
        size = sum(x * y for x, y in rows) + 1
        own = sm.thread_array(size, sm.float32)
        out[0] = own.size
        out[1] = max(x for x, _ in rows) + 10 * min(y for _, y in rows)
        out[2] = (rows[0] < rows[1]) + 2 * any(x > y for x, y in rows)

    wanted = tuple(sorted(rows))
    out = np.zeros(3, np.int32)
    sm.kernel(kernel)(out, grid=1, debug=1)
    size = sum(x * y for x, y in rows) + 1
    extremes = max(x for x, _ in rows) + 10 * min(y for _, y in rows)
    assert [*out] == [size, extremes, (rows[0] < rows[1]) + 2 * any(x > y for x, y in rows)]
    text = sm.code(sm.kernel(kernel), "i32[:]", stage="ir")
    assert "if" not in text
    assert "for" not in text


def test_a_sum_is_the_loop_that_it_stands_for():
    """The same statements, so that the rules for names decide about its type as well."""

    def written_out(a, out, n):
        total = 0
        for k in range(n):
            total += a[k]
        out[0] = total

    def generated(a, out, n):
        total = sum(a[k] for k in range(n))
        out[0] = total

    for dtype in ("f16", "f32", "i8", "i64", "u32", "bool"):
        types = f"{dtype}[:] {'f32' if dtype.startswith('f') else 'i64'}[:] i32"
        loop, sum_ = (
            sm.code(sm.kernel(kernel), types, stage="ir") for kernel in (written_out, generated)
        )
        variables = [line.split(" = ")[0].split(": ")[1] for line in sum_.splitlines()[1:2]]
        assert f"total: {variables[0]} = " in loop
        shared = [line.strip().replace("sum", "total") for line in sum_.splitlines()]
        assert all(line.strip() in shared for line in loop.splitlines()[1:-1])


def test_a_generator_reads_the_loop_around_it():
    """The counter of a loop that a generator reads stays the loop's own, no variable."""

    def kernel(a, n):
        for k in range(n):
            a[k] = sum(a[j] for j in range(k))

    text = sm.code(sm.kernel(kernel), "f32[:] i32", stage="ir")
    assert "counter" not in text


@pytest.mark.parametrize("count", [0, 1, 5])
def test_generators_compile_in_functions_of_scalars(count):
    """Such a function stays a function: no array is touched."""

    def harmonic(n):
        return sum(1.0 / (k + 1) for k in range(n))

    def kernel(n, out):
        out[0] = harmonic(n)

    out = np.zeros(1, np.float32)
    sm.kernel(kernel)(count, out, grid=1)
    assert out[0] == pytest.approx(sum(1 / (k + 1) for k in range(count)), rel=1e-6)
    assert "harmonic(" in sm.code(sm.kernel(kernel), "i32 f32[:]", stage="ir")

# ruff: noqa: B007, PLR0133 - kernels that do what nobody should, to see what it means
"""Control flow, functions and values that are no numbers mean what they mean in Python.

A function is run as a kernel, and as itself by Python, on the same integers.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import pytest
from elementwise_kernels import elementwise

import speedmetal as sm
from speedmetal import dtypes

VALUES = np.array([*range(-20, 45), 100, 1000, -1000, 4095], np.int32)


def classify(x):
    if x < -5:
        return -1
    elif x < 0:
        return 1
    elif x == 0:
        return 2
    else:
        y = x * 2
    if y > 50:
        return y
    return y + 1


def nested_breaks(x):
    total = 0
    for i in range(x % 7):
        for j in range(5):
            if (i + j) % 4 == 3:
                break
            if j == x % 3:
                continue
            total += i * 10 + j
        else_value = total
        if total > 60:
            break
        total = else_value + 1
    return total


def collatz(x):
    n = abs(x) % 50 + 1
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def early_return_in_loops(x):
    for i in range(10):
        k = 0
        while True:
            k += 1
            if k * i > x:
                return i * 100 + k
            if k > 6:
                break
        if i == 7 and x % 2:
            return -i
    return -1


def negative_steps(x):
    total = 0
    for i in range(x % 9, -3, -2):
        total = total * 3 + i
    for i in range(5, 5):
        total += 1000
    return total % 9973


def dynamic_steps(x):
    total = 0
    for i in range(x % 5 - 2, 12, x % 3 + 1):
        total += i * i
    for i in range(12, x % 5 - 2, -(x % 3 + 1)):
        total -= i
    return total


def after_the_loop(x):
    i = -7
    for i in range(x % 4):
        pass
    return i


def assigned_in_its_loop(x):
    total = 0
    for i in range(4):
        total += i
        i = 100 + x % 3  # noqa: PLW2901 - the next turn gets the next number
        total += i
    return total


def static_loop(x):
    total = 0
    for k in sm.static_range(4):
        if k == 2:
            continue
        if x == k:
            break
        total = total * 5 + k + x % 3
    return total


def over_tuples(x):
    total = x
    for weight in (1, 5, 7):
        total = total * weight - weight
    for k, (a, b) in enumerate(((1, 2), (3, 4))):
        total += a * k + b
    for a, b in zip((1, 2), (x, 3), strict=True):
        total += a * b
    for a in reversed((1, 2, 3)):
        total = total * 2 + a
    return total % 10007


def chains(x):
    first = 0 < x < 10
    second = -5 <= x <= 5 != 3
    third = x == x % 7 == x % 11
    return first + second * 2 + third * 4


def lazy(x):
    a = x and 100 // (abs(x) + 1)
    b = x or 5
    c = (x > 3 and x < 20) or not x
    return a * 1000 + b + int(c)


def conditional(x):
    return (1 if x > 10 else 2 if x > 0 else 3) * (x if x % 2 else -x)


def walrus(x):
    total = 0
    while (rest := x % 5 - total) > 0:
        total += 1
    return total * 10 + rest


def augmented(x):
    y = abs(x) % 100
    y += 3
    y *= 2
    y -= x % 3
    y //= 3
    y <<= 2
    y |= 1
    y ^= 12
    y &= 0xFF
    y >>= 1
    y %= 51
    y **= 2
    return y


def member(x):
    return int(x in (1, 5, 7)) + 2 * int(x not in (3, 4, 5))


def truths(x):
    flags = (x > 0, x % 2 == 0, x > 10)
    return all(flags) * 4 + any(flags) * 2 + (not flags[1]) + sum(flags) * 8


def generators(x):
    count = abs(x) % 7
    total = sum(k * k - x for k in range(count) if k != 2)
    pairs = sum(i * j for i in range(count) for j in (1, x % 3))
    least = min((abs(k - x % 5) for k in range(1, count)), default=99)
    place = max(((k * x) % 11, k) for k in range(6))[1]
    hits = any(k * k == abs(x) for k in range(count)) + 2 * all(k < 5 for k in range(count))
    row = tuple(x % (k + 2) for k in range(3))
    return total + 31 * pairs + 7 * least + 1000 * place + 100 * hits + row[0] * row[2]


def orders(x):
    pair = (x % 3, x % 7)
    first, *rest = sorted((pair, (1, 2), (1, x % 4)))
    between = ((0, 5) <= pair < (2,)) + 2 * (pair > (1,)) + 4 * (x in range(-9, 40, 7))
    return between + 8 * first[0] + 100 * rest[0][1] + 1000 * rest[-1][0]


def extremes(x):
    return min(x, 5, 7) * 1000 + max(x, -3) + abs(min(0, x))


def swap(x):
    a, b, c = x, x + 1, x + 2
    a, b, c = c, a, b
    (a, b), c = (b, a), c + 1
    return a * 100 + b * 10 + c


def tuple_values(x):
    pair = (x, x * 2)
    longer = pair + (3,) * 2
    part = longer[1:3]
    last = longer[-1]
    equal = pair == (x, 2 * x)
    dynamic = longer[abs(x) % 4]
    return part[0] + part[1] * 3 + last + equal * 7 + len(longer) + dynamic


class Point(NamedTuple):
    """A named tuple with a method."""

    x: int
    y: int

    def dot(self, other):
        return self.x * other.x + self.y * other.y


@dataclasses.dataclass(frozen=True)
class Box:
    """A frozen dataclass that holds a record."""

    low: Point
    width: int = 4

    @property
    def high(self):
        return Point(self.low.x + self.width, self.low.y + self.width)

    def grown(self, by):
        return dataclasses.replace(self, width=self.width + by)


def records(x):
    point = Point(x, y=x + 1)
    box = Box(point)
    if x % 2 == 0:
        box = box.grown(x)
    a, b = box.high
    return a * 3 + b + point.dot(Point(1, 2)) + box.width


def factorial_like(n):
    result = 1
    for k in range(2, n + 1):
        result = result * k % 10007
    return result


def calls(x):
    return factorial_like(abs(x) % 8) + factorial_like(n=5)


def apply_twice(function, x):
    return function(function(x))


def functions_as_values(x):
    def add_x(y):
        return x + y

    operations = (add_x, lambda y: y * 3, abs)
    total = 0
    for operation in operations:
        total += apply_twice(operation, x % 13)
    return total


def default_values(x, scale=3, *, offset=1):
    return x * scale + offset


def with_defaults(x):
    return default_values(x) + default_values(x, 2) * 7 + default_values(x, offset=x) * 5


def of_many(*values):
    total = 0
    for value in values:
        total = total * 3 + value
    return total


def variable_arguments(x):
    pair = (x % 5, 2)
    return of_many(x % 7) + of_many(1, x % 3, 4) + of_many(*pair, 1)


def returns_pairs(x):
    if x > 5:
        return x, True
    return x + 1, False


def unpacked_results(x):
    value, flag = returns_pairs(x)
    return value * 2 + flag


def reassigned_across_branches(x):
    a = 1
    b = 2
    if x > 3:
        a = b + x
        if x > 10:
            b = a
    else:
        b, a = a, b
    while a < 40:
        a += b + 1
        if a % 5 == 0:
            b += 1
    return a * 100 + b


def endless_with_several_exits(x):
    k = x % 11
    while True:
        k += 3
        if k % 7 == 0:
            break
        if k % 5 == 0:
            return k
        if k > 40:
            k -= 39
            continue
        k += 1
    return -k


def loops_share_a_name(x):
    operations = (abs, lambda y: y * 3, factorial_like)
    total = 0
    for k in sm.static_range(3):
        if x % 5 == k:
            continue
        total = total * 5 + operations[k](x % 7)
        if x % 11 == k:
            break
        if x % 4 == k:
            k = x % 6  # noqa: PLW2901
        for k in range(k, x % 4):  # noqa: PLW2901, B020 - they may share it
            total += k
        total -= k
    for k in range(x % 3):
        total += k
    return total * 10 + k


def unrolled_loops_over_a_variable(x):
    operations = (abs, lambda y: y * 3, factorial_like, abs)
    k = x % 3
    total = k
    for k in sm.static_range(4):
        total = total * 3 + operations[k](x % 7)
        if x % 5 == k:
            break
        while k < x % 6:
            total += k
            k += 2  # noqa: PLW2901
    return total % 10007 * 10 + k


def inner_loops_have_the_name_of_outer_ones(x):
    total = 0
    for k in range(x % 5):
        for k in range(x % 3):  # noqa: PLW2901
            total += k
        total = total * 2 + k
    return total


FUNCTIONS = (
    classify, nested_breaks, collatz, early_return_in_loops, negative_steps, dynamic_steps,
    after_the_loop, assigned_in_its_loop, static_loop, over_tuples, chains, lazy, conditional,
    walrus, augmented, member, truths, generators, orders, extremes, swap, tuple_values, records,
    calls, functions_as_values, with_defaults, variable_arguments, unpacked_results,
    reassigned_across_branches, endless_with_several_exits, loops_share_a_name,
    unrolled_loops_over_a_variable, inner_loops_have_the_name_of_outer_ones,
)  # fmt: skip


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_is_what_it_is_in_python(launch, function, level):
    wanted = [int(function(int(x))) for x in VALUES]
    found = np.zeros(VALUES.size, np.int32)
    launch(elementwise(function, 1), VALUES, found, grid=VALUES.size, debug=level)
    assert found.tolist() == wanted


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_of_a_uniform_value_is_what_it_is_in_python(launch, function):
    @sm.kernel
    def uniform(x, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(x)

    for value in (-3, 0, 7, 26):
        found = np.zeros(3, np.int32)
        launch(uniform, value, found, grid=3)
        assert found.tolist() == [function(value)] * 3


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_between_effects_is_inlined_rightly(launch, function):
    """A function that writes to an array cannot be a function of the target."""

    def with_effect(x, seen, place):
        result = function(x)
        seen[place] += 1
        if result % 2:
            return result
        seen[place] += 1
        return result

    @sm.kernel
    def inlined(a, seen, out):
        i = sm.thread_position_in_grid().x
        out[i] = with_effect(a[i], seen, i)

    wanted = np.array([int(function(int(x))) for x in VALUES])
    found, seen = np.zeros_like(VALUES), np.zeros_like(VALUES)
    launch(inlined, VALUES, seen, found, grid=VALUES.size)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(seen, 2 - wanted % 2)


def test_the_functions_tell_their_values_apart():
    """A function that gave one value for all would prove little."""
    for function in FUNCTIONS:
        assert len({int(function(int(x))) for x in VALUES}) > 2, function


# --- Short circuit ---------------------------------------------------------------------------


@sm.kernel
def guarded_reads(a, places, out):
    i = sm.thread_position_in_grid().x
    k = places[i]
    inside = 0 <= k < a.size and a[k] > 2
    value = a[k] if 0 <= k < a.size else -1
    outside = k < 0 or k >= a.size or a[k] == 0
    out[i] = value * 4 + inside * 2 + outside


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_is_not_needed_is_not_read(launch, level):
    a = np.array([0, 1, 2, 3, 4], np.int32)
    places = np.array([-5, -1, 0, 2, 4, 5, 1000000, -(2**31)], np.int32)
    found = np.zeros(places.size, np.int32)
    launch(guarded_reads, a, places, found, grid=places.size, debug=level)
    wanted = []
    for k in places:
        known = 0 <= k < a.size
        value = a[k] if known else -1
        wanted.append(value * 4 + (known and value > 2) * 2 + (not known or value == 0))
    assert found.tolist() == wanted


@sm.kernel
def guarded_division(a, b, out):
    i = sm.thread_position_in_grid().x
    out[i] = int(b[i] != 0 and a[i] // b[i] > 1) + (a[i] % b[i] if b[i] else 5) * 2


@pytest.mark.parametrize("level", [0, 1])
def test_a_division_that_is_not_needed_is_not_done(launch, level):
    a = np.array([5, 5, -7, 8], np.int32)
    b = np.array([0, 2, 0, 3], np.int32)
    found = np.zeros(4, np.int32)
    launch(guarded_division, a, b, found, grid=4, debug=level)
    assert found.tolist() == [10, 3, 10, 5]


def changing(a, k):
    a[k] = a[k] * 3 + 1
    return a[k] % 7


@sm.kernel
def order_of_evaluation(out):
    i = sm.thread_position_in_grid().x
    a = sm.thread_array((3,), sm.int32)
    for k in range(3):
        a[k] = i + k
    first = a[0] + changing(a, 0) * 2 + a[0] + changing(a, 0)
    second = (a[1], changing(a, 1), a[1])
    third = max(a[2], changing(a, 2), a[2])
    a[changing(a, 0) % 3] += a[0]
    fourth = (changing(a, 1) > 3 and changing(a, 1) > 2) or changing(a, 2) > 0
    x = a[0] < changing(a, 0) < changing(a, 1)
    out[i] = (first + second[0] * 3 + second[1] * 5 + second[2] + third) % 9973
    out[i] += a[0] % 11 + a[1] % 13 + a[2] % 17 + fourth + x


def ordered(i):
    a = [i, i + 1, i + 2]
    first = a[0] + changing(a, 0) * 2 + a[0] + changing(a, 0)
    second = (a[1], changing(a, 1), a[1])
    third = max(a[2], changing(a, 2), a[2])
    a[changing(a, 0) % 3] += a[0]
    fourth = (changing(a, 1) > 3 and changing(a, 1) > 2) or changing(a, 2) > 0
    x = a[0] < changing(a, 0) < changing(a, 1)
    result = (first + second[0] * 3 + second[1] * 5 + second[2] + third) % 9973
    return result + a[0] % 11 + a[1] % 13 + a[2] % 17 + fourth + x


def test_operands_are_evaluated_from_left_to_right(launch):
    found = np.zeros(40, np.int32)
    launch(order_of_evaluation, found, grid=40)
    assert found.tolist() == [ordered(i) for i in range(40)]


# --- Kernels ---------------------------------------------------------------------------------


@sm.kernel
def leaves_early(a, out):
    i = sm.thread_position_in_grid().x
    if a[i] < 0:
        return
    out[i] = 1
    for k in range(10):
        if k == a[i]:
            return
        out[i] += 1
    out[i] = -5


def test_a_thread_may_return_early(launch):
    a = np.array([-1, 0, 3, 20, 9, -7, 10], np.int32)
    found = np.zeros(a.size, np.int32)
    launch(leaves_early, a, found, grid=a.size)
    assert found.tolist() == [0, 1, 4, -5, 10, 0, -5]


SCALE = 3
OFFSETS = (1, 10, 100)


def test_closures_and_globals_are_constants(launch):
    inner = 7

    @sm.kernel
    def captured(out):
        i = sm.thread_position_in_grid().x
        out[i] = i * SCALE + OFFSETS[1] + inner + int(math.pi)

    found = np.zeros(3, np.int32)
    launch(captured, found, grid=3)
    assert found.tolist() == [20, 23, 26]


def test_a_kernel_is_specialised_on_types_and_static_arguments(launch):
    @sm.kernel
    def generic(function, dtype, mode, a, out):
        i = sm.thread_position_in_grid().x
        value = a[i].astype(dtype)
        if mode == "twice":
            value = function(value)
        if a.dtype == sm.float32:
            value += 1
        out[i] = function(value)

    for dtype, more in ((np.float32, 1), (np.int32, 0), (np.int64, 0)):
        a, found = np.arange(5).astype(dtype), np.zeros(5, np.int32)
        launch(generic, lambda x: x * 3, sm.int32, "twice", a, found, grid=5)
        assert found.tolist() == [(x * 3 + more) * 3 for x in range(5)]
        launch(generic, lambda x: x - 1, sm.int32, "once", a, found, grid=5)
        assert found.tolist() == [x + more - 1 for x in range(5)]


def test_aggregates_are_arguments(launch):
    @sm.kernel
    def aggregate(pair, box, nested, out):
        i = sm.thread_position_in_grid().x
        x, y = pair
        out[i] = x + y * 2 + box.high.x + nested[1][0][i] + nested[0]

    values = np.array([5, 6, 7], np.int32)
    found = np.zeros(3, np.int32)
    launch(aggregate, (1, 2), Box(Point(10, 20)), (100, (values,)), found, grid=3)
    assert found.tolist() == [124, 125, 126]


def test_annotations_fix_types(launch):
    @sm.kernel
    def annotated(a, out):
        i = sm.thread_position_in_grid().x
        total: sm.float64 = 0.0
        for k in range(3):
            total += a[i] / (k + 1)
        out[i] = total

    a, found = np.ones(2, np.float64), np.zeros(2, np.float64)
    launch(annotated, a, found, grid=2)
    assert found.tolist() == [1.0 + 0.5 + 1.0 / 3] * 2


# --- Complex numbers -------------------------------------------------------------------------


def square_and_more(z):
    w = z * z + (2 - 1j) * z - z.conjugate() / 2
    return w * 1j + z.real - z.imag * 2


def quotient(z):
    return (z + 1) / (z * 2 - 3j)


@sm.kernel
def rows_against_a_vector(a, x, product, nearest, lowest, found):
    """Of a row: times the vector, the place nearest to it, the least item, whether one is 3."""
    i = sm.thread_position_in_grid().x
    product[i] = sum(a[i, k] * x[k] for k in range(len(x)))
    nearest[i] = min((abs(a[i, k] - x[k]), k) for k in range(8))[1]
    lowest[i] = min((a[i, k] for k in range(len(x)) if x[k] > 0), default=math.inf)
    found[i] = any(a[i, k] == 3 for k in range(len(x)))


def test_generators_over_rows(launch):
    """What newcomers write first: matrix times vector, and questions about rows."""
    random = np.random.default_rng(5)
    a = random.integers(-4, 5, (37, 8)).astype(np.float32)
    x = random.integers(-3, 4, 8).astype(np.float32)
    product, lowest = np.zeros(37, np.float32), np.zeros(37, np.float32)
    nearest, found = np.zeros(37, np.int32), np.zeros(37, np.bool_)
    launch(rows_against_a_vector, a, x, product, nearest, lowest, found, grid=37)
    np.testing.assert_array_equal(product, a @ x)
    np.testing.assert_array_equal(nearest, np.argmin(abs(a - x), axis=1))
    np.testing.assert_array_equal(lowest, np.min(a[:, x > 0], axis=1))
    np.testing.assert_array_equal(found, np.any(a == 3, axis=1))


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=str)
@pytest.mark.parametrize("function", [square_and_more, quotient], ids=lambda f: f.__name__)
def test_complex_arithmetic(launch, function, dtype):
    random = np.random.default_rng(8)
    z = (random.normal(size=50) + 1j * random.normal(size=50)).astype(dtype.numpy)
    found = np.zeros_like(z)
    launch(elementwise(function, 1), z, found, grid=z.size)
    wanted = function(z.astype(np.clongdouble))
    error = 16 * np.finfo(dtype.numpy).eps
    np.testing.assert_allclose(found, wanted, rtol=error, atol=error)


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=str)
def test_magnitudes_and_comparisons_of_complex_numbers(launch, dtype):
    def facts(z):
        return abs(z) + 10 * (z == 3 + 4j) + 100 * (z != 0)

    z = np.array([0, 3 + 4j, 1j, -2], dtype.numpy)
    found = np.zeros(4, dtype.part.numpy)
    launch(elementwise(facts, 1), z, found, grid=4)
    assert found.tolist() == [0, 115, 101, 102]

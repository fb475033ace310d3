"""Functions of arrays that take functions, against Python's and NumPy's, on the CPU."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.exceptions import AxisError

import speedmetal as sm
from speedmetal.arrays.kernels import higher_order as kernels
from speedmetal.arrays.user_functions import repeated
from speedmetal.arrays.user_functions.folding import MANY_ROWS, PART, WHOLE
from speedmetal.arrays.user_functions.stencils import SMALL
from speedmetal.compiler import pipeline
from speedmetal.errors import CompileError, UserInputError
from strategies import axes_for, views
from tiers import examples

DTYPES = [np.dtype(name) for name in ("int32", "uint8", "int64", "float32")]
LENGTHS = [0, 1, 2, 3, 10, WHOLE, WHOLE + 1, 10**4, 2**14, 2**14 + 1, PART * WHOLE + 3]


@pytest.fixture
def compilations(monkeypatch):
    """The kernels that are compiled from now on, whatever other tests have compiled, by name."""
    for kernel in vars(kernels).values():
        if isinstance(kernel, sm.Kernel):
            kernel._launcher.compiled.clear()
            kernel._launcher.plans.clear()
    repeated._kept.clear()
    seen = []
    inner = pipeline.compile_for

    def compile_for(device, specialisation, options):
        seen.append(specialisation.source.name)
        return inner(device, specialisation, options)

    monkeypatch.setattr(pipeline, "compile_for", compile_for)
    return seen


def last_that_is_not_zero(a, b):
    """Associative, and not commutative."""
    return b if b != 0 else a


def then(p, q):
    """First one linear function, then another one: associative to the bit, and not commutative."""
    return p[0] * q[0], p[1] * q[0] + q[1]


def thinned(host):
    """Mostly zeros."""
    return host * (np.arange(host.size).reshape(host.shape) % 3 == 1).astype(host.dtype)


class Best(NamedTuple):
    value: float
    place: int


@dataclass(frozen=True)
class Moments:
    count: int
    mean: float
    squares: float


# --- map -----------------------------------------------------------------------------------------


@given(views(st.sampled_from(DTYPES), max_axes=3), st.sampled_from(DTYPES))
@settings(max_examples=examples(120), deadline=None)
def test_map_computes_what_operators_do(host, dtype):
    x, y = (
        sm.asarray(host),
        sm.asarray(np.asarray(host)[..., :1].astype(dtype) if host.ndim else dtype.type(3)),
    )
    found = sm.map(lambda a, b: 2 * a - b, x, y)
    expected = 2 * x - y
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_what_operands_are_computed_from_is_computed_in_the_kernel(compilations):
    x = sm.asarray(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    found = sm.map(lambda a, b: a * b, x + 1, (x.T * 2).T)
    np.testing.assert_array_equal(found.numpy(), (x.numpy() + 1) * x.numpy() * 2)
    assert compilations == ["map_elements"]


def test_map_of_more_arrays_than_a_kernel_takes():
    host = np.arange(5, dtype=np.int32)
    sums = [functools.reduce(operator.add, [sm.array(host) for _ in range(12)]) for _ in range(4)]
    found = sm.map(lambda a, b, c, d: a + b + c + d, *sums)
    np.testing.assert_array_equal(found.numpy(), 48 * host)


def test_numbers_beside_arrays_are_arguments(compilations):
    x = sm.array([1, 2, 3])
    for number in (2, 5):
        found = sm.map(lambda a, b: a * b, x, number)
        assert found.tolist() == [number, 2 * number, 3 * number]
    assert len(compilations) == 1
    assert sm.map(lambda a, b: a * b, x, 0.5).dtype == np.float32


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 4, 5)])
def test_shapes_of_maps(shape):
    host = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    found = sm.map(lambda a: (a, a > 3), sm.asarray(host))
    assert [part.shape for part in found] == [shape, shape]
    np.testing.assert_array_equal(found[0].numpy(), host)
    np.testing.assert_array_equal(found[1].numpy(), host > 3)


def test_results_lie_as_operands_do():
    x = sm.zeros((3, 4)).T
    assert sm.map(lambda a: a, x).strides == x.strides


def test_tuples_and_records_of_results():
    x = sm.array([1.0, -2.0])
    best = sm.map(lambda a: Best(abs(a), 7), x)
    assert isinstance(best, Best)
    assert best.value.tolist() == [1.0, 2.0]
    assert best.place.dtype == np.int32
    moments = sm.map(lambda a: Moments(1, a, 0.0), x)
    assert isinstance(moments, Moments)
    assert moments.mean.tolist() == [1.0, -2.0]
    (first, (second, third)) = sm.map(lambda a: (a, (a > 0, a * 1j)), x)
    assert first.tolist() == [1.0, -2.0]
    assert second.tolist() == [True, False]
    assert third.tolist() == [1j, -2j]


@pytest.mark.parametrize("dtype", [sm.float16, sm.bfloat16, sm.complex64, sm.float64, sm.bool_])
def test_dtypes_stay(dtype):
    x = sm.array([0, 1, 1]).astype(dtype)
    found = sm.map(lambda a: a, x)
    assert found.dtype == x.dtype
    assert found.tolist() == x.tolist()


# --- What functions close over -------------------------------------------------------------------


def test_a_number_that_changes_counts(compilations):
    x = sm.array([1.0, 2.0])
    factor = 2.0
    scale = lambda a: factor * a  # noqa: E731 - one function, whose number changes
    assert sm.map(scale, x).tolist() == [2.0, 4.0]
    factor = 3.0
    assert sm.map(scale, x).tolist() == [3.0, 6.0]
    assert len(compilations) == 2


def test_the_type_follows_what_a_function_closes_over():
    x = sm.array([1, 2])
    step = 1
    add = lambda a: a + step  # noqa: E731 - as above
    assert sm.map(add, x).dtype == np.int32
    step = 0.5
    assert sm.map(add, x).dtype == np.float32


def test_what_was_computed_does_not_follow():
    x = sm.array([1.0, 2.0])
    factor = 2.0
    found = sm.map(lambda a: factor * a, x)
    factor = 3.0
    assert found.tolist() == [2.0, 4.0]


def test_lambdas_that_mean_the_same_are_compiled_once(compilations):
    x = sm.array([1.0, 2.0])
    for _ in range(3):
        for factor in (5.0, 7.0):
            found = sm.map(lambda a: factor * a, x)  # noqa: B023 - called in its turn
            assert found.tolist() == [factor, 2 * factor]
    assert len(compilations) == 2


def times(number):
    """A function that closes over a variable of its own, and what sets that."""

    def function(a):
        return a * number

    def assign(value):
        nonlocal number
        number = value

    return function, assign


def test_zeros_of_both_signs_and_numbers_of_several_types_are_told_apart():
    x = sm.array([1], dtype=sm.int8)
    for number in (0.0, -0.0):
        found = sm.map(times(number)[0], x)
        assert math.copysign(1, found.tolist()[0]) == math.copysign(1, number)
    kinds = [sm.map(times(number)[0], x).dtype for number in (True, 1, 1.0, np.int64(1))]
    assert kinds == [np.int8, np.int8, np.float32, np.int64]


def test_a_function_that_changed_stands_for_no_other():
    x = sm.array([1.0])
    first, assign = times(11.0)
    assert sm.map(first, x).tolist() == [11.0]
    assign(13.0)
    assert sm.map(times(11.0)[0], x).tolist() == [11.0]
    assert sm.map(first, x).tolist() == [13.0]


def test_a_partials_numbers_are_arguments(compilations):
    x = sm.array([1.0, 2.0])
    for factor in (2.0, 3.0, 4.0):
        scale = functools.partial(operator.mul, factor)
        assert sm.map(scale, x).tolist() == [factor, 2 * factor]
        axpy = functools.partial(lambda a, b, c: a * b + c, c=factor)
        assert sm.map(axpy, x, x).tolist() == [1 + factor, 4 + factor]
    assert len(compilations) == 2


def test_partials_of_wide_arrays_are_wide():
    x = sm.array([1.0], dtype=sm.float64)
    third = functools.partial(lambda a, b: b, b=1 / 3)
    assert sm.map(third, x).tolist() == [1 / 3]


def test_functions_may_print(capfd):
    def shown(a):
        print("element", a)  # noqa: T201 - in the kernel language
        return a

    sm.eval(sm.map(shown, sm.array([4, 5])))
    assert capfd.readouterr().out == "element 4\nelement 5\n"


# --- reduce and mapreduce ------------------------------------------------------------------------


def rows_of(host, axes):
    """The elements along axes, as one last axis."""
    gone = range(host.ndim) if axes is None else np.atleast_1d(axes).astype(int) % host.ndim
    gone = sorted(gone)
    kept = [axis for axis in range(host.ndim) if axis not in gone]
    moved = host.transpose(*kept, *gone)
    count = math.prod(host.shape[axis] for axis in gone)
    return moved.reshape(*(host.shape[axis] for axis in kept), count), gone


@given(st.data(), views(st.sampled_from(DTYPES), max_axes=3), st.booleans())
@settings(max_examples=examples(200), deadline=None)
def test_reduce_is_functools(data, host, keepdims):
    host = thinned(host)
    axes = data.draw(axes_for(host.ndim))
    rows, gone = rows_of(host, axes) if axes != () else (host[..., None], [])
    found = sm.reduce(last_that_is_not_zero, sm.asarray(host), axes, init=2, keepdims=keepdims)
    expected = np.empty(rows.shape[:-1], host.dtype)
    for place in np.ndindex(expected.shape):
        expected[place] = functools.reduce(last_that_is_not_zero, rows[place], 2)
    if keepdims:
        expected = expected.reshape(
            [1 if axis in gone else extent for axis, extent in enumerate(host.shape)]
        )
    assert found.dtype == host.dtype
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("length", LENGTHS)
def test_long_reductions_keep_the_order(length):
    generator = np.random.default_rng(length)
    p, q = generator.integers(-9, 9, (2, length)).astype(np.int32) * 2 + 1
    if not length:
        with pytest.raises(UserInputError, match="no elements"):
            sm.reduce(then, (sm.asarray(p), sm.asarray(q)))
        return
    found = sm.reduce(then, (sm.asarray(p), sm.asarray(q)), init=(3, 1))
    assert tuple(part.tolist() for part in found) == composed(p, q, (3, 1))[-1]


def composed(p, q, start=None):
    """The compositions up to each step, in 32 bits."""
    steps = zip(p.tolist(), q.tolist(), strict=True)

    def wrapped(number):
        return (number + 2**31) % 2**32 - 2**31

    def compose(one, other):
        return tuple(map(wrapped, then(one, other)))

    return list(itertools.accumulate(steps, compose, initial=start))


@pytest.mark.parametrize("shape", [(MANY_ROWS, WHOLE + 5), (3, WHOLE + 5)])
def test_rows_and_columns_of_many_parts(shape):
    host = thinned(np.random.default_rng(0).integers(1, 100, shape).astype(np.int16))
    for turned in (host, host.T):
        for axis in (0, 1):
            found = sm.reduce(last_that_is_not_zero, sm.asarray(turned), axis).numpy()
            is_some = turned != 0
            last = turned.shape[axis] - 1 - np.flip(is_some, axis).argmax(axis)
            expected = np.take_along_axis(turned, np.expand_dims(last, axis), axis)
            np.testing.assert_array_equal(found, expected.squeeze(axis))


def test_the_greatest_and_its_place():
    host = np.random.default_rng(0).normal(size=(7, 5000)).astype(np.float32)

    def better(a, b):
        return a if a.value >= b.value else b

    found = sm.mapreduce(Best, better, sm.asarray(host), sm.arange(5000), axis=1)
    assert isinstance(found, Best)
    np.testing.assert_array_equal(found.value.numpy(), host.max(1))
    np.testing.assert_array_equal(found.place.numpy(), host.argmax(1))


def test_mean_and_variance_in_one_pass():
    host = np.random.default_rng(0).normal(3, 2, (10_007, 3)).astype(np.float32)

    def merged(a, b):
        count = a.count + b.count
        distance = b.mean - a.mean
        mean = a.mean + distance * (b.count / count)
        squares = a.squares + b.squares + distance**2 * (a.count * (b.count / count))
        return Moments(count, mean, squares)

    found = sm.mapreduce(lambda x: Moments(1, x, 0.0), merged, sm.asarray(host), axis=0)
    assert found.count.tolist() == [10_007] * 3
    np.testing.assert_allclose(found.mean.numpy(), host.mean(0, dtype=float), rtol=1e-5)
    variance = found.squares.numpy() / 10_007
    np.testing.assert_allclose(variance, host.var(0, dtype=float), rtol=1e-4)


def test_complex_numbers_are_combined():
    host = np.exp(1j * np.arange(3000)).astype(np.complex64)
    found = sm.mapreduce(lambda z: (z, abs(z)), then_add, sm.asarray(host))
    assert found[0].dtype == np.complex64
    np.testing.assert_allclose(found[0].numpy(), host.sum(dtype=complex), atol=1e-3)
    np.testing.assert_allclose(found[1].numpy(), 3000, rtol=1e-6)


def then_add(a, b):
    return a[0] + b[0], a[1] + b[1]


def test_operands_of_a_mapreduce_are_broadcast():
    x, y = sm.array([[1], [2]]), sm.array([1, 2, 3])
    found = sm.mapreduce(operator.mul, operator.add, x + 0, y, axis=0)
    assert found.tolist() == [3, 6, 9]
    assert sm.mapreduce(lambda a, b, c: a * b + c, max, x, y, 0.5).tolist() == 6.5


def test_the_dtype_of_a_reduction_holds_what_the_operation_gives():
    bools = sm.array([True, True, False, True])
    assert sm.reduce(operator.add, bools).tolist() == 3
    halved = sm.reduce(lambda a, b: (a + b) / 2, sm.array([4, 8]))
    assert halved.dtype == np.float32
    assert halved.tolist() == 6.0
    assert sm.reduce(operator.add, sm.array([1, 2]), init=0.5).tolist() == 3.5
    assert sm.reduce(operator.add, sm.array([1, 2]), init=np.int64(2**40)).tolist() == 2**40 + 3
    small = sm.array([100, 100, 100], dtype=sm.uint8)
    assert sm.reduce(operator.add, small).tolist() == 300 % 256


def test_init_is_an_argument(compilations):
    x = sm.array([1, 2, 3])
    assert [sm.reduce(operator.add, x, init=n).tolist() for n in (5, 6, 7)] == [11, 12, 13]
    assert len(compilations) == 1


def test_nothing_gives_init():
    x = sm.zeros((3, 0))
    assert sm.reduce(operator.add, x, 1, init=2).tolist() == [2.0, 2.0, 2.0]
    assert sm.reduce(operator.add, x, 0).shape == (0,)
    assert sm.reduce(operator.add, x, (0, 1), init=1, keepdims=True).tolist() == [[1.0]]


# --- accumulate ----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_accumulate_is_itertools(length):
    generator = np.random.default_rng(length)
    p, q = generator.integers(-9, 9, (2, length)).astype(np.int32) * 2 + 1
    found = sm.accumulate(then, (sm.asarray(p), sm.asarray(q)))
    steps = zip(found[0].tolist(), found[1].tolist(), strict=True)
    assert list(steps) == composed(p, q)


@given(st.data(), views(st.sampled_from(DTYPES), max_axes=3))
@settings(max_examples=examples(100), deadline=None)
def test_accumulate_along_any_axis(data, host):
    if not host.ndim:
        host = host.reshape(1)
    host = thinned(host)
    axis = data.draw(st.integers(-host.ndim, host.ndim - 1))
    found = sm.accumulate(last_that_is_not_zero, sm.asarray(host) + 0, axis)
    assert found.dtype == host.dtype
    last = np.where(host != 0, np.indices(host.shape)[axis], 0)
    last = np.maximum.accumulate(last, axis=axis)
    np.testing.assert_array_equal(found.numpy(), np.take_along_axis(host, last, axis))


@pytest.mark.parametrize("axis", [0, 1])
def test_accumulate_of_many_parts_along_columns(axis):
    host = np.random.default_rng(0).integers(-5, 5, (WHOLE + 9, 3)).astype(np.int64)
    for turned in (host, host.T):
        found = sm.accumulate(operator.add, sm.asarray(turned), axis)
        np.testing.assert_array_equal(found.numpy(), turned.cumsum(axis))


def test_accumulate_of_several_dtypes():
    host = np.arange(1, 7).reshape(2, 3)
    pair = sm.asarray(host.astype(np.int8)), sm.asarray(host)
    found = sm.accumulate(lambda a, b: (max(a[0], b[0]), a[1] + b[1]), pair, 1)
    assert [part.dtype for part in found] == [np.int8, np.int64]
    np.testing.assert_array_equal(found[0].numpy(), host)
    np.testing.assert_array_equal(found[1].numpy(), host.cumsum(1))


# --- Predicates and keys -------------------------------------------------------------------------


@given(st.data(), views(st.sampled_from(DTYPES), max_axes=3))
@settings(max_examples=examples(60), deadline=None)
def test_predicates(data, host):
    axis = data.draw(axes_for(host.ndim))
    ours, is_odd = sm.asarray(host), host % 2 == 1
    np.testing.assert_array_equal(sm.count(odd, ours, axis).numpy(), is_odd.sum(axis))
    np.testing.assert_array_equal(sm.any(odd, ours, axis).numpy(), is_odd.any(axis))
    np.testing.assert_array_equal(sm.all(odd, ours, axis=axis).numpy(), is_odd.all(axis))
    if host.ndim:
        places = sm.findall(odd, ours)
        np.testing.assert_array_equal(ours[places].numpy(), host[is_odd])


def odd(a):
    return a % 2 == 1


def test_the_axis_of_any_and_all_may_still_stand_alone():
    x = sm.array([[1, 0], [2, 3]])
    assert sm.all(x, 1).tolist() == [False, True]
    assert x.any(0).tolist() == [True, True]
    assert sm.all(odd, x, 1, keepdims=True).tolist() == [[False], [False]]


@given(st.data(), views(st.sampled_from(DTYPES), max_axes=2), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_sorting_by_a_key_is_pythons(data, host, descending):
    if not host.ndim:
        host = host.reshape(1)
    axis = data.draw(st.integers(-host.ndim, host.ndim - 1))
    found = sm.sort(sm.asarray(host), axis=axis, key=third, descending=descending)
    ours, theirs = (np.moveaxis(array, axis, -1) for array in (found.numpy(), host))
    for place in np.ndindex(ours.shape[:-1]):
        row = sorted(theirs[place].tolist(), key=third, reverse=descending)
        assert ours[place].tolist() == row


def third(a):
    return a % 3


# --- stencil -------------------------------------------------------------------------------------


def padded(host, radius, boundary, value):
    mode = {"constant": {"constant_values": value}}.get(boundary, {})
    return np.pad(host, [(r, r) for r in radius], boundary, **mode)


@pytest.mark.parametrize("boundary", ["constant", "edge", "wrap", "reflect"])
@pytest.mark.parametrize(
    ("shape", "radius"),
    [((1,), 2), ((7,), 2), ((SMALL + 3,), 3), ((1, 5), 1), ((130, 140), (1, 2)), ((30, 20, 40), 1)],
    ids=str,
)
def test_stencils_see_what_is_outside(shape, radius, boundary):
    host = np.random.default_rng(0).integers(-99, 99, shape).astype(np.int32)
    around = (radius,) * len(shape) if isinstance(radius, int) else radius
    wide = padded(host, around, boundary, 7)
    corners = tuple(itertools.product(*({-r, 0, r} for r in around)))

    def weighted(at):
        found = 0
        for place in sm.static_range(len(corners)):
            found = 3 * found + at(*corners[place])
        return found

    found = sm.stencil(weighted, sm.asarray(host), radius, boundary=boundary, value=7)
    expected = np.zeros(shape, np.int32)
    for corner in corners:
        starts = [r + offset for r, offset in zip(around, corner, strict=True)]
        part = tuple(slice(s, s + extent) for s, extent in zip(starts, shape, strict=True))
        expected = (3 * expected + wide[part]).astype(np.int32)
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("size", [9, SMALL + 9])
def test_offsets_that_the_running_program_computes_stay_inside(size):
    host = np.arange(size, dtype=np.int32)

    def sum_around(at):
        found = 0
        for offset in range(-20, 21):
            found += at(offset)
        return found

    found = sm.stencil(sum_around, sm.asarray(host), 1, boundary="wrap")
    expected = sum(np.roll(host, -offset) for offset in range(-20, 21))
    np.testing.assert_array_equal(found.numpy(), expected)


def test_stencils_of_records_and_expressions():
    host = np.random.default_rng(0).normal(size=(140, 130)).astype(np.float32)
    x = sm.asarray(host)
    found = sm.stencil(
        lambda at: Best(at(0, 1).value - at(0, -1).value, at(1, 0).place),
        Best(x * 2, sm.asarray(host > 0).astype(sm.int32)),
        boundary="wrap",
    )
    doubled = host * 2
    slope = np.roll(doubled, -1, 1) - np.roll(doubled, 1, 1)
    np.testing.assert_array_equal(found.value.numpy(), slope)
    np.testing.assert_array_equal(found.place.numpy(), np.roll(host > 0, -1, 0))
    assert sm.stencil(lambda at: at(0), sm.zeros((0,))).shape == (0,)


# --- Errors --------------------------------------------------------------------------------------


def text_of(error):
    return str(error.value)


def test_a_wrong_function_is_shown_at_its_line():
    with pytest.raises(CompileError) as error:
        sm.map(lambda a: a.wrong, sm.zeros(3))
    assert "lambda a: a.wrong" in text_of(error)
    assert "float32 has no attribute 'wrong'" in text_of(error)
    assert "kernels/higher_order.py" not in text_of(error)
    (fault,) = error.value.diagnostics
    assert fault.span.text.name == __file__


def test_a_function_that_raises():
    def raising(a):
        raise ValueError("wrong")

    with pytest.raises(CompileError, match="kernels have no exceptions; write assert condition"):
        sm.map(raising, sm.zeros(3))


def test_a_function_that_gives_nothing():
    with pytest.raises(CompileError) as error:
        sm.map(lambda a: None, sm.zeros(3))
    message = "expected a number, or a tuple or named tuple of numbers, as the result, found None"
    assert message in text_of(error)
    assert "lambda a: None" in text_of(error)


def test_a_function_of_other_arguments():
    with pytest.raises(CompileError, match=r"expected lambda\(a, b\); b is missing"):
        sm.map(lambda a, b: a, sm.zeros(3))
    with pytest.raises(UserInputError, match="divmod"):
        sm.map(divmod, sm.zeros(3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: sm.map(3, x), "map expected a function for f, got an int"),
        (
            lambda x: sm.map(operator.neg),
            "map expected an Array beside the function, got 0 numbers",
        ),
        (
            lambda x: sm.map(operator.add, x, [1]),
            "map takes a function, then Arrays and numbers, got a list; convert with sm.asarray(x)",
        ),
        (
            lambda x: sm.map(operator.add, x, sm.zeros(2)),
            (
                "map: the shapes (3,) and (2,) do not go together; counted from the last axis, two"
                " extents must be equal, or one of them 1"
            ),
        ),
        (
            lambda x: sm.reduce(operator.add, [1, 2]),
            (
                "reduce expected an Array, or a tuple or named tuple of Arrays, for x, got a list;"
                " convert with sm.asarray(x)"
            ),
        ),
        (
            lambda x: sm.reduce(then, (x, sm.zeros(2))),
            "reduce expected arrays of one shape, got (2,) and (3,)",
        ),
        (
            lambda x: sm.reduce(lambda a, b: (a, b), x),
            "reduce expected op(a, b) to give what a and b are, float32, got (float32, float32)",
        ),
        (
            lambda x: sm.reduce(operator.add, x[:0]),
            (
                "reduce of no elements: shape (0,) has none along its axes; say with init= what"
                " nothing gives"
            ),
        ),
        (
            lambda x: sm.reduce(operator.add, x, init=(1, 2)),
            "reduce expected init of the form of an element, float32, got (1, 2)",
        ),
        (
            lambda x: sm.reduce(operator.add, x.astype(sm.int8), init=300),
            "reduce: the number 300 does not fit into int8",
        ),
        (
            lambda x: sm.accumulate(operator.add, x.reshape(1, 3)),
            (
                "accumulate of an array of 2 axes needs to know along which; give axis=..., or"
                " x.reshape(-1)"
            ),
        ),
        (
            lambda x: sm.stencil(lambda at: at(0), x, boundary="mirror"),
            (
                "stencil expected boundary to be one of 'constant', 'edge', 'wrap', 'reflect', got"
                " 'mirror'"
            ),
        ),
        (
            lambda x: sm.stencil(lambda at: at(0), x, (1, 1)),
            "stencil expected a radius of 0 or more, or one for each of 1 axes, got (1, 1)",
        ),
        (
            lambda x: sm.findall(lambda a: a > 0, x[0]),
            "findall expected an array of one axis or more, got one of none",
        ),
        (
            lambda x: sm.count(lambda a: a > 0, x.numpy()),
            "count expected an Array for x, got an ndarray; convert with sm.asarray(x)",
        ),
        (
            lambda x: sm.sort(x, key=lambda a: (a, a)),
            (
                "sort by a key that is a tuple: take its items with sm.map, and order by them with"
                " sm.lexsort, which looks at the last one first"
            ),
        ),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(UserInputError) as error:
        call(sm.zeros(3))
    assert text_of(error) == message


def test_offsets_beyond_the_radius():
    with pytest.raises(CompileError) as error:
        sm.stencil(lambda at: at(0, 2), sm.zeros((3, 3)))
    message = "the offset 2 along axis 1 is beyond the radius 1; give sm.stencil a larger radius\n"
    assert message in text_of(error)
    with pytest.raises(CompileError, match="expected an offset for each of 2 axes, found 1"):
        sm.stencil(lambda at: at(0), sm.zeros((3, 3)))


def test_axes_that_are_not_there():
    for call in (sm.reduce, sm.accumulate):
        with pytest.raises(AxisError):
            call(operator.add, sm.zeros(3), 1)


def test_types_that_do_not_settle():
    x = sm.array([1, 2], dtype=sm.int64)
    with pytest.raises(UserInputError, match="no dtype holds both int64 and uint64"):
        sm.reduce(lambda a, b: sm.uint64(a + b), x)

"""Functions of the user's over arrays, by the kernels of arrays, on every device."""

from __future__ import annotations

import functools
import operator
from typing import NamedTuple

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.user_functions.folding import WHOLE
from speedmetal.arrays.user_functions.stencils import SMALL
from speedmetal.errors import CompileError

DTYPES = ["float32", "int32", "uint8", "float16", "complex64"]


class Best(NamedTuple):
    value: float
    place: int


def then(p, q):
    """First one linear function, then another one: associative to the bit, and not commutative."""
    return p[0] * q[0], p[1] * q[0] + q[1]


def numbers(shape, dtype="int32") -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (7, 6), (2, 3, 4, 5)], ids=str)
def test_map(device, shape, dtype):
    host = numbers(shape, dtype)
    x = sm.array(host, device=device)
    doubled, is_one = sm.map(lambda a, b: (a + b, a == 1), x, x.T.T + 0)
    assert doubled.device == device
    assert doubled.dtype == host.dtype
    np.testing.assert_array_equal(doubled.numpy(), host + host)
    np.testing.assert_array_equal(is_one.numpy(), host == 1)


def test_partials_and_numbers(device):
    x = sm.array([1.0, 2.0], device=device)
    for factor in (2.0, 3.0):
        scale = functools.partial(operator.mul, factor)
        assert sm.map(scale, x).tolist() == [factor, 2 * factor]
        assert sm.map(lambda a, b: a * b, x, factor).tolist() == [factor, 2 * factor]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((), None), ((9,), 0), ((3, WHOLE + 9), 1), ((WHOLE + 9, 3), 0), ((3, 4, 5), (0, 2))],
    ids=str,
)
def test_reduce(device, shape, axis, dtype):
    host = (numbers(shape) // 3).astype(dtype)  # so few that float16 has their sums
    x = sm.array(host, device=device)
    found = sm.reduce(operator.add, x + 0, axis, init=1)
    np.testing.assert_array_equal(found.numpy(), host.sum(axis).astype(dtype) + np.array(1, dtype))
    assert found.dtype == host.dtype


def test_the_greatest_and_its_place(device):
    host = np.random.default_rng(0).normal(size=(5, WHOLE + 90)).astype(np.float32)
    x = sm.array(host, device=device)

    def better(a, b):
        return a if a.value >= b.value else b

    places = sm.arange(host.shape[1], device=device)
    found = sm.mapreduce(Best, better, x, places, axis=1)
    np.testing.assert_array_equal(found.value.numpy(), host.max(1))
    np.testing.assert_array_equal(found.place.numpy(), host.argmax(1))


@pytest.mark.parametrize("length", [1, 10, WHOLE + 1, 2**14 + 1])
def test_the_order_is_kept(device, length):
    p, q = numbers((2, length)) * 2 + 1
    expected, running = [], None
    for step in zip(p.astype(np.uint32), q.astype(np.uint32), strict=True):
        with np.errstate(over="ignore"):
            running = step if running is None else then(running, step)
        expected.append(running)
    pair = tuple(sm.array(part, device=device) for part in (p, q))
    every = sm.accumulate(then, pair)
    last = sm.reduce(then, pair)
    for found, total, column in zip(every, last, zip(*expected, strict=True), strict=True):
        right = np.array(column).astype(np.int32)
        np.testing.assert_array_equal(found.numpy(), right)
        np.testing.assert_array_equal(total.numpy(), right[-1])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(5, 7), (WHOLE + 9, 2)], ids=str)
def test_accumulate_along_axes(device, shape, axis):
    host = numbers(shape)
    x = sm.array(host, device=device)
    found = sm.accumulate(operator.add, x * 2, axis)
    np.testing.assert_array_equal(found.numpy(), (host * 2).cumsum(axis))


def test_predicates_and_keys(device):
    host = numbers((6, 7))
    x = sm.array(host, device=device)
    is_odd = host % 2 == 1
    assert sm.count(lambda a: a % 2 == 1, x).tolist() == is_odd.sum()
    assert sm.any(lambda a: a % 2 == 1, x, 1).tolist() == is_odd.any(1).tolist()
    assert sm.all(lambda a: a < 3, x, 0).tolist() == (host < 3).all(0).tolist()
    np.testing.assert_array_equal(x[sm.findall(lambda a: a % 2 == 1, x)].numpy(), host[is_odd])
    found = sm.sort(x, key=lambda a: a % 2, axis=1)
    expected = np.take_along_axis(host, np.argsort(host % 2, 1, kind="stable"), 1)
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("boundary", ["constant", "edge", "wrap", "reflect"])
@pytest.mark.parametrize("shape", [(6,), (5, 4), (SMALL // 100, 110), (3, 4, 5)], ids=str)
def test_stencils(device, shape, boundary):
    host = numbers(shape)
    mode = {"constant_values": 9} if boundary == "constant" else {}
    wide = np.pad(host, 1, boundary, **mode)
    x = sm.array(host, device=device)
    origin = (0,) * (len(shape) - 1)
    found = sm.stencil(
        lambda at: 3 * at(*origin, 1) + at(*origin, -1), x, boundary=boundary, value=9
    )
    inner = tuple(slice(1, -1) for _ in origin)
    np.testing.assert_array_equal(
        found.numpy(), 3 * wide[(*inner, slice(2, None))] + wide[(*inner, slice(-2))]
    )


def test_errors_name_the_users_line(device):
    with pytest.raises(CompileError, match="has no attribute 'wrong'") as error:
        sm.map(lambda a: a.wrong, sm.zeros(3, device=device))
    assert error.value.diagnostics[0].span.text.name == __file__

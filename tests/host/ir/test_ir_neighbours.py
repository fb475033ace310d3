"""Which kernels' threads may take several neighbours."""

from __future__ import annotations

from typing import Any

import pytest

import speedmetal as sm
from speedmetal import passes
from speedmetal.backends.targets import find_target
from speedmetal.frontend.infer import infer_function, infer_kernel
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.neighbours import (
    MOST_APART,
    MOST_LOADS_APART,
    MOST_NEIGHBOURS,
    Neighbours,
    neighbours,
)

position = sm.thread_position_in_grid


def found(function: Any, types: str, debug: int = 0) -> Neighbours | None:
    kernel = infer_kernel(function, parse_signature(types), debug=debug).kernel
    target = find_target("cuda")
    return neighbours(passes.run(kernel, target=target, compile_function=infer_function))


# --- Accepted ------------------------------------------------------------------------------------


def scaled(y, x, a):
    i = position().x
    y[i] = a * x[i] + y[i]


def test_loads_and_stores_of_one_element_are_one_place():
    taken = found(scaled, "f32[:] f32[:] f32")
    assert taken is not None
    assert [(p.array.name, p.is_loaded, p.is_stored) for p in taken.places] == [
        ("x", True, False),
        ("y", True, True),
    ]
    assert sorted(taken.place_of.values()) == [0, 1, 1]
    assert [d.variable.name for d in taken.definitions] == ["i"]


@pytest.mark.parametrize(
    ("types", "count"),
    [
        *(("f32[:] f32[:] f32", 4), ("f64[:] f64[:] f64", 2), ("f16[:] f16[:] f16", 8)),
        *(("i8[:] i8[:] i8", MOST_NEIGHBOURS), ("f32[:] f16[:] f32", 4), ("f64[:] f32[:] f32", 2)),
    ],
)
def test_the_largest_element_decides_how_many(types, count):
    taken = found(scaled, types)
    assert taken is not None
    assert taken.count == count


def rows(y, x, row, column):
    i, j, _ = position()
    y[j // 2, i] = x[j % 3, i] + row[i] * column[j] + column[0]


def in_bounds(y, x, n):
    i = sm.uint32(position().x)
    if i < n and i >= 2:
        y[i] = x[i]


def returns_early(y, x, n):
    i = position().x
    if i >= n or not i > 3:
        return
    y[i] = x[i]


def chosen(y, x, n):
    i = position().x
    value = x[i]
    if value > 2:
        value = value * i
    y[i] = value if i % n else 0


def two_stores(y, x, n):
    i = position().x
    value = x[i]
    y[i] = value
    x[i] = n


@pytest.mark.parametrize(
    ("function", "types", "conditions"),
    [
        (rows, "f32[:,:] f32[:,:] f32[:] f32[:]", 0),
        (in_bounds, "f32[:] f32[:] u32", 1),
        (returns_early, "f32[:] f32[:] i32", 1),
        (chosen, "f32[:] f32[:] i32", 0),
        (two_stores, "f32[:] f32[:] i32", 0),
    ],
)
def test_elementwise_kernels_take_neighbours(function, types, conditions):
    taken = found(function, types)
    assert taken is not None
    assert taken.count == 4
    assert len(taken.conditions) == conditions


# --- Apart ---------------------------------------------------------------------------------------


def strided(y, x, n):
    i = position().x
    y[i] = x[i]


def stencil(y, x, n):
    i = position().x
    y[i] = x[i] + x[i + 1]


def gather(y, x, n):
    i = position().x
    y[i] = x[int(y[i])]


def transposed(y, x, n):
    i, j, _ = position()
    y[i, j] = x[i, j]


def begins_elsewhere(y, x, n):
    i = position().x
    y[i] = x[i + n]


@pytest.mark.parametrize(
    ("function", "types", "places"),
    [
        (strided, "f32[:] f32[:]/strided i32", "xy"),
        (strided, "f32[:]/strided f16[:] i32", "xy"),
        (transposed, "f32[:,:] f32[:,:] i32", "xy"),
        (stencil, "f32[:] f32[:] i32", "xy"),
        (gather, "f32[:] f32[:] i32", "y"),
        (begins_elsewhere, "f64[:] f64[:] i32", "y"),
    ],
)
def test_positions_of_elements_that_lie_elsewhere_are_apart(function, types, places):
    taken = found(function, types)
    assert taken is not None
    assert taken.are_apart
    assert taken.count == MOST_APART
    assert "".join(place.array.name for place in taken.places) == places


def test_neighbours_in_memory_are_not_apart():
    taken = found(rows, "f32[:,:] f32[:,:] f32[:] f32[:]")
    assert taken is not None
    assert not taken.are_apart


def loads_nothing(y, x, n):
    i, j, _ = position()
    y[i, j] = n


def loads_many(y, x, n):
    i = position().x
    total = x[i + 1]
    for k in sm.static_range(2, MOST_LOADS_APART + 2):
        total += x[i * k]
    y[i] = total


@pytest.mark.parametrize(
    ("function", "types"),
    [(loads_nothing, "f32[:,:] f32[:,:] f32"), (loads_many, "f32[:] f32[:] i32")],
)
def test_who_has_nothing_or_enough_on_the_way_takes_one_position(function, types):
    assert found(function, types) is None


# --- Refused -------------------------------------------------------------------------------------


def loads_what_it_may_have_stored(y, x, n):
    i = position().x
    y[i] = 1
    x[i] = y[i]


def stores_for_some(y, x, n):
    i = position().x
    if x[i] > 0:
        y[i] = 1


def holds_for_some_between(y, x, n):
    i = position().x
    if i < 5 or i > n:
        y[i] = x[i]


def excludes_one(y, x, n):
    i = position().x
    if i != n:
        y[i] = x[i]


def loops(y, x, n):
    i = position().x
    total = x[i]
    for k in range(n):
        total += k
    y[i] = total


def turns(x, n):
    for k in range(n):
        x = x * x + k
    return x


def loops_in_a_function(y, x, n):
    i = position().x
    y[i] = turns(x[i], n)


def tells_threads(y, x, n):
    i = position().x
    y[i] = x[i] + sm.thread_position_in_threadgroup().x


def exchanges(y, x, n):
    i = position().x
    y[i] = sm.simd_sum(x[i])


def counts(y, x, n):
    i = position().x
    y[i] = x[i]
    sm.atomic_add(x, 0, 1)


def waits(y, x, n):
    i = position().x
    value = x[i]
    sm.threadgroup_barrier()
    y[i] = value


def keeps(y, x, n):
    i = position().x
    own = sm.thread_array(3, sm.float32)
    own[0] = x[i]
    own[i % 3] = 2
    y[i] = own[i % 2]


def goes_along_y(y, x, n):
    i = position().y
    y[i] = x[i]


def prints(y, x, n):
    i = position().x
    print(i)  # noqa: T201
    y[i] = x[i]


@pytest.mark.parametrize(
    ("function", "types"),
    [
        (strided, "c64[:] c64[:] i32"),
        *(
            (function, "f32[:] f32[:] i32")
            for function in (
                *(loads_what_it_may_have_stored, stores_for_some, counts),
                *(holds_for_some_between, excludes_one, loops, tells_threads, exchanges, waits),
                *(keeps, goes_along_y, prints, loops_in_a_function),
            )
        ),
    ],
)
def test_others_do_not(function, types):
    assert found(function, types) is None


def test_reports_name_one_thread_each():
    assert found(scaled, "f32[:] f32[:] f32", debug=1) is None
    assert found(scaled, "f32[:] f32[:] f32", debug=2) is None


def test_what_computes_much_is_not_repeated():
    def long(y, x, n):
        i = position().x
        value = x[i]
        for _ in sm.static_range(60):
            value = value * value + n
        y[i] = value

    assert found(long, "f32[:] f32[:] f32") is None

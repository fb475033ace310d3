"""Which loads and stores of a kernel are one."""

from __future__ import annotations

from typing import Any

import pytest

import speedmetal as sm
from speedmetal import passes
from speedmetal.backends.targets import find_target
from speedmetal.frontend.infer import infer_function, infer_kernel
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.nodes import Load, Store
from speedmetal.ir.together import Together

position = sm.thread_position_in_grid


def found(function: Any, types: str) -> list[tuple[str, int, bool]]:
    """Of each span its array, how many elements, and whether they are stored."""
    kernel = infer_kernel(function, parse_signature(types)).kernel
    target = find_target("cuda")
    lowered = passes.run(kernel, target=target, compile_function=infer_function)
    together = Together(lowered)
    spans = [span for all_of in together.opened.values() for span in all_of]
    stored = [span for all_of in together.closed.values() for span in all_of]
    assert [span for span in spans if span.is_stored] == stored
    for span in spans:
        numbers = sorted(n for own, n in together.place_of.values() if own is span)
        assert sorted(set(numbers)) == [*range(span.count)]
        kind = Store if span.is_stored else Load
        assert all(isinstance(a, kind) for a, (own, _) in together.place_of.items() if own is span)
    return [(span.array.name, span.count, span.is_stored) for span in spans]


# --- Taken together ------------------------------------------------------------------------------


def unrolled(y, x):
    first = position().x * 4
    kept = sm.thread_array(4, x.dtype)
    for k in sm.static_range(4):
        kept[k] = x[first + k]
    for k in sm.static_range(4):
        y[first + k] = kept[k]


@pytest.mark.parametrize(
    ("types", "counts"),
    [
        *(("f32[:] f32[:]", [4, 4]), ("f16[:] f16[:]", [4, 4]), ("f64[:] f64[:]", [2, 2, 2, 2])),
        *(("i8[:] i8[:]", [4, 4]), ("f32[:]/strided f32[:]", [4])),
    ],
)
def test_elements_of_16_bytes_at_most(types, counts):
    assert [count for _, count, _ in found(unrolled, types)] == counts


def rows(y, x, n):
    i, j, _ = position()
    for at in range(0, n, 64):
        own = at + (i + 8) * 2
        total = x[j + 1, own] + x[j + 1, 1 + own]
        y[j, own] = total * x[j, own]
        y[j, own + 1] = total


def test_indices_are_compared_as_sums():
    # The load of the other row stands alone, and comes before the stores.
    assert found(rows, "f32[:,:] f32[:,:] i32") == [("x", 2, False), ("y", 2, True)]


def by_variables(y, x):
    i = position().x * 2
    own = i
    a = x[own]
    own = i + 1
    b = x[own]
    y[i] = a + b


def test_what_variables_hold_counts_and_not_their_names():
    assert found(by_variables, "f32[:] f32[:]") == [("x", 2, False)]


def some(y, x):
    i = position().x * 8
    y[i] = ((x[i] + x[i + 1]) + (x[i + 2] + x[i + 4])) + (x[i + 5] + x[i])


def test_as_many_as_lie_side_by_side():
    assert found(some, "f32[:] f32[:]") == [("x", 2, False), ("x", 2, False)]


def along_a_run(y, x, n):
    """Where the run begins is the same for all threads, though nobody knows where that is."""
    begin = sm.threadgroup_position_in_grid().x * n
    lane = sm.thread_index_in_threadgroup()
    total = x.dtype(0)
    for at in range(begin, begin + n, 128):
        first = at + lane * 4
        if first < n:
            total += ((x[first] + x[first + 1]) + x[first + 2]) + x[first + 3]
    y[begin] = total


def test_threads_may_begin_anywhere_but_as_far_apart():
    assert found(along_a_run, "f32[:] f32[:] i32") == [("x", 4, False)]


def pairs(y, x):
    i = position().x * 2
    y[i] = ((x[i] + x[i + 1]) + x[i + 2]) + x[i + 3]


def test_no_more_than_neighbouring_threads_are_apart():
    assert found(pairs, "f32[:] f32[:]") == [("x", 2, False), ("x", 2, False)]


# --- Not together --------------------------------------------------------------------------------


def stored_between(y, x):
    i = position().x * 2
    a = x[i]
    y[i] = a
    y[i + 1] = x[i + 1]


def loaded_between(y, x):
    i = position().x * 2
    y[i] = 1.0
    y[i + 1] = x[i]


def other_stored_between(y, x):
    i = position().x * 2
    y[i] = 1.0
    x[i] = 2.0
    y[i + 1] = 3.0


def exchanged_between(y, x):
    i = position().x * 2
    a = x[i]
    b = sm.simd_sum(a)
    y[i // 2] = x[i + 1] + b


def branch_between(y, x):
    i = position().x * 2
    a = x[i]
    if a > 0:
        y[0] = a
    y[i] = x[i + 1]


def changed_between(y, x):
    i = position().x * 2
    a = x[i]
    i = i * 3
    y[0] = a + x[i + 1]


def downwards(y, x):
    i = position().x * 2
    y[0] = x[i + 1] - x[i]


def other_rows(y, x):
    i = position().x
    y[0, 0] = x[i, 0] - x[i + 1, 0]


def stencil(y, x):
    i = position().x
    y[i] = x[i] + x[i + 1] + x[i + 2] + x[i + 3]


def three_each(y, x):
    i = position().x * 3
    y[i] = x[i] + x[i + 1] + x[i + 2]


def at_places_from_memory(y, x):
    i = sm.int32(x[position().x])
    y[0] = x[i] + x[i + 1]


def in_a_threadgroup(y, x):
    i = sm.thread_index_in_threadgroup()
    tile = sm.threadgroup_array(64, sm.float32)
    tile[i] = x[i]
    tile[i + 1] = x[i]
    sm.threadgroup_barrier()
    y[i] = tile[i] + tile[i + 1]


@pytest.mark.parametrize(
    "function",
    [
        *(stored_between, loaded_between, other_stored_between, exchanged_between),
        *(branch_between, changed_between, downwards, in_a_threadgroup),
        *(stencil, three_each, at_places_from_memory),
    ],
)
def test_what_may_not_move_stays(function):
    spans = found(function, "f32[:] f32[:]")
    # Both stores of the first kernel go to y with a load between them, which may be of y.
    assert spans == []


def test_only_along_the_axis_of_neighbours():
    assert found(other_rows, "f32[:,:] f32[:,:]") == []


def test_complex_numbers_are_left_alone():
    assert found(unrolled, "c64[:] c64[:]") == []

"""Loops that share a name: in an unrolled one it is known while compiling, whatever others do.

Each function indexes a tuple of functions by the name of an unrolled loop, which no running number
could do, and must leave behind what Python does.
"""

# ruff: noqa: PLW2901, B023, E731
# The functions here use Python's features as users may write them.

from __future__ import annotations

import pytest
from python_reference import cases, check

import speedmetal as sm
from speedmetal.errors import CompileError


def double(x):
    return x * 2.0


def negate(x):
    return -x


def shift(x):
    return x + 1.0


STEPS = (double, negate, shift)


def put(items, place, value):
    return (*items[:place], value, *items[place + 1 :])


def unrolled_first(a, n, z, b):
    for k in sm.static_range(3):
        a[0] = STEPS[k](a[0])
    for k in range(n[0]):
        a[1] += a[k % 8]


def unrolled_last(a, n, z, b):
    for k in range(n[0]):
        a[1] += a[k % 8]
    for k in sm.static_range(3):
        a[0] = STEPS[k](a[0])


def around_and_inside(a, n, z, b):
    for k in range(n[0]):
        a[0] += k
        for k in sm.static_range(3):
            a[k] = STEPS[k](a[k])
        a[3] += k
    for k in sm.static_range(3):
        a[4] = STEPS[k](a[4])
        for k in range(n[1]):
            a[k % 8] += 1.0
        a[5] += k


def nested_with_names_exchanged(a, n, z, b):
    tile = (0.0,) * 9
    for r in sm.static_range(3):
        for q in sm.static_range(3):
            tile = put(tile, 3 * r + q, STEPS[q](a[r]))
    for q in range(n[0] % 3):
        for r in range(n[1] % 3):
            a[q] += a[r]
        for r in sm.static_range(3):
            for q in sm.static_range(3):
                tile = put(tile, 3 * r + q, tile[3 * q + r] + STEPS[r](a[q]))
        a[7] += q
    for r in range(n[2] % 3):
        a[r] -= 1.0
    a[6] = sum(tile[r] * (r + 1) for r in sm.static_range(9))


def in_a_loop_inside(a, n, z, b):
    """A running loop inside the unrolled one does not make its name running."""
    for k in sm.static_range(3):
        for j in range(n[k] % 4):
            a[j] = STEPS[k](a[j])
            for i in sm.static_range(2):
                a[i] = STEPS[i](a[k])
        for i in range(n[7] % 3):
            a[i] += k
        a[4] = STEPS[k](a[4])
    for j in sm.static_range(2):
        a[5] = STEPS[j](a[5])


def left_early(a, n, z, b):
    for k in sm.static_range(3):
        if n[k] % 2 == 0:
            for k in range(n[3]):
                a[0] += k
            continue
        a[1] = STEPS[k](a[1])
        if a[1] > 3.0:
            break
        a[2] = STEPS[k](a[2])
    a[3] += k
    for k in range(n[4]):
        if k > 4:
            break
        a[4] += k
    for k in sm.static_range(3):
        a[5] = STEPS[k](a[5])


def in_branches(a, n, z, b):
    if a[0] > 0.0:
        for k in sm.static_range(3):
            a[0] = STEPS[k](a[0])
    else:
        k = n[0]
        a[1] += k
        for k in range(n[1]):
            a[2] += k
    a[3] += k


def ordinary_afterwards(a, n, z, b):
    for k in sm.static_range(3):
        a[0] = STEPS[k](a[0])
    k = n[0]
    while k > 0:
        a[k % 8] += k
        k -= 1
    a[1] += k
    for k in sm.static_range(2):
        a[2] = STEPS[k](a[2])
    a[3] += k


def ordinary_in_the_turn(a, n, z, b):
    for k in sm.static_range(3):
        a[0] = STEPS[k](a[0])
        k = n[0] % 8
        a[k] += 1.0
    a[1] += k


def read_after_the_loops(a, n, z, b):
    for k in sm.static_range(3):
        a[0] = STEPS[k](a[0])
    a[1] += k
    for k in range(n[0] % 3):
        a[2] += k
    a[3] += k


def in_generators(a, n, z, b):
    a[0] = sum(STEPS[k](a[k]) for k in sm.static_range(3))
    for k in range(n[0]):
        a[1] += k
    for k in sm.static_range(3):
        a[2] += sum(a[k] * k for k in range(n[1] % 8))
        a[2] = STEPS[k](a[2])
    a[3] = sum(a[k % 8] for k in range(n[2]))
    a[4] = max(STEPS[k](a[j]) for j in sm.static_range(2) for k in sm.static_range(3))


def stepped(x, count):
    for k in sm.static_range(3):
        x = STEPS[k](x)
    for k in range(count):
        x += k
    for k in sm.static_range(2):
        x = STEPS[k](x)
    return x


def in_called_functions(a, n, z, b):
    for k in range(n[0] % 4):
        a[k] = stepped(a[k], k)
    for k in sm.static_range(3):
        a[k] = STEPS[k](stepped(a[k], n[k] % 5))
        a[4] += stepped(a[5], k)


def in_functions_inside(a, n, z, b):
    for k in sm.static_range(3):

        def step(x):
            return STEPS[k](x) + k

        a[0] = step(a[0])
        twice = lambda x: STEPS[k](STEPS[k](x))
        a[1] = twice(a[1])
    for k in range(n[0]):
        a[2] += k


def over_other_things(a, n, z, b):
    for k, step in enumerate(STEPS):
        a[k] = STEPS[2 - k](step(a[k]))
    for k in (0.5, 1.5):
        a[3] += k
    for k, step in zip(sm.static_range(2), (n[0], n[1]), strict=True):
        a[4] = STEPS[k](a[4]) + step
    for step in STEPS:
        a[5] = step(a[5])
    for k in range(n[0]):
        a[6] += k
    for step in range(n[1]):
        a[7] += step


@cases(globals())
def test_functions_do_what_python_does(function, debug):
    check(function, debug)


def test_a_name_read_after_both_kinds_of_loop_has_one_type():
    """The number that the first leaves behind is no integer, and the second may have no turns."""

    @sm.kernel
    def mixed(out, n: sm.int32):
        for k in (0.5, 1.5):
            out[0] += k
        for k in range(n):
            out[1] += k
        out[2] = k

    with pytest.raises(CompileError, match="a name that changes has one type"):
        sm.code(mixed, "f32[:] i32", target="cpu")

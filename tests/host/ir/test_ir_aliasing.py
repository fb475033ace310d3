"""Which kernels load an element of one array after a store to another."""

from __future__ import annotations

import pytest

import speedmetal as sm
from speedmetal.frontend.infer import infer_kernel
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.aliasing import loads_behind_stores


def finds(function) -> bool:
    return loads_behind_stores(infer_kernel(function, parse_signature("f32[:] f32[:]")).kernel)


def first_loads(x, y):
    i = sm.thread_position_in_grid().x
    y[i] = x[i] + x[i + 1]


def own_elements(x, y):
    i = sm.thread_position_in_grid().x
    y[i] = x[i]
    y[i + 1] = y[i] * 2


def in_turns(x, y):
    for i in range(y.shape[0]):
        y[i] = x[i]


def in_turns_of_a_while(x, y):
    i = 0
    while x[i] > 0:
        y[i] = 1
        i += 1


def unrolled(x, y):
    for i in sm.static_range(2):
        y[i] = x[i]


def in_both_branches(x, y):
    if x[0] > 0:
        y[0] = 1
    else:
        y[0] = x[1]


def behind_a_branch(x, y):
    if x[0] > 0:
        y[0] = 1
    y[1] = x[1]


def through_threadgroup_memory(x, y):
    tile = sm.threadgroup_array(64, sm.float32)
    for i in range(4):
        tile[i] = x[i]
    y[0] = tile[3]


def for_a_bound(x, y):
    y[0] = 1
    for _ in range(int(x[0])):
        y[1] += 1


KERNELS = {
    first_loads: False,
    own_elements: False,
    in_turns: True,
    in_turns_of_a_while: True,
    unrolled: True,
    in_both_branches: False,
    behind_a_branch: True,
    through_threadgroup_memory: False,
    for_a_bound: True,
}


@pytest.mark.parametrize("function", KERNELS, ids=lambda f: f.__name__)
def test_loads_behind_stores_are_found(function):
    assert finds(function) is KERNELS[function]

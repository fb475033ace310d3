"""Chains of selections between integers, which LLVM would follow for seconds, are cut."""

from __future__ import annotations

import re

import numpy as np
import pytest

import speedmetal as sm

COUNT = 16
_SELECT = re.compile(
    r"(%\S+) = select (?:i1|<\d+ x i1>) \S+, \S*(?: x i\d+>)? (\S+), \S*(?: x i\d+>)? (\S+)$"
)
_STORE = re.compile(r"store .+ (%\S+), ptr (%\S+)$")
_LOAD = re.compile(r"(%\S+) = load .+, ptr (%\S+)$")


@sm.kernel
def order_of_pairs(x, out) -> None:
    i = sm.thread_position_in_grid().x
    pairs = sorted((x[k, i], k) for k in range(COUNT))
    for k in sm.static_range(COUNT):
        out[k, i] = pairs[k][1]


@sm.kernel
def order_of_variables(x, out) -> None:
    i = sm.thread_position_in_grid().x
    keys = tuple(x[k, i] for k in range(COUNT))
    places = tuple(range(COUNT))
    for step in sm.static_range(COUNT):
        for k in sm.static_range(step % 2, COUNT - 1, 2):
            a, b, m, n = keys[k], keys[k + 1], places[k], places[k + 1]
            stays = (a < b) | ((a == b) & (m < n))
            keys = (*keys[:k], sm.select(stays, a, b), sm.select(stays, b, a), *keys[k + 2 :])
            places = (*places[:k], sm.select(stays, m, n), sm.select(stays, n, m), *places[k + 2 :])
    for k in sm.static_range(COUNT):
        out[k, i] = places[k]


@sm.kernel
def order_of_scalars(x, out) -> None:
    i = sm.thread_position_in_grid().x
    pairs = sorted((x[k, 0], k) for k in range(COUNT))
    for k in sm.static_range(COUNT):
        out[k, i] = pairs[k][1]


def longest_chain(text: str) -> int:
    """The most selections behind one another, through slots, where the last may be cut off."""
    lengths: dict[str, int] = {}
    for line in text.splitlines():
        if found := _SELECT.search(line):
            name, *values = found.groups()
            lengths[name] = 1 + max(lengths.get(value.rstrip(","), 0) for value in values)
        elif found := _STORE.search(line):
            lengths[found[2]] = lengths.get(found[1], 0)
        elif found := _LOAD.search(line):
            lengths[found[1]] = lengths.get(found[2], 0)
    return max(lengths.values())


@pytest.mark.parametrize("kernel", [order_of_pairs, order_of_variables, order_of_scalars], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64"])
def test_chains_are_short(kernel: sm.Kernel, dtype: str) -> None:
    """LLVM's questions about a value double with each selection behind it."""
    x = sm.zeros((COUNT, 64), getattr(sm, dtype), device="cpu")
    places = sm.zeros((COUNT, 64), sm.int32, device="cpu")
    assert 0 < longest_chain(str(sm.code(kernel, x, places))) <= 3


@pytest.mark.parametrize("kernel", [order_of_pairs, order_of_variables], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64"])
def test_cut_chains_select_the_same(kernel: sm.Kernel, dtype: str) -> None:
    """A stable order of keys of which many are equal; the grid ends within a vector."""
    x = np.random.default_rng(5).integers(0, 5, (COUNT, 53)).astype(dtype)
    out = sm.zeros(x.shape, sm.int32, device="cpu")
    kernel(sm.array(x, device="cpu"), out, grid=53)
    np.testing.assert_array_equal(np.asarray(out), np.argsort(x, axis=0, kind="stable"))


def test_scalars_are_selected_the_same() -> None:
    """Chains of uniform values are cut as well."""
    x = np.random.default_rng(6).integers(0, 5, (COUNT, 53)).astype(np.int32)
    out = sm.zeros(x.shape, sm.int32, device="cpu")
    order_of_scalars(sm.array(x, device="cpu"), out, grid=53)
    wanted = np.argsort(x[:, 0], kind="stable")
    np.testing.assert_array_equal(np.asarray(out), np.repeat(wanted[:, None], 53, axis=1))


def test_floats_stay_whole() -> None:
    """LLVM asks less about floats, and makes minima and maxima of their selections."""
    x = sm.zeros((COUNT, 64), device="cpu")
    places = sm.zeros((COUNT, 64), sm.int32, device="cpu")

    @sm.kernel
    def order(x, out) -> None:
        i = sm.thread_position_in_grid().x
        numbers = sorted(x[k, i] for k in range(COUNT))
        for k in sm.static_range(COUNT):
            out[k, i] = int(numbers[k])

    text = str(sm.code(order, x, places))
    assert "arithmetic.fence" not in text
    assert "freeze" not in text

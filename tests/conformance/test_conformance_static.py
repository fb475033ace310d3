"""Numbers that are known while compiling, as arguments: on every device."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import speedmetal as sm

LANGUAGE = Path(__file__).parents[2] / "docs" / "language.md"


class Shape(NamedTuple):
    unroll: Any
    scale: float


@dataclass(frozen=True)
class Config:
    unroll: Any
    scale: float


@sm.kernel
def fill(out, count, double=sm.static(False)):  # noqa: B008 - a number, made once
    held = sm.threadgroup_array((count,), sm.float32)
    i = sm.thread_position_in_grid().x
    held[i] = 0.0
    sm.threadgroup_barrier()
    total = held[i]
    for k in sm.static_range(count):
        total += k
    if double:
        total *= 2
    out[i] = total


def test_shapes_loops_and_decisions(device):
    out = sm.zeros(4, device=device)
    fill(out, sm.static(5), grid=4, threads=4)
    assert out.tolist() == [10.0] * 4
    fill(out, sm.static(np.int16(4)), double=sm.static(np.True_), grid=4, threads=4)
    assert out.tolist() == [12.0] * 4


@pytest.mark.parametrize("cls", [Shape, Config])
def test_inside_records(device, cls):
    @sm.kernel
    def sums(out, given, pair):
        total = 0.0
        for k in sm.static_range(given.unroll + pair[0]):
            total += k * given.scale
        out[sm.thread_position_in_grid().x] = total

    out = sm.zeros(2, device=device)
    sums(out, cls(sm.static(3), 0.5), (sm.static(1), 2), grid=2)
    assert out.tolist() == [3.0, 3.0]


def test_tuples(device):
    @sm.kernel
    def sums(out, sizes: sm.static):
        total = 0
        for k in sm.static_range(sizes[0]):
            total += k * sizes[1]
        out[sm.thread_position_in_grid().x] = total

    out = sm.zeros(2, device=device)
    sums(out, (4, 10), grid=2)
    assert out.tolist() == [60.0, 60.0]


def test_tiles_of_the_documentation(device):
    text = LANGUAGE.read_text()
    start = text.index("@sm.kernel\ndef matmul(a, b, c, size: sm.static[int])")
    text = text[start : text.index("```", start)]
    definition, _, use = text.partition("\n\n")
    call = use.strip().splitlines()[-1]  # with arrays of this device instead of those above it
    definition = definition.removeprefix("@sm.kernel\n")
    names: dict[str, Any] = {"sm": sm}
    exec(definition, names)  # noqa: S102 - our own documentation
    n, random = 16, np.random.default_rng(1)
    x, y = random.random((2, n, n), np.float32)
    a, b, c = (sm.array(m, device=device) for m in (x, y, np.zeros_like(x)))
    matmul = sm.kernel(names["matmul"], source=definition)
    exec(call, {"matmul": matmul, "a": a, "b": b, "c": c, "n": n})  # noqa: S102
    np.testing.assert_allclose(np.array(c.tolist()), x @ y, rtol=1e-5)

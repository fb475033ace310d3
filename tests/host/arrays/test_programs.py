"""Random programs of array operations, with views and writes, against NumPy: bit for bit."""

from __future__ import annotations

import operator
import random
from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.frontend.structure import Structure, ordered_nodes
from tiers import examples

SHAPES = [(4,), (3, 4), (3, 1)]
DTYPES = ["i4"]
BINARY = [operator.add, operator.mul]
IN_PLACE = [operator.iadd, operator.imul]
STEPS = 14
PROGRAMS = 5_000  # of which a part runs by default: each compiles kernels of its own
NIGHTLY = 50_000
PARTS = 20
MOST_NODES = 3
LARGER = 0.01
"""Of an expression: but for few, larger ones would only be more kernels to compile."""


class Program:
    """A program as it runs, on NumPy and on arrays side by side; its text is kept for messages."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pairs: list[tuple[np.ndarray, sm.Array]] = []
        self.text: list[str] = []
        for _ in range(3):
            self.make()

    def run(self) -> None:
        actions = [self.combine] * 4 + [self.scale, self.view, self.view, self.write, self.write]
        actions += [self.update, self.update, self.read, self.forget, self.make]
        for _ in range(STEPS):
            self.random.choice(actions)()
        for k in range(len(self.pairs)):
            self.check(k)

    # --- Steps -----------------------------------------------------------------------------------

    def make(self) -> None:
        shape, dtype = self.random.choice(SHAPES), self.random.choice(DTYPES)
        count = int(np.prod(shape))
        host = np.array([self.random.randint(-3, 3) for _ in range(count)], dtype).reshape(shape)
        self.note(f"np.array({host.tolist()}, {dtype!r})", host, sm.array(host))

    def combine(self) -> None:
        (k, (a, x)), (m, (b, y)) = self.pick(), self.pick()
        function = self.random.choice(BINARY)
        if fits(a.shape, b.shape) and a.dtype == b.dtype:
            self.note(f"{function.__name__}(v{k}, v{m})", function(a, b), function(x, y))

    def scale(self) -> None:
        k, (a, x) = self.pick()
        function, number = self.random.choice(BINARY), self.random.randint(-2, 2)
        self.note(f"{function.__name__}(v{k}, {number})", function(a, number), function(x, number))

    def view(self) -> None:
        k, (a, x) = self.pick()
        kind = self.random.randrange(4)
        if kind == 0:
            self.note(f"v{k}.T", a.T, x.T)
        elif kind == 1 and a.ndim:
            self.note(f"v{k}[::-1]", a[::-1], x[::-1])
        elif kind == 2 and a.ndim:
            index = self.index(a)
            self.note(f"v{k}[{index}]", a[index], x[index])
        else:
            self.note(f"v{k}[None]", a[None], x[None])

    def write(self) -> None:
        (k, (a, x)), (m, (b, y)) = self.pick(), self.pick()
        index = self.index(a)
        place = a[index]
        if self.random.random() < 0.3:
            number = self.random.randint(-5, 5)
            self.text.append(f"v{k}[{index}] = {number}")
            a[index], x[index] = number, number
        elif fits(place.shape, b.shape, into=True) and a.dtype == b.dtype:
            self.text.append(f"v{k}[{index}] = v{m}")
            a[index], x[index] = b, y

    def update(self) -> None:
        (k, (a, x)), (m, (b, y)) = self.pick(), self.pick()
        function = self.random.choice(IN_PLACE)
        if a.ndim and fits(a.shape, b.shape, into=True) and a.dtype == b.dtype:
            self.text.append(f"v{k} = {function.__name__}(v{k}, v{m})")
            self.pairs[k] = function(a, b), function(x, y)

    def read(self) -> None:
        self.check(self.random.randrange(len(self.pairs)))

    def forget(self) -> None:
        if len(self.pairs) > 3:
            k = self.random.randrange(len(self.pairs))
            self.text.append(f"del v{k} (the later ones move up)")
            del self.pairs[k]

    # --- Parts -----------------------------------------------------------------------------------

    def note(self, text: str, host: Any, array: Any) -> None:
        self.text.append(f"v{len(self.pairs)} = {text}")
        self.pairs.append((host, array))
        is_large = (
            isinstance(array.pending, Structure)
            and len(ordered_nodes(array.pending)) > MOST_NODES
            and self.random.random() > LARGER
        )
        if is_large:
            self.check(len(self.pairs) - 1)

    def pick(self) -> tuple[int, tuple[Any, Any]]:
        k = self.random.randrange(len(self.pairs))
        return k, self.pairs[k]

    def index(self, a: np.ndarray) -> tuple[Any, ...]:
        parts: list[Any] = []
        for extent in a.shape[: self.random.randint(0, a.ndim)]:
            start = self.random.randrange(extent)
            if self.random.random() < 0.3 and len(parts) + 1 < a.ndim:
                parts.append(start)
            else:
                parts.append(slice(start, None, self.random.choice([1, 1, 2, -1])))
        return tuple(parts)

    def check(self, k: int) -> None:
        host, array = self.pairs[k]
        self.text.append(f"check v{k}")
        found = array.numpy()
        assert found.dtype == host.dtype, self.message(k)
        np.testing.assert_array_equal(found, host, err_msg=self.message(k))

    def message(self, k: int) -> str:
        return f"v{k} is wrong after:\n" + "\n".join(self.text)


def fits(shape: tuple[int, ...], other: tuple[int, ...], *, into: bool = False) -> bool:
    try:
        found = np.broadcast_shapes(shape, other)
    except ValueError:
        return False
    return found == shape if into else len(found) <= 4


@pytest.mark.parametrize("part", range(PARTS))
def test_programs_do_what_numpy_does(part: int) -> None:
    """Proves that laziness is not seen: views, writes and older values mean what they mean in
    NumPy, whatever was computed when."""
    count = examples(PROGRAMS) // PARTS
    for seed in range(part * count, (part + 1) * count):
        Program(seed).run()


@pytest.mark.tier("nightly")
@pytest.mark.parametrize("part", range(PARTS))
def test_more_programs(part: int) -> None:
    """Proves the same of as many more as nobody waits for."""
    for seed in range(PROGRAMS + part, NIGHTLY, PARTS):
        Program(seed).run()

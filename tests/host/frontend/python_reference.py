"""Plain Python as the reference of a kernel: the same function, the same arrays."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import speedmetal as sm


class Pair(NamedTuple):
    x: float
    y: float

    SCALE = 3.0

    def swapped(self):
        return Pair(self.y, self.x)

    def scaled(self, factor):
        return self.x * factor + self.y

    @property
    def total(self):
        return self.x + self.y

    @staticmethod
    def doubled(x):
        return x * 2.0


def arrays(seed: int) -> tuple[np.ndarray, ...]:
    """Floats that are exact in float32, small integers, complex numbers, booleans."""
    random = np.random.default_rng(seed)
    return (
        (random.integers(-12, 24, 8) / 4).astype(np.float32),
        random.integers(0, 12, 8).astype(np.int32),
        (random.integers(-8, 8, 4) / 2 + 1j * random.integers(-8, 8, 4) / 2).astype(np.complex64),
        random.integers(0, 2, 4).astype(np.bool_),
    )


def check(function: Callable[..., None], debug: int) -> None:
    """A kernel of one thread leaves the same arrays behind as the plain call does."""
    kernel = sm.kernel(function)
    for seed in range(4):
        expected, found = arrays(seed), arrays(seed)
        with np.errstate(all="ignore"):
            function(*expected)
        kernel(*found, grid=1, debug=debug)
        for name, ours, theirs in zip("anzb", found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{name}, seed {seed}")


def cases(names: dict[str, Any]) -> pytest.MarkDecorator:
    """Each function of a module that takes the four arrays, without and with checks."""
    functions = [
        found
        for found in names.values()
        if getattr(found, "__module__", None) == names["__name__"]
        and getattr(getattr(found, "__code__", None), "co_varnames", ())[:4] == ("a", "n", "z", "b")
    ]
    assert functions
    both = [(function, debug) for function in functions for debug in (0, 2)]
    ids = [f"{function.__name__}-{debug}" for function, debug in both]
    return pytest.mark.parametrize(("function", "debug"), both, ids=ids)

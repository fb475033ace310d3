"""Operators that a program's named tuples and dataclasses define mean in kernels what they do here.

Each expression is computed by a kernel and by Python.
"""

from __future__ import annotations

import math  # noqa: F401 - the expressions use it
import operator  # noqa: F401
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import speedmetal as sm


class Vector(NamedTuple):
    x: float
    y: float

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __radd__(self, other):
        return Vector(other + self.x, other + self.y)

    def __iadd__(self, other):
        return Vector(self.x + 10 * other.x, self.y)

    def __mul__(self, factor):
        return Vector(self.x * factor, self.y * factor)

    def __rmul__(self, factor):
        return self * factor

    def __neg__(self):
        return Vector(-self.x, -self.y)

    def __invert__(self):
        return Vector(self.y, self.x)

    def __abs__(self):
        return abs(self.x) + abs(self.y)

    def __len__(self):
        return 7

    def __getitem__(self, k):
        return 10 * k

    def __contains__(self, number):
        return self.x <= number

    def __eq__(self, other):
        return self.x == other.x

    def __lt__(self, other):
        return self.y > other.y

    def __hash__(self):
        return 0


class Longer(Vector):
    def __radd__(self, other):
        return Vector(self.x - other.x, 0.5)

    def __gt__(self, other):
        return True


@dataclass(frozen=True)
class Quaternion:
    w: float
    x: float

    def __mul__(self, other):
        return Quaternion(self.w * other.w - self.x * other.x, self.w * other.x + self.x * other.w)

    def __pow__(self, count):
        return self.w**count

    def __sub__(self, other):
        return self * other

    def __eq__(self, other):
        return self.w == other.w

    def __hash__(self):
        return 0


@dataclass(frozen=True, order=True)
class Plain:
    w: float
    x: float


@dataclass(frozen=True, eq=False)
class NoEquality:
    w: float
    x: float


@dataclass(frozen=True)
class Polynomial:
    coefficients: tuple

    def __call__(self, x, scale=1.0):
        total = 0.0
        for c in self.coefficients:
            total = total * x + c
        return scale * total


captured = Polynomial((2.0, 3.0))


def augmented(v, w):
    v += w
    return v


def augmented_by_product(p, q):
    p *= q
    return p


EXPRESSIONS = (
    "(v + w).x", "(v + w + v).y", "(2 * v).y", "(v * 2.0).y", "(-v).x", "(~v).x", "abs(v)",
    "len(v + w)", "v[3]", "2.0 in v", "-5.0 in v", "v == w", "v == same", "v != same", "v < w",
    "w < v", "v > w", "operator.add(v, w).x", "operator.lt(v, w)", "augmented(v, w).x",
    "sum((v, w)).x", "sum((u for u in (v, w)), same).y", "sum((v, w), same).x", "(v + longer).y",
    "(v + longer).x", "v < longer", "(q * q * q).x", "augmented_by_product(q, q).w", "q ** 2",
    "pow(q, 3)", "(q - q).w", "q == r", "q != r", "q == q", "p == p2", "p != p2", "captured(a[0])",
    "captured.coefficients[1]", "Polynomial((a[1], 1.0))(a[0], scale=2.0)",
    "p == other", "p != other",
    "((1, 2) + (3,))[2]", "math.prod((q,), start=q).w",
)  # fmt: skip


def names(x):
    v, w = Vector(x[0], x[1]), Vector(x[2], x[3])
    q, r = Quaternion(x[0], x[2]), Quaternion(x[0], x[3])
    return {
        "v": v, "w": w, "q": q, "r": r, "same": Vector(x[0], x[3]),
        "longer": Longer(x[2], x[3]), "p": Plain(x[0], x[1]), "p2": Plain(x[0], x[2]),
        "a": x, "other": NoEquality(x[0], x[1]),
    }  # fmt: skip


def kernel_of(expression, **more):
    text = (
        "def kernel(a, out):\n"
        "    v, w, same = Vector(a[0], a[1]), Vector(a[2], a[3]), Vector(a[0], a[3])\n"
        "    q, r = Quaternion(a[0], a[2]), Quaternion(a[0], a[3])\n"
        "    longer, p, p2 = Longer(a[2], a[3]), Plain(a[0], a[1]), Plain(a[0], a[2])\n"
        "    other = NoEquality(a[0], a[1])\n"
        f"    out[0] = {expression}\n"
    )
    scope = {**globals(), **more}
    exec(text, scope)  # noqa: S102 - a program of these expressions
    return sm.kernel(source=text)(scope["kernel"])


NUMBERS = np.array([1.5, -2.0, 3.0, 4.0], np.float32)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_operator_of_the_program_is_called(launch, expression):
    out = np.zeros(1, np.float32)
    launch(kernel_of(expression), NUMBERS, out, grid=1)
    scope = globals() | names([float(n) for n in NUMBERS])
    assert out[0] == eval(expression, scope)  # noqa: S307 - one of the expressions above


class Truth(NamedTuple):
    x: float

    def __bool__(self):
        return False

    def __iter__(self):
        yield 5.0

    def __lt__(self, other):
        return self.x > other.x


@pytest.mark.parametrize(
    ("expression", "method"),
    [
        ("1 if Truth(a[0]) else 0", "__bool__"),
        ("bool(Truth(a[0]))", "__bool__"),
        ("tuple(Truth(a[0]))[0]", "__iter__"),
        ("min(Truth(a[0]), Truth(a[1])).x", "__lt__"),
        ("v in (w, v)", "__eq__"),
    ],
)
def test_a_method_that_kernels_would_not_call_is_refused(expression, method):
    with pytest.raises(sm.CompileError) as caught:
        sm.code(kernel_of(expression), "f32[:] f32[:]", stage="ir")
    name = "Vector" if method == "__eq__" else "Truth"
    assert (
        f"a {name} has {method} of its own, which kernels do not call here; use its fields,"
        f" or call it by its name: x.{method}(...)" in str(caught.value)
    )


def test_a_record_that_is_called_is_an_argument_as_well(launch):
    @sm.kernel
    def apply(f, x, out):
        out[0] = f(x[0])

    out = np.zeros(1, np.float32)
    for number in (2.0, 5.0):
        launch(apply, Polynomial((number, 3.0)), NUMBERS, out, grid=1)
        assert out[0] == 1.5 * number + 3


def test_dataclasses_without_equality_have_none():
    with pytest.raises(sm.CompileError, match=r"a NoEquality has no ==: it is a dataclass with eq"):
        sm.code(kernel_of("other == other"), "f32[:] f32[:]", stage="ir")

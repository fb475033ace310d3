"""The cases of arrays: what a program writes with a whole-array library, at several sizes.

A :class:`Family` is one formula. It is written once, over the *names* of a library: a
:class:`Names`, or a class of that library's own. Its reference is the same formula over NumPy's
names, in double precision; so the formulas are what they are, and each library is held to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from side_by_side.cases import Arrays, Case
from side_by_side.contender import Inputs

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
Function = Callable[..., Any]  # of a library's names, then of arrays

SIZES = tuple(1 << k for k in (12, 16, 20, 24, 26))
LARGE = 1 << 24
SWEPT = tuple(1 << k for k in range(0, 29, 2))  # for the cost against the size
SMALL = 1000
ITEM_BYTES = 4


class Names:
    """A library that names things as NumPy does, but for some names.

    They are looked up when they are used: what a library lacks is missing in its own cases alone.

    Example:
        >>> Names(math, double=lambda x: 2 * x).double(math.pi) == Names(math).tau
        True
    """

    def __init__(self, library: Any, **others: Any) -> None:
        self._library = library
        self._others = others

    def __getattr__(self, name: str) -> Any:
        found = self._others.get(name)
        return getattr(self._library, name) if found is None else found


def _logsumexp(x: NDArray[Any], axis: int) -> NDArray[Any]:
    greatest = x.max(axis, keepdims=True)
    found: NDArray[Any] = np.log(np.exp(x - greatest).sum(axis)) + greatest.squeeze(axis)
    return found


NUMPY = Names(np, logsumexp=_logsumexp, fft=np.fft.fft, solve=np.linalg.solve)


# --- inputs ----------------------------------------------------------------------------------

Draw = Callable[[np.random.Generator, Shape], NDArray[Any]]


def positive(generator: np.random.Generator, shape: Shape) -> NDArray[Any]:
    """Of a quarter to five quarters: sums are well conditioned, and nothing is divided by 0."""
    return generator.random(shape, np.float32) + np.float32(0.25)


def normal(generator: np.random.Generator, shape: Shape) -> NDArray[Any]:
    """Of a standard normal distribution."""
    return generator.standard_normal(shape, np.float32)


def complex_normal(generator: np.random.Generator, shape: Shape) -> NDArray[Any]:
    """Real and imaginary part of a standard normal distribution."""
    parts = generator.standard_normal((*shape, 2), np.float32)
    return parts.view(np.complex64)[..., 0]


def sides(elements: int, axes: int) -> Shape:
    """The extents, powers of two, of an array with so many axes that are alike.

    >>> sides(1 << 24, 3), sides(1 << 16, 3)
    ((256, 256, 256), (64, 32, 32))
    """
    exponent = elements.bit_length() - 1
    return tuple(1 << (exponent // axes + (k < exponent % axes)) for k in range(axes))


def _flat(names: str) -> Callable[[int], Shapes]:
    return lambda n: dict.fromkeys(names, (n,))


def _square(names: str) -> Callable[[int], Shapes]:
    return lambda n: dict.fromkeys(names, sides(n, 2))


def _rows_of(length: int) -> Callable[[int], Shapes]:
    """Rows of a length; fewer than 16 of them are shorter."""
    return lambda n: {"x": (n // min(length, n // 16), min(length, n // 16))}


# --- families --------------------------------------------------------------------------------


def _as_many(shapes: Shapes) -> int:
    """As the largest input."""
    return max(math.prod(shape) for shape in shapes.values())


@dataclass(frozen=True)
class Family:
    """A formula at several sizes.

    Args:
        name: In the command line.
        group: Of the summary.
        title: For the page, before the size.
        function: Of a library's names and the inputs.
        shapes: Of the inputs, for a number of elements.
        written: Elements of the result, for these shapes.
        draw: Makes an input.
        relative, absolute: Allowed errors, see :class:`~side_by_side.cases.Case`.
        sizes: Those that there are.
        chosen: Of these, those of a run by default.
        is_quick: Whether the first of the chosen sizes is in a quick run.
        operations: For the rate, by size; None: the bytes.
        unit: Of the rate.
        is_lazy: The nodes are made, and nothing is computed.
    """

    name: str
    group: str
    title: str
    function: Function
    shapes: Callable[[int], Shapes]
    written: Callable[[Shapes], int] = _as_many
    draw: Draw = positive
    relative: float = 4e-6
    absolute: float = 2e-6
    sizes: tuple[int, ...] = SIZES
    chosen: tuple[int, ...] = (LARGE,)
    is_quick: bool = False
    operations: Callable[[int], float] | None = None
    unit: str = "GB/s"
    is_lazy: bool = False

    @property
    def key(self) -> str:
        """Under which the frameworks' tables have it; kernels' cases have names of their own."""
        return f"arrays/{self.name}"

    def traffic_bytes(self, size: int) -> int:
        """What is read and written at least."""
        shapes = self.shapes(size)
        read = sum(math.prod(shape) for shape in shapes.values())
        return ITEM_BYTES * (read + self.written(shapes))

    def case(self, size: int) -> Case:
        """The case of so many elements."""
        traffic = self.traffic_bytes(size)
        return Case(
            name=f"{self.name}@{size}",
            title=f"{self.title}, {_shapes_text(self.shapes(size))}",
            inputs=partial(self._inputs, size),
            reference=self._reference,
            relative=self.relative,
            absolute=self.absolute,
            traffic_bytes=0 if self.operations else traffic,
            operations=self.operations(size) if self.operations else traffic,
            unit=self.unit,
            family=self.key,
        )

    def _inputs(self, size: int, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
        return {name: self.draw(generator, shape) for name, shape in self.shapes(size).items()}

    def _reference(self, inputs: Inputs) -> Arrays:
        wide = [
            x.astype(np.complex128 if np.iscomplexobj(x) else np.float64) for x in inputs.values()
        ]
        return (np.atleast_1d(self.function(NUMPY, *wide)),)


def _shapes_text(shapes: Shapes) -> str:
    """Extents of all inputs, equal ones once; powers of two from 2^12 as such."""
    different = dict.fromkeys(shapes.values())
    return " and ".join(" x ".join(map(size_text, shape)) for shape in different)


def size_text(size: int) -> str:
    """A number of elements.

    >>> size_text(1 << 24), size_text(1024), size_text(5000)
    ('2^24', '1024', '5000')
    """
    is_power = size >= 1 << 12 and size & (size - 1) == 0
    return f"2^{size.bit_length() - 1}" if is_power else str(size)


# --- elementwise -----------------------------------------------------------------------------


def _five(xp: Any, a: Any, b: Any) -> Any:
    return xp.sqrt(a * a + b * b) * 0.5


def _ten(xp: Any, a: Any, b: Any, c: Any) -> Any:
    difference = a - b
    length = xp.sqrt(difference * difference + c * c + 1.0)
    return (difference / length * a + c) * 0.5


def _twenty(_: Any, a: Any, b: Any, c: Any) -> Any:
    x = a
    for _step in range(5):
        x = x * b + c
        x = x - a * 0.5
    return x


def _mathematics(xp: Any, a: Any, b: Any) -> Any:
    return xp.exp(xp.sin(a)) * xp.cos(b) + xp.log(xp.tanh(a) + 1.0)


EVERY_SIZE = (1 << 24, 1 << 12, 1 << 16, 1 << 20)
SWEEP = Family(
    *("fused_5", "fused", "sqrt(a*a + b*b) * 0.5", _five, _flat("ab")),
    chosen=EVERY_SIZE,
    is_quick=True,
)
"""The family whose cost is held against the size."""

_ELEMENTWISE = (
    Family(
        *("copy", "copy", "copy", lambda xp, a: xp.copy(a), _flat("a")),
        *(_as_many, positive, 0.0, 0.0),
        chosen=EVERY_SIZE,
        is_quick=True,
    ),
    Family("fused_2", "fused", "2*a + b", lambda _, a, b: a * 2.0 + b, _flat("ab")),
    Family("fused_2_of_1", "fused", "2*a + 1", lambda _, a: a * 2.0 + 1.0, _flat("a")),
    SWEEP,
    Family(
        *("fused_5_of_5", "fused", "(a*b + c*d - e) * 0.5"),
        *(lambda _, a, b, c, d, e: (a * b + c * d - e) * 0.5, _flat("abcde")),
    ),
    Family(
        *("fused_10", "fused", "ten operations with a square root", _ten, _flat("abc")),
        chosen=(1 << 24, 1 << 16),
    ),
    Family("fused_20", "fused", "twenty operations", _twenty, _flat("abc"), is_quick=True),
    Family(
        *("select", "fused", "where(a > b, a*c, b - c)"),
        *(lambda xp, a, b, c: xp.where(a > b, a * c, b - c), _flat("abc")),
    ),
    Family(
        *("mathematics", "transcendental", "exp(sin(a)) * cos(b) + log(tanh(a) + 1)"),
        *(_mathematics, _flat("ab")),
        absolute=4e-6,
        is_quick=True,
        chosen=(1 << 24, 1 << 16),
    ),
)

# --- broadcasting, strides -------------------------------------------------------------------


def _with_row(n: int) -> Shapes:
    return {"a": sides(n, 2), "row": sides(n, 2)[1:]}


def _with_column(n: int) -> Shapes:
    return {"a": sides(n, 2), "column": (sides(n, 2)[0], 1)}


def _row_and_column(n: int) -> Shapes:
    return {"row": sides(n, 2)[1:], "column": (sides(n, 2)[0], 1)}


def _turned(n: int) -> Shapes:
    return {"a": sides(n, 2), "b": sides(n, 2)[::-1]}


def _outer(shapes: Shapes) -> int:
    return shapes["row"][0] * shapes["column"][0]


_LAYOUTS = (
    Family(
        *("with_row", "broadcast", "a * row + 1", lambda _, a, r: a * r + 1.0, _with_row),
        is_quick=True,
    ),
    Family("with_column", "broadcast", "a * column + 1", lambda _, a, c: a * c + 1.0, _with_column),
    Family(
        *("row_and_column", "broadcast", "row * column + row"),
        *(lambda _, r, c: r * c + r, _row_and_column, _outer),
    ),
    Family(
        *("with_scalar", "broadcast", "a * s + s, s of one element"),
        *(lambda _, a, s: a * s + s, lambda n: {"a": (n,), "s": (1,)}),
    ),
    Family(
        *("every_second", "strides", "a[::2] + b[::2]"),
        *(lambda _, a, b: a[::2] + b[::2], _flat("ab"), lambda shapes: shapes["a"][0] // 2),
    ),
    Family("backwards", "strides", "a[::-1] + b", lambda xp, a, b: xp.flip(a) + b, _flat("ab")),
    Family(
        *("transposed", "strides", "a.T + b"),
        *(lambda xp, a, b: xp.transpose(a) + b, _turned),
        is_quick=True,
    ),
)

# --- reductions ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axes:
    """Over what a reduction goes."""

    name: str
    title: str
    shape: Callable[[int], Shape]
    axis: int | tuple[int, ...] | None

    def shapes(self, names: str) -> Callable[[int], Shapes]:
        return lambda n: dict.fromkeys(names, self.shape(n))

    def written(self, shapes: Shapes) -> int:
        shape = next(iter(shapes.values()))
        if self.axis is None:
            return 1
        over = (self.axis,) if isinstance(self.axis, int) else self.axis
        return math.prod(shape) // math.prod(shape[k] for k in over)


ALL = Axes("all", "all", lambda n: (n,), None)
ALL_OF_4 = Axes("all_of_4", "all", lambda n: sides(n, 4), None)
LAST = Axes("last", "the last axis", lambda n: sides(n, 2), -1)
SHORT_ROWS = Axes("short_rows", "the last axis", lambda n: (n // 16, 16), -1)
LAST_OF_4 = Axes("last_of_4", "the last axis", lambda n: sides(n, 4), -1)
FIRST = Axes("first", "the first axis", lambda n: sides(n, 2), 0)
NARROW_FIRST = Axes("narrow_first", "the first axis", lambda n: (n // 16, 16), 0)
FIRST_OF_3 = Axes("first_of_3", "the first axis", lambda n: sides(n, 3), 0)
MIDDLE = Axes("middle", "the middle axis", lambda n: sides(n, 3), 1)
MIDDLE_TWO = Axes("middle_two", "the two middle axes", lambda n: sides(n, 4), (1, 2))


def _reduction(operation: str, axes: Axes, **more: Any) -> Family:
    def function(xp: Any, x: Any) -> Any:
        return getattr(xp, operation)(x, axis=axes.axis)

    return Family(
        *(f"{operation}_{axes.name}", "reduction", f"{operation} over {axes.title}"),
        *(function, axes.shapes("x"), axes.written, positive),
        relative=0.0 if operation == "max" else 1e-4,
        absolute=0.0,
        **more,
    )


def _squares(axes: Axes, **more: Any) -> Family:
    def function(xp: Any, a: Any, b: Any) -> Any:
        return xp.sum((a - b) ** 2, axis=axes.axis)

    return Family(
        *(f"squares_{axes.name}", "fused reduction", f"sum((a - b)**2) over {axes.title}"),
        *(function, axes.shapes("ab"), axes.written, positive),
        relative=1e-4,
        absolute=0.0,
        **more,
    )


_NEVER: tuple[int, ...] = ()
_REDUCTIONS = (
    _reduction("sum", ALL, chosen=EVERY_SIZE, is_quick=True),
    _reduction("sum", ALL_OF_4, chosen=_NEVER),
    _reduction("sum", LAST, chosen=(1 << 24, 1 << 16), is_quick=True),
    _reduction("sum", SHORT_ROWS),
    _reduction("sum", LAST_OF_4, chosen=_NEVER),
    _reduction("sum", FIRST, chosen=(1 << 24, 1 << 16), is_quick=True),
    _reduction("sum", NARROW_FIRST),
    _reduction("sum", FIRST_OF_3, chosen=_NEVER),
    _reduction("sum", MIDDLE),
    _reduction("sum", MIDDLE_TWO),
    *(_reduction("max", axes) for axes in (ALL, LAST, FIRST)),
    *(_reduction("max", axes, chosen=_NEVER) for axes in (SHORT_ROWS, MIDDLE, MIDDLE_TWO)),
    *(_reduction("mean", axes) for axes in (LAST, MIDDLE)),
    *(_reduction("mean", axes, chosen=_NEVER) for axes in (ALL, FIRST, MIDDLE_TWO)),
    _squares(ALL, is_quick=True),
    _squares(LAST),
    _squares(FIRST),
)

# --- rows ------------------------------------------------------------------------------------


def _row_function(operation: str) -> Function:
    return lambda xp, x: getattr(xp, operation)(x, axis=-1)


def _one_a_row(shapes: Shapes) -> int:
    return shapes["x"][0]


_ROWS = (
    Family(
        *("var", "rows", "variance of rows", _row_function("var"), _rows_of(4096)),
        *(_one_a_row, normal, 1e-4, 0.0),
    ),
    Family(
        *("logsumexp", "rows", "logsumexp of rows", _row_function("logsumexp"), _rows_of(1024)),
        *(_one_a_row, normal, 1e-5, 1e-5),
    ),
)

# --- small arrays, and what is left to a library ---------------------------------------------


def _add(_: Any, a: Any, b: Any) -> Any:
    return a + b


def _chain(_: Any, a: Any, b: Any) -> Any:
    x = a
    for _step in range(5):
        x = x * b + a
    return x


_ONLY_SMALL: dict[str, Any] = {"sizes": (SMALL,), "chosen": (SMALL,)}
_SMALL = (
    Family(
        *("node", "small", "a + b, not evaluated", _add, _flat("ab")), **_ONLY_SMALL, is_lazy=True
    ),
    Family(*("operation", "small", "a + b", _add, _flat("ab")), **_ONLY_SMALL, is_quick=True),
    Family(*("chain", "small", "a chain of ten", _chain, _flat("ab")), **_ONLY_SMALL),
)


def _transform_operations(n: int) -> float:
    """As usually counted for a complex transform: 5 n log2(n)."""
    return 5.0 * n * math.log2(n)


def _solve(xp: Any, a: Any, b: Any) -> Any:
    return xp.solve(a, b)


_UP_TO_2_20: dict[str, Any] = {"sizes": SIZES[:3], "chosen": (1 << 20,)}
_LEFT = (
    Family(
        *("fft", "left to a library", "fft of complex64", lambda xp, x: xp.fft(x), _flat("x")),
        *(_as_many, complex_normal, 0.0, 1e-5),
        **_UP_TO_2_20,
        operations=_transform_operations,
        unit="Gflop/s",
    ),
    Family(
        *("fft_rows", "left to a library", "fft of rows of complex64", lambda xp, x: xp.fft(x)),
        *(_rows_of(1024), _as_many, complex_normal, 0.0, 1e-5),
        **_UP_TO_2_20,
        operations=lambda n: 5.0 * n * math.log2(min(1024, n // 16)),
        unit="Gflop/s",
    ),
    Family(
        *("solve", "left to a library", "solve(a, b)", _solve, _square("ab"), _as_many, normal),
        *(0.0, 5e-2),
        **_UP_TO_2_20,
        operations=lambda n: 8 / 3 * n**1.5,
        unit="Gflop/s",
    ),
)

FAMILIES = (*_ELEMENTWISE, *_LAYOUTS, *_REDUCTIONS, *_ROWS, *_SMALL, *_LEFT)
FAMILY = {family.key: family for family in FAMILIES}
ARRAY_CASES = (
    *(family.case(size) for family in FAMILIES for size in family.sizes),
    *(SWEEP.case(size) for size in SWEPT if size not in SWEEP.sizes),
)


def sizes_of(family: Family, effort: str) -> tuple[int, ...]:
    """The sizes of a family in a run that is "quick", "default" or "full"."""
    if effort == "full":
        return family.sizes
    if effort == "quick":
        return family.chosen[:1] if family.is_quick else ()
    return family.chosen

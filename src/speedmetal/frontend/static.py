"""Numbers that are known while compiling: ``sm.static(16)`` as an argument of a kernel."""

from __future__ import annotations

import operator
from typing import Any, Generic, TypeVar

import numpy as np

from speedmetal.errors import UserInputError

_EXPECTED = "an int, a bool, a float or a tuple of them"

KINDS = (int, bool, float, tuple)
"""The types that a value can have, and that an annotation can ask for: ``static[int]``."""

_Kind = TypeVar("_Kind")


class static(Generic[_Kind]):  # noqa: N801 - a word of the kernel language, as static_range is
    """A number, or a tuple of numbers, that a kernel is given as a compile-time constant.

    A kernel is compiled once for each value; equal numbers of different types (``1``, ``True``,
    ``1.0``) are different values. As the annotation of a kernel's parameter (``size: sm.static``)
    it makes the plain numbers that are passed there compile-time constants; ``sm.static[int]``
    does so for ints and refuses others, as ``[bool]``, ``[float]`` and ``[tuple]`` do for theirs.

    Args:
        value: An int, a bool, a float, NumPy's too (they become Python's), or a tuple of them.

    Raises:
        UserInputError: It is something else.

    >>> static(16), static(np.int64(3)), static((2, True))
    (static(16), static(3), static((2, True)))
    >>> static(1) == static(1), static(1) == static(True)
    (True, False)
    """

    __slots__ = ("key", "value")

    value: Any
    key: str  # tells 1, True and 1.0 apart, and 0.0 from -0.0; its hash is kept, for launches

    def __init__(self, value: Any) -> None:
        if type(value) is tuple:
            items = tuple(_number(item, value) for item in value)
            is_known = all(map(operator.is_, items, value))
            known: Any = value if is_known else items  # the same object: launches look for it
        else:
            known = _number(value, value)
        object.__setattr__(self, "value", known)
        object.__setattr__(self, "key", f"static({known!r})")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"static values can not be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, static) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.key

    def __reduce__(self) -> tuple[type[static[Any]], tuple[Any]]:
        return static, (self.value,)


def _number(item: Any, given: Any) -> int | float:
    if isinstance(item, bool | np.bool_):
        return bool(item)
    if isinstance(item, int | np.integer):
        return int(item)
    if isinstance(item, float | np.floating):
        return float(item)
    kind = type(item).__name__
    where = f"{kind} in the tuple {given!r}" if item is not given else f"{kind}: {given!r}"
    raise UserInputError(
        f"sm.static expected {_EXPECTED}, got {where}; give arrays and other values to the kernel"
        " directly, and functions, dtypes and strings too, which are static anyway"
    )

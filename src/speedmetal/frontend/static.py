"""Numbers that are known while compiling: ``sm.static(16)`` as an argument of a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.errors import UserInputError

_EXPECTED = "an int, a bool, a float or a tuple of them"


class static:  # noqa: N801 - a word of the kernel language, as static_range is
    """A number, or a tuple of numbers, that a kernel is given as a compile-time constant.

    A kernel is compiled once for each value; equal numbers of different types (``1``, ``True``,
    ``1.0``) are different values. As the annotation of a kernel's parameter (``size: sm.static``)
    it makes the plain numbers that are passed there compile-time constants.

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
    key: tuple[Any, ...]

    def __init__(self, value: Any) -> None:
        is_tuple = type(value) is tuple
        items = tuple(_number(item, value) for item in (value if is_tuple else (value,)))
        object.__setattr__(self, "value", items if is_tuple else items[0])
        # What tells 1, True and 1.0 apart, and 0.0 from -0.0; cheap to hash at a launch.
        object.__setattr__(self, "key", (static, is_tuple, *map(_told_apart, items)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"static values can not be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, static) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"static({self.value!r})"

    def __reduce__(self) -> tuple[type[static], tuple[Any]]:
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


def _told_apart(number: float) -> tuple[type, int | str]:
    return type(number), number.hex() if isinstance(number, float) else number

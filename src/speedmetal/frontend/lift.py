"""Python objects as values: what captured names, defaults and fields hold."""

from __future__ import annotations

import enum
from typing import Any

from speedmetal.frontend.signature import (
    is_aggregate,
    is_partial_class,
    is_wide_number,
    keywords_of,
    record_items,
)
from speedmetal.frontend.static import static
from speedmetal.frontend.values import Aggregate, Partial, Static, Value


def lift(found: Any, *, has_float64: bool) -> Value:
    """A Python object as a value; tuples and records item by item.

    NumPy's numbers keep their type. Where the target has no float64, though, one of it is what a
    float of Python's is, and a complex128 what a complex number of Python's is: most of them come
    out of computations that nobody asked for float64.
    """
    if is_wide_number(found) and not has_float64:
        return Static(found.item())
    if isinstance(found, enum.Enum) and isinstance(found, int | float | str):
        return Static(found.value)
    if isinstance(found, static):
        return lift(found.value, has_float64=has_float64)
    is_partial = is_partial_class(type(found))
    if not is_partial and (_is_ours(found) or not is_aggregate(found)):
        return Static(found)
    items = tuple(lift(item, has_float64=has_float64) for item in record_items(found))
    if is_partial:
        return partial_of(items, keywords_of(found))
    return Aggregate(items, None if type(found) is tuple else type(found))


def _is_ours(found: Any) -> bool:
    """Whether it can be called and is of this package: an intrinsic, a dtype, a kernel."""
    package = __name__.partition(".")[0]
    return callable(found) and type(found).__module__.partition(".")[0] == package


def partial_of(items: tuple[Value, ...], names: tuple[str, ...]) -> Partial:
    """A function and the arguments that it has, those with names last."""
    function, *given = items
    count = len(given) - len(names)
    return Partial(function, tuple(given[:count]), tuple(zip(names, given[count:], strict=True)))

"""Python objects as values: what captured names, defaults and fields hold."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from speedmetal.frontend.signature import is_record_class, record_items
from speedmetal.frontend.values import Aggregate, Static, Value


def lift(found: Any, *, has_float64: bool) -> Value:
    """A Python object as a value; tuples and records item by item.

    NumPy's numbers keep their type. Where the target has no float64, though, one of it is what a
    float of Python's is: most of them come out of computations that nobody asked for float64.
    """
    if isinstance(found, np.float64) and not has_float64:
        return Static(float(found))
    if isinstance(found, enum.Enum) and isinstance(found, int | float | str):
        return Static(found.value)
    cls = type(found)
    if callable(found):
        return Static(found)  # intrinsics, constructs, dtypes and kernels are records, too
    if cls is tuple:
        return Aggregate(tuple(lift(item, has_float64=has_float64) for item in found))
    if is_record_class(cls):
        items = (lift(item, has_float64=has_float64) for item in record_items(found))
        return Aggregate(tuple(items), cls)
    return Static(found)

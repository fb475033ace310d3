"""Python objects as values: what captured names, defaults and fields hold."""

from __future__ import annotations

import enum
from typing import Any

from speedmetal.frontend.signature import is_record_class, record_items
from speedmetal.frontend.values import Aggregate, Static, Value


def lift(found: Any) -> Value:
    """A Python object as a value; tuples and records item by item."""
    if isinstance(found, enum.Enum) and isinstance(found, int | float | str):
        return Static(found.value)
    cls = type(found)
    if callable(found):
        return Static(found)  # intrinsics, constructs, dtypes and kernels are records, too
    if cls is tuple:
        return Aggregate(tuple(map(lift, found)))
    if is_record_class(cls):
        return Aggregate(tuple(map(lift, record_items(found))), cls)
    return Static(found)

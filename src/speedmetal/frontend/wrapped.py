"""The Python functions behind objects that wrap them: kernels, decorated functions."""

from __future__ import annotations

import types
from typing import Any


def function_of(found: Any) -> types.FunctionType | None:
    """A function itself, or that of a kernel: inside kernels both are the same."""
    if isinstance(found, types.FunctionType):
        return found
    function = getattr(found, "function", None)
    is_kernel = function is not None and getattr(found, "__wrapped__", None) is function
    return function if is_kernel and isinstance(function, types.FunctionType) else None


def plain_function(found: Any) -> types.FunctionType | None:
    """The Python function of an object: itself, or what a decorator has wrapped."""
    while not isinstance(found, types.FunctionType):
        found = getattr(found, "__wrapped__", None)
        if found is None:
            return None
    return found

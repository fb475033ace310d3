"""NumPy's functions on arrays: each is the function of ``speedmetal`` of the same meaning.

NumPy hands over what it is called with (NEP 13 for universal functions, NEP 18 for the others).
What ``speedmetal`` has no function for is done by NumPy itself, on the arrays' values, and becomes
an array on the same device again.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.elementwise.operands import beside
from speedmetal.dtypes import from_numpy, is_supported

_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "power": "pow",
    "true_divide": "divide",
    "mod": "remainder",
    "invert": "bitwise_invert",
    "bitwise_not": "bitwise_invert",
    "conjugate": "conj",
    "left_shift": "bitwise_left_shift",
    "right_shift": "bitwise_right_shift",
    "degrees": "degrees",
    "rad2deg": "degrees",
    "deg2rad": "radians",
    "concatenate": "concat",
    "transpose": "permute_dims",
    "amax": "max",
    "amin": "min",
    "around": "round",
    "product": "prod",
    "cumsum": "cumsum",
    "cumprod": "cumprod",
}
"""NumPy's names where ours are others."""

_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "minimum": "min",
    "maximum": "max",
    "logical_and": "all",
    "logical_or": "any",
}
_ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod", "maximum": "cummax", "minimum": "cummin"}
_SAME_POSITIONS = {
    "asarray": 2,
    "empty_like": 2,
    "full_like": 3,
    "geomspace": 3,
    "isin": 2,
    "linspace": 3,
    "logspace": 3,
    "nan_to_num": 1,
    "ones_like": 2,
    "select": 0,
    "zeros_like": 2,
}
"""How many arguments without a name mean the same, where later ones mean something else."""
_NAMESPACES = {"numpy": "", "numpy.linalg": "linalg", "numpy.fft": "fft"}


def array_ufunc(array: Array, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What NumPy's universal function does with these inputs, an array among them.

    Args:
        array: The one that was asked.
        ufunc: NumPy's function.
        method: ``"__call__"``, or a method of it such as ``"reduce"``.
        inputs: Its operands.
        options: Its options; ``out`` may name arrays to write to.

    Returns:
        The result; NotImplemented where another library's class, which contains arrays as Dask's
        and xarray's do, is to say.
    """
    if any(map(_is_asked_itself, inputs)):
        return NotImplemented
    out = options.pop("out", None)
    result = _call_ufunc(array, ufunc, method, inputs, options)
    if out is None:
        return result
    results = result if isinstance(result, tuple) else (result,)
    for target, value in zip(out, results, strict=True):
        if target is not None:
            target[...] = value
    return out if len(out) > 1 else out[0]


def _is_asked_itself(value: Any) -> bool:
    """Whether it is neither ours nor NumPy's, and answers NumPy's functions too."""
    return not isinstance(value, (Array, np.ndarray, np.generic)) and callable(
        getattr(value, "__array_ufunc__", None)
    )


def _call_ufunc(
    array: Array, ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    name = ufunc.__name__
    function = None
    if method == "__call__" and options.keys() <= {"dtype"}:
        function = _ours("numpy", _NAMES.get(name, name))
    elif method == "reduce" and options.keys() <= {"axis", "keepdims", "dtype"}:
        function = _ours("numpy", _REDUCTIONS.get(name, ""))
        options = {"axis": 0, **options}
    elif method == "accumulate" and options.keys() <= {"axis"}:
        function = _ours("numpy", _ACCUMULATIONS.get(name, ""))
        options = {"axis": 0, **options}
    if function is None:
        return by_numpy(array, getattr(ufunc, method), inputs, options)
    dtype = options.pop("dtype", None) if method == "__call__" else None
    operands = [_operand(name, array, value) for value in inputs]
    if dtype is not None:  # in which NumPy computes
        wanted = from_numpy(np.dtype(dtype))
        operands = [x.astype(wanted) if isinstance(x, Array) else x for x in operands]
    return function(*operands, **options)


def array_function(
    array: Array, function: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """What another function of NumPy does with these arguments, an array among them."""
    name = function.__name__
    ours = _ours(function.__module__, _NAMES.get(name, name))
    if ours is not None and len(args) <= _SAME_POSITIONS.get(name, len(args)):
        wanted = {key: value for key, value in options.items() if value is not np._NoValue}  # noqa: SLF001 - NumPy's mark of what was not given
        if wanted.get("out", 0) is None:
            del wanted["out"]
        try:
            return ours(*args, **wanted)
        except TypeError:  # an option that ours does not know, or something else than numbers
            pass
    return by_numpy(array, function, args, options)


def by_numpy(
    array: Array, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """The result of NumPy's own function on the arrays' values, on the array's device."""
    found = function(*map(_as_numpy, args), **{k: _as_numpy(v) for k, v in options.items()})
    return _as_ours(found, array)


def _ours(module: str, name: str) -> Callable[..., Any] | None:
    place = _NAMESPACES.get(module)
    if place is None or not name:
        return None
    home: Any = import_module("speedmetal")
    if place:
        home = getattr(home, place, None)
    found: Callable[..., Any] | None = getattr(home, name, None)
    return found if callable(found) else None


def _operand(name: str, array: Array, value: Any) -> Any:
    if isinstance(value, list):
        return asarray(value, device=array.device)
    return beside(name, array, value)


def _as_numpy(value: Any) -> Any:
    if isinstance(value, Array):
        return value.numpy()
    if isinstance(value, list | tuple):
        return type(value)(map(_as_numpy, value))
    return value


def _as_ours(value: Any, like: Array) -> Any:
    if isinstance(value, np.generic):  # NumPy's number where another library has 0 axes
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and is_supported(value.dtype):
        # What `numpy.broadcast_arrays` gives is said to be writable, and warns when it is shared.
        is_own = 0 not in value.strides and value.flags.writeable
        shared = Array.wrap(value, like.device) if is_own else None
        return upload(value, like.device) if shared is None else shared
    if type(value) in (list, tuple):
        return type(value)(_as_ours(item, like) for item in value)
    return value

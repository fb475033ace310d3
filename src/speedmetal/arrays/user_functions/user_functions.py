"""Functions of the user's as arguments of array operations: which are the same, what they give."""

from __future__ import annotations

import functools
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.memory.kept import Kept
from speedmetal.backends.device import Device
from speedmetal.compiler.pipeline import is_current
from speedmetal.dtypes import DType, float64
from speedmetal.errors import UserInputError
from speedmetal.frontend.forms import Tree, flatten, is_branch
from speedmetal.frontend.signature import (
    Argument,
    ScalarArgument,
    StaticArgument,
    TupleArgument,
    all_leaves,
    is_partial_class,
    record_items,
    signature_of,
    with_article,
)
from speedmetal.frontend.static import static
from speedmetal.launch.readers import read_argument

# --- Functions -----------------------------------------------------------------------------------

_functions: Kept[types.FunctionType] = Kept(1024)


def checked_function(name: str, role: str, function: Any) -> Any:
    """A function that a kernel can be given, the same one for all that mean the same.

    A lambda in a loop is a new object at each turn; the kernel is compiled for the first one alone
    as long as it is of the same code, and numbers that it closes over are equal.

    Raises:
        UserInputError: It is no function.
    """
    if not callable(function) or isinstance(function, Array):
        raise UserInputError(
            f"{name} expected a function for {role}, got {with_article(type(function).__name__)}"
        )
    if type(function) is functools.partial:
        inner = checked_function(name, role, function.func)
        return functools.partial(inner, *function.args, **function.keywords)
    if type(function) is not types.FunctionType:
        return function
    key = _key_of(function)
    if key is None:
        return function
    known = _functions.get(key)
    if known is None or _key_of(known) != key:  # what it closes over may have changed since
        known = _functions.keep(key, function)
    return known


def _key_of(function: types.FunctionType) -> tuple[Any, ...] | None:
    """What a function means: its code and what it closes over; None where that is not known."""
    given = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()]
    try:
        closed = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # not assigned yet
        return None
    values = (*given, *closed)
    if not all(isinstance(value, _LASTING | _NUMBERS) for value in values):
        return None
    parts = [
        (type(value), repr(value)) if isinstance(value, _NUMBERS) else id(value) for value in values
    ]
    return id(function.__code__), id(function.__globals__), len(closed), *parts


_NUMBERS = bool | int | float | complex | np.generic | str
_LASTING = types.FunctionType | types.BuiltinFunctionType | types.ModuleType | type | DType


# --- Types ---------------------------------------------------------------------------------------

_results: Kept[Any] = Kept(1024)


def type_of_call(
    caller: Any,
    functions: Sequence[Any],
    arguments: Sequence[Argument],
    device: Device,
) -> Tree:
    """The dtypes of what a function of the user's gives.

    Args:
        caller: A function of :mod:`speedmetal.arrays.kernels.higher_order`, which is given these
            functions, then values of the types of the arguments.
        functions: The user's.
        arguments: See above.
        device: On which it is to run.

    Raises:
        CompileError: The user's function is not in the kernel language, takes other arguments, or
            gives no numbers.
        UserInputError: The same of a function that is none of Python's.
    """
    has_float64 = device.target.has_float64
    key: list[Any] = [caller, has_float64, *arguments]
    for function in functions:
        read_argument(function, key, [])
    try:
        known = _results.get(tuple(key))
    except TypeError:  # no hash: the signature will say why
        known = None
    if known is None or not is_current(known.dependencies):
        wide = _wide_beside(
            [leaf.dtype for leaf in all_leaves(arguments) if isinstance(leaf, ScalarArgument)]
        )
        from speedmetal.frontend.infer import infer_result  # the front end, with its first use

        given = signature_of((*functions, *wide), has_float64=has_float64)[: len(functions)]
        user = _innermost(functions[0])
        known = infer_result(caller, (*given, *arguments), user=user, has_float64=has_float64)
        _results.keep(tuple(key), known)
    return known.dtypes


def _innermost(function: Any) -> Any:
    """The function that has to have what a partial, ours perhaps, gives it."""
    while is_partial_class(type(function)):
        inner, *given = record_items(function)
        is_ours = getattr(inner, "__module__", None) == _KERNELS
        function = given[0] if is_ours and given else inner
    return function


_KERNELS = "speedmetal.arrays.kernels.higher_order"


def argument_of(tree: Tree) -> Argument:
    """The type of values of these dtypes, as an argument."""
    if isinstance(tree, DType):
        return ScalarArgument(tree)
    items = tuple(argument_of(item) for item in record_items(tree))
    return TupleArgument(items, None if type(tree) is tuple else type(tree))


def arguments_of(values: Sequence[Any], device: Device) -> Argument:
    """The types of elements of arrays, and of numbers beside them, as one tuple."""
    dtypes = [value.layout.dtype for value in values if isinstance(value, Array)]
    found = signature_of(
        [*(0 if isinstance(value, Array) else value for value in values), *_wide_beside(dtypes)],
        has_float64=device.target.has_float64,
    )
    return TupleArgument(
        tuple(
            ScalarArgument(value.layout.dtype) if isinstance(value, Array) else kind
            for value, kind in zip(values, found, strict=False)
        )
    )


def _wide_beside(dtypes: Sequence[DType]) -> tuple[np.float64, ...]:
    """A number that makes Python's floats beside it wide, where one of these dtypes does."""
    return (np.float64(0),) if any(dtype.part is float64 for dtype in dtypes) else ()


def known_argument(value: Any) -> Argument:
    """The type of a compile-time value."""
    return StaticArgument(static(value))


# --- Trees ---------------------------------------------------------------------------------------


def have_one_form(one: Tree, other: Tree) -> bool:
    """Whether two trees stand for each other item by item; a tuple does for a record."""
    if not (is_branch(one) and is_branch(other)):
        return is_branch(one) == is_branch(other)
    left, right = record_items(one), record_items(other)
    return len(left) == len(right) and all(map(have_one_form, left, right))


def arrays_in(name: str, x: Tree) -> tuple[Array, ...]:
    """The arrays of a tree, of one shape and on one device.

    Raises:
        UserInputError: They are none, or not alike.
    """
    found = flatten(x)
    for array in found:
        if not isinstance(array, Array):
            raise UserInputError(
                f"{name} expected an Array, or a tuple or named tuple of Arrays, for x, got"
                f" {with_article(type(array).__name__)}; convert with sm.asarray(x)"
            )
    shapes = sorted({array.shape for array in found})
    if len(shapes) != 1:
        shown = " and ".join(map(str, shapes)) or "none"
        raise UserInputError(f"{name} expected arrays of one shape, got {shown}")
    device_of(name, found)
    return found


def device_of(name: str, arrays: Sequence[Array]) -> Device:
    """The device of arrays.

    Raises:
        UserInputError: There are several.
    """
    devices = list(dict.fromkeys(array.layout.device for array in arrays))
    if len(devices) > 1:
        shown = " and ".join(device.name for device in devices)
        raise UserInputError(
            f"{name}: the arrays are on {shown}; move one of them with x.to(device)"
        )
    return devices[0]

"""A call's arguments, bound to a kernel's parameters once for a key.

:func:`bind` walks the arguments and makes one value of them, which everything after reads: the
signature, and for each parameter of the compiled kernel its name, value, type and layout.
"""

from __future__ import annotations

import math
from array import array as buffer_array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from speedmetal.backends.device import (
    ArrayParameter,
    Device,
    DeviceArray,
    ScalarParameter,
    elements_fault,
)
from speedmetal.common.records import record
from speedmetal.dtypes import DType, as_dtype
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.frontend.signature import (
    Argument,
    ArrayArgument,
    ExpressionArgument,
    FollowedArgument,
    ScalarArgument,
    all_leaves,
    argument_type,
    is_aggregate,
    numbers_among,
    record_items,
    signature_of,
)
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.launch.expressions import Expression, Followed, placed_followers, placed_leaves


@record(eq=False)
class Leaf:
    """One parameter of the compiled kernel, and what a call gives for it.

    Args:
        name: The user's parameter that it is, or is a part of.
        value: An array, or a number.
        parameter: How it is given to the compiled kernel.
    """

    name: str
    value: Any
    parameter: ArrayParameter | ScalarParameter

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of an array; of a number none."""
        return self.parameter.shape if isinstance(self.parameter, ArrayParameter) else ()

    @property
    def is_readonly(self) -> bool:
        """Whether it is an array that may not be written to."""
        if isinstance(self.value, DeviceArray):
            return self.value.layout.is_readonly
        return isinstance(self.value, np.ndarray) and not self.value.flags.writeable


@record(eq=False)
class BoundArguments:
    """A call's arguments, taken apart.

    Args:
        signature: Their types, one for each parameter of the user's function.
        leaves: One for each parameter of the compiled kernel, in its order.
        largest: The greatest index, extent or distance in elements that the arrays need. Axes of
            no elements count as one: what is beside them is a size that a kernel may read, and
            multiply, all the same.
    """

    signature: tuple[Argument, ...]
    leaves: tuple[Leaf, ...]
    largest: int


Named = tuple[str, Any]
"""The name of a parameter, and what is given for it or for a part of it."""


def flatten(names: Sequence[str], arguments: Sequence[Any]) -> list[Named]:
    """The arguments without tuples and records: arrays, numbers and what is known while compiling.

    >>> flatten(["a", "pair"], [1.5, (2, "max")])
    [('a', 1.5), ('pair', 2), ('pair', 'max')]
    """
    found: list[Named] = []
    for name, argument in zip(names, arguments, strict=True):
        if is_aggregate(argument):
            items = record_items(argument)
            found += flatten([name] * len(items), items)
        else:
            found.append((name, argument))
    return found


def device_among(items: Sequence[Named]) -> Device | None:
    """The device of the first array of ours."""
    for _, item in items:
        leaves = item.leaves if isinstance(item, Expression) else (item,)
        if isinstance(item, Followed):
            leaves = (item.target,)
        for leaf in leaves:
            if isinstance(leaf, DeviceArray):
                return leaf.layout.device
    return None


def bind(
    kernel: str,
    names: Sequence[str],
    arguments: Sequence[Any],
    items: Sequence[Named],
    device: Device,
    *,
    has_float64: bool,
) -> BoundArguments:
    """Bind a call's arguments to the parameters of a kernel that is to run on a device.

    Args:
        kernel: Its name, for messages.
        names: Of its parameters.
        arguments: One for each of them.
        items: What :func:`flatten` makes of both.
        device: Where it is to run.
        has_float64: Whether its target has that type.

    Raises:
        LaunchError: One of them cannot be given to a kernel, or is an array elsewhere.
    """
    for name, item in items:
        if isinstance(item, np.ndarray) and (fault := elements_fault(item)):
            raise LaunchError(f"kernel {kernel!r}: argument {name}{fault}")
    numbers = numbers_among((item for _, item in items), has_float64=has_float64)
    signature = []
    for name, argument in zip(names, arguments, strict=True):
        try:
            signature.append(argument_type(argument, numbers))
        except UserInputError as error:
            advice = advice_for(argument)
            raise LaunchError(f"kernel {kernel!r}: argument {name}: {error}{advice}") from None
    leaves: list[Leaf] = []
    sizes = [0]
    for (name, item), kind in zip(items, all_leaves(signature), strict=True):
        if isinstance(kind, ExpressionArgument):
            leaves += _expression_leaves(kernel, name, item, kind, device, len(leaves))
            sizes.append(item.size)  # broadcast, it may be larger than all its leaves
        elif isinstance(kind, FollowedArgument):
            leaves += _followed_leaves(kernel, name, item, kind, device)
        else:
            leaves += _leaves(kernel, name, item, kind, device)
    sizes += [_largest_extent(leaf.parameter) for leaf in leaves]
    return BoundArguments(tuple(signature), tuple(leaves), max(sizes))


def _leaves(kernel: str, name: str, item: Any, kind: Argument, device: Device) -> Iterator[Leaf]:
    """The parameters of the compiled kernel that an array or a number becomes.

    Raises:
        LaunchError: An array among them is elsewhere.
    """
    if isinstance(kind, ArrayArgument):
        _check_device(kernel, item, device)
        yield Leaf(name, item, array_parameter(item))
    elif isinstance(kind, ScalarArgument):
        parameter = ScalarParameter(kind.dtype.part)
        if kind.dtype.is_complex:
            yield Leaf(name, item.real, parameter)
            yield Leaf(name, item.imag, parameter)
        else:
            yield Leaf(name, item, parameter)


def _expression_leaves(
    kernel: str, name: str, item: Expression, kind: ExpressionArgument, device: Device, first: int
) -> list[Leaf]:
    """The parameters of the compiled kernel that an expression becomes, from number ``first`` on.

    Raises:
        LaunchError: An array among them is elsewhere.
    """
    leaves: list[Leaf] = []
    numbers: list[int] = []  # of the parameter with which each leaf begins
    for place, (placed, of_leaf) in enumerate(zip(placed_leaves(item), kind.leaves, strict=True)):
        numbers.append(first + len(leaves))
        if isinstance(of_leaf, ScalarArgument):
            leaves += _leaves(kernel, name, placed.value, of_leaf, device)
            continue
        _check_device(kernel, placed.value, device)
        holder = numbers[kind.memory[place]] if kind.memory else numbers[place]
        memory = None if holder == numbers[place] else holder
        leaves.append(Leaf(name, placed.value, array_parameter(placed, memory)))
    return leaves


def _followed_leaves(
    kernel: str, name: str, item: Followed, kind: FollowedArgument, device: Device
) -> Iterator[Leaf]:
    """The parameters of the compiled kernel that an array with a follower becomes.

    Raises:
        LaunchError: An array among them is elsewhere.
    """
    yield from _leaves(kernel, name, item.target, kind.target, device)
    for placed, of_leaf in zip(placed_followers(item), kind.leaves, strict=True):
        if isinstance(of_leaf, ScalarArgument):
            yield from _leaves(kernel, name, placed.value, of_leaf, device)
        else:
            _check_device(kernel, placed.value, device)
            yield Leaf(name, placed.value, array_parameter(placed))


def array_parameter(array: Any, memory: int | None = None) -> ArrayParameter:
    """How an array is given to a compiled kernel; see :class:`ArrayParameter` for ``memory``."""
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return ArrayParameter(array.shape, strides, memory)


def _largest_extent(parameter: ArrayParameter | ScalarParameter) -> int:
    """The greatest index, extent or distance in elements that a parameter needs.

    >>> _largest_extent(ArrayParameter((2, 3), (3, 1)))
    6
    >>> _largest_extent(ArrayParameter((7, 0), (0, 1)))
    7
    """
    if isinstance(parameter, ScalarParameter):
        return 0
    shape = [size or 1 for size in parameter.shape]
    steps = zip(shape, parameter.strides, strict=True)
    span: int = sum(abs(stride) * (size - 1) for size, stride in steps) + 1
    return max(math.prod(shape), span)


def _check_device(kernel: str, array: Any, device: Device) -> None:
    """An array must live where the kernel runs.

    Raises:
        LaunchError: It does not.
    """
    if isinstance(array, np.ndarray):
        if not device.takes_numpy_arrays:
            raise LaunchError(
                f"kernel {kernel!r} runs on {device.name}, but an argument is a NumPy array;"
                f" move it with sm.array(x, device={device.name!r})"
            )
    elif array.layout.device is not device:
        raise LaunchError(
            f"kernel {kernel!r} runs on {device.name}, but an argument is an array on"
            f" {array.layout.device.name}; move it with x.to({device.name!r})"
        )


def check_writable(kernel: str, bound: BoundArguments, written: frozenset[int]) -> None:
    """No array that the kernel writes to may be read-only.

    Args:
        kernel: Its name, for messages.
        bound: The call's arguments.
        written: The numbers of the parameters that it writes to.

    Raises:
        LaunchError: One is.
    """
    for number in sorted(written):
        leaf = bound.leaves[number]
        if leaf.is_readonly:
            raise LaunchError(
                f"kernel {kernel!r} writes to argument {leaf.name}, which is read-only; give it a"
                " copy: x.copy()"
            )


def advice_for(argument: Any) -> str:
    """What to do about an argument that no kernel takes; continues a message."""
    if hasattr(argument, "__dlpack__") and not isinstance(argument, np.ndarray):
        return "; share its memory with sm.from_dlpack(...)"
    if isinstance(argument, (list, range)):
        return "; make an array with sm.array(...)"
    if isinstance(argument, (memoryview, bytearray, buffer_array)):
        return "; np.asarray(...) is an array on its memory"
    return ""


# --- Types that are stated without a call ------------------------------------------------------


def stated_types(given: Sequence[Any]) -> tuple[Any, ...]:
    """Type strings and dtypes among ``given`` as argument types; the rest as it is.

    Raises:
        UserInputError: A string is no type.
    """
    stated: list[Any] = []
    for item in given:
        if isinstance(item, str):
            stated += parse_signature(item)
        else:
            is_dtype = isinstance(item, DType | np.dtype)
            stated.append(ScalarArgument(as_dtype(item)) if is_dtype else item)
    return tuple(stated)


def mixed_signature(given: Sequence[Any], *, has_float64: bool) -> tuple[Argument, ...]:
    """Argument types of what is partly a type already, partly a real argument."""
    # The real ones together, because float64 among them widens Python's floats.
    real = [item for item in given if not isinstance(item, Argument)]
    typed = iter(signature_of(real, has_float64=has_float64))
    return tuple(item if isinstance(item, Argument) else next(typed) for item in given)

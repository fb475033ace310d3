"""A call's arguments, read on every launch: a cheap key, and the values that are packed.

The reader of an argument's type adds to the launch's key what a compiled kernel and its sizes
depend on (dtype, shape, strides, a number's type), and to the values what may differ between
launches with the same key (an address, a number). The rest is done once for a key, see
:mod:`speedmetal.launch.arguments`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from speedmetal.backends.cpu.address import address_of
from speedmetal.backends.device import DeviceArray
from speedmetal.backends.packing import bfloat16_bits
from speedmetal.dtypes import bfloat16, is_bfloat16_class
from speedmetal.frontend.signature import (
    is_partial_class,
    is_record_class,
    keywords_of,
    record_items,
)
from speedmetal.frontend.static import static
from speedmetal.launch.expressions import FEW_LEAVES, Expression, Followed, shared_memory
from speedmetal.launch.foreign import is_torch_class
from speedmetal.launch.foreign_arguments import (
    ForeignArgumentError,
    read_described,
    read_tensor,
)

Reader = Callable[[Any, list[Any], list[Any]], None]


def _read_ndarray(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append((argument.dtype, argument.shape, argument.strides, argument.flags.num))
    values.append(address_of(argument))


def _read_array(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(argument.layout)
    values.append(argument.address)


def _read_number(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(type(argument))
    values.append(argument)


def _read_int(argument: int, key: list[Any], values: list[Any]) -> None:
    is_short = -0x8000_0000 <= argument <= 0x7FFF_FFFF
    # The sign and the length decide on a long integer's type, or that there is none.
    key.append(int if is_short else (argument < 0, argument.bit_length()))
    values.append(argument)


def _read_complex(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(type(argument))
    values += (argument.real, argument.imag)


def _read_bfloat16(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(bfloat16)
    values.append(bfloat16_bits(argument))


def _read_record(argument: Any, key: list[Any], values: list[Any]) -> None:
    items = record_items(argument)
    key += (type(argument), len(items))
    for item in items:
        read_argument(item, key, values)


def _read_partial(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(keywords_of(argument))
    _read_record(argument, key, values)


def _read_expression(argument: Expression, key: list[Any], values: list[Any]) -> None:
    key += (argument.structure, argument.shape)
    read_leaves(argument, key, values)


def read_leaves(argument: Any, key: list[Any], values: list[Any]) -> None:
    """Read what an expression is computed from; ``argument`` has them as its ``leaves``."""
    if len(argument.leaves) > FEW_LEAVES:
        key.append(shared_memory(argument))
    read_each(argument.leaves, key, values)


def read_each(leaves: Sequence[Any], key: list[Any], values: list[Any]) -> None:
    """Read the leaves of an expression one by one."""
    for leaf in leaves:
        if isinstance(leaf, DeviceArray):
            key.append(leaf.layout)
            values.append(leaf.address)
        elif type(leaf.value) is complex:
            values += (leaf.value.real, leaf.value.imag)
        else:  # the structure has its type
            values.append(leaf.value)


def read_followed(argument: Followed, key: list[Any], values: list[Any]) -> None:
    """Read an array in memory, and what its elements are computed from."""
    key += (argument.structure, argument.hole, argument.target.layout)
    values.append(argument.target.address)
    read_each(argument.leaves, key, values)


def _read_static(argument: Any, key: list[Any], _values: list[Any]) -> None:
    key.append((type(argument), argument))


def _read_foreign(_argument: Any, _key: list[Any], _values: list[Any]) -> None:
    raise ForeignArgumentError  # who catches it, borrows them all at once


def _read_known_argument(argument: Any, key: list[Any], _values: list[Any]) -> None:
    key.append(argument.key)


READERS: dict[type, Reader] = {
    np.ndarray: _read_ndarray,
    int: _read_int,
    float: _read_number,
    bool: _read_number,
    complex: _read_complex,
    np.complex64: _read_complex,
    np.complex128: _read_complex,
    static: _read_known_argument,
    Expression: _read_expression,
    Followed: read_followed,
}
"""The readers of the types that were met; :func:`reader_for` adds the others."""


def read_argument(argument: Any, key: list[Any], values: list[Any]) -> None:
    """Read one argument of any type."""
    kind = type(argument)
    (READERS.get(kind) or reader_for(kind))(argument, key, values)


def reader_for(kind: type) -> Reader:
    """The reader of a type; remembered."""
    reader: Reader
    if issubclass(kind, DeviceArray):
        bases = [base for base in kind.__mro__ if issubclass(base, DeviceArray)]
        known = (READERS[base] for base in bases if base in READERS)
        reader = next(known, _read_array)
    elif issubclass(kind, Expression):
        reader = _read_expression
    elif issubclass(kind, np.ndarray):
        reader = _read_ndarray
    elif issubclass(kind, np.generic):
        reader = _read_bfloat16 if is_bfloat16_class(kind) else _read_number
    elif hasattr(kind, "__cuda_array_interface__"):
        reader = _read_foreign
    elif issubclass(kind, tuple) or is_record_class(kind):
        reader = _read_record
    elif is_partial_class(kind):
        reader = _read_partial
    else:
        reader = _read_static
    READERS[kind] = reader
    return reader


LAUNCH_READERS: dict[type, Reader] = {}
"""The same for launches, which take arrays of other libraries as well: see `launch_reader_for`."""


def launch_reader_for(kind: type) -> Reader:
    """The reader of a type of arguments of a launch; remembered.

    For an array of another library, the first of the values becomes what keeps its order.
    """
    reader = READERS.get(kind) or reader_for(kind)
    if reader is _read_foreign:
        reader = read_tensor if is_torch_class(kind) else read_described
    LAUNCH_READERS[kind] = reader
    return reader

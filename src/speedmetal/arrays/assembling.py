"""Results that are made of parts: each is written straight into its place of fresh memory.

A part that is an unevaluated expression is computed where it belongs, so that what is joined,
padded or rolled is never stored twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import Lazy, call
from speedmetal.arrays.deferred.pending import Call, Step, View
from speedmetal.arrays.deferred.schedule import assign_lazily, is_costly
from speedmetal.arrays.memory.copying import assign, assign_host
from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType, promote
from speedmetal.errors import UserInputError
from speedmetal.frontend.structure import Structure


@record(eq=False)
class Part:
    """What some elements of a result become.

    Args:
        place: Which elements, of the layout of the whole result.
        source: A lazy or stored array of the result's dtype, of their shape or one that is
            broadcast to it; a number; or a step, for elements of the result itself that are
            written before.
    """

    place: Step
    source: Any


def assemble(
    cls: type[Any],
    name: str,
    shape: tuple[int, ...],
    dtype: DType,
    device: Device,
    parts: Sequence[Part],
) -> Any:
    """The lazy result that its parts make, which are written in their order.

    Args:
        cls: The class of the result.
        name: Of the operation, for people.
        shape: Of the result.
        dtype: Of the result.
        device: Of all.
        parts: Together they have all its elements.
    """
    ready = [Part(part.place, _to_be_read(part.source)) for part in parts]

    def run() -> list[Any]:
        whole = cls.allocate(shape, dtype, device)
        for part in ready:
            _write(whole, part)
        return [whole]

    operands = [part.source for part in ready if isinstance(part.source, Lazy)]
    return call(cls, Call(name, operands, run), [(shape, dtype)], device)[0]


def dense_copy(array: Any) -> Any:
    """A lazy copy in C order."""
    return assembled_like(array, "copy", array.layout.shape, [Part(whole, array)])


def assembled_like(like: Any, name: str, shape: tuple[int, ...], parts: Sequence[Part]) -> Any:
    """As :func:`assemble`, of another array's class and dtype, on its device."""
    layout = like.layout
    return assemble(type(like), name, shape, layout.dtype, layout.device, parts)


def at(index: Any) -> Step:
    """The elements at a basic index."""
    return lambda elements: elements[index]


def read_often(array: Any) -> None:
    """Note that elements will be read more than once: what is costly is computed before."""
    base = array.pending.base if type(array.pending) is View else array
    base.reads = 1


def whole(elements: Layout) -> Layout:
    """All elements."""
    return elements


def _to_be_read(source: Any) -> Any:
    """What is read for a part: of a view of an expression no more than it shows.

    What is costly and is read elsewhere too is read from memory.
    """
    if not isinstance(source, Lazy):
        return source
    if type(source.pending) is View:
        return peeked(source)
    if type(source.pending) is Structure and source.reads and is_costly(source.pending):
        return source.viewed(whole)
    if source.pending is not None:
        source.reads = 1
    return source


def _write(target: Any, part: Part) -> None:
    elements = part.place(target.elements)
    assert elements is not None
    place, source = target.with_elements(elements), part.source
    if isinstance(source, Lazy):
        assign_lazily(place, source)
    elif callable(source):
        assign(place, target.with_elements(source(target.elements)))
    else:
        assign_host(place, np.asarray(source, elements.dtype.numpy))


def common_dtype(name: str, dtypes: Iterable[DType]) -> DType:
    """The dtype to which all are promoted.

    Raises:
        UserInputError: There is none.
    """
    first, *others = dtypes
    for other in others:
        found = promote(first, other)
        if found is None:
            raise UserInputError(
                f"{name}: no dtype holds both {first.name} and {other.name}; convert one of the"
                " arrays with x.astype(dtype)"
            )
        first = found
    return first

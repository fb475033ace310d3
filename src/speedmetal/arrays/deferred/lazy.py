"""Arrays whose memory may not be made yet."""

from __future__ import annotations

import weakref
from types import CodeType
from typing import Any, Self

from speedmetal.arrays.absent import advice_on
from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.deferred.pending import Call, Step, View, note
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.strided import Strided, fresh_layout, launch_layout_of
from speedmetal.backends.device import Buffer, Device, LaunchLayout
from speedmetal.dtypes import DType
from speedmetal.frontend.signature import Argument, TypedArgument, array_argument
from speedmetal.frontend.structure import Structure
from speedmetal.launch.expressions import Expression
from speedmetal.launch.readers import READERS, read_leaves


class Lazy(Strided, TypedArgument):
    """Elements that have memory, or what they are computed from.

    Shape, dtype, strides and device are known at once. ``buffer`` and ``address`` are there once
    the memory is; whoever asks for them before has it made.

    Attributes:
        pending: What it is while its memory is not made; see
            :mod:`speedmetal.arrays.deferred.pending`.
        leaves: Of an expression.
        depth: How many calls must run one after the other before it can be computed, at least.
        reads: Whether something was built on it since it is lazy.
        written_in: Of an expression, the user's code that asked for its last operation, see
            :mod:`speedmetal.arrays.deferred.origins`.
        written_at: The place of the instruction there.
    """

    __slots__ = ("depth", "leaves", "pending", "reads", "written_at", "written_in")

    pending: Structure | View | Call | None
    leaves: tuple[Any, ...]
    depth: int
    reads: int
    written_in: CodeType | None
    written_at: int

    def __init__(self, buffer: Buffer, elements: Layout, layout: LaunchLayout) -> None:
        super().__init__(buffer, elements, layout)
        self.pending = None
        self.depth = 0

    def __getattr__(self, name: str) -> Any:
        """The memory, when it is first asked for: Python looks here for what is not set."""
        if name in ("buffer", "address") and self.pending is not None:
            schedule.evaluate_one(self)
            return getattr(self, name)
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}{advice_on(name)}",
            name=name,
            obj=self,
        )

    def allocate_alike(self) -> Self:
        """New memory for these elements, in which they lie as they are said to."""
        fresh = self.allocate(self.elements.shape, self.elements.dtype, self.layout.device)
        return fresh.with_elements(self.elements)

    def occupy(self, buffer: Buffer, elements: Layout | None = None) -> None:
        """Have this memory from now on.

        Args:
            buffer: The memory.
            elements: Where in it the elements are; None: where they were said to be.
        """
        if elements is not None and elements != self.elements:
            self.elements = elements
            self.layout = launch_layout_of(elements, self.layout.device, is_readonly=False)
        offset = self.elements.offset
        self.buffer = buffer
        self.address = buffer.address + offset if offset else buffer.address
        self.pending = None
        self.depth = 0
        self.leaves = ()

    # --- Views -------------------------------------------------------------------------------

    def viewed(self, step: Step, *, is_readonly: bool = False) -> Self | None:
        """The view of some elements, which makes no memory; None where it is not possible.

        Args:
            step: What makes its elements of this array's.
            is_readonly: Whether it may not be written to, though this one may.
        """
        elements = step(self.elements)
        if elements is None:
            return None
        if self.pending is None:
            return self.with_elements(elements, is_readonly=is_readonly)
        known = self.pending if type(self.pending) is View else View(self, ())
        base, steps = known.base, (*known.steps, step)
        own = self.layout
        layout = launch_layout_of(elements, own.device, is_readonly or own.is_readonly)
        view: Self = lazy_array(type(self), layout, elements, View(base, steps), (), base.depth + 1)
        return view

    # --- As arguments of kernels -------------------------------------------------------------

    def before_write(self) -> bool:
        """Compute what waits to read the memory; whether there was anything."""
        return schedule.before_write(self)

    def argument_type(self) -> Argument:
        """The type of an expression where it is one, else that of an array in memory."""
        if type(self.pending) is Structure:
            return Expression(self.pending, self.leaves, self.layout.shape).argument_type()
        return array_argument(self.layout)


def lazy_array(
    cls: type[Any],
    layout: LaunchLayout,
    elements: Layout,
    pending: Any,
    leaves: tuple[Any, ...],
    depth: int,
) -> Any:
    """An array without memory; see :class:`Lazy` for the arguments."""
    array = _new(cls)
    array.layout = layout
    array.elements = elements
    array.pending = pending
    array.leaves = leaves
    array.depth = depth
    array.reads = 0
    return array


_new = object.__new__


def call(
    cls: type[Any], node: Call, results: list[tuple[tuple[int, ...], DType]], device: Device
) -> list[Any]:
    """The lazy results of a call, of these shapes and dtypes."""
    made = []
    for shape, dtype in results:
        elements, layout, _ = fresh_layout(shape, dtype, device)
        made.append(lazy_array(cls, layout, elements, node, (), node.depth))
    node.expect(made)
    for result in made:
        note(weakref.ref(result))
    if schedule.AtOnce.count:
        schedule.compute_at_once(made[0])
    return made


def read_lazy(argument: Lazy, key: list[Any], values: list[Any]) -> None:
    """Read an array as an argument of a launch: as an expression, where it is one."""
    pending = argument.pending
    if type(pending) is Structure:
        key += (pending, argument.layout.shape)
        read_leaves(argument, key, values)
        return
    values.append(argument.address)  # it may be made here, and may have another layout then
    key.append(argument.layout)


READERS[Lazy] = read_lazy

"""Arguments of a launch become device memory; what does not fit the kernel is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedmetal.metal_simulator.language.program import region_of
from speedmetal.metal_simulator.memory import LARGEST_ALIGNMENT, Edge, GuardedMemory
from speedmetal.metal_simulator.runtime.records import Region
from speedmetal.msl.arguments import Argument, at_buffers, check_array, content_of
from speedmetal.msl.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Placement:
    """Where buffers lie.

    Args:
        edge: Which end of them touches a page without access.
        is_exact: Whether they are aligned no more than the elements want it, so that this end
            touches the page itself. A kernel that reads them by a pointer to a wider type, as Metal
            allows from a buffer's begin on, cannot have that.
    """

    edge: Edge
    is_exact: bool

    def copy_to_guarded_memory(self, content: Any, alignment: int) -> GuardedMemory:
        """New guarded memory with this content."""
        memory = GuardedMemory(
            len(content),
            alignment=alignment if self.is_exact else LARGEST_ALIGNMENT,
            edge=self.edge,
        )
        memory.array[:] = np.frombuffer(content, np.uint8)
        return memory


@dataclass(frozen=True, slots=True)
class Binding:
    """An argument in device memory."""

    parameter: Parameter
    memory: GuardedMemory
    array: NDArray[Any] | None  # to be written when the kernel has run

    @property
    def region(self) -> Region:
        """The memory, as messages tell of it."""
        return region_of(self.parameter, self.memory.address, self.memory.size_bytes)

    def read_back(self) -> None:
        """Give the array what the kernel wrote."""
        if self.array is not None:
            content = self.memory.array.view(np.uint8).data
            self.array[...] = np.frombuffer(content, self.array.dtype).reshape(self.array.shape)


def bind(
    name: str, parameters: Sequence[Parameter], arguments: Sequence[Any], placement: Placement
) -> list[Binding]:
    """The arguments of a call in device memory, each at its buffer; None: nothing is bound there.

    Raises:
        LaunchError: One does not fit its parameter.
    """
    bindings: list[Binding] = []
    arrays: list[Argument] = []
    for argument in at_buffers(name, parameters, arguments):
        if isinstance(argument.value, np.ndarray):
            _check_array(argument, arrays)
            arrays.append(argument)
        else:
            parameter = _parameter(argument)
            memory = placement.copy_to_guarded_memory(content_of(argument), _alignment(parameter))
            bindings.append(Binding(parameter, memory, None))
    return bindings + _bound_arrays(arrays, placement)


def _parameter(argument: Argument) -> Parameter:
    assert argument.parameter is not None  # the text was compiled
    return argument.parameter


def _bound_arrays(arrays: list[Argument], placement: Placement) -> list[Binding]:
    """The arrays; one that is given more than once has one memory."""
    bindings: list[Binding] = []
    for argument in arrays:
        parameter, array = _parameter(argument), argument.value
        same = [_parameter(of) for of in arrays if _is_same_memory(array, of.value)]
        memory = next((b.memory for b in bindings if b.parameter is same[0]), None)
        if memory is None:
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            memory = placement.copy_to_guarded_memory(content, max(map(_alignment, same)))
        bindings.append(Binding(parameter, memory, array if parameter.is_writable else None))
    return bindings


def _alignment(parameter: Parameter) -> int:
    """What the elements need; the most where they are not known."""
    is_known = parameter.size_bytes > 0
    return min(parameter.alignment, LARGEST_ALIGNMENT) if is_known else LARGEST_ALIGNMENT


def _check_array(argument: Argument, others: list[Argument]) -> None:
    array = argument.value
    check_array(argument, array.dtype, array.nbytes)
    if argument.may_be_written and not array.flags.writeable:
        raise argument.fault(
            ": the array is read-only, and the kernel may write to it; declare the pointer const,"
            " or give it a copy: x.copy()"
        )
    for other in others:
        is_written = argument.may_be_written or other.may_be_written
        is_part = not _is_same_memory(array, other.value) and np.may_share_memory(
            array, other.value
        )
        if is_written and is_part:
            raise argument.fault(
                f": the array shares a part of its memory with argument {other.index}"
                f" ({_parameter(other).declaration}), and the kernel may write it; give copies, or"
                " the same array"
            )


def _is_same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    is_whole = a.flags.c_contiguous and b.flags.c_contiguous
    return a is b or (is_whole and a.ctypes.data == b.ctypes.data and a.nbytes == b.nbytes)

"""Kernels in memory: what a launch binds, made ready once for launches of like sizes and shapes.

A launch passes one structure with everything that is no array. Most of its bytes stay the same
between launches: the grid, extents and strides. They are joined once, and a launch packs numbers
between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from speedmetal.backends.device import ArrayParameter, BoundLaunch, Launch, Program
from speedmetal.backends.metal.driver.build import MetalCode, Pipeline, pipeline_of, unpacked
from speedmetal.backends.metal.profiling.signposts import current_prefix
from speedmetal.backends.packing import packer
from speedmetal.errors import LaunchError

if TYPE_CHECKING:
    from speedmetal.backends.metal.driver.device import MetalDevice

LENGTH_ALIGNMENT_BYTES = 16
"""Of threadgroup memory sized at launch (Metal Feature Set Tables, "Threadgroup memory length
alignment")."""


def load(device: MetalDevice, code: bytes, kernel: str) -> MetalProgram:
    """A program from what :func:`speedmetal.backends.metal.driver.build.built` made.

    Args:
        device: Where it will run.
        code: The bytes.
        kernel: The user's name of the kernel, for messages and labels.

    Raises:
        InternalError: The code is damaged.
        CompileError: Metal's compiler refused it.
    """
    kept = unpacked(code)
    return MetalProgram(device, kept, pipeline_of(device, kept, kernel), kernel)


class MetalProgram(Program):
    """A kernel that can be launched.

    Args:
        device: Where it runs.
        code: What a launch binds.
        pipeline: What is dispatched.
        kernel: The user's name of it.
    """

    __slots__ = ("_code", "_device", "_kernel", "_pipeline", "threads_per_threadgroup")

    def __init__(
        self, device: MetalDevice, code: MetalCode, pipeline: Pipeline, kernel: str
    ) -> None:
        self._device = device
        self._code = code
        self._pipeline = pipeline
        self._kernel = kernel
        self.threads_per_threadgroup = pipeline.threads_per_threadgroup

    def bind(self, launch: Launch) -> BoundLaunch:
        """What launches the kernel with these sizes and shapes.

        Raises:
            LaunchError: A threadgroup would have more threads, or more memory, than it can.
        """
        self._check_threads(launch)
        lengths = self._lengths(launch.threadgroup_lengths)
        arguments = packer(self._code.printed.layout.pieces(launch))
        places = [number + 1 for number in self._code.printed.arrays]
        touched_bytes = self._touched_bytes(launch)
        grid, threads = launch.sizes.grid, launch.sizes.threads
        device, pipeline, label = self._device, self._pipeline, self._kernel
        state, rounded = pipeline.state, self._lengths

        def run(values: list[Any], stated_lengths: Sequence[int] | None = None) -> None:
            arrays = [values[place] for place in places]
            mailbox = values[0]
            device.queue.dispatch(
                state,
                [array.buffer for array in arrays],
                [array.offset for array in arrays],
                arguments(values),
                (mailbox.buffer, mailbox.offset) if mailbox else None,
                lengths if stated_lengths is None else rounded(stated_lengths),
                grid,
                threads,
                current_prefix() + label,
                touched_bytes,
            )

        return run

    def _check_threads(self, launch: Launch) -> None:
        allowed = self.threads_per_threadgroup
        if launch.sizes.group_size > allowed:
            raise LaunchError(
                f"kernel {self._kernel!r}: {launch.sizes.group_size} threads per threadgroup"
                f" requested; {self._device.name} allows {allowed} for this kernel, because of the"
                " registers that it needs; use fewer, or leave threads out"
            )

    def _lengths(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """Lengths of threadgroup arrays as Metal takes them, which must fit all together."""
        step = LENGTH_ALIGNMENT_BYTES
        rounded = tuple([-(-length // step) * step for length in lengths])
        needed = self._pipeline.threadgroup_bytes + sum(rounded)
        allowed = self._device.limits.threadgroup_memory_bytes
        if needed > allowed:
            raise LaunchError(
                f"kernel {self._kernel!r} needs {needed} bytes of threadgroup memory, each array"
                f" rounded up to {step}; {self._device.name} allows {allowed}; make its threadgroup"
                " arrays smaller"
            )
        return rounded

    def _touched_bytes(self, launch: Launch) -> int:
        """The size of all arrays: what the launch moves at least, if it reads each once."""
        printed, total = self._code.printed, 0
        for number, size in zip(printed.arrays, self._code.element_bytes, strict=True):
            array = launch.parameters[number]
            assert isinstance(array, ArrayParameter)
            total += math.prod(array.shape) * size
        return total

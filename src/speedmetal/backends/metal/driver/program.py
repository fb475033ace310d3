"""Kernels in memory: what a launch binds, made ready once for launches of like sizes and shapes.

A launch passes one structure with everything that is no array. Most of its bytes stay the same
between launches: the grid, extents and strides. They are joined once, and a launch packs numbers
between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from speedmetal.backends.device import ArrayParameter, BoundLaunch, Launch, Program, Residency
from speedmetal.backends.metal.driver.commands import LENGTH_ALIGNMENT_BYTES
from speedmetal.backends.metal.driver.context import MetalContext
from speedmetal.backends.metal.driver.kernel_code import MetalCode, unpacked
from speedmetal.backends.metal.driver.labels import current_prefix
from speedmetal.backends.metal.driver.pipelines import Pipeline, pipeline_of
from speedmetal.backends.metal.driver.queue import Queue
from speedmetal.backends.packing import packer
from speedmetal.errors import LaunchError


def load(context: MetalContext, queue: Queue, code: bytes, kernel: str) -> MetalProgram:
    """A program from what :func:`speedmetal.backends.metal.driver.build.build_code` made.

    Args:
        context: Where it will run.
        queue: Where it will be launched.
        code: The bytes.
        kernel: The user's name of the kernel, for messages and labels.

    Raises:
        InternalError: The code is damaged.
        CompileError: Metal's compiler refused it.
    """
    kept = unpacked(code)
    return MetalProgram(context, queue, kept, pipeline_of(context, kept, kernel), kernel)


class MetalProgram(Program):
    """A kernel that can be launched.

    Args:
        context: Where it runs.
        queue: Where it is launched.
        code: What a launch binds.
        pipeline: What is dispatched.
        kernel: The user's name of it.
    """

    __slots__ = ("_code", "_context", "_kernel", "_pipeline", "_queue", "threads_per_threadgroup")

    def __init__(
        self,
        context: MetalContext,
        queue: Queue,
        code: MetalCode,
        pipeline: Pipeline,
        kernel: str,
    ) -> None:
        self._context = context
        self._queue = queue
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
        pack = packer(self._code.printed.layout.pieces(launch))
        distances = list(self._distances(launch))
        places = [number + 1 for number in self._code.printed.arrays]
        touched_bytes = self._touched_bytes(launch)
        grid, threads = launch.sizes.grid, launch.sizes.threads
        dispatch, label = self._queue.dispatch, self._kernel
        state, rounded = self._pipeline.state, self._lengths

        def run(values: list[Any], stated_lengths: Sequence[int] | None = None) -> None:
            arrays = [values[place] for place in places]
            mailbox = values[0]
            if distances:
                values = values.copy()
                for place, holder in distances:
                    values[place] -= values[holder]
            dispatch(
                state,
                [array.buffer for array in arrays],
                [array.offset for array in arrays],
                pack(values),
                (mailbox.buffer, mailbox.offset) if mailbox else None,
                lengths if stated_lengths is None else rounded(stated_lengths),
                grid,
                threads,
                current_prefix() + label,
                touched_bytes,
            )

        return run

    def residency(self, threads: int, lengths: Sequence[int]) -> Residency:  # noqa: ARG002
        """What the pipeline state says: Metal does not tell how many threadgroups run at once."""
        memory = self._pipeline.threadgroup_bytes + sum(self._lengths(lengths))
        return Residency(None, None, None, (), None, None, memory)

    def _distances(self, launch: Launch) -> Iterator[tuple[int, int]]:
        """The places, among a launch's values, of arrays in others' memory, and of these others."""
        for number, parameter in enumerate(launch.parameters):
            if isinstance(parameter, ArrayParameter) and parameter.memory is not None:
                yield number + 1, parameter.memory + 1

    def _check_threads(self, launch: Launch) -> None:
        allowed = self.threads_per_threadgroup
        if launch.sizes.group_size > allowed:
            raise LaunchError(
                f"kernel {self._kernel!r}: {launch.sizes.group_size} threads per threadgroup"
                f" requested; {self._context.name} allows {allowed} for this kernel, because of the"
                " registers that it needs; use fewer, or leave threads out"
            )

    def _lengths(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """Lengths of threadgroup arrays as Metal takes them, which must fit all together."""
        step = LENGTH_ALIGNMENT_BYTES
        rounded = tuple([-(-length // step) * step for length in lengths])
        needed = self._pipeline.threadgroup_bytes + sum(rounded)
        allowed = self._context.limits.threadgroup_memory_bytes
        if needed > allowed:
            raise LaunchError(
                f"kernel {self._kernel!r} needs {needed} bytes of threadgroup memory, each array"
                f" rounded up to {step}; {self._context.name} allows {allowed}; make its"
                " threadgroup arrays smaller"
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

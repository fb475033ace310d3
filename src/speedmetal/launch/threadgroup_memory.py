"""Whether a launch's threadgroup arrays fit into the device's threadgroup memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from speedmetal.backends.device import Device, Triple
from speedmetal.common.records import record
from speedmetal.compiler.metadata import KernelMetadata
from speedmetal.compiler.size_expression import LaunchValues, extents
from speedmetal.errors import LaunchError
from speedmetal.ir.size_expression import SizedArray


@record
class MemoryCheck:
    """What to look at in every launch of a kernel whose arrays' sizes depend on numbers.

    Args:
        kernel: The kernel's name, for messages.
        device: The device's name, for messages.
        allowed: Bytes of threadgroup memory that a threadgroup may have.
        constant_bytes: Bytes of the threadgroup arrays with constant shapes.
        arrays: The threadgroup arrays whose sizes only a launch knows.
        values: Shapes and threads of the launch; the scalars come with each call.
    """

    kernel: str
    device: str
    allowed: int
    constant_bytes: int
    arrays: tuple[SizedArray, ...]
    values: LaunchValues

    def lengths(self, scalars: Sequence[Any]) -> tuple[int, ...]:
        """Bytes of each array that is sized at launch, after a look whether all of them fit.

        Args:
            scalars: The packed value of each parameter of the compiled kernel.

        Raises:
            LaunchError: The arrays do not fit, or an extent is less than 1.
        """
        values = LaunchValues(scalars, self.values.shapes, self.values.threads)
        lengths, shapes = [], []
        for array in self.arrays:
            shape = extents(array, values)
            shapes.append(f"{array.name} has shape {_shape_text(shape)}")
            if min(shape) < 1:
                axis = shape.index(min(shape))
                raise LaunchError(
                    f"kernel {self.kernel!r}: threadgroup array {shapes[-1]} in this launch;"
                    f" expected a size of 1 or more along axis {axis}, got {shape[axis]}"
                )
            lengths.append(math.prod(shape) * array.itemsize)
        needed = self.constant_bytes + sum(lengths)
        if needed > self.allowed:
            here = f" ({', '.join(shapes)} in this launch)" if shapes else ""
            raise LaunchError(
                f"kernel {self.kernel!r} needs {needed} bytes of threadgroup memory{here},"
                f" {self.device} allows {self.allowed}; make its threadgroup arrays smaller"
            )
        return tuple(lengths)


def memory_check(
    kernel: str,
    metadata: KernelMetadata,
    device: Device,
    threads: Triple,
    shapes: tuple[tuple[int, ...], ...],
    scalars: Sequence[Any],
) -> tuple[tuple[int, ...], MemoryCheck | None]:
    """Check a launch.

    Args:
        kernel: Its name, for messages.
        metadata: Of the compiled kernel.
        device: Where it runs.
        threads: Of a threadgroup.
        shapes: Of each parameter of the compiled kernel; of a number ``()``.
        scalars: As :meth:`MemoryCheck.lengths` takes them.

    Returns:
        The bytes of each array that is sized at launch, and what to check in later launches of the
        same key, if these depend on numbers.

    Raises:
        LaunchError: The arrays do not fit.
    """
    check = MemoryCheck(
        kernel,
        device.name,
        device.limits.threadgroup_memory_bytes,
        metadata.threadgroup_memory_bytes,
        metadata.sized_arrays,
        LaunchValues((), shapes, threads),
    )
    lengths = check.lengths(scalars)
    reads_scalars = any(array.reads_scalars for array in metadata.sized_arrays)
    return lengths, check if reads_scalars else None


def _shape_text(extents: tuple[int, ...]) -> str:
    return str(extents) if len(extents) > 1 else str(extents[0])

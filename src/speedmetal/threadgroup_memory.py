"""Whether a launch's threadgroup arrays fit into the device's threadgroup memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from speedmetal.backends.base import Device
from speedmetal.errors import LaunchError
from speedmetal.facts import KernelFacts
from speedmetal.formulas import LaunchValues, SizedArray
from speedmetal.sizes import Triple


@dataclass(frozen=True, slots=True)
class MemoryCheck:
    """What to look at in every launch of a kernel whose arrays' sizes depend on numbers.

    Args:
        kernel: Its name, for messages.
        device: The same of the device.
        allowed: Bytes that a threadgroup may have.
        constant_bytes: Those of arrays with constant shapes.
        arrays: The others.
        values: Of the launch, but for the scalars.
    """

    kernel: str
    device: str
    allowed: int
    constant_bytes: int
    arrays: tuple[SizedArray, ...]
    values: LaunchValues

    def check(self, scalars: Sequence[Any]) -> None:
        """Look whether the arrays fit.

        Args:
            scalars: For each parameter of the compiled kernel what is packed.

        Raises:
            LaunchError: They do not, or a size is less than 1.
        """
        values = replace(self.values, scalars=scalars)
        needed, shapes = self.constant_bytes, []
        for array in self.arrays:
            extents = array.extents(values)
            shapes.append(f"{array.name} has shape {_shape_text(extents)}")
            if min(extents) < 1:
                axis = extents.index(min(extents))
                raise LaunchError(
                    f"kernel {self.kernel!r}: threadgroup array {shapes[-1]} in this launch;"
                    f" expected a size of 1 or more along axis {axis}, got {extents[axis]}"
                )
            needed += math.prod(extents) * array.itemsize
        if needed > self.allowed:
            here = f" ({', '.join(shapes)} in this launch)" if shapes else ""
            raise LaunchError(
                f"kernel {self.kernel!r} needs {needed} bytes of threadgroup memory{here},"
                f" {self.device} allows {self.allowed}; make its threadgroup arrays smaller"
            )


def memory_check(
    kernel: str,
    facts: KernelFacts,
    device: Device,
    threads: Triple,
    parameters: Sequence[Any],
    scalars: Sequence[Any],
) -> MemoryCheck | None:
    """Check a launch; returns what to check in later ones of the same key, if anything.

    Args:
        kernel: Its name, for messages.
        facts: Of the compiled kernel.
        device: Where it runs.
        threads: Of a threadgroup.
        parameters: For each parameter of the compiled kernel its array, or a number.
        scalars: As :meth:`MemoryCheck.check` takes them.

    Raises:
        LaunchError: The arrays do not fit.
    """
    shapes = tuple(getattr(parameter, "shape", ()) for parameter in parameters)
    check = MemoryCheck(
        kernel,
        device.name,
        device.limits.threadgroup_memory_bytes,
        facts.threadgroup_memory_bytes,
        facts.sized_arrays,
        LaunchValues((), shapes, threads),
    )
    check.check(scalars)
    return check if any(array.reads_scalars for array in facts.sized_arrays) else None


def _shape_text(extents: tuple[int, ...]) -> str:
    return str(extents) if len(extents) > 1 else str(extents[0])

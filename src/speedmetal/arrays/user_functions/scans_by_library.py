"""Scans of one row by the library of a GPU's vendor: ``cumulative_sum`` and ``accumulate``.

It combines in an order of its own, which varies from run to run: sums of floating numbers differ in
their last bits. So floats are added up by it where that is asked for, and what users' operations
combine where that is measured to be worth it.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.memory.kept import Kept
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.compiler import pipeline
from speedmetal.errors import DeviceError, UnknownNameError, UserInputError
from speedmetal.launch.modes import current_math_mode, stated_debug_level
from speedmetal.launch.readers import read_argument

ALGORITHMS = ("auto", "vendor", "native")
LONG = 1 << 13
"""Elements of a row from which the library takes less time."""
OWN_ARE_FASTER = frozenset(
    {"cumulative_sum", "cumulative_prod", "cummax", "cummin", "logcumsumexp"}
)
"""But for these, which our kernels know: an H200 took 11 to 414 us for 2**13 to 2**27 float32, and
by the library 41 to 681 us."""


@record(eq=False)
class _Known:
    """An operation as it was printed, or None, and what that depends on."""

    operation: Any
    dependencies: tuple[pipeline.Dependency, ...]


_operations: Kept[_Known] = Kept(256)


def scans(name: str, x: Array, axis: int, algorithm: str) -> bool:
    """Whether the library scans elements along an axis.

    Args:
        name: The function's, for messages.
        x: What is scanned.
        axis: Along which.
        algorithm: ``"auto"``, ``"vendor"`` (our kernels but on NVIDIA GPUs) or ``"native"``.

    Raises:
        UnknownNameError: ``algorithm`` is none of them.
        UserInputError: The library is asked for several rows.
        DeviceError: It is asked for, and not installed.
    """
    if algorithm not in ALGORITHMS:
        raise UnknownNameError("algorithm", str(algorithm), ALGORITHMS)
    if algorithm == "native" or x.device.routines is None or not x.size:
        return False
    is_one = math.prod(x.shape) == x.shape[axis]
    if algorithm == "auto":
        is_slower = name in OWN_ARE_FASTER or x.size < LONG
        return is_one and not is_slower and _missing(x.device) is None
    missing = _missing(x.device)
    if missing is not None:
        raise missing
    if not is_one:
        raise UserInputError(
            f"{name} by algorithm='vendor' expected one row, got shape {x.shape} along axis {axis};"
            " leave algorithm= out, or scan x[k] one after the other"
        )
    return True


def _missing(device: Device) -> DeviceError | None:
    found: DeviceError | None = device.routines.compute.missing()
    return found


def scanned(source: Array, combine: Any) -> Array | None:
    """What an operation gives for the elements up to each; None: the library cannot be given it.

    Args:
        source: Of one row.
        combine: The operation, written in the kernel language; it gives what it is given.
    """
    dtype = source.layout.dtype
    operation = _operation_of(combine, source)
    if operation is None:
        return None
    schedule.evaluate((source,))
    given = source if source.layout.is_contiguous else source.copy()
    result = Array.allocate(source.shape, dtype, source.device)
    compute = source.device.routines.compute
    plan = compute.scan(dtype, operation, source.size)
    compute.run(plan, (given.address, result.address), (given.buffer, result.buffer))
    return result


def _operation_of(combine: Any, like: Array) -> Any:
    """The operation as CUDA C++.

    None where it needs more than two elements: numbers that only a launch knows, or a mailbox,
    because it prints or is looked after (``sm.debug_level``).
    """
    from speedmetal.arrays.kernels.scan import combine_two  # with its first use
    from speedmetal.backends.cuda.libraries.compute import operation_of

    key: list[Any] = [like.layout.dtype, current_math_mode()]
    numbers: list[Any] = []
    read_argument(combine, key, numbers)
    if numbers or stated_debug_level.get():
        return None
    known = _operations.get(tuple(key))
    if known is None or not pipeline.is_current(known.dependencies):
        element = Array.allocate((1,), like.layout.dtype, like.device)
        types = (element, element, element, combine)
        lowered, dependencies = pipeline.lower(
            combine_two.specialisation(combine_two.signature_for(types, "cuda")), "cuda"
        )
        text = pipeline.print_source(lowered, "cuda", math_mode=current_math_mode())
        is_alone = "mailbox" not in text
        operation = operation_of(text, combine_two.name) if is_alone else None
        known = _operations.keep(tuple(key), _Known(operation, dependencies))
    return known.operation

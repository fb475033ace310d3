"""Who sorts: NumPy on the host, our kernels, or the library of a GPU's vendor.

**The rule.** Where the host sees the memory NumPy sorts, and complex numbers everywhere. On an
NVIDIA GPU rows of up to ``PART`` elements are sorted by our kernel, in one launch, and so are up to
``FEW`` elements in longer ones, in a few; more by ``cuda.compute`` where it is installed, else by
our kernels as well. On an H200 2**16 of float32 took 47 us of the card so, 57 with the host's time,
and by ``cuda.compute`` 38 and 142; 2**20 took 183 and 68 of the card.
"""

from __future__ import annotations

from enum import Enum, auto

from speedmetal.arrays.array import Array
from speedmetal.arrays.order import by_library
from speedmetal.arrays.order.by_kernels import PART
from speedmetal.errors import UnknownNameError, UserInputError

ALGORITHMS = ("auto", "vendor", "native")


FEW = 1 << 17


class Way(Enum):
    """Who sorts."""

    HOST = auto()
    KERNELS = auto()
    LIBRARY = auto()


def way_of(name: str, rows: Array, algorithm: str) -> Way:
    """Who sorts rows.

    Args:
        name: The function's, for messages.
        rows: Along the last axis.
        algorithm: ``"auto"``, ``"vendor"`` (NumPy but on NVIDIA GPUs) or ``"native"``.

    Raises:
        UnknownNameError: ``algorithm`` is none of them.
        UserInputError: Our kernels do not sort complex numbers.
        DeviceError: The vendor's library is not installed.
    """
    if algorithm not in ALGORITHMS:
        raise UnknownNameError("algorithm", str(algorithm), ALGORITHMS)
    is_complex = rows.layout.dtype.is_complex
    if algorithm == "native":
        if is_complex:
            raise UserInputError(
                f"{name} by algorithm='native' expected real numbers, got {rows.layout.dtype};"
                " leave algorithm= out: NumPy sorts complex ones on the host"
            )
        return Way.KERNELS
    if rows.device.routines is None or is_complex:
        return Way.HOST
    compute = rows.device.routines.compute
    if algorithm == "vendor":
        missing = compute.missing()
        if missing is not None:
            raise missing
        return Way.LIBRARY
    is_short = rows.shape[-1] <= PART or not FEW < rows.size <= by_library.LONGEST
    return Way.KERNELS if is_short or compute.missing() is not None else Way.LIBRARY

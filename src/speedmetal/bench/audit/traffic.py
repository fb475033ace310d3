"""What the labelled work must at least move, and what memory can carry at most."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

FLOAT_BYTES = 4  # every published case is float32
INDEX_BYTES = 4  # MLX's width; torch's are 8, so this is the least of both

Shape = tuple[int, ...]

_SHAPE = re.compile(r"\bdim=(\d+(?:x\d+)*)")
_AXIS = re.compile(r"\baxi=(-?\d+)")


def shapes_of(arguments: str) -> tuple[Shape, ...]:
    """The shapes in a row's name.

    Example:
        >>> shapes_of("dim=64x16 dim=10")
        ((64, 16), (10,))
    """
    return tuple(tuple(int(n) for n in text.split("x")) for text in _SHAPE.findall(arguments))


def axis_of(arguments: str) -> int | None:
    """The axis in a row's name, counted from the front; None where there is none.

    Example:
        >>> axis_of("dim=64x128x1024 axi=-1")
        2
    """
    match = _AXIS.search(arguments)
    if match is None:
        return None
    axis = int(match[1])
    shapes = shapes_of(arguments)
    return axis + len(shapes[0]) if axis < 0 and shapes else axis


def _inputs(*shapes: Shape) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _input_and_output(*shapes: Shape) -> int:
    return 2 * _inputs(*shapes)


def _first_twice(*shapes: Shape) -> int:
    return _inputs(*shapes) + math.prod(shapes[0])


def _matmul(first: Shape, second: Shape, *rest: Shape) -> int:
    return _inputs(first, second, *rest) + math.prod(first[:-1]) * second[-1]


def _convolution(image: Shape, weight: Shape) -> int:
    pairs = zip(image[1:-1], weight[1:-1], strict=True)
    pixels = math.prod(size - window + 1 for size, window in pairs)  # no padding, stride 1
    return _inputs(image, weight) + image[0] * pixels * weight[0]


def _count_picked_elements(table: Shape, index: Shape) -> int:
    return index[0] * (table[1] + INDEX_BYTES // FLOAT_BYTES)


# Elements of 4 bytes that must cross, each input read once and each output written once; small
# outputs are left out, so a figure is never too high. Scatter is left out: of rows that are
# overwritten, all but the last could be skipped.
_ELEMENTS: dict[str, Callable[..., int]] = {
    "Argmax": _inputs,
    "BCE": _inputs,
    "Concat": _input_and_output,
    "Conv1d": _convolution,
    "Conv2d": _convolution,
    "Gather": _count_picked_elements,
    "LayerNorm": _input_and_output,
    "LeakyReLU": _input_and_output,
    "Linear": _matmul,
    "MatMul": _matmul,
    "PReLU": _first_twice,
    "ReLU": _input_and_output,
    "ScaledDotProductAttention": _first_twice,
    "ScatterMax": _count_picked_elements,
    "ScatterSum": _count_picked_elements,
    "SeLU": _input_and_output,
    "Sigmoid": _input_and_output,
    "Softmax": _input_and_output,
    "Softplus": _input_and_output,
    "Sort": _input_and_output,
    "Sum": _inputs,
    "SumAll": _inputs,
}


def minimum_bytes(operation: str, arguments: str) -> int | None:
    """Bytes that the labelled work must move at least; None where that is not known.

    Example:
        >>> minimum_bytes("Softmax", "dim=64x1000000 axi=-1")
        512000000
    """
    elements = _ELEMENTS.get(operation)
    shapes = shapes_of(arguments)
    if elements is None or not shapes:
        return None
    try:
        return FLOAT_BYTES * elements(*shapes)
    except (TypeError, IndexError, ValueError):
        return None  # shapes that the operation does not take: nothing is claimed


@dataclass(frozen=True)
class Memory:
    """A device's memory: peak bandwidth of its data sheet, its last cache, and who uses it."""

    gigabytes_per_second: float
    cache_mebibytes: float
    serves_cpu: bool = True  # Apple's memory is one; a card's is its own


# Bandwidth: Apple's technical specifications and newsroom pages of each chip (the largest variant
# of the name); NVIDIA's data sheets of the V100 (32 GB), the A100 80GB PCIe, and the Ada whitepaper
# for the RTX 4090. Cache: L2 from NVIDIA's architecture whitepapers; Apple publishes no size of
# its system level cache, the figures are what measurements by third parties report, rounded up.
MEMORIES = {
    "M1": Memory(68.25, 16),
    "M1 Pro": Memory(200, 32),
    "M1 Max": Memory(400, 64),
    "M1 Ultra": Memory(800, 128),
    "M2": Memory(100, 16),
    "M2 Pro": Memory(200, 32),
    "M2 Max": Memory(400, 64),
    "M2 Ultra": Memory(800, 128),
    "M3": Memory(100, 16),
    "M3 Pro": Memory(150, 32),
    "M3 Max": Memory(400, 64),
    "M3 Ultra": Memory(819, 128),
    "M4": Memory(120, 16),
    "M4 Pro": Memory(273, 32),
    "M4 Max": Memory(546, 64),
    "Tesla V100 PCIe": Memory(900, 6, serves_cpu=False),
    "Tesla V100 NVLink": Memory(900, 6, serves_cpu=False),
    "RTX4090": Memory(1008, 72, serves_cpu=False),
    "A100": Memory(1935, 40, serves_cpu=False),
}
BANDWIDTH_SLACK = 1.5


def least_milliseconds(device: str, operation: str, arguments: str) -> float | None:
    """The shortest time in which the device's memory can carry the labelled work.

    What fits in the last cache is taken to cost nothing (repeated calls may find it there), and
    the data sheet's bandwidth may be exceeded by ``BANDWIDTH_SLACK``.

    Formula: (bytes - cache) / (1.5 * bandwidth). None where device or work is not known.
    """
    memory = MEMORIES.get(device)
    moved = minimum_bytes(operation, arguments)
    if memory is None or moved is None:
        return None
    beyond_cache = max(0.0, moved - memory.cache_mebibytes * 2**20)
    return beyond_cache / (BANDWIDTH_SLACK * memory.gigabytes_per_second * 1e9) * 1e3

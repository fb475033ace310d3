"""The benchmark's operations, framework-neutral; one record each, one file a family.

To add an operation, add its record to a file here (or a file to ``_MODULES``), and one cell to
each framework, or the reason why the framework cannot do it: a completeness test asks for it.
"""

from __future__ import annotations

from speedmetal.bench.operations import (
    attention,
    chains,
    concat,
    contraction,
    convolution,
    elementwise,
    embedding,
    fused,
    gather_scatter,
    losses,
    matmul,
    normalisation,
    pooling,
    recurrent,
    reductions,
    rotary,
    scan,
    selection,
    softmax,
    sort,
    spectral,
)
from speedmetal.bench.operations.base import Operation
from speedmetal.errors import UnknownNameError

_MODULES = (
    reductions,
    losses,
    concat,
    convolution,
    gather_scatter,
    normalisation,
    elementwise,
    matmul,
    attention,
    softmax,
    sort,
    pooling,
    embedding,
    rotary,
    recurrent,
    contraction,
    scan,
    selection,
    spectral,
    chains,
    fused,
)

OPERATIONS: dict[str, Operation] = {
    operation.name: operation for module in _MODULES for operation in module.OPERATIONS
}


def find_operation(name: str) -> Operation:
    """The operation of a name or title.

    Raises:
        UnknownNameError: There is none; the message names the nearest ones.
    """
    by_title = {operation.title.lower(): operation for operation in OPERATIONS.values()}
    found = OPERATIONS.get(name) or by_title.get(name.lower())
    if found is None:
        raise UnknownNameError("operation", name, OPERATIONS)
    return found

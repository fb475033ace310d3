"""Which kernels would be the faster for knowing that their arrays lie apart.

A compiler must take a load behind a store for one that reads what was stored, where both arrays may
be one: it loads nothing ahead, and again what it has loaded. In the text of most kernels all loads
come first; in loops, and in what was unrolled, they do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from speedmetal.ir import walk
from speedmetal.ir.nodes import Array, For, Kernel, Load, Statement, Store, While
from speedmetal.ir.types import Space


def loads_behind_stores(kernel: Kernel) -> bool:
    """Whether an element of one array in device memory may be loaded after a store to another.

    Functions have no arrays.
    """
    return _stored_behind(kernel.body, frozenset()) is None


def _stored_behind(
    body: tuple[Statement, ...], stored: frozenset[Array]
) -> frozenset[Array] | None:
    """What has been stored to behind a block; None: a load of something else came after that."""
    for statement in body:
        inside = stored
        if isinstance(statement, For | While):  # a turn comes after another
            inside |= _stored_by(walk.statements(statement.body))
        if any(inside - {array} for array in _loaded_by(statement)):
            return None
        stored |= _stored_by([statement])
        for block in walk.blocks(statement):
            found = _stored_behind(block, inside)
            if found is None:
                return None
            stored |= found
    return stored


def _loaded_by(statement: Statement) -> frozenset[Array]:
    """What a statement loads; not what statements inside it do."""
    found = (e.array for e in walk.expressions(statement) if isinstance(e, Load))
    return frozenset(array for array in found if array.type.space is Space.DEVICE)


def _stored_by(among: Iterable[Statement]) -> frozenset[Array]:
    found = (statement.array for statement in among if isinstance(statement, Store))
    return frozenset(array for array in found if array.type.space is Space.DEVICE)

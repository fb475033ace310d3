"""The structure of an elementwise expression: what is computed, without the arrays.

A structure is a node over numbered *leaves*, which stand for arrays' elements and for numbers. It
is interned: two expressions of the same form have one object, so that identity is equality and a
launch's key costs a pointer. The table holds no structure alive.

A node says of each child which of its own leaves the child's are. So a subexpression has one
structure wherever it stands, and what is computed twice from the same leaves is one node: ``x * x``
forty times over has forty nodes, not 2**40.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Any

from speedmetal.dtypes import DType
from speedmetal.system.digest import blake2b

LEAF = "leaf"
"""The operation of an array's element."""
NUMBER = "number"
"""The operation of a number that is known at the launch."""
CAST = "cast"
"""The operation of a conversion."""
TUPLE = "tuple"
"""The operation of several elements that are read together; it stands at the root alone."""

_COSTS = {
    **dict.fromkeys((LEAF, NUMBER, TUPLE), 0),
    **dict.fromkeys(
        (
            *(CAST, "add", "subtract", "multiply", "negate", "abs", "minimum", "maximum", "where"),
            *("eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit"),
            *("bit_and", "bit_or", "bit_xor", "invert", "shift_left", "shift_right", "copysign"),
            *("floor", "ceil", "trunc", "rint", "fma", "sign", "clamp", "fmin", "fmax"),
            *("conj", "real", "imag", "complex"),
        ),
        1,
    ),
    **dict.fromkeys(("divide", "sqrt", "rsqrt"), 4),
}
_OTHER_COST = 16
_GREATEST_COST = 1 << 20

LeafNumbers = tuple[int, ...]
"""Which leaves of a node its child's leaves are."""

Node = tuple["Structure", LeafNumbers]
"""A structure in a larger one, whose leaves are these of the larger one's."""


COSTLY_FROM = 12
"""The cost of an expression, see :class:`Structure`, from which to store it costs less than to
compute it again: a store and a load of an element take about as long as so many additions."""


class Structure:
    """A node of an elementwise expression; made by the functions of this module alone.

    Attributes:
        operation: A name of :data:`speedmetal.frontend.elements.OPERATIONS`, or one of the above.
        children: The structures of the operands.
        maps: For each of them, which of this node's leaves the child's are.
        dtype: Of the result.
        leaf_types: Of the leaves; their number is that of the leaves.
        cost: About how many additions take as long; what is computed twice counts twice.
        most_nodes: No fewer than :func:`ordered_nodes` gives: what is used twice counts twice.
        digest: The same text for the same structure in every process.
    """

    cost: int
    most_nodes: int

    __slots__ = (
        *("__weakref__", "children", "cost", "digest", "dtype", "leaf_types", "maps"),
        *("most_nodes", "operation"),
    )

    def __init__(
        self,
        operation: str,
        children: tuple[Structure, ...],
        maps: tuple[LeafNumbers, ...],
        dtype: DType,
        leaf_types: tuple[DType, ...],
    ) -> None:
        self.operation = operation
        self.children = children
        self.maps = maps
        self.dtype = dtype
        self.leaf_types = leaf_types
        own = _COSTS.get(operation, _OTHER_COST)
        self.cost = min(own + sum(child.cost for child in children), _GREATEST_COST)
        most = 1 + sum(child.most_nodes for child in children)
        self.most_nodes = min(most, _GREATEST_COST)
        parts = [operation, dtype.name, repr(maps), *(child.digest for child in children)]
        self.digest: str = blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return f"<{self.operation} of {len(self.leaf_types)} leaves: {self.dtype.short}>"


def leaf(dtype: DType, operation: str = LEAF) -> Structure:
    """An array's element, or with the operation :data:`NUMBER` a number.

    >>> from speedmetal import dtypes
    >>> leaf(dtypes.float32) is leaf(dtypes.float32)
    True
    """
    key = (operation, dtype)
    return find(key) or _intern(key, operation, (), (), dtype, (dtype,))


def combine(
    operation: str, children: tuple[Structure, ...], maps: tuple[LeafNumbers, ...], dtype: DType
) -> Structure:
    """The node of an operation on other nodes; see :class:`Structure` for the arguments."""
    key = (operation, children, maps, dtype)
    found = find(key)
    if found is not None:
        return found
    types: dict[int, DType] = {}
    for child, numbers in zip(children, maps, strict=True):
        types.update(zip(numbers, child.leaf_types, strict=True))
    leaf_types = tuple(types[number] for number in range(len(types)))
    return _intern(key, operation, children, maps, dtype, leaf_types)


def ordered_nodes(structure: Structure) -> list[Node]:
    """Each node once, operands before their users; the structure itself is the last.

    Chains of any length are walked without recursion.
    """
    root: Node = (structure, tuple(range(len(structure.leaf_types))))
    found: dict[Node, None] = {}
    pending = [root]
    while pending:
        node = pending[-1]
        unknown = [operand for operand in operands(node) if operand not in found]
        if unknown:
            pending += unknown
        else:
            found[pending.pop()] = None
    return [*found]


def operands(node: Node) -> list[Node]:
    """The operands of a node, in order."""
    structure, numbers = node
    return [
        (child, tuple([numbers[number] for number in own]))
        for child, own in zip(structure.children, structure.maps, strict=True)
    ]


def join(operation: str, children: list[Node], dtype: DType) -> Node:
    """An operation on nodes of one larger structure, as a node of that."""
    numbers = tuple(dict.fromkeys(number for _, own in children for number in own))
    places = {number: place for place, number in enumerate(numbers)}
    structures = tuple(structure for structure, _ in children)
    maps = tuple(tuple(places[number] for number in own) for _, own in children)
    return combine(operation, structures, maps, dtype), numbers


def substitute(structure: Structure, leaves: list[Node]) -> Node:
    """A structure with a node of a larger one in the place of each of its leaves."""
    known: dict[Node, Node] = {}
    for node in ordered_nodes(structure):
        part, numbers = node
        if part.children:
            known[node] = join(part.operation, [known[o] for o in operands(node)], part.dtype)
        else:
            known[node] = leaves[numbers[0]]
    return known[structure, tuple(range(len(structure.leaf_types)))]


# --- Interning -------------------------------------------------------------------------------


class _Entry(weakref.ref[Structure]):
    """A structure in the table, and its key, which holds the children alive."""

    __slots__ = ("key",)

    key: Any


_lock = threading.Lock()
_table: dict[Any, _Entry] = {}
# Structures may die anywhere, also while one is made here: what is then done takes no lock, and
# the entries go when the next structure is made. Then a chain goes one by one, without recursion.
_dead: deque[_Entry] = deque()


def find(key: Any) -> Structure | None:
    """The structure with this key, if there is one."""
    entry = _table.get(key)
    return None if entry is None else entry()


def _intern(
    key: Any,
    operation: str,
    children: tuple[Structure, ...],
    maps: tuple[LeafNumbers, ...],
    dtype: DType,
    leaf_types: tuple[DType, ...],
) -> Structure:
    with _lock:
        _drop_dead()
        found = find(key)  # another thread may have made it since
        if found is None:
            found = Structure(operation, children, maps, dtype, leaf_types)
            entry = _table[key] = _Entry(found, _dead.append)
            entry.key = key
        return found


def _drop_dead() -> None:
    while _dead:
        entry = _dead.popleft()
        if _table.get(entry.key) is entry:
            del _table[entry.key]
        del entry.key

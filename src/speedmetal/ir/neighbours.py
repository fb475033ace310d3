"""Kernels whose threads may each take several neighbours along x: elementwise ones.

What a thread does for one position it may do for the next ones as well, where nothing tells which
thread does what: the kernel asks for positions in the grid alone, and threads exchange nothing. It
gains where elements of neighbours are neighbours in memory, which a GPU then moves as one: its
widest loads and stores have 16 bytes, and keep more of its memory busy than four of 4.

So every access **must** be one of

* the element at the thread's own x along one axis, with indices along other axes that are the same
  for all x: a :class:`Place`. Where neighbours along that axis are neighbours in memory, they are
  loaded and stored as a whole;
* a load of any other element.

Where elements are loaded that are no neighbours in memory, nor the same for all x, a thread takes
positions that lie *apart*, as many as its threadgroup has threads along x. Neighbouring threads are
then at neighbouring positions still, and as much is on its way to each as above. That is for
kernels that load few elements: others have enough on their way.

All loads come before all stores, so that a kernel's arrays may be one array. Conditions around
accesses, and those of an early return, hold from one x to another (``i < a.size``), so that those
of the first and the last neighbour tell of all between them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import analysis
from speedmetal.ir.nodes import (
    Array,
    Assign,
    Atomic,
    Call,
    Compare,
    Constant,
    Convert,
    Expression,
    Extent,
    For,
    Function,
    If,
    Invoke,
    Kernel,
    Load,
    Logical,
    MatrixLoad,
    Read,
    Return,
    Statement,
    Store,
    Unary,
    Variable,
    While,
)
from speedmetal.ir.text import expression_text
from speedmetal.ir.walk import assigned_variable, expressions, operands, statements

WIDEST_BYTES = 16
"""Of a thread's loads and stores, on every GPU."""
MOST_NEIGHBOURS = 8
"""Of small types: the code is repeated for each."""
MOST_APART = 4
"""The same of positions that lie apart."""
MOST_LOADS_APART = 8
"""Of one position, where positions lie apart."""
LARGEST_SIZE = 160
"""Expressions of a kernel, with those of its functions, that may be repeated: what is larger is not
held up by memory."""

_POSITION = "thread_position_in_grid"
_POSITIONS = frozenset({_POSITION, "threads_per_grid"})
_ORDERED = frozenset({"lt", "le", "gt", "ge"})
_INDEX_BITS = 32


@record(eq=False)
class Place:
    """Elements of neighbours, side by side or in steps of one length.

    Args:
        array: Where.
        indices: Of a neighbour's.
        is_loaded: Whether they are read.
        is_stored: Whether they are written; all of them are, behind all loads.
    """

    array: Array
    indices: tuple[Expression, ...]
    is_loaded: bool
    is_stored: bool


@record(eq=False)
class Neighbours:
    """How a thread takes several neighbours.

    Args:
        count: How many.
        definitions: Of the variables that indices and conditions are made of, in program order.
        conditions: What must hold for the first and the last neighbour, or must not.
        places: What is loaded and stored as a whole; in the order in which they are stored.
        place_of: The place of a load or store, as its number.
        are_apart: Whether they always lie apart; else they do where arrays do not begin at
            multiples of what is loaded or stored as a whole.
    """

    count: int
    definitions: tuple[Assign, ...]
    conditions: tuple[tuple[Expression, bool], ...]
    places: tuple[Place, ...]
    place_of: dict[Load | Store, int]
    are_apart: bool


def neighbours(kernel: Kernel) -> Neighbours | None:
    """How a kernel's threads may take several neighbours; None: they may not, or gain nothing."""
    facts = analysis.facts(kernel)
    positions = {name for name, _ in facts.positions}
    if (
        kernel.arrays
        or facts.reports_itself
        or facts.has_loops
        or any(_has_loops(function) for function in kernel.functions)
        or facts.exchanges
        or facts.tells_simdgroups
        or not positions <= _POSITIONS
        or (_POSITION, 0) not in facts.positions
        or facts.size_with_callees > LARGEST_SIZE
        or any(assigned_variable(s) in kernel.parameters for s in statements(kernel.body))
    ):
        return None
    search = _Search(kernel)
    if not search.accepts(kernel.body) or not search.accesses:
        return None
    if search.are_apart and not 0 < search.loads <= MOST_LOADS_APART:
        return None
    return search.found()


def _has_loops(function: Function) -> bool:
    """Whether it goes on for as long as its arguments want: a thread alone waits for its own turns
    only. Functions of the library are short.
    """
    found = statements(function.body)
    return not function.is_total and any(isinstance(s, For | While) for s in found)


class _Kind(enum.Enum):
    """What an expression is for the neighbours of a thread."""

    FIXED = enum.auto()  # the same for all
    POSITION = enum.auto()  # their x
    OTHER = enum.auto()


class _Search:
    """One walk over a kernel's body."""

    def __init__(self, kernel: Kernel) -> None:
        assigned = [variable for s in statements(kernel.body) if (variable := assigned_variable(s))]
        self._once = {v for v in assigned if assigned.count(v) == 1}
        self._parameters = frozenset(p for p in kernel.parameters if isinstance(p, Variable))
        self._definitions: dict[Variable, Assign] = {}
        self._kinds: dict[Variable, _Kind] = {}
        self._conditions: list[tuple[Expression, bool]] = []
        self._has_stored = False
        self.accesses: list[Load | Store] = []
        self.are_apart = False
        self.loads = 0

    # --- Statements ----------------------------------------------------------------------------

    def accepts(self, body: tuple[Statement, ...]) -> bool:
        """Whether neighbours may be taken together, as far as these statements say."""
        return all(self._accepts(statement) for statement in body)

    def _accepts(self, statement: Statement) -> bool:  # noqa: PLR0911 - one for each statement
        if not self._accepts_loads(statement):
            return False
        match statement:
            case Assign(variable=variable, value=value):
                if variable in self._once:
                    self._definitions[variable] = statement
                    self._kinds[variable] = self._kind(value)
                return True
            case Store():
                return self._accepts_store(statement)
            case If(condition=condition, body=(Return(),), orelse=()):
                return self._accepts_condition(condition, wanted=False)
            case If(condition=condition, body=body, orelse=()) if _has_accesses(body):
                return self._accepts_condition(condition, wanted=True) and self.accepts(body)
            case If(body=body, orelse=orelse):
                inner = [*statements((*body, *orelse))]
                are_plain = all(isinstance(s, Assign | If) for s in inner)
                return are_plain and not _has_accesses((*body, *orelse))
        return False

    def _accepts_loads(self, statement: Statement) -> bool:
        loads = [part for part in expressions(statement) if isinstance(part, Load | MatrixLoad)]
        for load in loads:
            if isinstance(load, MatrixLoad) or self._has_stored:
                return False
            self.loads += 1
            if self._is_place(load):
                self.accesses.append(load)
            elif any(self._kind(index) is not _Kind.FIXED for index in load.indices):
                self.are_apart = True
        return True

    def _accepts_store(self, store: Store) -> bool:
        self._has_stored = True
        self.accesses.append(store)
        return self._is_place(store)

    def _is_place(self, access: Load | Store) -> bool:
        """Whether it is at the thread's own x along one axis."""
        kind = access.array.type
        kinds = [self._kind(index) for index in access.indices]
        if kind.dtype.is_complex or kinds.count(_Kind.POSITION) != 1 or _Kind.OTHER in kinds:
            return False
        if kind.unit_axis is None or kinds[kind.unit_axis] is not _Kind.POSITION:
            self.are_apart = True
        return True

    def _accepts_condition(self, condition: Expression, *, wanted: bool) -> bool:
        """Whether it holds, or does not, for all between two neighbours for which it is so."""
        if not self._is_convex(condition, wanted=wanted):
            return False
        self._conditions.append((condition, wanted))
        return True

    def _is_convex(self, condition: Expression, *, wanted: bool) -> bool:
        match condition:
            case Unary(operator="not", operand=operand):
                return self._is_convex(operand, wanted=not wanted)
            case Logical(operator=operator, left=left, right=right):
                both = self._is_convex(left, wanted=wanted), self._is_convex(right, wanted=wanted)
                return (operator == "and") is wanted and all(both)
            case Compare(operator=operator, left=left, right=right) if operator in _ORDERED:
                return _Kind.OTHER not in (self._kind(left), self._kind(right))
        return self._kind(condition) is _Kind.FIXED

    # --- Expressions ---------------------------------------------------------------------------

    def _kind(self, expression: Expression) -> _Kind:  # noqa: PLR0911 - one for each node
        match expression:
            case Constant() | Extent():
                return _Kind.FIXED
            case Read(variable=variable):
                is_given = variable in self._parameters
                return _Kind.FIXED if is_given else self._kinds.get(variable, _Kind.OTHER)
            case Call(intrinsic=intrinsic, axis=axis) if intrinsic.kind is IntrinsicKind.POSITION:
                is_x = intrinsic.name == _POSITION and not axis
                return _Kind.POSITION if is_x else _Kind.FIXED
            case Convert(operand=operand, type=dtype) if _holds_positions(dtype):
                return self._kind(operand)
            case Load() | MatrixLoad() | Invoke():
                return _Kind.OTHER
            case Call(intrinsic=intrinsic) if intrinsic.kind is not IntrinsicKind.MATH:
                return _Kind.OTHER
        kinds = {self._kind(operand) for operand in operands(expression)}
        return _Kind.FIXED if kinds <= {_Kind.FIXED} else _Kind.OTHER

    # --- What was found ------------------------------------------------------------------------

    def found(self) -> Neighbours:
        """How neighbours are taken, once everything was accepted."""
        groups: dict[tuple[Array, str], list[Load | Store]] = {}
        for access in self.accesses:
            key = (access.array, ", ".join(map(expression_text, access.indices)))
            group = groups.pop(key, [])  # the last one stored comes last
            groups[key] = [*group, access]
        places = tuple(
            Place(
                group[0].array,
                group[0].indices,
                any(isinstance(access, Load) for access in group),
                any(isinstance(access, Store) for access in group),
            )
            for group in groups.values()
        )
        numbers = {a: number for number, group in enumerate(groups.values()) for a in group}
        largest = max(place.array.type.dtype.itemsize for place in places)
        count = MOST_APART if self.are_apart else min(WIDEST_BYTES // largest, MOST_NEIGHBOURS)
        needed, conditions = self._needed(places), tuple(self._conditions)
        return Neighbours(count, needed, conditions, places, numbers, self.are_apart)

    def _needed(self, places: Iterable[Place]) -> tuple[Assign, ...]:
        """The definitions of what indices and conditions are made of."""
        pending = [index for place in places for index in place.indices]
        pending += [condition for condition, _ in self._conditions]
        needed: set[Assign] = set()
        while pending:
            for variable in _read(pending.pop()):
                definition = self._definitions.get(variable)
                if definition is not None and definition not in needed:
                    needed.add(definition)
                    pending.append(definition.value)
        return tuple(d for d in self._definitions.values() if d in needed)


def _read(expression: Expression) -> Iterator[Variable]:
    for part in (*expressions(expression), expression):
        if isinstance(part, Read):
            yield part.variable


def _has_accesses(body: tuple[Statement, ...]) -> bool:
    return any(
        isinstance(statement, Store | Atomic)
        or any(isinstance(part, Load | MatrixLoad) for part in expressions(statement))
        for statement in statements(body)
    )


def _holds_positions(dtype: object) -> bool:
    return isinstance(dtype, DType) and dtype.is_integer and dtype.bits >= _INDEX_BITS


__all__ = ["Neighbours", "Place", "neighbours"]

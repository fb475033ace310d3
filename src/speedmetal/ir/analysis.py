"""The facts about a kernel, each found here and nowhere else, by one walk over it.

Ask :func:`facts` for them: they are kept with the kernel, and a changed kernel has none until
somebody asks. What the threads of a set agree on is found by :mod:`speedmetal.ir.uniformity`, when
it is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.intrinsics.record import IntrinsicKind, Varies
from speedmetal.ir.matrices import right_factors
from speedmetal.ir.multiples import Multiples
from speedmetal.ir.nodes import (
    Array,
    Assert,
    AsyncCopy,
    Atomic,
    Barrier,
    Bitcast,
    Call,
    Constant,
    Convert,
    Expression,
    Extent,
    For,
    If,
    Kernel,
    Load,
    MatrixLoad,
    MatrixStore,
    Print,
    Read,
    Select,
    Statement,
    Store,
    Variable,
    While,
)
from speedmetal.ir.report_sites import POSITIONS_LEVEL, AssertSite, PrintSite, ReportSites
from speedmetal.ir.size_expression import CALL, Formula, SizedArray
from speedmetal.ir.types import Space
from speedmetal.ir.uniformity import Uniformities
from speedmetal.ir.walk import expressions, operands, size_with_callees, statements

_DIVERGENCE = "threads of a threadgroup disagree"
_DIVERGENCE_REASON = (
    "a barrier stands inside, which all threads of the threadgroup must reach; move it out, or make"
    " the condition the same for all of them"
)


def facts(kernel: Kernel) -> KernelFacts:
    """What is known of a kernel. It is found once, and kept with the kernel."""
    if kernel.facts is None:
        # Nobody can tell whether it was there before: it follows from what cannot change.
        object.__setattr__(kernel, "facts", _found(kernel))
    known: KernelFacts = kernel.facts
    return known


@dataclass(frozen=True, eq=False)
class KernelFacts:
    """Everything that printers and launches ask about a kernel.

    Args:
        body: Of the kernel.
        debug: Its debug level.
        asserts: Its checks, in program order.
        control: Its control flow, in program order.
        prints: Its prints, in program order.
        has_loops: Whether the work of a thread may be long.
        tells_simdgroups: Whether it can tell which threads form a simdgroup.
        exchanges: Whether threads of a simdgroup exchange values or wait for each other.
        positions: The intrinsics of kind POSITION that it calls, by name, each with its axis.
        extents: The array parameters whose sizes it reads, each with the axis.
        strides: The array parameters whose strides it reads, each with the axis.
        stored: The arrays that it changes or accesses atomically.
        only_stored: Of these, those that it never reads, and stores to plainly, whole elements at a
            time; in the order of their first stores.
        accessed_in_pieces: The arrays of which it accesses several neighbours at once, as matrices
            or by asynchronous copies.
        async_copies: Its asynchronous copies, in program order.
        written: The parameters that it changes, by number.
        updated: Of these, those that it reads as well, or accesses atomically.
        loads: For each parameter, how many elements of it a thread reads; None where it reads them
            in a loop.
        threadgroup_bytes: Of its threadgroup arrays with constant shapes.
        sized_arrays: Its threadgroup arrays of which only a launch knows the sizes.
    """

    body: tuple[Statement, ...]
    debug: int
    asserts: tuple[Assert, ...]
    control: tuple[If | For | While, ...]
    prints: tuple[Print, ...]
    has_loops: bool
    tells_simdgroups: bool
    exchanges: bool
    positions: frozenset[tuple[str, int | None]]
    extents: frozenset[tuple[Array, int]]
    strides: frozenset[tuple[Array, int]]
    stored: frozenset[Array]
    only_stored: tuple[Array, ...]
    accessed_in_pieces: frozenset[Array]
    async_copies: tuple[AsyncCopy, ...]
    written: frozenset[int]
    updated: frozenset[int]
    loads: tuple[int | None, ...]
    threadgroup_bytes: int
    sized_arrays: tuple[SizedArray, ...]
    _uniformities: dict[Varies, Uniformities] = field(default_factory=dict, init=False)

    @property
    def may_fail(self) -> bool:
        """Whether the kernel has a check that a thread may fail."""
        return bool(self.asserts)

    @property
    def reports_itself(self) -> bool:
        """Whether the kernel's own statements report, into a mailbox: it asserts or prints."""
        return bool(self.asserts or self.prints)

    @property
    def reports_positions(self) -> bool:
        """Whether failures tell the thread, and threads that part round a barrier are reported."""
        return self.debug >= POSITIONS_LEVEL

    @cached_property
    def size_with_callees(self) -> int:
        """How much text it is once every call in it is replaced by the function's body."""
        return size_with_callees(self.body)

    @cached_property
    def right_factors(self) -> frozenset[Variable]:
        """The simdgroup matrices that are right factors and nothing else."""
        return right_factors(self.body)

    @cached_property
    def multiples(self) -> Multiples:
        """Of which powers of two its integers are multiples."""
        return Multiples(self.body)

    @cached_property
    def sites(self) -> dict[Statement, int]:
        """The numbers that stand for statements in the mailbox.

        Asserts are numbered in their order; control flow, where threads may part round a barrier,
        follows them; prints are numbered on their own. The numbers are no part of the statements:
        so no pass can leave two alike, or one that is not in :meth:`report_sites`.
        """
        numbers: dict[Statement, int] = dict(zip([*self.asserts, *self.control], count()))
        return numbers | dict(zip(self.prints, count()))

    def report_sites(self, name: str) -> ReportSites:
        """What the kernel may report, in the order of :attr:`sites`.

        Args:
            name: The user's name of the kernel, for messages.
        """
        control = self.control if self.reports_positions else ()
        return ReportSites(
            name,
            self.debug,
            (
                *(AssertSite(s.kind, s.reason, s.span) for s in self.asserts),
                *(AssertSite(_DIVERGENCE, _DIVERGENCE_REASON, s.span) for s in control),
            ),
            tuple(PrintSite(s.parts, tuple(map(_dtype, s.values))) for s in self.prints),
        )

    def uniformities(self, within: Varies) -> Uniformities:
        """What all threads of a threadgroup (`Varies.THREADGROUPS`) or simdgroup agree on."""
        if within not in self._uniformities:
            self._uniformities[within] = Uniformities(self.body, self.stored, within)
        return self._uniformities[within]


def _dtype(value: Expression) -> DType:
    assert isinstance(value.type, DType)
    return value.type


# --- the walk


class _Walk:
    """What is found on the way."""

    def __init__(self) -> None:
        self.by_kind: dict[type, list[Any]] = {}
        self.tells_simdgroups = False
        self.exchanges = False
        self.positions: set[tuple[str, int | None]] = set()
        self.extents: set[tuple[Array, int]] = set()
        self.strides: set[tuple[Array, int]] = set()
        self.read: set[Array] = set()
        self.loads: Counter[Array | Variable] = Counter()
        self.in_pieces: set[Array] = set()

    def body(self, body: tuple[Statement, ...]) -> None:
        for statement in statements(body):
            self.by_kind.setdefault(type(statement), []).append(statement)
            if isinstance(statement, Store | MatrixStore | AsyncCopy | Atomic):
                self._element(statement.array)
            if isinstance(statement, AsyncCopy):
                self._element(statement.source)
                self.in_pieces |= {statement.array, statement.source}
                self.read.add(statement.source)
                self.loads[statement.source] += statement.count
            for expression in expressions(statement):
                self.expression(expression)

    def expression(self, node: Expression) -> None:
        match node:
            case Call():
                self._call(node)
            case Load() | MatrixLoad():
                self._element(node.array)
                self.read.add(node.array)
                self.loads[node.array] += 1
                if isinstance(node, MatrixLoad):
                    self.tells_simdgroups = True
                    self.in_pieces.add(node.array)
            case Extent(array=array, axis=axis) if array.type.space is Space.DEVICE:
                self.extents.add((array, axis))

    def _call(self, call: Call) -> None:
        intrinsic = call.intrinsic
        self.tells_simdgroups |= intrinsic.tells_simdgroups
        self.exchanges |= intrinsic.exchange is not None
        if intrinsic.kind is IntrinsicKind.POSITION:
            self.positions.add((intrinsic.name, call.axis))

    def _element(self, array: Array) -> None:
        kind = array.type
        if kind.space is Space.DEVICE:
            self.strides |= {(array, a) for a in range(kind.rank) if a != kind.unit_axis}

    def of_kind(self, *kinds: type) -> Iterator[Any]:
        return (node for kind in kinds for node in self.by_kind.get(kind, ()))


def _found(kernel: Kernel) -> KernelFacts:
    walk = _Walk()
    walk.body(kernel.body)
    for array in kernel.arrays:
        for size in array.shape or ():
            if not isinstance(size, int):
                for part in (*expressions(size), size):
                    walk.expression(part)
    waits = any(barrier.scope == "simdgroup" for barrier in walk.of_kind(Barrier))
    changed = {s.array for s in walk.of_kind(Store, MatrixStore, AsyncCopy, Atomic)}
    plainly = dict.fromkeys(s.array for s in walk.of_kind(Store) if s.part is None)
    otherwise = walk.read | {s.array for s in walk.of_kind(MatrixStore, AsyncCopy, Atomic)}
    updated = kernel.written & (walk.read | {s.array for s in walk.of_kind(Atomic)})
    shared = [array for array in kernel.arrays if array.type.space is Space.THREADGROUP]
    return KernelFacts(
        body=kernel.body,
        debug=kernel.debug,
        asserts=tuple(walk.of_kind(Assert)),
        control=tuple(s for s in statements(kernel.body) if isinstance(s, If | For | While)),
        prints=tuple(walk.of_kind(Print)),
        has_loops=any(walk.of_kind(For, While)),
        tells_simdgroups=walk.tells_simdgroups or waits,
        exchanges=walk.exchanges or waits,
        positions=frozenset(walk.positions),
        extents=frozenset(walk.extents),
        strides=frozenset(walk.strides),
        stored=frozenset(changed) | kernel.written,
        only_stored=tuple(a for a in plainly if a not in otherwise),
        async_copies=tuple(walk.of_kind(AsyncCopy)),
        accessed_in_pieces=frozenset(walk.in_pieces),
        written=frozenset(n for n, p in enumerate(kernel.parameters) if p in kernel.written),
        updated=frozenset(n for n, p in enumerate(kernel.parameters) if p in updated),
        loads=_loads(kernel, walk),
        threadgroup_bytes=sum(a.size_bytes for a in shared if not a.is_sized_at_launch),
        sized_arrays=tuple(_find_sized_arrays(a, kernel) for a in shared if a.is_sized_at_launch),
    )


def _loads(kernel: Kernel, walk: _Walk) -> tuple[int | None, ...]:
    looped = {
        expression.array
        for loop in walk.of_kind(For, While)
        for statement in statements(loop.body)
        for expression in expressions(statement)
        if isinstance(expression, Load)
    }
    return tuple(None if p in looped else walk.loads[p] for p in kernel.parameters)


# --- sizes that only a launch knows


def _find_sized_arrays(array: Array, kernel: Kernel) -> SizedArray:
    shape = tuple(
        size if isinstance(size, int) else formula_of(size, kernel) for size in array.shape or ()
    )
    return SizedArray(array.name, array.type.dtype.itemsize, shape)


def formula_of(expression: Expression, kernel: Kernel) -> Formula:
    """The formula of an expression over a kernel's parameters and ``threads_per_threadgroup``.

    Raises:
        InternalError: It reads what no launch knows.
    """
    dtype = _dtype(expression).name
    parts = _known_parts(expression, kernel.parameters)
    if parts:
        return parts[0], dtype, *parts[1:]
    word = _WORDS.get(type(expression)) or getattr(expression, "operator", "")
    if isinstance(expression, Call) and expression.arguments:
        word = CALL + expression.intrinsic.name
    if not word:
        raise InternalError(f"{type(expression).__name__} is in a size that a launch should know")
    return word, dtype, *(formula_of(operand, kernel) for operand in operands(expression))


_WORDS = {Select: "select", Convert: "convert", Bitcast: "bitcast"}


def _known_parts(
    expression: Expression, parameters: tuple[Variable | Array, ...]
) -> tuple[Any, ...]:
    """What a launch knows without evaluating anything; empty for all else."""
    match expression:
        case Constant(value):
            return "constant", value
        case Read(variable) if variable in parameters:
            return "parameter", parameters.index(variable)
        case Extent(array, axis) if array in parameters:
            return "extent", parameters.index(array), axis
        case Call(intrinsic, axis=int(axis)) if intrinsic.is_known_at_launch:
            return "threads", axis
    return ()

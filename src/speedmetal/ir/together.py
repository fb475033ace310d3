"""Loads and stores of elements side by side that stand one after another, as in unrolled loops.

``x[i], x[i + 1], x[i + 2], x[i + 3]`` are loaded by one instruction, where the first lies at a
multiple of what it moves; so are elements stored. A GPU moves 16 bytes a thread so, as of
neighbouring threads (:mod:`speedmetal.ir.neighbours`).

What is taken together stands in one run of assignments and stores, in which nothing else happens.
Loads move up to the first of them, stores down to the last one. So between them no store and no
load may be of the same memory: there is none, or it is of an array that lies alone
(:attr:`~speedmetal.ir.nodes.Array.is_alone`).

Neighbouring threads must be as far from each other as what is moved, or at the same place, along
the axis of neighbours: else not all of them would begin at such multiples, and each would load for
itself what its neighbours load as well (``x[i] + x[i + 1]``).

That two places are neighbours is told by their indices as sums of values, each counted so many
times, and a constant. A value is what a variable holds where the run begins, or what was computed
in it: two variables of the same value count as one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import IntrinsicKind, Varies
from speedmetal.ir import analysis
from speedmetal.ir.multiples import MOST, Multiples
from speedmetal.ir.neighbours import WIDEST_BYTES
from speedmetal.ir.nodes import (
    Array,
    Assign,
    Binary,
    Call,
    Constant,
    Convert,
    Expression,
    Extent,
    For,
    Kernel,
    Load,
    MatrixLoad,
    Read,
    Statement,
    Store,
    Variable,
)
from speedmetal.ir.types import Space
from speedmetal.ir.uniformity import Uniformities
from speedmetal.ir.walk import assigned_variable, blocks, expressions, statements

_INDEX_BITS = 32


@record(eq=False)
class Span:
    """Elements side by side.

    Args:
        array: Where.
        indices: Of the first one.
        count: How many: 2, 4, ...
        is_stored: Whether they are stored; else they are loaded.
    """

    array: Array
    indices: tuple[Expression, ...]
    count: int
    is_stored: bool


class Together:
    """What of a kernel is loaded and stored together.

    Args:
        kernel: As it comes from the passes; None: nothing is.

    Attributes:
        opened: Before each of these statements: what is loaded, or will be stored.
        closed: Behind each of these statements: what is stored.
        place_of: For each load and store the elements that it is among, and its number there.
        spans: All elements that are taken together.
    """

    def __init__(self, kernel: Kernel | None) -> None:
        self.opened: dict[Statement, list[Span]] = {}
        self.closed: dict[Statement, list[Span]] = {}
        self.place_of: dict[Load | Store, tuple[Span, int]] = {}
        if kernel is None:
            return
        steps = _Steps(kernel)
        for run in _runs(kernel.body):
            for group in _Run(run).groups:
                self._add(group, steps)

    @property
    def spans(self) -> Iterator[Span]:
        return itertools.chain.from_iterable(self.opened.values())

    def _add(self, group: _Group, steps: _Steps) -> None:
        """Note the spans of elements that may be taken together."""
        numbers = sorted(group)
        while numbers:
            first = numbers[0]
            count = _count(group[first][0].access, numbers)
            if count > 1:
                count = min(count, steps.between_threads(group[first][0].terms))
            found = [access for n in range(first, first + count) for access in group[n]]
            before = min(found, key=lambda each: each.order)
            if count > 1 and before.number == first:  # its indices are there in time
                self._add_span(first, count, found)
            numbers = numbers[count:]

    def _add_span(self, first: int, count: int, found: list[_Access]) -> None:
        in_order = sorted(found, key=lambda each: each.order)
        access = in_order[0].access
        span = Span(access.array, access.indices, count, isinstance(access, Store))
        self.opened.setdefault(in_order[0].statement, []).append(span)
        if span.is_stored:
            self.closed.setdefault(in_order[-1].statement, []).append(span)
        for each in found:
            self.place_of[each.access] = span, each.number - first


def _count(access: Load | Store, numbers: list[int]) -> int:
    """How many elements from the first of these numbers on are taken together."""
    count = WIDEST_BYTES // access.array.type.dtype.itemsize
    while count > 1 and numbers[:count] != [*range(numbers[0], numbers[0] + count)]:
        count //= 2
    return max(count, 1)


def _runs(body: tuple[Statement, ...]) -> Iterator[list[Statement]]:
    """The runs of assignments and stores, of a body and of those inside it."""
    run: list[Statement] = []
    for statement in body:
        if isinstance(statement, Store) or (
            isinstance(statement, Assign) and not _is_special(statement)
        ):
            run.append(statement)
            continue
        yield run
        run = []
        for block in blocks(statement):
            yield from _runs(block)
    yield run


def _is_special(statement: Assign) -> bool:
    """Whether threads exchange something in an assignment, or hold a matrix together."""
    value = statement.value
    if isinstance(value, Call):
        return value.intrinsic.kind not in (IntrinsicKind.MATH, IntrinsicKind.POSITION)
    return isinstance(value, MatrixLoad)


class _Steps:
    """How far apart the places of neighbouring threads are."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        assigned = [v for s in statements(kernel.body) if (v := assigned_variable(s)) is not None]
        self._definitions: dict[Variable, Statement] = {
            variable: statement
            for statement in statements(kernel.body)
            if (variable := assigned_variable(statement)) is not None
            and assigned.count(variable) == 1
        }

    @cached_property
    def _uniformities(self) -> Uniformities:
        return analysis.facts(self._kernel).uniformities(Varies.SIMDGROUPS)

    @cached_property
    def _multiples(self) -> Multiples:
        return Multiples(self._kernel.body)

    def between_threads(self, terms: _Terms) -> int:
        """A power of two that divides the steps of an index from thread to thread.

        Args:
            terms: Whose sum it is, each so many times.
        """
        return min((self._of(term, times) for term, times in terms), default=MOST)

    def _of(self, index: Expression, times: int = 1) -> int:
        if not self._uniformities.diverges(index):
            return MOST
        return min(math.gcd(times, MOST) * self._of_divergent(index), MOST)

    def _of_divergent(self, index: Expression) -> int:
        match index:
            case Convert(operand=operand):
                return self._of(operand)
            case Binary(operator="add" | "subtract", left=left, right=right):
                return min(self._of(left), self._of(right))
            case Binary(operator="multiply", left=left, right=Constant(value=times)):
                return self._of(left, int(times))
            case Read(variable=variable):
                match self._definitions.get(variable):
                    case Assign(value=value):
                        return self._of(value)
                    case For(start=start, step=step):
                        return min(self._of(start), self._of(step), self._multiples.of(step))
        return self._multiples.of(index)


# --- One run -------------------------------------------------------------------------------------


@record(eq=False)
class _Access:
    """A load or store of a run.

    Args:
        access: It.
        statement: Where it stands.
        order: Counts the accesses of a run.
        number: The constant in its index.
        terms: The others in it.
    """

    access: Load | Store
    statement: Statement
    order: int
    number: int
    terms: _Terms


_Terms = tuple[tuple[Expression, int], ...]
_Group = dict[int, list[_Access]]
"""Accesses that could be one, by the constants in their indices."""
_Atoms = frozenset[tuple[Any, int]]
_Sum = tuple[_Atoms, int]
"""Values, each counted so many times, and a constant."""


class _Run:
    """Sorts the accesses of a run into groups.

    Args:
        run: Its statements.

    Attributes:
        groups: Accesses of the same kind at places that differ by constants.
    """

    def __init__(self, run: list[Statement]) -> None:
        self._values: dict[Variable, _Sum] = {}
        self._terms: dict[Any, Expression] = {}  # that stand for values
        self._open: dict[Any, _Group] = {}
        self._order = 0
        self.groups: list[_Group] = []
        for statement in run:
            for part in expressions(statement):
                if isinstance(part, Load) and part.array.type.space is Space.DEVICE:
                    self._close_stores_before_load()
                    self._add(part, statement)
            if isinstance(statement, Store):
                if statement.array.type.space is Space.DEVICE:
                    self._close_before_store(statement.array)
                    self._add(statement, statement)
            elif isinstance(statement, Assign):
                self._values[statement.variable] = self._sum(statement.value)
        self._close(lambda _array, _is_stored: True)

    # --- Groups --------------------------------------------------------------------------------

    def _add(self, access: Load | Store, statement: Statement) -> None:
        kind = access.array.type
        axis, is_stored = kind.unit_axis, isinstance(access, Store)
        if axis is None or kind.dtype.is_complex:
            return
        sums = [self._sum(index) for index in access.indices]
        number = sums[axis][1]
        sums[axis] = sums[axis][0], 0
        group = self._open.setdefault((access.array, is_stored, tuple(sums)), {})
        self._order += 1
        terms = tuple((self._terms[value], times) for value, times in sums[axis][0])
        found = _Access(access, statement, self._order, number, terms)
        group.setdefault(number, []).append(found)

    def _close_stores_before_load(self) -> None:
        """Memory is loaded: what is stored before must be there."""
        self._close(lambda array, is_stored: is_stored and not array.is_alone)

    def _close_before_store(self, stored: Array) -> None:
        """Memory changes: loads stand before it, and other stores that may go to the same."""

        def ends(array: Array, is_stored: bool) -> bool:  # noqa: FBT001 - as in a key
            return not (stored.is_alone or (is_stored and (array is stored or array.is_alone)))

        self._close(ends)

    def _close(self, ends: Any) -> None:
        for key in [*self._open]:
            if ends(key[0], key[1]):
                self.groups.append(self._open.pop(key))

    # --- Values --------------------------------------------------------------------------------

    def _sum(self, expression: Expression) -> _Sum:  # noqa: PLR0911 - one for each node
        match expression:
            case Constant(value=value) if isinstance(value, int):
                return frozenset(), int(value)
            case Read(variable=variable) if variable in self._values:
                return self._values[variable]
            case Convert(operand=operand, type=dtype) if _holds_positions(operand.type, dtype):
                return self._sum(operand)
            case Binary(operator="add", left=left, right=right):
                return _added(self._sum(left), self._sum(right), 1)
            case Binary(operator="subtract", left=left, right=right):
                return _added(self._sum(left), self._sum(right), -1)
            case Binary(operator="multiply", left=left, right=right):
                sums = self._sum(left), self._sum(right)
                if not (sums[0][0] and sums[1][0]):
                    return _multiplied(*sums)
        value = self._value(expression)
        self._terms.setdefault(value, expression)
        return frozenset({(value, 1)}), 0

    def _value(self, expression: Expression) -> Any:
        """What stands for the value of an expression that is no sum."""
        match expression:
            case Read(variable=variable):
                return variable
            case Extent(array=array, axis=axis):
                return array, axis
            case Call(intrinsic=intrinsic, axis=axis) if intrinsic.kind is IntrinsicKind.POSITION:
                return intrinsic.name, axis
            case Binary(operator=operator, left=left, right=right):
                return operator, self._sum(left), self._sum(right)
        return expression


def _added(left: _Sum, right: _Sum, times: int) -> _Sum:
    """One and so many times the other."""
    counts = dict(left[0])
    for value, count in right[0]:
        counts[value] = counts.get(value, 0) + times * count
    return frozenset((v, n) for v, n in counts.items() if n), left[1] + times * right[1]


def _multiplied(left: _Sum, right: _Sum) -> _Sum:
    """A product, one factor of which is constant."""
    values, times = (left, right[1]) if left[0] else (right, left[1])
    return _added((frozenset(), 0), values, times)


def _holds_positions(*types: object) -> bool:
    return all(isinstance(t, DType) and t.is_integer and t.bits >= _INDEX_BITS for t in types)


__all__ = ["Span", "Together"]

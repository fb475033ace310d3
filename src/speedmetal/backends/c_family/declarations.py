"""Where variables are declared: as near to their use as their scope allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from speedmetal.ir.nodes import (
    Assign,
    Atomic,
    Expression,
    For,
    Read,
    Statement,
    Variable,
    While,
)
from speedmetal.ir.walk import assigned_variable, blocks, expressions

_Block = tuple[Statement, ...]
_Place = tuple[int, ...]  # the way to a statement: its number in each block around it


class Declarations:
    """For every variable of a body, the statement that declares it.

    Attributes:
        at: Variables that a statement's first assignment declares, by the statement.
        before: Variables declared without a value just before a statement, by the statement.
    """

    def __init__(self, body: _Block, known: Iterable[Variable] = ()) -> None:
        self.at: dict[Statement, Variable] = {}
        self.before: dict[Statement, list[Variable]] = defaultdict(list)
        self._uses: dict[Variable, list[tuple[_Place, Statement]]] = {}
        self._known = set(known)  # declared elsewhere: parameters, and counters by their loops
        self._collect(body, ())
        for variable in self._uses:
            if variable not in self._known:
                self._place(variable, body)

    def _collect(self, body: _Block, place: _Place) -> None:
        for number, statement in enumerate(body):
            here = (*place, number)
            for expression in expressions(statement):
                if isinstance(expression, Read):
                    self._use(expression.variable, here, statement)
            variable = assigned_variable(statement)
            if isinstance(statement, For):
                self._known.add(statement.counter)
            elif variable is not None:
                self._use(variable, here, statement)
            for branch, block in enumerate(blocks(statement)):
                self._collect(block, (*here, branch))

    def _use(self, variable: Variable, place: _Place, statement: Statement) -> None:
        self._uses.setdefault(variable, []).append((place, statement))

    def _place(self, variable: Variable, body: _Block) -> None:
        """Declare in the innermost block around all uses, outside of loops that carry a value."""
        uses = self._uses[variable]
        depth = _common_block(place for place, _ in uses)
        first_place, first = uses[0]
        if len(first_place) == depth + 1 and self._begins(variable, first):
            self.at[first] = variable
            return
        # Not given a value here on every way: the value may come from an earlier round of a loop.
        statement = _statement_at(body, first_place[: depth + 1])
        for length in range(1, depth + 1, 2):
            outer = _statement_at(body, first_place[:length])
            if isinstance(outer, For | While):
                statement = outer
                break
        self.before[statement].append(variable)

    @staticmethod
    def _begins(variable: Variable, statement: Statement) -> bool:
        """Whether the statement gives the variable its first value, without reading it."""
        if (
            not isinstance(statement, Assign | Atomic)
            or assigned_variable(statement) is not variable
        ):
            return False
        return not any(_reads(e, variable) for e in expressions(statement))


def _reads(expression: Expression, variable: Variable) -> bool:
    return isinstance(expression, Read) and expression.variable is variable


def _common_block(places: Iterable[_Place]) -> int:
    """Length of the way to the innermost block that holds all these statements."""
    first, *others = places
    depth = len(first) - 1
    for other in others:
        limit = min(depth, len(other) - 1)
        same = 0
        while same < limit and first[same] == other[same]:
            same += 1
        depth = same - same % 2  # whole pairs of statement and branch
    return depth


def _statement_at(body: _Block, place: _Place) -> Statement:
    statement = body[place[0]]
    for branch, number in zip(place[1::2], place[2::2], strict=True):
        statement = list(blocks(statement))[branch][number]
    return statement

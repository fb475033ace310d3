"""Which sums, differences, products and negations of integers can leave their type.

Integers wrap. A target's own operators need not (in C++ a signed number must not overflow), and
what makes them wrap hides from its compiler that neighbouring elements are neighbours. So printers
ask, and use the plain operator in three cases:

* The operands' ranges show that the result fits: a position plus 1, a counter times a constant
  (:mod:`speedmetal.ir.ranges`; sizes and positions end short of the index type's end).
* The result serves nothing but indices, and is made of positions, sizes, counters, constants and
  numbers given at launch: ``x[row * width + column]``, or a variable that is read in indices alone.
  Out of its type it would be out of every array. This is the one exception from wrapping, and
  what is computed from elements of arrays, or read anywhere else, is not under it.
* It is an index as it stands, and wrapping would take it out of every array: any number plus one
  that is not negative.
"""

from __future__ import annotations

from collections.abc import Iterator

from speedmetal.dtypes import DType
from speedmetal.ir import counting, walk
from speedmetal.ir.nodes import (
    Assign,
    AsyncCopy,
    Atomic,
    Binary,
    Bitcast,
    Call,
    Convert,
    Expression,
    For,
    Function,
    Invoke,
    Kernel,
    Load,
    MatrixLoad,
    MatrixStore,
    Read,
    Return,
    Statement,
    Store,
    Unary,
    Variable,
)
from speedmetal.ir.ranges import Ranges, range_of_type
from speedmetal.ir.types import INDEX_HEADROOM

_LINEAR = frozenset({"add", "subtract", "multiply"})


class Overflow:
    """What may overflow in one kernel and its functions."""

    def __init__(self, kernel: Kernel) -> None:
        self._ranges = Ranges(kernel)
        uses = _Uses(kernel)
        self._whole = uses.whole - uses.parts - uses.others
        self._exact = ((uses.whole | uses.parts) - uses.others) - _Data(kernel).found

    def leaves(self, node: Unary | Binary, dtype: DType) -> bool:
        """Whether the result, not wrapped, may be beyond an integer type."""
        if node in self._exact or (node in self._whole and self._wraps_out(node)):
            return False
        return not self._ranges.exact_range(node).is_within(range_of_type(dtype))

    def counter_leaves(self, loop: For) -> bool:
        """Whether a counter that passes its stop, as it does after the last turn, may be beyond its
        type.
        """
        size, dtype = counting.largest_step(loop.step), loop.counter.type
        assert isinstance(dtype, DType)
        if counting.cannot_overflow(loop):
            return False
        return size is None or self._ranges.of(loop.stop).greatest + size - 1 > dtype.maximum

    def _wraps_out(self, node: Unary | Binary) -> bool:
        """Whether an index that wraps is below 0, or where no index is but headroom."""
        if isinstance(node, Unary) or node.operator == "multiply":
            return False
        left, right = self._ranges.of(node.left), self._ranges.of(node.right)
        if node.operator == "add":
            return max(left.least, right.least) >= -INDEX_HEADROOM
        return left.least >= 0 or right.greatest <= INDEX_HEADROOM


_Placed = tuple[Function | None, Statement]


def _rounds(kernel: Kernel) -> Iterator[list[_Placed]]:
    """Every statement, with the function that it is in, over and over.

    From the last to the first, callers before callees, then the other way round: so no chain of
    variables or functions needs a round for each link.
    """
    placed: list[_Placed] = []
    for function in (*kernel.functions, None):
        body = kernel.body if function is None else function.body
        placed += ((function, statement) for statement in walk.statements(body))
    while True:
        yield placed[::-1]
        yield placed


class _Uses:
    """What computes indices: whole ones, parts of them, and everything else.

    A variable belongs to indices until something else is seen to read it, a function until
    something else is seen to call it.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._read: set[Variable] = set()  # not in indices alone
        self._called: set[Function] = set()
        for placed in _rounds(kernel):
            before = len(self._read), len(self._called)
            self.whole: set[Expression] = set()
            self.parts: set[Expression] = set()
            self.others: set[Expression] = set()
            for array in kernel.arrays:
                for size in array.shape or ():
                    if not isinstance(size, int):
                        self._visit(size, self.others)
            for function, statement in placed:
                self._statement(statement, function)
            if before == (len(self._read), len(self._called)):
                break

    def _statement(self, statement: Statement, function: Function | None) -> None:
        count = 0  # of the operands that are indices: they come first
        match statement:
            case Store() | MatrixStore() | Atomic():
                kind, count = self.others, len(statement.indices)
            case AsyncCopy():
                kind, count = self.others, len((*statement.indices, *statement.source_indices))
            case Assign(variable):
                kind = self._kind(elsewhere=variable in self._read)
            case Return() if function is not None:
                kind = self._kind(elsewhere=function in self._called)
            case _:
                kind = self.others
        for number, operand in enumerate(walk.operands(statement)):
            self._visit(operand, self.whole if number < count else kind)

    def _kind(self, *, elsewhere: bool) -> set[Expression]:
        return self.others if elsewhere else self.parts

    def _visit(self, root: Expression, kind: set[Expression]) -> None:
        left = [(root, kind)]
        while left:
            node, kind = left.pop()
            kind.add(node)
            inner = self.parts if kind is self.whole else kind
            match node:
                case Read(variable) if kind is self.others:
                    self._read.add(variable)
                case Binary() | Unary() if not _is_linear(node):
                    inner = self.others
                case Load() | MatrixLoad():
                    inner = self.whole
                case Invoke(function, arguments):
                    if kind is self.others:
                        self._called.add(function)
                    given = zip(function.parameters, arguments, strict=True)
                    left += [(a, self._kind(elsewhere=p in self._read)) for p, a in given]
                    continue
                case Binary() | Unary():
                    pass
                case _:
                    inner = self.others
            left += [(operand, inner) for operand in walk.operands(node)]


def _is_linear(node: Binary | Unary) -> bool:
    return node.operator in _LINEAR or node.operator == "negate"


class _Data:
    """What is computed from elements of arrays, or from other threads' values."""

    def __init__(self, kernel: Kernel) -> None:
        self._variables: set[Variable] = set()
        self._results: set[Function] = set()
        self.found: set[Expression] = set()
        for placed in _rounds(kernel):
            before = len(self._variables), len(self._results)
            for function, statement in placed:
                self._statement(statement, function)
            if before == (len(self._variables), len(self._results)):
                break

    def _statement(self, statement: Statement, function: Function | None) -> None:
        for node in walk.expressions(statement):
            if self._is_data(node):
                self.found.add(node)
        match statement:
            case Assign(variable, value) if value in self.found:
                self._variables.add(variable)
            case Atomic(result=Variable() as result):
                self._variables.add(result)
            case Return(value) if function is not None and value in self.found:
                self._results.add(function)

    def _is_data(self, node: Expression) -> bool:
        match node:
            case Read(variable):
                return variable in self._variables
            case Load() | MatrixLoad() | Bitcast():
                return True
            case Convert(operand) if isinstance(operand.type, DType) and operand.type.is_float:
                return True
            case Call(intrinsic=intrinsic) if intrinsic.kind.value == "collective":
                return True
            case Invoke(function, arguments):
                given = zip(function.parameters, arguments, strict=True)
                self._variables |= {p for p, a in given if a in self.found}
                return function in self._results
        return any(operand in self.found for operand in walk.operands(node))

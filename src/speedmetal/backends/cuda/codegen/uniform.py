"""Which statements all threads of a simdgroup reach together, as far as the source shows it."""

from __future__ import annotations

from speedmetal.backends.c_family.layout import written_arrays
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir.nodes import (
    Array,
    Assert,
    Atomic,
    Break,
    Call,
    Continue,
    Expression,
    For,
    If,
    Kernel,
    Load,
    MatrixLoad,
    Read,
    Return,
    Statement,
    Variable,
    While,
)
from speedmetal.ir.walk import assigned_variable, blocks, expressions, operands, statements

# Positions that are the same in all threads of a simdgroup.
_SAME_WORDS = """
threadgroup_position_in_grid threads_per_threadgroup threadgroups_per_grid threads_per_grid
simdgroup_index_in_threadgroup threads_per_simdgroup simdgroups_per_threadgroup
"""
_SAME = frozenset(_SAME_WORDS.split())
# Collectives whose result is the same in all threads that take part.
_AGREED_WORDS = "sum product min max and or xor broadcast broadcast_first ballot any all"
_AGREED = frozenset(f"simd_{word}" for word in _AGREED_WORDS.split())


class Uniformity:
    """Finds the statements, and the variables, in which threads of a simdgroup may differ.

    It is found by repetition: a variable once found to vary stays so, until a round finds no other.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._varying: set[Variable] = set()
        self._apart: set[Statement] = set()  # reached by some threads, or at different times
        self._splits: set[If] = set()
        self._written: frozenset[Array] = written_arrays(kernel)
        while True:
            before = len(self._varying), len(self._apart)
            self._left = False
            self._splits.clear()
            self._block(kernel.body, apart=False)
            if before == (len(self._varying), len(self._apart)):
                return

    def is_uniform(self, statement: Statement | None) -> bool:
        """Whether all threads of a simdgroup reach a statement together."""
        return statement is not None and statement not in self._apart

    def splits(self, statement: If) -> bool:
        """Whether all reach a statement together, but may take different branches."""
        return statement in self._splits

    @staticmethod
    def may_leave(statement: Statement) -> bool:
        """Whether a thread may go elsewhere than to the next statement."""
        return isinstance(statement, Return | Break | Continue | Assert)

    def _block(self, body: tuple[Statement, ...], *, apart: bool) -> None:
        for statement in body:
            here = apart or self._left or statement in self._apart
            if here:
                self._apart.add(statement)
            self._statement(statement, apart=here)

    def _statement(self, statement: Statement, *, apart: bool) -> None:
        varies = any(map(self._varies, operands(statement)))
        variable = assigned_variable(statement)
        if variable is not None and (apart or varies or isinstance(statement, Atomic)):
            self._varying.add(variable)
        match statement:
            case If():
                self._branches(statement, apart=apart, varies=varies)
            case For() | While():
                inside = apart or varies or self._some_leave(statement)
                if inside and isinstance(statement, For):
                    self._varying.add(statement.counter)
                self._block(statement.body, apart=inside)
            case Assert() if varies or apart:
                self._left = True
            case Return() if apart:
                self._left = True

    def _branches(self, statement: If, *, apart: bool, varies: bool) -> None:
        if varies and not apart:
            self._splits.add(statement)
        for block in blocks(statement):
            self._block(block, apart=apart or varies)

    def _some_leave(self, loop: For | While) -> bool:
        """Whether some threads may go out of a loop, or on in it, before the others."""
        return any(
            isinstance(inner, If)
            and (any(map(self._varies, operands(inner))) or inner in self._apart)
            and any(self.may_leave(s) for block in blocks(inner) for s in statements(block))
            for inner in statements(loop.body)
        )

    def _varies(self, expression: Expression) -> bool:
        if isinstance(expression, Call) and expression.intrinsic.name in _AGREED:
            return False
        return any(map(self._varies_itself, (*expressions(expression), expression)))

    def _varies_itself(self, node: Expression) -> bool:
        match node:
            case Read(variable=variable):
                return variable in self._varying
            case Load(array=array):
                return array.shape is not None or array in self._written
            case MatrixLoad():
                return True
            case Call(intrinsic=intrinsic):
                if intrinsic.kind is IntrinsicKind.POSITION:
                    return intrinsic.name not in _SAME
                return intrinsic.kind is IntrinsicKind.COLLECTIVE
        return False

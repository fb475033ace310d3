"""Replaces intrinsics that a target has no word for by calls of library functions.

The library is written in the kernel language (:mod:`speedmetal.intrinsics.library`). A function is
compiled once for its types in a process, and used by all kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from speedmetal.common.records import replace
from speedmetal.dtypes import DType
from speedmetal.errors import CompileError, Diagnostic
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Spelling, Unsupported
from speedmetal.ir import walk
from speedmetal.ir.nodes import Call, Expression, Function, Invoke, Kernel, Statement
from speedmetal.passes.names import free_name, names_but_functions

CompileFunction = Callable[[Any, tuple[DType, ...]], Function]


class TargetWords(Protocol):
    """What passes ask of a target: its record has it."""

    @property
    def name(self) -> str:
        """The target's name, for messages."""

    @property
    def replaces_thread_arrays(self) -> bool:
        """Whether small thread arrays become variables."""

    @property
    def has_async_copies(self) -> bool:
        """Whether threads can copy without waiting."""

    @property
    def has_large_matrices(self) -> bool:
        """Whether there are simdgroup matrices of more than 8x8."""

    def spelling(self, intrinsic: Intrinsic, dtype: DType | None) -> Spelling:
        """How it says an intrinsic on operands of a type."""


# Lowered library functions of this process, for each target by name, function and types.
_library: dict[tuple[str, Any, tuple[DType, ...]], Function] = {}
# And what these call, for each target, lowered: several may call the same.
_callees: dict[str, dict[Function, Function]] = {}


def lower_intrinsics(
    kernel: Kernel, target: TargetWords, compile_function: CompileFunction
) -> Kernel:
    """The kernel with only such intrinsics as the target's printer can spell.

    Raises:
        CompileError: The target cannot do one of them.
    """
    lowering = _Lowering(target, compile_function)
    body = lowering.body(kernel.body)
    if lowering.faults:
        raise CompileError(kernel.name, lowering.faults)
    lowered = replace(kernel, body=body, functions=_functions_of(body))
    return _with_names(lowered)


class _Lowering:
    def __init__(self, target: TargetWords, compile_function: CompileFunction) -> None:
        self._target = target
        self._compile = compile_function
        self._done: dict[Function, Function] = {}
        self.faults: list[Diagnostic] = []

    def body(self, body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return walk.rewrite_body(body, self._expression)

    def function(self, function: Function) -> Function:
        if function not in self._done:
            self._done[function] = replace(function, body=self.body(function.body))
        return self._done[function]

    def _expression(self, node: Expression) -> Expression:
        if isinstance(node, Invoke):
            return replace(node, function=self.function(node.function))
        if not isinstance(node, Call) or node.intrinsic.kind is not IntrinsicKind.MATH:
            return node
        types = tuple(a.type for a in node.arguments if isinstance(a.type, DType))
        spelling = self._target.spelling(node.intrinsic, types[0] if types else None)
        if isinstance(spelling, Unsupported):
            message = f"{node.intrinsic.name} is not available on {self._target.name}: "
            self.faults.append(Diagnostic(node.span, message + spelling.because))
            return node
        if isinstance(spelling, str):
            return node
        return Invoke(self._library_function(spelling, types), node.arguments, node.span)

    def _library_function(self, source: Any, types: tuple[DType, ...]) -> Function:
        key = (self._target.name, source, types)
        if key not in _library:
            compiled = replace(self._compile(source, types), is_total=True)
            of_kernel, self._done = self._done, _callees.setdefault(self._target.name, {})
            try:
                _library[key] = self.function(compiled)
            finally:
                self._done = of_kernel
        return _library[key]


def _with_names(kernel: Kernel) -> Kernel:
    """The kernel with a name of its own for each function: they come from several sources."""
    taken = set(names_but_functions(kernel))
    names = [function.name for function in kernel.functions]
    if len({*names}) == len(names) and taken.isdisjoint(names):
        return kernel
    renamed: dict[Function, Function] = {}

    def change(node: Expression) -> Expression:
        if isinstance(node, Invoke):
            return replace(node, function=renamed[node.function])
        return node

    for function in kernel.functions:
        name = free_name(function.name, taken)
        taken.add(name)
        body = walk.rewrite_body(function.body, change)
        renamed[function] = replace(function, name=name, body=body)
    body = walk.rewrite_body(kernel.body, change)
    return replace(kernel, body=body, functions=tuple(renamed.values()))


def _functions_of(body: tuple[Statement, ...]) -> tuple[Function, ...]:
    """The functions that a body reaches, callees before callers."""
    ordered: dict[Function, None] = {}

    def visit(statements: tuple[Statement, ...]) -> None:
        for statement in walk.statements(statements):
            for expression in walk.expressions(statement):
                if isinstance(expression, Invoke) and expression.function not in ordered:
                    visit(expression.function.body)
                    ordered[expression.function] = None

    visit(body)
    return tuple(ordered)

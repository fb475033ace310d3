"""The state of one run over a function's tree, and what every kind of node does with it.

A run evaluates the tree once, with assumptions about the types of names; it emits IR and records
what is bound to each name. Where that contradicts an assumption, the assumption is widened and the
run repeated (``infer.py``). The last run's IR is the result.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from speedmetal.common.records import field, record
from speedmetal.dtypes import DType
from speedmetal.errors import CompileError, Diagnostic, UserInputError
from speedmetal.frontend.emit import (
    Block,
    OpenIf,
    effects,
    is_disturbed,
    is_lazy_safe,
)
from speedmetal.frontend.frames import Env, Frame, Label, Loop
from speedmetal.frontend.identifiers import Names
from speedmetal.frontend.lift import lift
from speedmetal.frontend.session import Unit
from speedmetal.frontend.values import (
    REPORTED,
    Broken,
    Scalar,
    Value,
    ValueT,
    expressions_of,
    with_expressions,
)
from speedmetal.frontend.variable_types import Key, VariableType
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import ValueType
from speedmetal.source import SourceSpan

RETURN = "<return>"
"""The name to which an inlined function's result is bound."""


class Fault(Exception):  # noqa: N818 - not an error of the program that runs us
    """A statement is wrong; what it binds is broken, and the next statement goes on."""

    def __init__(
        self,
        span: SourceSpan,
        message: str | None,
        related: tuple[tuple[SourceSpan, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.span = span
        self.message = message  # None: the reason was reported elsewhere
        self.related = related


class UnknownName(Fault):
    """Nothing has the name."""


class ConstantTooWide(Fault):
    """A type does not hold a constant; a number of the running program makes it wider instead."""


class NeedsInlining(Exception):  # noqa: N818
    """The function cannot be one of scalars without effects; it has to be inlined."""


@record(eq=False)
class Binding:
    """One execution of a place that binds a name."""

    node: ast.AST
    span: SourceSpan
    slot: VariableType
    compile_time: bool


@record(frozen=False)
class Record:
    """What one run bound to a name."""

    name: str
    bindings: list[Binding] = field(default_factory=list)


@record(frozen=False)
class Region:
    """How a block ended."""

    start: Block
    end: Block
    live: bool
    exits: set[Label]
    changes: dict[str, Value]


class AbstractInterpreter:
    """One evaluation of a kernel or function."""

    expressions: ClassVar[dict[type[ast.AST], Callable[[AbstractInterpreter, Any], Value]]] = {}
    statements: ClassVar[dict[type[ast.AST], Callable[[AbstractInterpreter, Any], None]]] = {}
    call_value: ClassVar[Callable[..., Value]]

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.session = unit.session
        self.index_type: DType = unit.session.index_type
        self.debug: int = unit.session.debug
        self.block: Block = []
        self.live = True
        self.exits: set[Label] = set()
        self.open_loops: list[Loop] = []
        self.frame: Frame = None  # type: ignore[assignment] # set before anything is evaluated
        self.names = Names(set(unit.session.function_names))
        self.variables: dict[Key, tuple[Any, Value]] = {}
        self.records: dict[Key, Record] = {}
        self.demoted: set[Key] = set()
        self.met_too_wide = False
        self.broken_by: dict[tuple[int, int], dict[str, Broken]] = {}
        self.temporaries: set[ir.Variable] = set()
        self.parameters: set[ir.Variable] = set()
        self.definitions: dict[ir.Variable, ir.Expression | None] = {}
        self.diagnostics: dict[tuple[SourceSpan, str], Diagnostic] = {}
        self.calls: list[tuple[SourceSpan, str]] = []
        self.arrays: list[ir.Array] = []
        self.written: set[ir.Array] = set()
        self.occurrences: dict[tuple[int, int], int] = {}
        self.hint = ""
        self.chosen: dict[ir.Variable, OpenIf] = {}
        self._lazy_safe: dict[ir.Expression, bool] = {}
        self.newly_fixed = False  # an annotation came after a binding

    # --- Places and faults ---

    def span(self, node: ast.AST) -> SourceSpan:
        return self.frame.parsed.source.span(node)

    def fault(
        self, node: ast.AST, message: str, related: tuple[tuple[SourceSpan, str], ...] = ()
    ) -> Fault:
        return Fault(self.span(node), message, related)

    def report(self, fault: Fault) -> None:
        """Keep a fault for the end, with the calls that led to it."""
        self.met_too_wide |= isinstance(fault, ConstantTooWide)
        if fault.message is not None:
            notes = tuple((span, f"in the call of {name!r}") for span, name in reversed(self.calls))
            diagnostic = Diagnostic(fault.span, fault.message, fault.related + notes)
            self.diagnostics.setdefault((fault.span, fault.message), diagnostic)

    # --- Evaluation ---

    def value(self, node: ast.expr) -> Value:
        """Evaluate an expression; statements that it needs are emitted."""
        return self.expressions[type(node)](self, node)

    def values(self, nodes: Sequence[ast.expr]) -> list[Value]:
        """Evaluate expressions from left to right; no later one changes an earlier value."""
        found: list[Value] = []
        marks: list[int] = []
        for node in nodes:
            found.append(self.value(node))
            marks.append(len(self.block))
        for index in reversed(range(len(found) - 1)):
            found[index] = self.materialize_before(found[index], marks[index])
        return found

    def materialize_before(self, value: ValueT, mark: int) -> ValueT:
        """A value from before the statements from ``mark`` on, safe to use after them."""
        if mark >= len(self.block):
            return value
        changed = effects(self.block[mark:])

        def keep(expression: ir.Expression) -> ir.Expression:
            nonlocal mark
            if not is_disturbed(expression, changed):
                return expression
            variable = self.variable("kept", expression.type, expression.span)
            self.block.insert(mark, ir.Assign(variable, expression, expression.span))
            mark += 1
            return ir.Read(variable, expression.span)

        if any(is_disturbed(expression, changed) for expression in expressions_of(value)):
            return with_expressions(value, keep)
        return value

    def materialize_all_before(self, values: Sequence[ValueT], mark: int) -> tuple[ValueT, ...]:
        """Several values from before the statements from ``mark`` on."""
        settled = []
        for value in values:
            before = len(self.block)
            settled.append(self.materialize_before(value, mark))
            mark += len(self.block) - before
        return tuple(settled)

    def execute(self, statements: Sequence[ast.stmt]) -> None:
        """Execute statements in order, up to one after which nothing is reached."""
        frame = self.frame
        for statement in statements:
            if not self.live:
                return
            self.session.place = frame.parsed.source, statement
            try:
                self.statements[type(statement)](self, statement)
            except Fault as fault:
                self._give_up(statement, fault)
            except CompileError:
                raise
            except UserInputError as error:
                self._give_up(statement, self.fault(statement, str(error)))

    def _give_up(self, statement: ast.stmt, fault: Fault) -> None:
        """Report a wrong statement, and break the names that it binds.

        A name that began as a constant too wide for this may be a variable, which this statement
        would have shown: the next run finds out. The constant may have been met in a function
        that is called here.
        """
        is_echo = fault.message is None and self.met_too_wide
        if self.frame.consumer is not None:
            raise fault  # a generator is a part of the statement around it
        self.report(fault)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.frame.env.own[node.id] = REPORTED
                if is_echo or isinstance(fault, ConstantTooWide):
                    self.demoted.add((self.frame.number, node.id))
            elif isinstance(node, ast.FunctionDef):
                self.frame.env.own[node.name] = REPORTED

    def lift_object(self, found: Any) -> Value:
        """A Python object, captured or a default, as a value."""
        return lift(found, has_float64=self.session.has_float64)

    # --- Emission ---

    def emit(self, statement: Any) -> None:
        self.block.append(statement)

    def variable(self, name: str, value_type: ValueType, span: SourceSpan) -> ir.Variable:
        """A new variable with a name like this one."""
        unique = self.names.unique(name)
        self.session.variable_names.add(unique)
        return ir.Variable(unique, value_type, span)

    def keep(self, expression: ir.Expression, name: str = "kept") -> ir.Expression:
        """The expression's value in a variable, where reading it twice would cost or differ."""
        if isinstance(expression, ir.Constant | ir.Read | ir.Extent):
            return expression
        return self.assign_new(name, expression)

    def copy_value(self, value: ValueT) -> ValueT:
        """The value as it is now, whatever becomes of the names and elements that it reads."""

        def copy(expression: ir.Expression) -> ir.Expression:
            is_fixed = isinstance(expression, ir.Constant | ir.Extent)
            return expression if is_fixed else self.assign_new("kept", expression)

        return with_expressions(value, copy)

    def make_lazy_safe(self, expression: ir.Expression) -> ir.Expression:
        """The expression, or its value in a variable, fit for the lazy operand of a node."""
        return expression if self.is_lazy_safe(expression) else self.assign_new("kept", expression)

    def is_lazy_safe(self, *expressions: ir.Expression) -> bool:
        """Whether evaluating the expressions is always safe and cheap: no load, no call of a
        function.
        """
        return all(is_lazy_safe(expression, self._lazy_safe) for expression in expressions)

    def assign_new(self, name: str, expression: ir.Expression) -> ir.Read:
        """Put an expression into a new variable."""
        variable = self.variable(name, expression.type, expression.span)
        self.temporaries.add(variable)
        self.emit(ir.Assign(variable, expression, expression.span))
        return ir.Read(variable, expression.span)

    def keep_scalar(self, scalar: Scalar, name: str = "kept") -> Scalar:
        return Scalar(self.keep(scalar.expression, name), scalar.weak)

    def require_inlining(self) -> None:
        """Require that the function is inlined: it does what an ``ir.Function`` cannot."""
        if self.unit.is_function:
            raise NeedsInlining

    # --- Regions ---

    def region(self, block: Block, run: Callable[[], None]) -> Region:
        """Emit into a block of its own, with names of its own until they are merged."""
        outer_block, outer_live, outer_exits = self.block, self.live, self.exits
        frame, outer_env = self.frame, self.frame.env
        self.block, self.live, self.exits = block, True, set()
        frame.env = Env(outer_env)
        try:
            run()
            changes = frame.env.changes_since(outer_env)
            return Region(block, self.block, self.live, self.exits, changes)
        finally:
            self.block, self.live, self.exits = outer_block, outer_live, outer_exits
            frame.env = outer_env

    @contextmanager
    def scratch(self) -> Iterator[Block]:
        """Emit into a list of its own."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer

    @contextmanager
    def hint_name(self, name: str) -> Iterator[None]:
        """Call what the expression creates by this name."""
        outer, self.hint = self.hint, name
        try:
            yield
        finally:
            self.hint = outer

    def take_hint(self, otherwise: str) -> str:
        """The name that the value will be bound to, once."""
        name, self.hint = self.hint or otherwise, ""
        return name

    def frame_number(self, node: ast.AST) -> int:
        """A number for the frame of a call, the same from run to run."""
        place = self.frame.number, id(node)
        count = self.occurrences[place] = self.occurrences.get(place, 0) + 1
        return self.unit.frame_numbers.setdefault((*place, count), len(self.unit.frame_numbers) + 1)


def expression(
    *kinds: type[ast.AST],
) -> Callable[
    [Callable[[AbstractInterpreter, Any], Value]], Callable[[AbstractInterpreter, Any], Value]
]:
    """Register the function that evaluates these kinds of nodes."""

    def register(
        function: Callable[[AbstractInterpreter, Any], Value],
    ) -> Callable[[AbstractInterpreter, Any], Value]:
        AbstractInterpreter.expressions.update(dict.fromkeys(kinds, function))
        return function

    return register


def statement(
    *kinds: type[ast.AST],
) -> Callable[
    [Callable[[AbstractInterpreter, Any], None]], Callable[[AbstractInterpreter, Any], None]
]:
    """Register the function that executes these kinds of nodes."""

    def register(
        function: Callable[[AbstractInterpreter, Any], None],
    ) -> Callable[[AbstractInterpreter, Any], None]:
        AbstractInterpreter.statements.update(dict.fromkeys(kinds, function))
        return function

    return register

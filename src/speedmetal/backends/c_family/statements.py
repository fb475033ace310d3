"""Statements of the IR as lines of text."""

from __future__ import annotations

from abc import abstractmethod

from speedmetal.backends.c_family.atomics import Atomics
from speedmetal.backends.c_family.declarations import Declarations
from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.expressions import ExpressionPrinter
from speedmetal.backends.c_family.operators import LOOSEST, UNARY, parenthesise
from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.ir import analysis
from speedmetal.ir.nodes import (
    Assert,
    Assign,
    AsyncCopy,
    AsyncGroup,
    AsyncWait,
    Atomic,
    Barrier,
    Binary,
    Break,
    Compare,
    Continue,
    Expression,
    For,
    If,
    Kernel,
    MatrixStore,
    Print,
    Read,
    Return,
    Statement,
    Store,
    Unary,
    Variable,
    While,
)
from speedmetal.source import SourceSpan

_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "le": "gt", "gt": "le", "ge": "lt"}
_COMPOUND = {
    "add": "+=",
    "subtract": "-=",
    "multiply": "*=",
    "divide": "/=",
    "bit_and": "&=",
    "bit_or": "|=",
    "bit_xor": "^=",
}


class Line(str):
    """A printed line, with the place in Python that it comes from, where it comes from one."""

    __slots__ = ("span",)

    span: SourceSpan | None


class StatementPrinter(ExpressionPrinter):
    """Prints bodies. One method for each kind of statement; of loops in a subclass."""

    def __init__(self, dialect: Dialect, kernel: Kernel) -> None:
        super().__init__(dialect, kernel)
        self.atomics = Atomics(self.helpers, self.conversion_texts())
        self.lines: list[str] = []
        self._depth = 0
        self._span: SourceSpan | None = None  # of the statement that is being printed
        self._declarations = Declarations(())
        self.facts = analysis.facts(kernel)

    # --- What targets say in their own way -----------------------------------------------------

    @abstractmethod
    def barrier(self, node: Barrier) -> str:
        """A barrier, without its semicolon."""

    @abstractmethod
    def matrix_store(self, node: MatrixStore) -> str:
        """A store of a simdgroup matrix, without its semicolon."""

    def async_copy(self, node: AsyncCopy) -> str:
        """An asynchronous copy, without its semicolon; only targets that have them."""
        raise InternalError(f"printing {self.dialect.target}: an asynchronous copy of {node.count}")

    def async_group(self) -> str:
        """The end of a group of asynchronous copies, without its semicolon."""
        raise InternalError(f"printing {self.dialect.target}: a group of asynchronous copies")

    def async_wait(self, node: AsyncWait) -> str:
        """A wait for asynchronous copies, without its semicolon."""
        raise InternalError(f"printing {self.dialect.target}: a wait for {node.pending} groups")

    @abstractmethod
    def failure_arguments(self) -> str:
        """Where the thread is, as the last arguments of report_failure at debug level 2."""

    @abstractmethod
    def exchange_word(self, word: str, value: str) -> str:
        """An atomic exchange of a word of the mailbox, giving the old value."""

    @abstractmethod
    def add_to_word(self, word: str, value: str) -> str:
        """An atomic addition to a word of the mailbox, giving the old value."""

    # --- Lines ---------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        line = Line("    " * self._depth + text if text else "")
        line.span = self._span
        self.lines.append(line)

    def body(self, body: tuple[Statement, ...], known: tuple[Variable, ...] = ()) -> None:
        """A whole body, with the declarations of its variables."""
        self._declarations = Declarations(body, known)
        self.block(body)

    def block(self, body: tuple[Statement, ...]) -> None:
        self._depth += 1
        outer = self._span
        for statement in body:
            self._span = statement.span
            for variable in self._declarations.before.get(statement, ()):
                self.line(f"{self.variable_type(variable)} {self.variable(variable)};")
            getattr(self, _STATEMENTS[type(statement)])(statement)
        self._span = outer
        self._depth -= 1

    # --- Values --------------------------------------------------------------------------------

    def _target(self, statement: Statement, variable: Variable) -> str:
        """A variable that is assigned to, with its type where this declares it."""
        name = self.variable(variable)
        if self._declarations.at.get(statement) is variable:
            return f"{self.variable_type(variable)} {name}"
        return name

    def variable_type(self, variable: Variable) -> str:
        """The type with which a variable is declared."""
        return self.type(variable.type)

    def _assign(self, node: Assign) -> None:
        target = self._target(node, node.variable)
        if target == self.variable(node.variable) and (short := self._compound(node)):
            self.line(f"{target} {short};")
            return
        self.line(f"{target} = {self.expression_text(node.value)};")

    def _compound(self, node: Assign) -> str | None:
        """``+= y`` for ``x = x + y``, in types that C++ computes in without widening."""
        value = node.value
        if not isinstance(value, Binary) or value.operator not in _COMPOUND:
            return None
        if value.type.bits < 32 or self.wraps(value):
            return None
        if isinstance(value.left, Read) and value.left.variable is node.variable:
            return f"{_COMPOUND[value.operator]} {self.expression_text(value.right)}"
        return None

    def _store(self, node: Store) -> None:
        element = self.element(node.array, node.indices, node.part)
        self.line(f"{element} = {self.expression_text(node.value)};")

    def _matrix_store(self, node: MatrixStore) -> None:
        self.line(f"{self.matrix_store(node)};")

    def _async_copy(self, node: AsyncCopy) -> None:
        self.line(f"{self.async_copy(node)};")

    def _async_group(self, _node: AsyncGroup) -> None:
        self.line(f"{self.async_group()};")

    def _async_wait(self, node: AsyncWait) -> None:
        self.line(f"{self.async_wait(node)};")

    def _atomic(self, node: Atomic) -> None:
        name = self.atomics.function(node.operation, node.array.type.dtype, node.array.type.space)
        address = self.address(node.array, node.indices)
        arguments = ", ".join([address, *map(self.expression_text, node.operands)])
        target = "" if node.result is None else f"{self._target(node, node.result)} = "
        self.line(f"{target}{name}({arguments});")

    # --- Control flow --------------------------------------------------------------------------

    def _if(self, node: If) -> None:
        if not node.body:  # only an else
            self.line(f"if ({self._print_negation(node.condition)}) {{")
            self.block(node.orelse)
            self.line("}")
            return
        self._branch("if", node)

    def _branch(self, word: str, node: If) -> None:
        self.line(f"{word} ({self.expression_text(node.condition)}) {{")
        self.block(node.body)
        match node.orelse:
            case ():
                self.line("}")
            case (If(body=body) as inner,) if body and not self._declarations.before.get(inner):
                self._branch("} else if", inner)
            case _:
                self.line("} else {")
                self.block(node.orelse)
                self.line("}")

    def _print_negation(self, condition: Expression) -> str:
        match condition:
            case Unary(operator="not", operand=operand):
                return self.expression_text(operand)
            case Compare(operator=operator, left=left) if _is_ordered(operator, left):
                opposite = Compare(
                    _OPPOSITE[operator], left, condition.right, condition.type, condition.span
                )
                return self.expression_text(opposite)
        return f"!{parenthesise(self.expression(condition), UNARY)}"

    def _while(self, node: While) -> None:
        self.line(f"while ({self.expression_text(node.condition)}) {{")
        self.block(node.body)
        self.line("}")

    def _break(self, _node: Break) -> None:
        self.line("break;")

    def _continue(self, _node: Continue) -> None:
        self.line("continue;")

    def _return(self, node: Return) -> None:
        self.line(
            "return;" if node.value is None else f"return {self.expression_text(node.value)};"
        )

    def _barrier(self, node: Barrier) -> None:
        self.line(f"{self.barrier(node)};")

    # --- Reports -------------------------------------------------------------------------------

    def _assert(self, node: Assert) -> None:
        replace = self.exchange_word("mailbox", "1")
        name = self.helpers.report_failure(self.kernel.debug, replace)
        where = self.failure_arguments() if self.facts.reports_positions else ""
        self.line(f"if ({self._print_negation(node.condition)}) {{")
        self._depth += 1
        if node.reason or node.kind:
            self.line(f"// {_comment(node)}")
        self.line(f"{name}(mailbox, {self.facts.sites[node]}{where});")
        self.line("return;")
        self._depth -= 1
        self.line("}")

    def _print(self, node: Print) -> None:
        from speedmetal.backends.mailbox import PRINT_CURSOR

        add = self.add_to_word(f"mailbox + {PRINT_CURSOR}", "words")
        name = self.helpers.open_record(add)
        opened = f"{name}(mailbox, {self.facts.sites[node]}, {1 + 2 * len(node.values)})"
        if not node.values:
            self.line(f"{opened};")
            return
        record, write = self.names.fresh("record"), self.helpers.write_value()
        self.line(f"if ({self.record_type()} {record} = {opened}) {{")
        self._depth += 1
        for number, value in enumerate(node.values):
            place = record if number == 0 else f"{record} + {2 * number}"
            self.line(f"{write}({place}, {self.to_double_bits(value)});")
        self._depth -= 1
        self.line("}")

    @abstractmethod
    def record_type(self) -> str:
        """The type of a pointer to words of the mailbox."""

    @abstractmethod
    def conversion_texts(self) -> dict[DType, tuple[str, str]]:
        """For types of less than 32 bits: formats from the unsigned integer and to it."""


def _comment(node: Assert) -> str:
    text = ": ".join(part for part in (node.kind, node.reason) if part)
    # A backslash at the end would take the next line into the comment.
    return text.replace("\n", " ").replace("\\", "/")


def _is_ordered(operator: str, operand: Expression) -> bool:
    """Whether not(a < b) is a >= b: not so where one may be NaN."""
    dtype = operand.type
    return operator in ("eq", "ne") or (isinstance(dtype, DType) and not dtype.is_float)


# Which method prints a statement; by name, so that a target may have its own.
_STATEMENTS: dict[type, str] = {
    Assign: "_assign",
    Store: "_store",
    MatrixStore: "_matrix_store",
    If: "_if",
    For: "_for",
    While: "_while",
    Break: "_break",
    Continue: "_continue",
    Return: "_return",
    Barrier: "_barrier",
    AsyncCopy: "_async_copy",
    AsyncGroup: "_async_group",
    AsyncWait: "_async_wait",
    Atomic: "_atomic",
    Print: "_print",
    Assert: "_assert",
}


__all__ = ["LOOSEST", "StatementPrinter"]

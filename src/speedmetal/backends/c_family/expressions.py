"""Expressions of the IR as text: leaves, conversions, memory and calls."""

from __future__ import annotations

import re
from abc import abstractmethod

from speedmetal.backends.c_family.device_prelude import DevicePrelude
from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.literals import literal
from speedmetal.backends.c_family.names import Names
from speedmetal.backends.c_family.operators import (
    ADD,
    EQUAL,
    LOOSEST,
    MULTIPLY,
    PRIMARY,
    UNARY,
    OperatorPrinter,
    Text,
    parenthesise,
)
from speedmetal.dtypes import (
    DType,
    Kind,
    bfloat16,
    float16,
    float32,
    float64,
    int64,
    uint32,
    uint64,
)
from speedmetal.errors import InternalError
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir.nodes import (
    Array,
    Binary,
    Bitcast,
    Call,
    Compare,
    Constant,
    Convert,
    Expression,
    Extent,
    Invoke,
    Kernel,
    Load,
    Logical,
    MatrixLoad,
    Read,
    Select,
    Unary,
    Variable,
)
from speedmetal.ir.overflow import Overflow
from speedmetal.ir.types import MatrixType, ValueType

_NARROW_FLOATS = (float16, bfloat16)
_PLACEHOLDER = re.compile(r"\{(\d)\}")


class ExpressionPrinter(OperatorPrinter):
    """Prints expressions. One method for each kind of node."""

    def __init__(self, dialect: Dialect, kernel: Kernel) -> None:
        self.dialect = dialect
        self.kernel = kernel
        self.index_type = kernel.index_type
        self.overflow = Overflow(kernel)
        self.helpers = DevicePrelude(dialect)
        self.names = Names(dialect.reserved_words)
        self.parameters: frozenset[Variable] = frozenset()
        """Scalar parameters that are read straight from the arguments."""
        self.functions = self.names
        """Where the names of functions are; the kernel's scope."""

    # --- What targets say in their own way -----------------------------------------------------

    @abstractmethod
    def position(self, node: Call) -> Text:
        """A position intrinsic."""

    @abstractmethod
    def collective(self, node: Call) -> Text:
        """A collective intrinsic."""

    @abstractmethod
    def matrix_call(self, node: Call) -> Text:
        """Arithmetic on simdgroup matrices."""

    @abstractmethod
    def matrix_load(self, node: MatrixLoad) -> Text:
        """A simdgroup matrix from memory."""

    # --- Entry points --------------------------------------------------------------------------

    def expression(self, node: Expression) -> Text:
        text: Text = getattr(self, _PRINTERS[type(node)])(node)
        return text

    def type(self, value_type: ValueType) -> str:
        if not isinstance(value_type, DType):
            return self.matrix_type(value_type)
        return self.helpers.type(value_type)

    @abstractmethod
    def matrix_type(self, kind: MatrixType) -> str:
        """The name of a simdgroup matrix's type."""

    def cast_text(self, dtype: DType, text: str) -> Text:
        return Text(f"{self.type(dtype)}({text})", PRIMARY)

    # --- Leaves --------------------------------------------------------------------------------

    def _constant(self, node: Constant) -> Text:
        self.type(node.type)
        text = literal(node.value, node.type, self.dialect)
        return Text(text, UNARY if text.startswith("-") else PRIMARY)

    def _read(self, node: Read) -> Text:
        return Text(self.variable(node.variable), PRIMARY)

    def variable(self, variable: Variable) -> str:
        if variable in self.parameters:
            return f"arguments.{variable.name}"
        return self.names.of(variable, variable.name)

    def _extent(self, node: Extent) -> Text:
        return Text(self.extent(node.array, node.axis), PRIMARY)

    def extent(self, array: Array, axis: int) -> str:
        if array.shape is None:
            return f"arguments.{array.name}_extent{axis}"
        size = array.shape[axis]
        if isinstance(size, int):
            return f"{size}{self.dialect.suffixes[self.index_type]}"
        return f"{self.array(array)}_extent{axis}"

    def array(self, array: Array) -> str:
        return self.names.of(array, array.name)

    # --- Conversions ---------------------------------------------------------------------------

    def _convert(self, node: Convert) -> Text:
        source, target = node.operand.type, node.type
        assert isinstance(source, DType)
        operand = self.expression(node.operand)
        if source is target:
            return operand
        return self.conversion(source, target, operand)

    def conversion(self, source: DType, target: DType, operand: Text) -> Text:
        if source in _NARROW_FLOATS and target is not float32:
            # Neither target converts between these and everything else; all of them fit float32.
            return self.conversion(float32, target, self.cast_text(float32, operand.text))
        if target.is_bool:
            zero = literal(0, source, self.dialect)
            return Text(f"{parenthesise(operand, EQUAL)} != {zero}", EQUAL)
        if source.is_float and target.is_integer:
            name = self.helpers.saturate(source, target)
            return Text(f"{name}({operand.text})", PRIMARY)
        if target in _NARROW_FLOATS and source not in (float32, float64):
            operand = self.cast_text(float32, operand.text)
        return self.cast_text(target, operand.text)

    def _bitcast(self, node: Bitcast) -> Text:
        if node.type is node.operand.type:
            return self.expression(node.operand)
        return Text(self.as_type(node.type, self.expression_text(node.operand)), PRIMARY)

    def as_type(self, dtype: DType, text: str) -> str:
        if "as_type" in self.dialect.prelude:
            self.helpers.prelude("as_type")
        return f"as_type<{self.type(dtype)}>({text})"

    def to_double_bits(self, node: Expression) -> str:
        """A value as the mailbox has it: 64 bits."""
        dtype = node.type
        assert isinstance(dtype, DType)
        operand = self.expression(node)
        if not dtype.is_float:
            long = int64 if dtype.kind is Kind.SIGNED else uint64
            inner = operand if dtype is long else self.cast_text(long, operand.text)
            return inner.text if long is uint64 else self.cast_text(uint64, inner.text).text
        if "double_bits" in self.dialect.prelude:
            self.helpers.prelude("double_bits")
            name = "double_bits"
        else:
            name = self.helpers.double_bits()
        if dtype in _NARROW_FLOATS:
            operand = self.cast_text(float32, operand.text)
        return f"{name}({operand.text})"

    # --- Memory --------------------------------------------------------------------------------

    def _load(self, node: Load) -> Text:
        return Text(self.element(node.array, node.indices, node.part), PRIMARY)

    def element(
        self, array: Array, indices: tuple[Expression, ...], part: int | None = None
    ) -> str:
        """An element of an array, as a value or as what is assigned to."""
        name = self.array(array)
        if array.shape is not None and not array.is_sized_at_launch:
            subscripts = "".join(f"[{self.expression_text(index)}]" for index in indices) or "[0]"
        else:
            subscripts = f"[{self.offset(array, indices)}]"
        member = "" if part is None else f".{'xy'[part]}"
        return f"{name}{subscripts}{member}"

    def offset(self, array: Array, indices: tuple[Expression, ...]) -> str:
        """How far an element is from the first one, in elements."""
        terms = []
        for axis, index in enumerate(indices):
            if isinstance(index, Constant) and index.value == 0:
                continue
            text = self._index(index)
            stride = self.stride(array, axis)
            if stride is None:
                # Whatever is looser than + would take the other terms along.
                terms.append(parenthesise(text, ADD) if len(indices) > 1 else text.text)
            else:
                terms.append(f"{parenthesise(text, MULTIPLY)} * {stride}")
        return " + ".join(terms) or "0"

    def _index(self, index: Expression) -> Text:
        """An index; an unsigned one becomes signed, since strides may be negative."""
        if index.type in (uint32, uint64) and not isinstance(index, Constant):
            return self.cast_text(self.index_type, self.expression_text(index))
        return self._operand(index)

    def stride(self, array: Array, axis: int) -> str | None:
        """Elements from one index to the next along an axis; None where it is 1."""
        if array.shape is None:
            if axis == array.type.unit_axis:
                return None
            return f"arguments.{array.name}_stride{axis}"
        inner = range(axis + 1, array.type.rank)
        if not inner:
            return None
        product = " * ".join(self.extent(array, later) for later in inner)
        return product if len(inner) == 1 else f"({product})"

    def address(self, array: Array, indices: tuple[Expression, ...]) -> str:
        return f"&{self.element(array, indices)}"

    # --- Calls ---------------------------------------------------------------------------------

    def _call_node(self, node: Call) -> Text:
        kind = node.intrinsic.kind
        if kind is IntrinsicKind.POSITION:
            return self.position(node)
        if kind is IntrinsicKind.COLLECTIVE:
            return self.collective(node)
        if kind is IntrinsicKind.MATRIX:
            return self.matrix_call(node)
        return self._math(node)

    def _math(self, node: Call) -> Text:
        dtype = node.arguments[0].type
        assert isinstance(dtype, DType)
        spelling = node.intrinsic.spelling(self.dialect.target, dtype)
        if not isinstance(spelling, str):
            raise InternalError(
                f"printing {self.dialect.target}: {node.intrinsic.name} of {dtype} has no spelling;"
                " a pass should have replaced the call"
            )
        if spelling.startswith("@"):
            return self.own_math(spelling[1:], dtype, node)
        if "{" not in spelling:
            return self._call(spelling, *node.arguments)
        return self._fill_format(spelling, dtype, node.arguments)

    def _fill_format(self, spelling: str, dtype: DType, arguments: tuple[Expression, ...]) -> Text:
        """Operands put into a format; those between parentheses or commas stay bare."""
        pattern = spelling.replace("{type}", self.type(dtype))

        def operand(match: re.Match[str]) -> str:
            text = self.expression(arguments[int(match[1])])
            before, after = pattern[: match.start()], pattern[match.end() :]
            enclosed = before.endswith(("(", ", ")) and after.startswith((")", ","))
            return text.text if enclosed else parenthesise(text, PRIMARY)

        result = _PLACEHOLDER.sub(operand, pattern)
        return Text(result, PRIMARY if _is_one_call(pattern) else LOOSEST)

    def own_math(self, name: str, dtype: DType, node: Call) -> Text:
        """An intrinsic that printers write themselves."""
        if name in ("minimum", "maximum"):
            return self._call(self.helpers.extremum(dtype, name), *node.arguments)
        if name == "abs":
            if dtype.is_float:
                return self._call("fabs", *node.arguments)
            if dtype.kind is Kind.UNSIGNED:
                return self.expression(node.arguments[0])
            return self._call(self.helpers.absolute(dtype), *node.arguments)
        raise InternalError(f"printing {self.dialect.target}: no printer writes @{name}")

    def _invoke(self, node: Invoke) -> Text:
        name = self.functions.of(node.function, node.function.name)
        space = self.dialect.namespace
        return self._call(f"{space}::{name}" if space else name, *node.arguments)

    def _matrix_load(self, node: MatrixLoad) -> Text:
        return self.matrix_load(node)


def _is_one_call(pattern: str) -> bool:
    """Whether a format is ``name(...)``, its first parenthesis closed by its last character."""
    if not re.match(r"[\w:<>]+\(", pattern) or not pattern.endswith(")"):
        return False
    depth = 0
    for position, character in enumerate(pattern):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and character == ")":
            return position == len(pattern) - 1
    return False


# Which method prints a node; by name, so that a target may have its own.
_PRINTERS: dict[type, str] = {
    Constant: "_constant",
    Read: "_read",
    Unary: "_unary",
    Binary: "_binary",
    Compare: "_compare",
    Logical: "_logical",
    Select: "_select",
    Convert: "_convert",
    Bitcast: "_bitcast",
    Load: "_load",
    Extent: "_extent",
    Call: "_call_node",
    Invoke: "_invoke",
    MatrixLoad: "_matrix_load",
}

"""Expressions of the IR as text, with parentheses only where precedence asks for them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import NamedTuple

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.helpers import Helpers, unsigned_type
from speedmetal.backends.c_family.layout import is_sized_at_launch
from speedmetal.backends.c_family.literals import literal, plain_integer
from speedmetal.backends.c_family.names import Names
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
    COMPARE,
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
    Load,
    Logical,
    MatrixLoad,
    Read,
    Select,
    Unary,
    Variable,
)
from speedmetal.ir.types import ValueType

# How tightly C++'s operators bind.
LOOSEST, CONDITIONAL, OR, AND = 0, 2, 3, 4
BIT_OR, BIT_XOR, BIT_AND, EQUAL, LESS, SHIFT = 5, 6, 7, 8, 9, 10
ADD, MULTIPLY, UNARY, PRIMARY = 11, 12, 13, 14

_BINARY = {
    "add": ("+", ADD),
    "subtract": ("-", ADD),
    "multiply": ("*", MULTIPLY),
    "divide": ("/", MULTIPLY),
    "bit_and": ("&", BIT_AND),
    "bit_or": ("|", BIT_OR),
    "bit_xor": ("^", BIT_XOR),
}
_NARROW_FLOATS = (float16, bfloat16)
_PLACEHOLDER = re.compile(r"\{(\d)\}")


class Text(NamedTuple):
    """Source text, and how tightly its outermost operator binds."""

    text: str
    binding: int


def within(text: Text, binding: int) -> str:
    """The text as an operand of something that binds this tightly."""
    return text.text if text.binding >= binding else f"({text.text})"


class ExpressionPrinter(ABC):
    """Prints expressions. One method for each kind of node."""

    def __init__(self, dialect: Dialect, index_type: DType) -> None:
        self.dialect = dialect
        self.index_type = index_type
        self.helpers = Helpers(dialect)
        self.names = Names(dialect.reserved)
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

    def whole(self, node: Expression) -> str:
        """An expression that stands alone, or between parentheses or commas."""
        return self.expression(node).text

    def type(self, value_type: ValueType) -> str:
        if not isinstance(value_type, DType):
            return self.matrix_type(value_type.dtype)
        return self.helpers.type(value_type)

    @abstractmethod
    def matrix_type(self, dtype: DType) -> str:
        """The name of a simdgroup matrix's type."""

    def converted(self, dtype: DType, text: str) -> Text:
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

    # --- Operators -----------------------------------------------------------------------------

    def _unary(self, node: Unary) -> Text:
        sign = {"negate": "-", "not": "!", "invert": "~"}[node.operator]
        operand = within(self.expression(node.operand), UNARY)
        if node.type.is_bool:
            return Text(f"!{operand}", UNARY)
        if operand.startswith(sign):
            operand = f"({operand})"  # two minus signs would be a decrement
        return self._narrowed(node.type, Text(sign + operand, UNARY))

    def _narrowed(self, dtype: DType, text: Text) -> Text:
        """Back from int, to which C++ widens what is narrower before it computes."""
        if dtype.is_float or dtype.bits >= 32:
            return text
        return self.converted(dtype, text.text)

    def _operand(self, node: Expression) -> Text:
        """An operand of an operator: a narrow constant needs no conversion there."""
        if isinstance(node, Constant) and node.type.is_integer:
            text = plain_integer(int(node.value), node.type, self.dialect)
            return Text(text, UNARY if text.startswith("-") else PRIMARY)
        return self.expression(node)

    def _infix(self, sign: str, binding: int, left: Expression, right: Expression) -> Text:
        first = within(self._operand(left), binding)
        second = within(self._operand(right), binding + 1)
        return Text(f"{first} {sign} {second}", binding)

    def _binary(self, node: Binary) -> Text:
        if node.operator in _BINARY:
            sign, binding = _BINARY[node.operator]
            return self._narrowed(node.type, self._infix(sign, binding, node.left, node.right))
        if node.operator in ("shift_left", "shift_right"):
            return self._shift(node)
        return self._integer_division(node)

    def _integer_division(self, node: Binary) -> Text:
        """``//`` and ``%``: plain C++ where the divisor is known to be harmless."""
        divides = node.operator == "floor_divide"
        divisor = node.right.value if isinstance(node.right, Constant) else 0
        if divisor > 0 and node.type.kind is Kind.UNSIGNED:
            sign = "/" if divides else "%"
            return self._narrowed(node.type, self._infix(sign, MULTIPLY, node.left, node.right))
        if divisor > 0 and int(divisor) & (int(divisor) - 1) == 0:  # a power of two
            left = self.expression(node.left)
            count = int(divisor).bit_length() - 1
            if divides:
                text = Text(f"{within(left, SHIFT)} >> {count}", SHIFT)
            else:
                mask = plain_integer(int(divisor) - 1, node.type, self.dialect)
                text = Text(f"{within(left, BIT_AND)} & {mask}", BIT_AND)
            return self._narrowed(node.type, text)
        helper = self.helpers.floor_divide if divides else self.helpers.remainder
        return self._call(helper(node.type), node.left, node.right)

    def _shift(self, node: Binary) -> Text:
        left, width = node.operator == "shift_left", node.type.bits
        if not (isinstance(node.right, Constant) and 0 <= node.right.value < width):
            name = self.helpers.shift(node.type, node.operator)
            return self._call(name, node.left, node.right)
        count = int(node.right.value)
        operand = self.expression(node.left)
        if left and node.type.kind is Kind.SIGNED:
            # Unsigned, since what leaves a signed number at the left is undefined in C++.
            unsigned = self.helpers.type(unsigned_type(width))
            return self.converted(node.type, f"{unsigned}({operand.text}) << {count}")
        sign = "<<" if left else ">>"
        shifted = Text(f"{within(operand, SHIFT)} {sign} {count}", SHIFT)
        return self._narrowed(node.type, shifted)

    def _call(self, name: str, *arguments: Expression) -> Text:
        return Text(f"{name}({', '.join(map(self.whole, arguments))})", PRIMARY)

    def _compare(self, node: Compare) -> Text:
        binding = EQUAL if node.operator in ("eq", "ne") else LESS
        left, right = self._operand(node.left), self._operand(node.right)
        sign = COMPARE[node.operator]
        # Comparisons of comparisons read better, and compile without a warning, in parentheses.
        return Text(f"{within(left, SHIFT)} {sign} {within(right, SHIFT)}", binding)

    def _logical(self, node: Logical) -> Text:
        sign, binding = ("&&", AND) if node.operator == "and" else ("||", OR)
        left, right = self.expression(node.left), self.expression(node.right)
        # Compilers warn where && stands bare beside ||.
        inner = binding + 1 if binding == AND else EQUAL
        first = left if _is_same(node, node.left) else Text(within(left, inner), PRIMARY)
        return Text(f"{first.text} {sign} {within(right, inner)}", binding)

    def _select(self, node: Select) -> Text:
        condition = within(self.expression(node.condition), CONDITIONAL + 1)
        true = within(self.expression(node.when_true), CONDITIONAL + 1)
        false = within(self.expression(node.when_false), CONDITIONAL)
        return Text(f"{condition} ? {true} : {false}", CONDITIONAL)

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
            return self.conversion(float32, target, self.converted(float32, operand.text))
        if target.is_bool:
            zero = literal(0, source, self.dialect)
            return Text(f"{within(operand, EQUAL)} != {zero}", EQUAL)
        if source.is_float and target.is_integer:
            name = self.helpers.saturate(source, target)
            return Text(f"{name}({operand.text})", PRIMARY)
        if target in _NARROW_FLOATS and source not in (float32, float64):
            operand = self.converted(float32, operand.text)
        return self.converted(target, operand.text)

    def _bitcast(self, node: Bitcast) -> Text:
        if node.type is node.operand.type:
            return self.expression(node.operand)
        return Text(self.as_type(node.type, self.whole(node.operand)), PRIMARY)

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
            inner = operand if dtype is long else self.converted(long, operand.text)
            return inner.text if long is uint64 else self.converted(uint64, inner.text).text
        if "double_bits" in self.dialect.prelude:
            self.helpers.prelude("double_bits")
            name = "double_bits"
        else:
            name = self.helpers.double_bits()
        if dtype in _NARROW_FLOATS:
            operand = self.converted(float32, operand.text)
        return f"{name}({operand.text})"

    # --- Memory --------------------------------------------------------------------------------

    def _load(self, node: Load) -> Text:
        return Text(self.element(node.array, node.indices, node.part), PRIMARY)

    def element(
        self, array: Array, indices: tuple[Expression, ...], part: int | None = None
    ) -> str:
        """An element of an array, as a value or as what is assigned to."""
        name = self.array(array)
        if array.shape is not None and not is_sized_at_launch(array):
            subscripts = "".join(f"[{self.whole(index)}]" for index in indices) or "[0]"
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
                terms.append(within(text, ADD) if len(indices) > 1 else text.text)
            else:
                terms.append(f"{within(text, MULTIPLY)} * {stride}")
        return " + ".join(terms) or "0"

    def _index(self, index: Expression) -> Text:
        """An index; an unsigned one becomes signed, since strides may be negative."""
        if index.type in (uint32, uint64) and not isinstance(index, Constant):
            return self.converted(self.index_type, self.whole(index))
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
        return self._formatted(spelling, dtype, node.arguments)

    def _formatted(self, spelling: str, dtype: DType, arguments: tuple[Expression, ...]) -> Text:
        """Operands put into a format; those between parentheses or commas stay bare."""
        pattern = spelling.replace("{type}", self.type(dtype))

        def operand(match: re.Match[str]) -> str:
            text = self.expression(arguments[int(match[1])])
            before, after = pattern[: match.start()], pattern[match.end() :]
            enclosed = before.endswith(("(", ", ")) and after.startswith((")", ","))
            return text.text if enclosed else within(text, PRIMARY)

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


def _is_same(outer: Logical, inner: Expression) -> bool:
    return isinstance(inner, Logical) and inner.operator == outer.operator


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

"""Expressions: each node kind has one method."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.collectives import Collectives
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM, VARYING, LaneStrides, Stride
from speedmetal.backends.cpu.codegen.llvm_text import (
    Writer,
    constant,
    constant_vector,
    register_type,
    value_type,
)
from speedmetal.backends.cpu.codegen.matrices import Matrices
from speedmetal.backends.cpu.codegen.values import Value
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir.nodes import (
    Binary,
    Bitcast,
    Call,
    Compare,
    Constant,
    Convert,
    Expression,
    Extent,
    Function,
    Invoke,
    Load,
    Logical,
    MatrixLoad,
    Read,
    Select,
    Unary,
    Variable,
)

# Of each format: bits of the fraction, bias of the exponent, 1.5 * 2**fraction.
_FORMATS = {
    dtypes.float32: (23, 127, 12582912.0),
    dtypes.float64: (52, 1023, 6755399441055744.0),
}


def _bits_of(number: float, dtype: DType) -> int:
    """The bits of a float as an integer."""
    single = dtype is dtypes.float32
    return int.from_bytes(struct.pack("<f" if single else "<d", number), "little")


class FunctionTable(Protocol):
    """Where functions of the module are made, each once for every shape of its operands."""

    unit: VectorUnit

    def name_of(self, function: Function, strides: tuple[Stride, ...], lanes: int) -> str:
        """The name of the LLVM function for operands of these shapes."""

    def takes_mask(self, function: Function) -> bool:
        """Whether it has the active lanes as a last operand."""


class Expressions(Matrices, Collectives):
    """Evaluates expressions for the lanes of a vector.

    Args:
        writer: Where instructions go.
        lanes: How many a vector has.
        shapes: Of the variables.
        functions: The module's functions.
    """

    def __init__(
        self, writer: Writer, lanes: int, shapes: LaneStrides, functions: FunctionTable
    ) -> None:
        super().__init__(writer, lanes)
        self.shapes = shapes
        self.functions = functions
        self.storages, self.streamed = {}, {}
        self.bound: dict[Variable, Value] = {}
        self.slots: dict[Variable, str] = {}

    def position(self, call: Call) -> Value:
        """The value of a position intrinsic; kernels have them."""
        raise InternalError(f"{call.intrinsic.name} stands in a function")

    def evaluate(self, expression: Expression) -> Value:
        """Write what computes an expression."""
        return self._EXPRESSIONS[type(expression)](self, expression)

    def evaluate_all(self, expressions: tuple[Expression, ...]) -> tuple[Value, ...]:
        return tuple(self.evaluate(expression) for expression in expressions)

    # --- variables

    def lanes_of(self, variable: Variable) -> int:
        """The lanes of a variable's slot: 0 where it is kept as a scalar."""
        return self.lanes if self.shapes.of.get(variable, UNIFORM) is VARYING else 0

    def slot_of(self, variable: Variable) -> str:
        """The stack slot of a variable that is not bound to one value."""
        if variable not in self.slots:
            kind = value_type(variable.type, self.lanes_of(variable))
            self.slots[variable] = self.w.slot(kind, variable.name)
        return self.slots[variable]

    def _read(self, node: Read) -> Value:
        variable = node.variable
        if variable in self.bound:
            return self.bound[variable]
        slot = self.slot_of(variable)
        kind = value_type(variable.type, self.lanes_of(variable))
        text = self.w.let(f"load {kind}, ptr {slot}", variable.name)
        return Value(text, variable.type, self.shapes.of.get(variable, UNIFORM))

    # --- nodes

    def _constant(self, node: Constant) -> Value:
        return Value(constant(node.value, node.type), node.type, UNIFORM)

    def _unary(self, node: Unary) -> Value:
        return self.unary(node.operator, self.evaluate(node.operand))

    def _binary(self, node: Binary) -> Value:
        left = self.evaluate(node.left)
        return self.binary(node.operator, left, self.evaluate(node.right))

    def _compare(self, node: Compare) -> Value:
        left = self.evaluate(node.left)
        return self.compare(node.operator, left, self.evaluate(node.right))

    def _logical(self, node: Logical) -> Value:
        left = self.evaluate(node.left)
        return self.logical(node.operator, left, self.evaluate(node.right))

    def _select(self, node: Select) -> Value:
        condition = self.evaluate(node.condition)
        when_true = self.evaluate(node.when_true)
        return self.select(condition, when_true, self.evaluate(node.when_false))

    def _convert(self, node: Convert) -> Value:
        value = self.evaluate(node.operand)
        if value.stride not in (UNIFORM, VARYING) and self.shapes.stride(node) is VARYING:
            value = self.varying(value)
        return self.convert(value, node.type)

    def _bitcast(self, node: Bitcast) -> Value:
        return self.bitcast(self.evaluate(node.operand), node.type)

    def _load(self, node: Load) -> Value:
        return self.load(node.array, self.evaluate_all(node.indices), node.part)

    def _extent(self, node: Extent) -> Value:
        extent = Value(self.storages[node.array].extents[node.axis], dtypes.int64, UNIFORM)
        return self.convert(extent, node.type)

    def _matrix_load(self, node: MatrixLoad) -> Value:
        indices = self.evaluate_all(node.indices)
        return self.matrix_load(node.array, indices, transpose=node.transpose)

    def _invoke(self, node: Invoke) -> Value:
        function = node.function
        given = self.evaluate_all(node.arguments)
        lanes = self.width(*given)
        strides: tuple[Stride, ...] = tuple(UNIFORM if v.is_uniform else VARYING for v in given)
        name = self.functions.name_of(function, strides, lanes)
        arguments = [
            f"{value_type(v.type, 0 if v.is_uniform else lanes)} "
            f"{v.text if v.is_uniform else self.vector(v)}"
            for v in given
        ]
        if lanes and self.functions.takes_mask(function):
            arguments.append(f"<{lanes} x i1> {self.mask or 'splat (i1 true)'}")
        kind = value_type(function.result, lanes)
        text = self.w.let(f"call {kind} @{name}({', '.join(arguments)})")
        return self.result(text, function.result, lanes)

    # --- intrinsics

    def _call(self, node: Call) -> Value:
        kind = node.intrinsic.kind
        if kind is IntrinsicKind.POSITION:
            return self.position(node)
        given = self.evaluate_all(node.arguments)
        if kind is IntrinsicKind.COLLECTIVE:
            return self.collective(node.intrinsic.name, given)
        if kind is IntrinsicKind.MATRIX:
            return self.matrix_operation(node.intrinsic.name, given)
        return self._mathematical(node, given)

    def _mathematical(self, node: Call, given: tuple[Value, ...]) -> Value:
        spelling = node.intrinsic.spelling("cpu", given[0].dtype if given else None)
        if not isinstance(spelling, str):
            raise InternalError(f"{node.intrinsic.name} reached the CPU's printer unlowered")
        if spelling.startswith("@"):
            return self._OWN[spelling](self, *given)
        wide = tuple(self.widened(value) for value in given)
        lanes = self.width(*wide)
        operands = (self.operand(value, lanes) for value in wide)
        text = self.intrinsic(spelling, register_type(wide[0].dtype), lanes, *operands)
        result = self.result(text, wide[0].type, lanes)
        if given[0].dtype is dtypes.bfloat16:
            return self.narrowed(result)
        if isinstance(node.type, DType) and node.type is not result.type:  # a count of bits
            return self.convert(result, node.type)
        return result

    def _absolute(self, value: Value) -> Value:
        dtype = value.dtype
        if dtype is dtypes.bfloat16:
            mask = Value(constant(0x7FFF, dtypes.int16), dtype, UNIFORM)
            return self._plain("and", value, mask)
        lanes = self.width(value)
        given = self.operand(value, lanes)
        if dtype.is_float:
            text = self.intrinsic("llvm.fabs", register_type(dtype), lanes, given)
            return self.result(text, dtype, lanes)
        if not dtype.is_signed:
            return value
        negative = self.compare("lt", value, Value("0", dtype, UNIFORM))
        return self.select(negative, self.unary("negate", value), value)

    def _count(self, name: str, value: Value) -> Value:
        """Leading or trailing zeros; the width for 0; of the value's type."""
        lanes = self.width(value)
        element = register_type(value.dtype)
        kind = value_type(value.dtype, lanes)
        suffix = f"v{lanes}{element}" if lanes else element
        operands = ((kind, self.operand(value, lanes)), ("i1", "false"))
        text = self.w.call(kind, f"{name}.{suffix}", *operands)
        return self.result(text, value.dtype, lanes)

    def _high_half(self, left: Value, right: Value) -> Value:
        """The upper half of a product of twice the width."""
        dtype, lanes = left.dtype, self.width(left, right)
        narrow = value_type(dtype, lanes)
        double = f"i{2 * dtype.bits}"
        wide = f"<{lanes} x {double}>" if lanes else double
        extend = "sext" if dtype.is_signed else "zext"
        a, b = (
            self.w.let(f"{extend} {narrow} {self.operand(value, lanes)} to {wide}")
            for value in (left, right)
        )
        product = self.w.let(f"mul {wide} {a}, {b}")
        bits = f"splat ({double} {dtype.bits})" if lanes else str(dtype.bits)
        upper = self.w.let(f"lshr {wide} {product}, {bits}")
        return self.result(self.w.let(f"trunc {wide} {upper} to {narrow}"), dtype, lanes)

    def _reciprocal_root(self, value: Value) -> Value:
        """``1 / sqrt(x)``: an estimate of 14 bits and a step of Newton's, where there is one.

        The step's error is ``3/8 * 2**-28`` and its roundings: below 1.5 units in the last place.
        It gives NaN for 0 and infinity, where the estimate is right.
        """
        lanes = self.width(value)
        dtype = value.dtype
        kind = value_type(dtype, lanes)
        x = self.operand(value, lanes)
        unit = self.functions.unit
        if not (unit.has_root_estimate and dtype is dtypes.float32 and lanes == unit.lanes):
            root = self.intrinsic("llvm.sqrt", register_type(dtype), lanes, x)
            one = self.literal(1.0, dtype, lanes)
            return self.result(self.w.let(f"fdiv {kind} {one}, {root}"), dtype, lanes)
        name, every = "llvm.x86.avx512.rsqrt14.ps.512", ("i16", "-1")
        y = self.w.call(kind, name, (kind, x), (kind, "zeroinitializer"), every)
        product = self.w.let(f"fmul {kind} {x}, {y}")
        opposite = self.w.let(f"fneg {kind} {product}")
        one, half = self.literal(1.0, dtype, lanes), self.literal(0.5, dtype, lanes)
        rest = self.intrinsic("llvm.fma", "float", lanes, opposite, y, one)
        halved = self.w.let(f"fmul {kind} {y}, {half}")
        better = self.intrinsic("llvm.fma", "float", lanes, halved, rest, y)
        at_end = self.w.let(f"fcmp uno {kind} {rest}, {rest}")
        choice = f"<{lanes} x i1> {at_end}, {kind} {y}, {kind} {better}"
        return self.result(self.w.let(f"select {choice}"), dtype, lanes)

    def _scale(self, value: Value, shifted: Value) -> Value:
        """``x * 2**n`` where ``shifted`` is n added to 1.5 * 2**(fraction's bits)."""
        dtype, lanes = value.dtype, self.width(value, shifted)
        x, y = self.operand(value, lanes), self.operand(shifted, lanes)
        fraction, bias, shifter = _FORMATS[dtype]
        if self.functions.unit.has_scaling and lanes % (512 // dtype.bits) == 0 and lanes:
            whole = self.w.let(
                f"fsub {value_type(dtype, lanes)} {y}, {self.literal(shifter, dtype, lanes)}"
            )
            return self.result(self._scale_by_512_bits(x, whole, dtype, lanes), dtype, lanes)
        kind = dtypes.int64 if dtype.bits == 64 else dtypes.int32
        offset = Value(str(_bits_of(shifter, dtype)), kind, UNIFORM)
        exponent = self.binary("subtract", self.bitcast(shifted, kind), offset)
        half = self.binary("shift_right", exponent, Value("1", kind, UNIFORM))
        rest = self.binary("subtract", exponent, half)
        for part in (half, rest):
            biased = self.binary("add", part, Value(str(bias), kind, UNIFORM))
            bits = self.binary("shift_left", biased, Value(str(fraction), kind, UNIFORM))
            value = self.binary("multiply", value, self.bitcast(bits, dtype))
        return value

    def _scale_by_512_bits(self, x: str, whole: str, dtype: DType, lanes: int) -> str:
        """AVX-512's instruction on each part of a vector that is as wide as a register."""
        width = 512 // dtype.bits
        kind, suffix = value_type(dtype, width), "ps" if dtype.bits == 32 else "pd"
        parts = []
        for start in range(0, lanes, width):
            a, b = (self._part(text, dtype, lanes, start, width) for text in (x, whole))
            operands = ((kind, a), (kind, b), (kind, "poison"), (f"i{width}", "-1"), ("i32", "4"))
            parts.append(self.w.call(kind, f"llvm.x86.avx512.mask.scalef.{suffix}.512", *operands))
        while len(parts) > 1:
            width *= 2
            half, picked = value_type(dtype, width // 2), constant_vector("i32", range(width))
            parts = [
                self.w.let(f"shufflevector {half} {a}, {half} {b}, <{width} x i32> {picked}")
                for a, b in zip(parts[::2], parts[1::2], strict=True)
            ]
        return parts[0]

    def _part(self, text: str, dtype: DType, lanes: int, start: int, width: int) -> str:
        if width == lanes:
            return text
        picked = constant_vector("i32", range(start, start + width))
        whole = value_type(dtype, lanes)
        kinds = f"{whole} {text}, {whole} poison, <{width} x i32> {picked}"
        return self.w.let(f"shufflevector {kinds}")

    def _is_nan(self, value: Value) -> Value:
        return self.compare("ne", value, value)

    _OWN: ClassVar[dict[str, Callable[..., Value]]] = {
        "@abs": _absolute,
        "@minimum": lambda self, a, b: self.extreme("min", a, b),
        "@maximum": lambda self, a, b: self.extreme("max", a, b),
        "@clz": lambda self, x: self._count("llvm.ctlz", x),
        "@ctz": lambda self, x: self._count("llvm.cttz", x),
        "@mulhi": _high_half,
        "@isnan": _is_nan,
        "@rsqrt": _reciprocal_root,
        "@scale": _scale,
    }

    _EXPRESSIONS: ClassVar[dict[type, Callable[[Any, Any], Value]]] = {
        Constant: _constant,
        Read: _read,
        Unary: _unary,
        Binary: _binary,
        Compare: _compare,
        Logical: _logical,
        Select: _select,
        Convert: _convert,
        Bitcast: _bitcast,
        Load: _load,
        Extent: _extent,
        Call: _call,
        Invoke: _invoke,
        MatrixLoad: _matrix_load,
    }

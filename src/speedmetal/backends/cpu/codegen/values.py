"""Values while a vector's code is written, and arithmetic on them."""

from __future__ import annotations

from dataclasses import dataclass

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM, VARYING, Stride
from speedmetal.backends.cpu.codegen.llvm_text import (
    Writer,
    constant,
    constant_vector,
    overload,
    register_type,
    value_type,
    vector_type,
)
from speedmetal.dtypes import DType
from speedmetal.ir.types import ValueType


@dataclass(frozen=True, slots=True)
class Value:
    """The text of a value, its type, and how it varies (see :mod:`shapes`).

    ``text`` names a scalar where the stride is known (that of the first lane), a vector otherwise.
    """

    text: str
    type: ValueType
    stride: Stride = UNIFORM

    @property
    def dtype(self) -> DType:
        """The type, of a value that is no matrix."""
        assert isinstance(self.type, DType)
        return self.type

    @property
    def is_uniform(self) -> bool:
        return self.stride == UNIFORM


class Lanes:
    """Turns values into scalars and vectors of a writer's function, and converts them.

    Args:
        writer: Where instructions go.
        lanes: How many a vector has; 0 in functions of uniform values alone.
    """

    def __init__(self, writer: Writer, lanes: int) -> None:
        self.w = writer
        self.lanes = lanes

    def vector(self, value: Value) -> str:
        """The value as a vector (in a function without lanes: as a scalar)."""
        if value.stride is None or not self.lanes:
            return value.text
        element = register_type(value.dtype)
        splat = self.splat(element, value.text)
        if value.is_uniform:
            return splat
        kind = vector_type(element, self.lanes)
        least, count = -(1 << value.dtype.bits - 1), 1 << value.dtype.bits
        wrapped = [(n * value.stride - least) % count + least for n in range(self.lanes)]
        steps = constant_vector(element, wrapped)
        return self.w.let(f"add {kind} {splat}, {steps}")

    def splat(self, element: str, text: str) -> str:
        """A vector with the scalar in every lane."""
        if not text.startswith("%"):
            return f"splat ({element} {text})"
        kind = vector_type(element, self.lanes)
        first = self.w.let(f"insertelement {kind} poison, {element} {text}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.w.let(f"shufflevector {kind} {first}, {kind} poison, {zeros}")

    def first(self, value: Value) -> str:
        """The value of the first lane, as a scalar."""
        if value.stride is not VARYING or not self.lanes:
            return value.text
        kind = value_type(value.type, self.lanes)
        return self.w.let(f"extractelement {kind} {value.text}, i64 0")

    def varying(self, value: Value) -> Value:
        return Value(self.vector(value), value.type, VARYING)

    def width(self, *values: Value) -> int:
        """The lanes of a result of these operands: 0 where all are uniform."""
        return 0 if all(value.is_uniform for value in values) else self.lanes

    def operand(self, value: Value, lanes: int) -> str:
        """The value as a scalar for 0 lanes, else as a vector."""
        return self.vector(value) if lanes else value.text

    def literal(self, number: float, dtype: DType, lanes: int) -> str:
        """A constant of a scalar or vector type."""
        text = constant(number, dtype)
        return f"splat ({register_type(dtype)} {text})" if lanes else text

    def result(self, text: str, kind: ValueType, lanes: int) -> Value:
        return Value(text, kind, VARYING if lanes else UNIFORM)

    def intrinsic(self, name: str, kind: str, lanes: int, *arguments: str) -> str:
        """Call an LLVM intrinsic that is overloaded on one type."""
        whole = vector_type(kind, lanes)
        given = ((whole, argument) for argument in arguments)
        return self.w.call(whole, f"{name}.{overload(kind, lanes)}", *given)

    # --- bfloat16, held as bits

    def widened(self, value: Value) -> Value:
        """bfloat16 as float32 (exact); anything else unchanged."""
        if value.type is not dtypes.bfloat16:
            return value
        lanes = self.width(value)
        bits, wide = vector_type("i16", lanes), vector_type("i32", lanes)
        extended = self.w.let(f"zext {bits} {self.operand(value, lanes)} to {wide}")
        shifted = self.w.let(f"shl {wide} {extended}, {self.literal(16, dtypes.int32, lanes)}")
        text = self.w.let(f"bitcast {wide} {shifted} to {vector_type('float', lanes)}")
        return self.result(text, dtypes.float32, lanes)

    def narrowed(self, value: Value) -> Value:
        """float32 rounded to bfloat16, half to even; NaN stays NaN."""
        lanes = self.width(value)
        x = self.operand(value, lanes)
        single, wide = vector_type("float", lanes), vector_type("i32", lanes)

        def number(n: int) -> str:
            return self.literal(n, dtypes.int32, lanes)

        bits = self.w.let(f"bitcast {single} {x} to {wide}")
        upper = self.w.let(f"lshr {wide} {bits}, {number(16)}")
        odd = self.w.let(f"and {wide} {upper}, {number(1)}")
        bias = self.w.let(f"add {wide} {odd}, {number(0x7FFF)}")
        rounded = self.w.let(f"add {wide} {bits}, {bias}")
        is_nan = self.w.let(f"fcmp uno {single} {x}, {x}")
        quiet = self.w.let(f"or {wide} {bits}, {number(0x400000)}")
        condition = vector_type("i1", lanes)
        chosen = self.w.let(f"select {condition} {is_nan}, {wide} {quiet}, {wide} {rounded}")
        top = self.w.let(f"lshr {wide} {chosen}, {number(16)}")
        text = self.w.let(f"trunc {wide} {top} to {vector_type('i16', lanes)}")
        return self.result(text, dtypes.bfloat16, lanes)

    # --- conversion

    def convert(self, value: Value, target: DType) -> Value:  # noqa: PLR0911 - a case each
        """The value as another type, as :class:`~speedmetal.ir.nodes.Convert` says."""
        source = value.dtype
        if source is target:
            return value
        if target.is_bool:
            return self._is_nonzero(value)
        if source is dtypes.bfloat16:
            return self.convert(self.widened(value), target)
        if target is dtypes.bfloat16:
            return self.narrowed(self._to_float32(value))
        if source.is_float and target.is_float:
            return self._float_to_float(value, target)
        if source.is_float:
            return self._float_to_integer(value, target)
        if target.is_float:
            return self._integer_to_float(value, target)
        return self._integer_to_integer(value, target)

    def _cast(self, value: Value, operation: str, target: DType) -> Value:
        lanes = self.width(value)
        source = vector_type(register_type(value.dtype), lanes)
        wanted = vector_type(register_type(target), lanes)
        text = self.w.let(f"{operation} {source} {self.operand(value, lanes)} to {wanted}")
        return self.result(text, target, lanes)

    def _is_nonzero(self, value: Value) -> Value:
        wide = self.widened(value)
        lanes = self.width(wide)
        kind = vector_type(register_type(wide.dtype), lanes)
        compare = "fcmp une" if wide.dtype.is_float else "icmp ne"
        zero = self.literal(0, wide.dtype, lanes)
        text = self.w.let(f"{compare} {kind} {self.operand(wide, lanes)}, {zero}")
        return self.result(text, dtypes.bool_, lanes)

    def _to_float32(self, value: Value) -> Value:
        if value.type is dtypes.float64:
            return self._rounded_to_odd(value)
        is_wide = value.dtype.is_integer and value.dtype.bits > 16
        if value.dtype.is_integer and value.dtype.bits > 32:
            value = self._exact_in_double(value)
        if is_wide:
            return self._rounded_to_odd(self.convert(value, dtypes.float64))
        return self.convert(value, dtypes.float32)

    def _exact_in_double(self, value: Value) -> Value:
        """64-bit integers, those beyond float64's 53 bits rounded to odd to 53 bits."""
        lanes, dtype = self.width(value), value.dtype
        kind, condition = vector_type("i64", lanes), vector_type("i1", lanes)

        def number(n: int) -> str:
            return self.literal(n, dtypes.int64, lanes)

        given = self.operand(value, lanes)
        rest = self.w.let(f"and {kind} {given}, {number(0x7FF)}")
        whole = self.w.let(f"xor {kind} {given}, {rest}")
        inexact = self.w.let(f"icmp ne {kind} {rest}, {number(0)}")
        step = self.w.let(
            f"select {condition} {inexact}, {kind} {number(0x800)}, {kind} {number(0)}"
        )
        odd = self.w.let(f"or {kind} {whole}, {step}")
        # Between -2^53 and 2^53, as one comparison; an unsigned number has the same bits.
        above = self.w.let(f"add {kind} {given}, {number((1 << 53) if dtype.is_signed else 0)}")
        limit = number(1 << (54 if dtype.is_signed else 53))
        fits = self.w.let(f"icmp ult {kind} {above}, {limit}")
        text = self.w.let(f"select {condition} {fits}, {kind} {given}, {kind} {odd}")
        return self.result(text, dtype, lanes)

    def _float_to_float(self, value: Value, target: DType) -> Value:
        if target.bits > value.dtype.bits:
            return self._cast(value, "fpext", target)
        if value.type is dtypes.float64 and target is dtypes.float16:
            return self._cast(self._rounded_to_odd(value), "fptrunc", target)
        return self._cast(value, "fptrunc", target)

    def _rounded_to_odd(self, value: Value) -> Value:
        """float64 to float32 such that a second rounding to 16 bits is right.

        An inexact result gets an odd last bit (Boldo and Melquiond, "Emulation of FMA and
        correctly rounded sums: proved algorithms using rounding to odd", 2008).
        """
        lanes = self.width(value)
        near = self._cast(value, "fptrunc", dtypes.float32)
        back = self._cast(near, "fpext", dtypes.float64)
        double, single = vector_type("double", lanes), vector_type("float", lanes)
        wide, condition = vector_type("i32", lanes), vector_type("i1", lanes)
        given = self.operand(value, lanes)
        exact = self.w.let(f"fcmp ueq {double} {back.text}, {given}")
        size = self.intrinsic("llvm.fabs", "double", lanes, given)
        near_size = self.intrinsic("llvm.fabs", "double", lanes, back.text)
        beyond = self.w.let(f"fcmp ogt {double} {near_size}, {size}")
        bits = self.w.let(f"bitcast {single} {near.text} to {wide}")
        step = self.w.let(f"zext {condition} {beyond} to {wide}")
        truncated = self.w.let(f"sub {wide} {bits}, {step}")
        odd = self.w.let(f"or {wide} {truncated}, {self.literal(1, dtypes.int32, lanes)}")
        chosen = self.w.let(f"select {condition} {exact}, {wide} {bits}, {wide} {odd}")
        return self.result(
            self.w.let(f"bitcast {wide} {chosen} to {single}"), dtypes.float32, lanes
        )

    def _float_to_integer(self, value: Value, target: DType) -> Value:
        if value.type is dtypes.float16:
            value = self._cast(value, "fpext", dtypes.float32)
        lanes = self.width(value)
        source, wanted = register_type(value.dtype), register_type(target)
        name = "fptosi" if target.is_signed else "fptoui"
        text = self.w.call(
            vector_type(wanted, lanes),
            f"llvm.{name}.sat.{overload(wanted, lanes)}.{overload(source, lanes)}",
            (vector_type(source, lanes), self.operand(value, lanes)),
        )
        return self.result(text, target, lanes)

    def _integer_to_float(self, value: Value, target: DType) -> Value:
        operation = "sitofp" if value.dtype.is_signed else "uitofp"
        if target is dtypes.float16:
            return self._cast(self._to_float32(value), "fptrunc", target)
        return self._cast(value, operation, target)

    def _integer_to_integer(self, value: Value, target: DType) -> Value:
        source = value.dtype
        # The register's width: a boolean has one bit there.
        bits = 1 if source.is_bool else source.bits
        if bits == target.bits:
            return Value(value.text, target, value.stride) if value.is_uniform else (
                Value(self.vector(value), target, VARYING)
            )  # fmt: skip
        if bits > target.bits:
            return self._cast(value, "trunc", target)
        extend = "sext" if source.is_signed else "zext"
        if value.stride not in (UNIFORM, VARYING) and target.is_signed:
            kinds = f"{register_type(source)} {value.text} to {register_type(target)}"
            return Value(self.w.let(f"{extend} {kinds}"), target, value.stride)
        return self._cast(value, extend, target)

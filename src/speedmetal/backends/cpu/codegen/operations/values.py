"""Values while a vector's code is written, and how they are held."""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING, Stride
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    constant,
    constant_vector,
    overload,
    register_type,
    value_type,
    vector_type,
)
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.ir.types import ValueType


@record
class Value:
    """The text of a value, its type, and how it varies (see :mod:`lane_strides`).

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
    """Holds values as scalars and vectors, in registers and in memory.

    Owns how many lanes a vector has, and so the types of masks. Asks the emitter alone.

    Args:
        emit: Of the function.
        count: Lanes of a vector; 0 in functions of uniform values alone.
    """

    def __init__(self, emit: Emitter, count: int) -> None:
        self._emit = emit
        self.count = count
        self.bits_type = f"i{count}"
        self.mask_type = vector_type("i1", count)

    def vector(self, value: Value) -> str:
        """The value as a vector (in a function without lanes: as a scalar)."""
        if value.stride is None or not self.count:
            return value.text
        element = register_type(value.dtype)
        splat = self.splat(element, value.text)
        if value.is_uniform:
            return splat
        kind = vector_type(element, self.count)
        least, count = -(1 << value.dtype.bits - 1), 1 << value.dtype.bits
        wrapped = [(n * value.stride - least) % count + least for n in range(self.count)]
        steps = constant_vector(element, wrapped)
        return self._emit.let(f"add {kind} {splat}, {steps}")

    def splat(self, element: str, text: str) -> str:
        """A vector with the scalar in every lane."""
        if not text.startswith("%"):
            return f"splat ({element} {text})"
        kind = vector_type(element, self.count)
        first = self._emit.let(f"insertelement {kind} poison, {element} {text}, i64 0")
        zeros = f"<{self.count} x i32> zeroinitializer"
        return self._emit.let(f"shufflevector {kind} {first}, {kind} poison, {zeros}")

    def first(self, value: Value) -> str:
        """The value of the first lane, as a scalar."""
        if value.stride is not VARYING or not self.count:
            return value.text
        kind = value_type(value.type, self.count)
        return self._emit.let(f"extractelement {kind} {value.text}, i64 0")

    def varying(self, value: Value) -> Value:
        return Value(self.vector(value), value.type, VARYING)

    def width(self, *values: Value) -> int:
        """The lanes of a result of these operands: 0 where all are uniform."""
        return 0 if all(value.is_uniform for value in values) else self.count

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
        return self._emit.call(whole, f"{name}.{overload(kind, lanes)}", *given)

    def extract(self, vector: str, dtype: DType, lane: str) -> str:
        """One lane of a vector; ``lane`` is an i64."""
        kind = vector_type(register_type(dtype), self.count)
        return self._emit.let(f"extractelement {kind} {vector}, i64 {lane}")

    # --- lanes of vectors of any width

    def shuffle(self, element: str, left: str, right: str, picked: list[int], count: int) -> str:
        """Lanes picked from two vectors of so many, those of the second counted on."""
        kind = vector_type(element, count)
        places = f"<{len(picked)} x i32> {constant_vector('i32', picked)}"
        return self._emit.let(f"shufflevector {kind} {left}, {kind} {right}, {places}")

    def part(self, element: str, text: str, start: int, count: int, whole: int) -> str:
        """So many lanes of a vector of ``whole``, from ``start`` on."""
        return self.shuffle(element, text, "poison", list(range(start, start + count)), whole)

    def join(self, element: str, parts: list[str], count: int) -> str:
        """One vector of a power of two of vectors, of ``count`` lanes each."""
        while len(parts) > 1:
            every = list(range(2 * count))
            parts = [
                self.shuffle(element, a, b, every, count)
                for a, b in zip(parts[::2], parts[1::2], strict=True)
            ]
            count *= 2
        return parts[0]

    # --- in memory a boolean is a byte

    def loaded(self, text: str, dtype: DType, lanes: int) -> Value:
        """What was loaded, as it is held in a register."""
        if dtype.is_bool:
            kind = vector_type("i8", lanes)
            zero = "splat (i8 0)" if lanes else "0"
            text = self._emit.let(f"icmp ne {kind} {text}, {zero}")
        return self.result(text, dtype, lanes)

    def stored(self, value: Value, lanes: int) -> str:
        """The value as it is stored."""
        text = self.operand(value, lanes)
        if value.dtype.is_bool:
            kinds = f"{vector_type('i1', lanes)} {text} to {vector_type('i8', lanes)}"
            return self._emit.let(f"zext {kinds}")
        return text

"""Functions of numbers that LLVM has, or that take a few instructions."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import ClassVar

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    constant,
    register_type,
    value_type,
)
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.ir.nodes import Call

# Of each format: bits of the fraction, bias of the exponent, 1.5 * 2**fraction.
_FORMATS = {
    dtypes.float32: (23, 127, 12582912.0),
    dtypes.float64: (52, 1023, 6755399441055744.0),
}
_INTEGERS = {dtypes.float32: dtypes.int32, dtypes.float64: dtypes.int64}

_ROUNDINGS = frozenset({"llvm.floor", "llvm.ceil", "llvm.trunc", "llvm.roundeven"})


def _bits_of(number: float, dtype: DType) -> int:
    """The bits of a float as an integer."""
    single = dtype is dtypes.float32
    return int.from_bytes(struct.pack("<f" if single else "<d", number), "little")


class Mathematics:
    """Writes functions of numbers. Owns nothing; asks for arithmetic and what the processor has."""

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        conversions: Conversions,
        arithmetic: Arithmetic,
        unit: VectorUnit,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions
        self._arithmetic = arithmetic
        self._unit = unit

    def call(self, node: Call, given: tuple[Value, ...]) -> Value:
        """The value of a call of a function of numbers."""
        spelling = node.intrinsic.spelling("cpu", given[0].dtype if given else None)
        if not isinstance(spelling, str):
            raise InternalError(f"{node.intrinsic.name} reached the CPU's printer unlowered")
        if spelling.startswith("@"):
            return self._OWN[spelling](self, *given)
        wide = tuple(self._conversions.widened(value) for value in given)
        lanes = self._lanes.width(*wide)
        if spelling in _ROUNDINGS and not self._unit.has_half_arithmetic:
            wide = tuple(map(self._kept_wide, wide))
        operands = (self._lanes.operand(value, lanes) for value in wide)
        text = self._lanes.intrinsic(spelling, register_type(wide[0].dtype), lanes, *operands)
        result = self._lanes.result(text, wide[0].type, lanes)
        if given[0].dtype is dtypes.bfloat16:
            return self._conversions.narrowed(result)
        if isinstance(node.type, DType) and node.type is not result.type:  # a count of bits
            return self._conversions.convert(result, node.type)
        return result

    def _kept_wide(self, value: Value) -> Value:
        """Keeps LLVM from rounding as float16 what was converted from it.

        It would take an instruction for each lane alone.
        """
        lanes = self._lanes.width(value)
        if not lanes or value.dtype is not dtypes.float32:
            return value
        given = self._lanes.vector(value)
        text = self._lanes.intrinsic("llvm.arithmetic.fence", "float", lanes, given)
        return self._lanes.result(text, value.type, lanes)

    def _absolute(self, value: Value) -> Value:
        dtype = value.dtype
        if dtype is dtypes.bfloat16:
            mask = Value(constant(0x7FFF, dtypes.int16), dtype, UNIFORM)
            return self._arithmetic.instruction("and", value, mask)
        lanes = self._lanes.width(value)
        given = self._lanes.operand(value, lanes)
        if dtype.is_float:
            text = self._lanes.intrinsic("llvm.fabs", register_type(dtype), lanes, given)
            return self._lanes.result(text, dtype, lanes)
        if not dtype.is_signed:
            return value
        negative = self._arithmetic.compare("lt", value, Value("0", dtype, UNIFORM))
        return self._arithmetic.select(negative, self._arithmetic.unary("negate", value), value)

    def _count(self, name: str, value: Value) -> Value:
        """Leading or trailing zeros; the width for 0; of the value's type."""
        lanes = self._lanes.width(value)
        element = register_type(value.dtype)
        kind = value_type(value.dtype, lanes)
        suffix = f"v{lanes}{element}" if lanes else element
        operands = ((kind, self._lanes.operand(value, lanes)), ("i1", "false"))
        text = self._emit.call(kind, f"{name}.{suffix}", *operands)
        return self._lanes.result(text, value.dtype, lanes)

    def _high_half(self, left: Value, right: Value) -> Value:
        """The upper half of a product of twice the width."""
        dtype, lanes = left.dtype, self._lanes.width(left, right)
        narrow = value_type(dtype, lanes)
        double = f"i{2 * dtype.bits}"
        wide = f"<{lanes} x {double}>" if lanes else double
        extend = "sext" if dtype.is_signed else "zext"
        a, b = (
            self._emit.let(f"{extend} {narrow} {self._lanes.operand(value, lanes)} to {wide}")
            for value in (left, right)
        )
        product = self._emit.let(f"mul {wide} {a}, {b}")
        bits = f"splat ({double} {dtype.bits})" if lanes else str(dtype.bits)
        upper = self._emit.let(f"lshr {wide} {product}, {bits}")
        return self._lanes.result(self._emit.let(f"trunc {wide} {upper} to {narrow}"), dtype, lanes)

    def _reciprocal_root(self, value: Value) -> Value:
        """``1 / sqrt(x)``: an estimate of 14 bits and a step of Newton's, where there is one.

        The step's error is ``3/8 * 2**-28`` and its roundings: below 1.5 units in the last place.
        For 0 and infinity the estimate, infinity and 0, is right, and what it leaves is NaN. That
        is taken as 1 (the minimum of two where the second stands for NaN is one instruction, while
        a mask costs two): half as much again of such an estimate is the estimate.
        """
        lanes = self._lanes.width(value)
        dtype = value.dtype
        kind = value_type(dtype, lanes)
        x = self._lanes.operand(value, lanes)
        unit = self._unit
        if not (unit.has_root_estimate and dtype is dtypes.float32 and lanes == unit.lanes):
            root = self._lanes.intrinsic("llvm.sqrt", register_type(dtype), lanes, x)
            one = self._lanes.literal(1.0, dtype, lanes)
            return self._lanes.result(self._emit.let(f"fdiv {kind} {one}, {root}"), dtype, lanes)
        name, every = "llvm.x86.avx512.rsqrt14.ps.512", ("i16", "-1")
        y = self._emit.call(kind, name, (kind, x), (kind, "zeroinitializer"), every)
        product = self._emit.let(f"fmul {kind} {x}, {y}")
        opposite = self._emit.let(f"fneg {kind} {product}")
        one, half = self._lanes.literal(1.0, dtype, lanes), self._lanes.literal(0.5, dtype, lanes)
        rest = self._lanes.intrinsic("llvm.fma", "float", lanes, opposite, y, one)
        halved = self._emit.let(f"fmul {kind} {y}, {half}")
        known = self._emit.let(f"fcmp olt {kind} {rest}, {one}")
        choice = f"<{lanes} x i1> {known}, {kind} {rest}, {kind} {one}"
        step = self._emit.let(f"select {choice}")
        better = self._lanes.intrinsic("llvm.fma", "float", lanes, halved, step, y)
        return self._lanes.result(better, dtype, lanes)

    def _scale(self, value: Value, shifted: Value) -> Value:
        """``x * 2**n`` where ``shifted`` is n added to 1.5 * 2**(fraction's bits).

        An instruction whose result is subnormal takes 20 times as long on Intel's processors
        (2**20 exponentials on two cores of a Sapphire Rapids: 6.0 ms of -100, or of minus infinity
        as in masked softmax, and 0.32 ms of -50). So where there are such lanes, and that is asked
        by a branch, their bits are made as an integer.
        """
        dtype, lanes = value.dtype, self._lanes.width(value, shifted)
        if not lanes:
            return self._scaled(value, shifted)
        _, bias, shifter = _FORMATS[dtype]
        least = Value(constant(shifter - bias + 1, dtype), dtype, UNIFORM)
        is_small = self._arithmetic.compare("lt", shifted, least)
        small, done, normal = (self._emit.label(n) for n in ("subnormal", "scaled", "normal"))
        kind = value_type(dtype, lanes)
        slot = self._emit.slot(kind, "scaled")
        flags = self._emit.let(f"bitcast <{lanes} x i1> {is_small.text} to i{lanes}")
        self._emit.branch(self._emit.let(f"icmp ne i{lanes} {flags}, 0"), small, normal)
        self._emit.start(normal)
        self._emit.do(f"store {kind} {self._scaled(value, shifted).text}, ptr {slot}")
        self._emit.jump(done)
        self._emit.start(small)
        none = Value(constant(shifter, dtype), dtype, UNIFORM)
        bounded = self._arithmetic.select(is_small, none, shifted)
        subnormal = self._subnormal(value, shifted)
        chosen = self._arithmetic.select(is_small, subnormal, self._scaled(value, bounded))
        self._emit.do(f"store {kind} {chosen.text}, ptr {slot}")
        self._emit.jump(done)
        self._emit.start(done)
        return self._lanes.result(self._emit.let(f"load {kind}, ptr {slot}"), dtype, lanes)

    def _subnormal(self, value: Value, shifted: Value) -> Value:
        """The same where x is from 0.5 to 2 and n so small that the result is subnormal, or 0.

        In units of the least number it is below 2**fraction: added to that it is rounded to a whole
        number, which is left in the low bits, as it is in those of the result.
        """
        dtype = value.dtype
        fraction, bias, _ = _FORMATS[dtype]
        units = Value(constant(float(bias - 1 + fraction), dtype), dtype, UNIFORM)
        one = Value(constant(2.0**fraction, dtype), dtype, UNIFORM)
        kind = _INTEGERS[dtype]
        count = self._scaled(value, self._arithmetic.binary("add", shifted, units))
        rounded = self._arithmetic.bitcast(self._arithmetic.binary("add", count, one), kind)
        offset = Value(str(_bits_of(2.0**fraction, dtype)), kind, UNIFORM)
        return self._arithmetic.bitcast(self._arithmetic.binary("subtract", rounded, offset), dtype)

    def _scaled(self, value: Value, shifted: Value) -> Value:
        """The same for every n, in a time that depends on the result."""
        dtype, lanes = value.dtype, self._lanes.width(value, shifted)
        fraction, bias, shifter = _FORMATS[dtype]
        if self._unit.has_scaling and lanes % (512 // dtype.bits) == 0 and lanes:
            x, y = self._lanes.operand(value, lanes), self._lanes.operand(shifted, lanes)
            whole = self._emit.let(
                f"fsub {value_type(dtype, lanes)} {y}, {self._lanes.literal(shifter, dtype, lanes)}"
            )
            return self._lanes.result(self._scale_by_512_bits(x, whole, dtype, lanes), dtype, lanes)
        kind = _INTEGERS[dtype]
        offset = Value(str(_bits_of(shifter, dtype)), kind, UNIFORM)
        exponent = self._arithmetic.binary(
            "subtract", self._arithmetic.bitcast(shifted, kind), offset
        )
        half = self._arithmetic.binary("shift_right", exponent, Value("1", kind, UNIFORM))
        rest = self._arithmetic.binary("subtract", exponent, half)
        for part in (half, rest):
            biased = self._arithmetic.binary("add", part, Value(str(bias), kind, UNIFORM))
            bits = self._arithmetic.binary(
                "shift_left", biased, Value(str(fraction), kind, UNIFORM)
            )
            value = self._arithmetic.binary(
                "multiply", value, self._arithmetic.bitcast(bits, dtype)
            )
        return value

    def _scale_by_512_bits(self, x: str, whole: str, dtype: DType, lanes: int) -> str:
        """AVX-512's instruction on each part of a vector that is as wide as a register."""
        width = 512 // dtype.bits
        kind, suffix = value_type(dtype, width), "ps" if dtype.bits == 32 else "pd"
        parts = []
        for start in range(0, lanes, width):
            a, b = (self._part(text, dtype, lanes, start, width) for text in (x, whole))
            operands = ((kind, a), (kind, b), (kind, "poison"), (f"i{width}", "-1"), ("i32", "4"))
            parts.append(
                self._emit.call(kind, f"llvm.x86.avx512.mask.scalef.{suffix}.512", *operands)
            )
        return self._lanes.join(register_type(dtype), parts, width)

    def _part(self, text: str, dtype: DType, lanes: int, start: int, width: int) -> str:
        if width == lanes:
            return text
        return self._lanes.part(register_type(dtype), text, start, width, lanes)

    def _is_nan(self, value: Value) -> Value:
        return self._arithmetic.compare("ne", value, value)

    _OWN: ClassVar[dict[str, Callable[..., Value]]] = {
        "@abs": _absolute,
        "@minimum": lambda self, a, b: self._arithmetic.extreme("min", a, b),
        "@maximum": lambda self, a, b: self._arithmetic.extreme("max", a, b),
        "@clz": lambda self, x: self._count("llvm.ctlz", x),
        "@ctz": lambda self, x: self._count("llvm.cttz", x),
        "@mulhi": _high_half,
        "@isnan": _is_nan,
        "@rsqrt": _reciprocal_root,
        "@scale": _scale,
    }

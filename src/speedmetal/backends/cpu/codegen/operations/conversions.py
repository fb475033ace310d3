"""Conversions of values from type to type."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    overload,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.dtypes import DType
from speedmetal.ir.float_bounds import ANYTHING, Interval

# Integers of as many bits have all their values in the type.
_EXACT_BITS = {dtypes.float32: 24, dtypes.float64: 53}


class Conversions:
    """Writes conversions. Owns nothing; asks how values are held and what the processor has."""

    def __init__(self, emit: Emitter, lanes: Lanes, unit: VectorUnit) -> None:
        self._emit = emit
        self._lanes = lanes
        self._unit = unit

    def of_lanes(self, count: int) -> Conversions:
        """The same for vectors of another number of lanes."""
        return Conversions(self._emit, Lanes(self._emit, count), self._unit)

    # --- bfloat16, held as bits

    def widened(self, value: Value) -> Value:
        """bfloat16 as float32 (exact); anything else unchanged."""
        if value.type is not dtypes.bfloat16:
            return value
        lanes = self._lanes.width(value)
        bits, wide = vector_type("i16", lanes), vector_type("i32", lanes)
        extended = self._emit.let(f"zext {bits} {self._lanes.operand(value, lanes)} to {wide}")
        distance = self._lanes.literal(16, dtypes.int32, lanes)
        shifted = self._emit.let(f"shl {wide} {extended}, {distance}")
        text = self._emit.let(f"bitcast {wide} {shifted} to {vector_type('float', lanes)}")
        return self._lanes.result(text, dtypes.float32, lanes)

    def narrowed(self, value: Value) -> Value:
        """float32 rounded to bfloat16, half to even; NaN stays NaN."""
        lanes = self._lanes.width(value)
        x = self._lanes.operand(value, lanes)
        single, wide = vector_type("float", lanes), vector_type("i32", lanes)

        def number(n: int) -> str:
            return self._lanes.literal(n, dtypes.int32, lanes)

        bits = self._emit.let(f"bitcast {single} {x} to {wide}")
        upper = self._emit.let(f"lshr {wide} {bits}, {number(16)}")
        odd = self._emit.let(f"and {wide} {upper}, {number(1)}")
        bias = self._emit.let(f"add {wide} {odd}, {number(0x7FFF)}")
        rounded = self._emit.let(f"add {wide} {bits}, {bias}")
        is_nan = self._emit.let(f"fcmp uno {single} {x}, {x}")
        quiet = self._emit.let(f"or {wide} {bits}, {number(0x400000)}")
        condition = vector_type("i1", lanes)
        chosen = self._emit.let(f"select {condition} {is_nan}, {wide} {quiet}, {wide} {rounded}")
        top = self._emit.let(f"lshr {wide} {chosen}, {number(16)}")
        text = self._emit.let(f"trunc {wide} {top} to {vector_type('i16', lanes)}")
        return self._lanes.result(text, dtypes.bfloat16, lanes)

    # --- conversion

    def convert(  # noqa: PLR0911 - a case each
        self, value: Value, target: DType, bounds: Interval = ANYTHING
    ) -> Value:
        """The value as another type, as :class:`~speedmetal.ir.nodes.Convert` says.

        ``bounds`` is where a float that is not NaN is known to lie.
        """
        source = value.dtype
        if source is target:
            return value
        if target.is_bool:
            return self._is_nonzero(value)
        if source is dtypes.bfloat16:
            return self.convert(self.widened(value), target, bounds)
        if target is dtypes.bfloat16:
            return self.narrowed(self._to_float32(value))
        if source.is_float and target.is_float:
            return self._float_to_float(value, target)
        if source.is_float:
            return self._float_to_integer(value, target, bounds)
        if target.is_float:
            return self._integer_to_float(value, target)
        return self._integer_to_integer(value, target)

    def _cast(self, value: Value, operation: str, target: DType) -> Value:
        lanes = self._lanes.width(value)
        source = vector_type(register_type(value.dtype), lanes)
        wanted = vector_type(register_type(target), lanes)
        given = self._lanes.operand(value, lanes)
        text = self._emit.let(f"{operation} {source} {given} to {wanted}")
        return self._lanes.result(text, target, lanes)

    def _is_nonzero(self, value: Value) -> Value:
        wide = self.widened(value)
        lanes = self._lanes.width(wide)
        kind = vector_type(register_type(wide.dtype), lanes)
        compare = "fcmp une" if wide.dtype.is_float else "icmp ne"
        zero = self._lanes.literal(0, wide.dtype, lanes)
        text = self._emit.let(f"{compare} {kind} {self._lanes.operand(wide, lanes)}, {zero}")
        return self._lanes.result(text, dtypes.bool_, lanes)

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
        lanes, dtype = self._lanes.width(value), value.dtype
        kind, condition = vector_type("i64", lanes), vector_type("i1", lanes)

        def number(n: int) -> str:
            return self._lanes.literal(n, dtypes.int64, lanes)

        given = self._lanes.operand(value, lanes)
        rest = self._emit.let(f"and {kind} {given}, {number(0x7FF)}")
        whole = self._emit.let(f"xor {kind} {given}, {rest}")
        inexact = self._emit.let(f"icmp ne {kind} {rest}, {number(0)}")
        step = self._emit.let(
            f"select {condition} {inexact}, {kind} {number(0x800)}, {kind} {number(0)}"
        )
        odd = self._emit.let(f"or {kind} {whole}, {step}")
        # Between -2^53 and 2^53, as one comparison; an unsigned number has the same bits.
        above = self._emit.let(f"add {kind} {given}, {number((1 << 53) if dtype.is_signed else 0)}")
        limit = number(1 << (54 if dtype.is_signed else 53))
        fits = self._emit.let(f"icmp ult {kind} {above}, {limit}")
        text = self._emit.let(f"select {condition} {fits}, {kind} {given}, {kind} {odd}")
        return self._lanes.result(text, dtype, lanes)

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
        lanes = self._lanes.width(value)
        near = self._cast(value, "fptrunc", dtypes.float32)
        back = self._cast(near, "fpext", dtypes.float64)
        double, single = vector_type("double", lanes), vector_type("float", lanes)
        wide, condition = vector_type("i32", lanes), vector_type("i1", lanes)
        given = self._lanes.operand(value, lanes)
        exact = self._emit.let(f"fcmp ueq {double} {back.text}, {given}")
        size = self._lanes.intrinsic("llvm.fabs", "double", lanes, given)
        near_size = self._lanes.intrinsic("llvm.fabs", "double", lanes, back.text)
        beyond = self._emit.let(f"fcmp ogt {double} {near_size}, {size}")
        bits = self._emit.let(f"bitcast {single} {near.text} to {wide}")
        step = self._emit.let(f"zext {condition} {beyond} to {wide}")
        truncated = self._emit.let(f"sub {wide} {bits}, {step}")
        one = self._lanes.literal(1, dtypes.int32, lanes)
        odd = self._emit.let(f"or {wide} {truncated}, {one}")
        chosen = self._emit.let(f"select {condition} {exact}, {wide} {bits}, {wide} {odd}")
        text = self._emit.let(f"bitcast {wide} {chosen} to {single}")
        return self._lanes.result(text, dtypes.float32, lanes)

    def _float_to_integer(self, value: Value, target: DType, bounds: Interval) -> Value:
        """What does not fit becomes the nearest that does, and NaN becomes 0."""
        if value.type is dtypes.float16:
            value = self._cast(value, "fpext", dtypes.float32)
        lanes = self._lanes.width(value)
        if lanes and not self._unit.has_saturation:
            return self._saturated(value, target, lanes, bounds)
        source, wanted = register_type(value.dtype), register_type(target)
        name = "fptosi" if target.is_signed else "fptoui"
        text = self._emit.call(
            vector_type(wanted, lanes),
            f"llvm.{name}.sat.{overload(wanted, lanes)}.{overload(source, lanes)}",
            (vector_type(source, lanes), self._lanes.operand(value, lanes)),
        )
        return self._lanes.result(text, target, lanes)

    def _saturated(self, value: Value, target: DType, lanes: int, bounds: Interval) -> Value:
        """`_float_to_integer` by steps for a whole vector; none for what the bounds exclude.

        LLVM's own ``fptosi.sat`` goes lane by lane on x86. Lanes for which ``fptosi`` has no value
        are chosen away from after it.
        """
        source, wide = value.dtype, target if target.bits >= 32 else dtypes.int32
        kind, integers = (vector_type(register_type(t), lanes) for t in (source, wide))
        condition = vector_type("i1", lanes)
        x = kept = self._lanes.vector(value)
        # It makes 0 of NaN for unsigned types, and so has always something to do there.
        if not target.is_signed or bounds.least <= target.minimum - 1:
            least = self._lanes.literal(float(target.minimum), source, lanes)
            above = self._emit.let(f"fcmp ogt {kind} {x}, {least}")
            kept = self._emit.let(f"select {condition} {above}, {kind} {x}, {kind} {least}")
        is_open = bounds.greatest >= target.maximum + 1
        has_greatest = target.bits <= _EXACT_BITS[source]
        if is_open and has_greatest:
            greatest = self._lanes.literal(float(target.maximum), source, lanes)
            below = self._emit.let(f"fcmp olt {kind} {kept}, {greatest}")
            kept = self._emit.let(f"select {condition} {below}, {kind} {kept}, {kind} {greatest}")
        name = "fptosi" if wide.is_signed else "fptoui"
        text = self._emit.let(f"{name} {kind} {kept} to {integers}")
        if target.is_signed:
            number = self._emit.let(f"fcmp ord {kind} {x}, {x}")
            zero = self._lanes.literal(0, wide, lanes)
            text = self._emit.let(
                f"select {condition} {number}, {integers} {text}, {integers} {zero}"
            )
        if is_open and not has_greatest:
            limit = self._lanes.literal(float(target.maximum + 1), source, lanes)
            beyond = self._emit.let(f"fcmp oge {kind} {x}, {limit}")
            greatest = self._lanes.literal(target.maximum, wide, lanes)
            text = self._emit.let(
                f"select {condition} {beyond}, {integers} {greatest}, {integers} {text}"
            )
        if bounds != ANYTHING:
            # Idle lanes may hold anything: what became of it must not reach a branch as poison.
            text = self._emit.let(f"freeze {integers} {text}")
        result = self._lanes.result(text, wide, lanes)
        return result if wide is target else self._cast(result, "trunc", target)

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
                Value(self._lanes.vector(value), target, VARYING)
            )  # fmt: skip
        if bits > target.bits:
            return self._cast(value, "trunc", target)
        extend = "sext" if source.is_signed else "zext"
        if value.stride not in (UNIFORM, VARYING) and target.is_signed:
            kinds = f"{register_type(source)} {value.text} to {register_type(target)}"
            return Value(self._emit.let(f"{extend} {kinds}"), target, value.stride)
        return self._cast(value, extend, target)

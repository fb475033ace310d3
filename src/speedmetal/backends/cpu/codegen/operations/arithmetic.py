"""Operators on values: what :class:`~speedmetal.ir.nodes.Binary` and its like mean."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import register_type, vector_type
from speedmetal.backends.cpu.codegen.operations.select_chains import SelectChains
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.dtypes import DType

_FLOAT = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}
_INTEGER = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "bit_and": "and",
    "bit_or": "or",
    "bit_xor": "xor",
}
_FLOAT_COMPARE = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}
_LARGEST_EXACT_IN_DOUBLE = 32  # bits: a quotient of two such integers is told from its neighbours


class Arithmetic:
    """Writes operators. Owns nothing; asks how values are held and converted."""

    def __init__(
        self, emit: Emitter, lanes: Lanes, conversions: Conversions, chains: SelectChains
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions
        self._chains = chains

    def of_lanes(self, count: int) -> Arithmetic:
        """The same for vectors of another number of lanes; 1 lane is a scalar."""
        lanes = Lanes(self._emit, 0 if count == 1 else count)
        conversions = self._conversions.of_lanes(lanes.count)
        return Arithmetic(self._emit, lanes, conversions, self._chains)

    def binary(self, operator: str, left: Value, right: Value) -> Value:
        """An operator of BINARY on two values of one type."""
        dtype = left.dtype
        if dtype is dtypes.bfloat16:
            wide = map(self._conversions.widened, (left, right))
            return self._conversions.narrowed(self.binary(operator, *wide))
        if dtype.is_float:
            return self.instruction(_FLOAT[operator], left, right)
        linear = self._linear_result(operator, left, right)
        if linear is not None:
            return linear
        match operator:
            case "floor_divide" | "remainder":
                return self._divide(operator, left, right)
            case "shift_left" | "shift_right":
                return self._shift(operator, left, right)
        return self.instruction(_INTEGER[operator], left, right)

    def instruction(self, name: str, left: Value, right: Value) -> Value:
        """One LLVM instruction on two values of one type."""
        lanes = self._lanes.width(left, right)
        kind = vector_type(register_type(left.dtype), lanes)
        a, b = self._lanes.operand(left, lanes), self._lanes.operand(right, lanes)
        return self._lanes.result(self._emit.let(f"{name} {kind} {a}, {b}"), left.type, lanes)

    def _linear_result(self, operator: str, left: Value, right: Value) -> Value | None:
        """The result, where lanes are known steps apart and stay so."""
        if left.stride is None or right.stride is None or not left.dtype.is_signed:
            return None
        if left.is_uniform and right.is_uniform:
            return None
        match operator:
            case "add":
                stride = left.stride + right.stride
            case "subtract":
                stride = left.stride - right.stride
            case "multiply" if left.is_uniform and not left.text.startswith("%"):
                stride = int(left.text) * right.stride
            case "multiply" if right.is_uniform and not right.text.startswith("%"):
                stride = left.stride * int(right.text)
            case _:
                return None
        kind = register_type(left.dtype)
        text = self._emit.let(f"{_INTEGER[operator]} {kind} {left.text}, {right.text}")
        return Value(text, left.type, stride)

    def _shift(self, operator: str, left: Value, right: Value) -> Value:
        lanes = self._lanes.width(left, right)
        dtype = left.dtype
        kind, condition = vector_type(register_type(dtype), lanes), vector_type("i1", lanes)
        a, count = self._lanes.operand(left, lanes), self._lanes.operand(right, lanes)
        last = self._lanes.literal(dtype.bits - 1, dtype, lanes)
        signed_right = operator == "shift_right" and dtype.is_signed
        if signed_right:  # the sign fills: as by one less than the width
            count = self._clamped_count(kind, condition, count, last)
            return self._lanes.result(self._emit.let(f"ashr {kind} {a}, {count}"), left.type, lanes)
        instruction = "shl" if operator == "shift_left" else "lshr"
        safe = self._clamped_count(kind, condition, count, last)
        shifted = self._emit.let(f"{instruction} {kind} {a}, {safe}")
        too_far = self._emit.let(f"icmp ugt {kind} {count}, {last}")
        zero = self._lanes.literal(0, dtype, lanes)
        text = self._emit.let(f"select {condition} {too_far}, {kind} {zero}, {kind} {shifted}")
        return self._lanes.result(text, left.type, lanes)

    def _clamped_count(self, kind: str, condition: str, count: str, last: str) -> str:
        too_far = self._emit.let(f"icmp ugt {kind} {count}, {last}")
        return self._emit.let(f"select {condition} {too_far}, {kind} {last}, {kind} {count}")

    # --- integer division

    def _divide(self, operator: str, left: Value, right: Value) -> Value:
        lanes = self._lanes.width(left, right)
        dtype = left.dtype
        is_constant = right.is_uniform and not right.text.startswith("%")
        if is_constant and int(right.text) == 0:
            return self._lanes.result(self._lanes.literal(0, dtype, lanes), left.type, lanes)
        if lanes and not is_constant and dtype.bits <= _LARGEST_EXACT_IN_DOUBLE:
            quotient = self._quotient_in_double(left, right, lanes)
        else:
            quotient = self._quotient(left, right, lanes, is_constant=is_constant)
        if operator == "floor_divide":
            return quotient
        rest = self.instruction("sub", left, self.instruction("mul", quotient, right))
        return rest if is_constant else self._zero_where_zero(right, rest, lanes)

    def _quotient_in_double(self, left: Value, right: Value, lanes: int) -> Value:
        """The floor of the quotient in float64, which processors divide many of at once.

        Exact: quotients of 32-bit integers that are not integers are at least 2^-32 (relative)
        away from one, and float64 has 53 bits.
        """
        dtype = left.dtype
        a, b = (self._conversions.convert(value, dtypes.float64) for value in (left, right))
        ratio = self.instruction("fdiv", a, b)
        floor = self._lanes.intrinsic("llvm.floor", "double", lanes, ratio.text)
        # Through int64: -2^31 / -1 wraps there, as it does everywhere. What is no number, for a
        # divisor of 0, is not chosen below.
        double, wide = vector_type("double", lanes), vector_type("i64", lanes)
        text = self._emit.let(f"fptosi {double} {floor} to {wide}")
        whole = Value(text, dtypes.int64, VARYING)
        return self._zero_where_zero(right, self._conversions.convert(whole, dtype), lanes)

    def _quotient(self, left: Value, right: Value, lanes: int, *, is_constant: bool) -> Value:
        dtype = left.dtype
        kind, condition = vector_type(register_type(dtype), lanes), vector_type("i1", lanes)
        a, b = self._lanes.operand(left, lanes), self._lanes.operand(right, lanes)
        zero, one, minus = (self._lanes.literal(n, dtype, lanes) for n in (0, 1, -1))
        safe = b
        if not is_constant:  # processors trap on division by zero, and of the least by -1
            is_zero = self._emit.let(f"icmp eq {kind} {b}, {zero}")
            safe = self._emit.let(f"select {condition} {is_zero}, {kind} {one}, {kind} {b}")
        if not dtype.is_signed:
            text = self._emit.let(f"udiv {kind} {a}, {safe}")
        else:
            is_minus = self._emit.let(f"icmp eq {kind} {safe}, {minus}")
            safe = self._emit.let(f"select {condition} {is_minus}, {kind} {one}, {kind} {safe}")
            floor = self._floor(kind, a, safe, zero, condition)
            negated = self._emit.let(f"sub {kind} {zero}, {a}")
            text = self._emit.let(
                f"select {condition} {is_minus}, {kind} {negated}, {kind} {floor}"
            )
        value = self._lanes.result(text, left.type, lanes)
        return value if is_constant else self._zero_where_zero(right, value, lanes)

    def _floor(self, kind: str, a: str, b: str, zero: str, condition: str) -> str:
        """Division that rounds to zero, less one where there is a rest and the signs differ."""
        quotient = self._emit.let(f"sdiv {kind} {a}, {b}")
        product = self._emit.let(f"mul {kind} {quotient}, {b}")
        rest = self._emit.let(f"sub {kind} {a}, {product}")
        has_rest = self._emit.let(f"icmp ne {kind} {rest}, {zero}")
        signs = self._emit.let(f"xor {kind} {a}, {b}")
        differ = self._emit.let(f"icmp slt {kind} {signs}, {zero}")
        lower = self._emit.let(f"and {condition} {has_rest}, {differ}")
        step = self._emit.let(f"sext {condition} {lower} to {kind}")
        return self._emit.let(f"add {kind} {quotient}, {step}")

    def _zero_where_zero(self, divisor: Value, value: Value, lanes: int) -> Value:
        dtype = divisor.dtype
        kind, condition = vector_type(register_type(dtype), lanes), vector_type("i1", lanes)
        zero = self._lanes.literal(0, dtype, lanes)
        is_zero = self._emit.let(f"icmp eq {kind} {self._lanes.operand(divisor, lanes)}, {zero}")
        given = self._lanes.operand(value, lanes)
        text = self._emit.let(f"select {condition} {is_zero}, {kind} {zero}, {kind} {given}")
        return self._lanes.result(text, dtype, lanes)

    # --- the other operators

    def compare(self, operator: str, left: Value, right: Value) -> Value:
        """An operator of COMPARE on two values of one type."""
        left, right = self._conversions.widened(left), self._conversions.widened(right)
        dtype, lanes = left.dtype, self._lanes.width(left, right)
        kind = vector_type(register_type(dtype), lanes)
        if dtype.is_float:
            instruction = f"fcmp {_FLOAT_COMPARE[operator]}"
        else:
            sign = "s" if dtype.is_signed else "u"
            instruction = f"icmp {operator if operator in ('eq', 'ne') else sign + operator}"
        a, b = self._lanes.operand(left, lanes), self._lanes.operand(right, lanes)
        return self._lanes.result(
            self._emit.let(f"{instruction} {kind} {a}, {b}"), dtypes.bool_, lanes
        )

    def unary(self, operator: str, value: Value) -> Value:
        """An operator of UNARY."""
        lanes, dtype = self._lanes.width(value), value.dtype
        if operator == "negate" and dtype is dtypes.bfloat16:
            sign = Value(self._lanes.literal(-0x8000, dtypes.int16, 0), dtype, UNIFORM)
            return self.instruction("xor", value, sign)
        if operator == "negate" and value.stride and dtype.is_signed:
            text = self._emit.let(f"sub {register_type(dtype)} 0, {value.text}")
            return Value(text, dtype, -value.stride)
        kind, given = vector_type(register_type(dtype), lanes), self._lanes.operand(value, lanes)
        if operator == "negate":
            zero = self._lanes.literal(0, dtype, lanes)
            instruction = f"fneg {kind}" if dtype.is_float else f"sub {kind} {zero},"
            return self._lanes.result(self._emit.let(f"{instruction} {given}"), dtype, lanes)
        ones = self._lanes.literal(True if dtype.is_bool else -1, dtype, lanes)
        return self._lanes.result(self._emit.let(f"xor {kind} {given}, {ones}"), dtype, lanes)

    def logical(self, operator: str, left: Value, right: Value) -> Value:
        """``and`` or ``or`` of booleans; both are evaluated."""
        return self.instruction(operator, left, right)

    def select(self, condition: Value, when_true: Value, when_false: Value) -> Value:
        """One of two values of one type."""
        lanes = self._lanes.width(condition, when_true, when_false)
        kind = vector_type(register_type(when_true.dtype), lanes)
        a, b = self._lanes.operand(when_true, lanes), self._lanes.operand(when_false, lanes)
        chooser = "i1" if condition.is_uniform else vector_type("i1", lanes)
        text = self._emit.let(f"select {chooser} {condition.text}, {kind} {a}, {kind} {b}")
        selected = self._lanes.result(text, when_true.type, lanes)
        return self._chains.extend(selected, lanes, when_true, when_false)

    def extreme(self, which: str, left: Value, right: Value) -> Value:
        """The lesser or greater of two values; NaN where one is NaN."""
        dtype = left.dtype
        if dtype is dtypes.bfloat16:
            wide = map(self._conversions.widened, (left, right))
            return self._conversions.narrowed(self.extreme(which, *wide))
        lanes = self._lanes.width(left, right)
        a, b = self._lanes.operand(left, lanes), self._lanes.operand(right, lanes)
        if dtype.is_float:
            name = "llvm.minimum" if which == "min" else "llvm.maximum"
        else:
            name = f"llvm.{'s' if dtype.is_signed else 'u'}{which}"
        text = self._lanes.intrinsic(name, register_type(dtype), lanes, a, b)
        return self._lanes.result(text, dtype, lanes)

    def bitcast(self, value: Value, target: DType) -> Value:
        """The same bits as another type of that size."""
        lanes = self._lanes.width(value)
        source, wanted = register_type(value.dtype), register_type(target)
        given = self._lanes.operand(value, lanes)
        if source == wanted:
            return self._lanes.result(given, target, lanes)
        kinds = f"{vector_type(source, lanes)} {given} to {vector_type(wanted, lanes)}"
        return self._lanes.result(self._emit.let(f"bitcast {kinds}"), target, lanes)

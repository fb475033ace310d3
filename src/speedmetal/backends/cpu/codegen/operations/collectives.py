"""Collectives: a simdgroup is one vector of 32 lanes, so they are operations on its lanes.

Idle lanes take part with the operation's neutral value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    constant,
    constant_vector,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.operations.permutations import (
    Permutations,
    known_lanes,
    source_lanes,
)
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import QUAD_LANES, Exchange

_SCANS = {
    "prefix_inclusive_sum": ("sum", True),
    "prefix_exclusive_sum": ("sum", False),
    "prefix_inclusive_product": ("product", True),
    "prefix_exclusive_product": ("product", False),
}
_COMBINE = {"sum": "add", "product": "multiply", "and": "bit_and", "or": "bit_or", "xor": "bit_xor"}
_INTEGERS = {16: dtypes.int16, 32: dtypes.int32, 64: dtypes.int64}


class Collectives:
    """Writes collectives; the function has 32 lanes. Owns nothing; asks which lanes are active."""

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        conversions: Conversions,
        arithmetic: Arithmetic,
        permutations: Permutations,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._conversions = conversions
        self._arithmetic = arithmetic
        self._permutations = permutations

    def operation(self, exchange: Exchange, arguments: tuple[Value, ...]) -> Value:
        """The result of a collective intrinsic."""
        operation = exchange.operation
        if operation in _SCANS:
            return self._scan(*_SCANS[operation], arguments[0])
        special = self._OF_QUADS if exchange.is_of_quads else self._OF_SIMDGROUPS
        if operation in special:
            return special[operation](self, *arguments)
        if operation in _COMBINE or operation in ("min", "max"):
            return self._reduce_lanes(operation, arguments[0], exchange.lanes)
        return self._permute_lanes(operation, arguments[0], arguments[1], exchange.lanes)

    # --- reductions and scans

    def _neutral_element(self, operation: str, dtype: DType) -> float:
        if operation in ("min", "max"):
            if dtype.is_float:
                return float("inf") if operation == "min" else float("-inf")
            return dtype.maximum if operation == "min" else dtype.minimum
        if operation == "product":
            return 1
        return -1 if operation == "and" else 0

    def _filled(self, value: Value, neutral: float) -> str:
        """The value's lanes, idle ones replaced."""
        kind = vector_type(register_type(value.dtype), self._lanes.count)
        rest = self._lanes.literal(neutral, value.dtype, self._lanes.count)
        return self._active.select(kind, self._lanes.vector(value), rest)

    def _combine_lanes(
        self, operation: str, left: Value, right: Value, arithmetic: Arithmetic | None = None
    ) -> Value:
        arithmetic = arithmetic or self._arithmetic
        if operation in ("min", "max"):
            return arithmetic.extreme(operation, left, right)
        return arithmetic.binary(_COMBINE[operation], left, right)

    def _reduce_lanes(self, operation: str, value: Value, span: int) -> Value:
        """By halves, the same order of operations on every machine: lanes 16 apart, 8, ... 1."""
        text = self._filled(value, self._neutral_element(operation, value.dtype))
        total = Value(text, value.type, VARYING)
        if operation in ("min", "max") and value.dtype.is_float:
            numbers = self._to_ordered_integers(operation, total)
            found = self._combine_all_lanes(operation, numbers, span)
            return self._arithmetic.bitcast(self._turn_negatives(found), value.dtype)
        return self._combine_all_lanes(operation, total, span)

    def _combine_all_lanes(self, operation: str, total: Value, span: int) -> Value:
        if span == self._lanes.count:
            return self._reduce_whole(operation, total)
        distance = span // 2
        while distance:
            lanes = [lane ^ distance for lane in range(self._lanes.count)]
            moved = self._permutations.pick(total, total, lanes)
            total = self._combine_lanes(operation, total, moved)
            distance //= 2
        return total

    def _reduce_whole(self, operation: str, total: Value) -> Value:
        """As butterflies would, of which the first lane alone is wanted."""
        count = self._lanes.count
        while count > 1:
            count //= 2
            lower, upper = self._permutations.halves(total, count)
            total = self._combine_lanes(operation, lower, upper, self._arithmetic.of_lanes(count))
        return Value(total.text, total.type, UNIFORM)

    def _to_ordered_integers(self, operation: str, value: Value) -> Value:
        """Integers in the order of the floats, -0 before 0; NaN beyond the end that is sought.

        An instruction compares two of them, where floats take six for the sake of NaN and -0.
        """
        kind = _INTEGERS[value.dtype.bits]
        numbers = self._turn_negatives(self._arithmetic.bitcast(value, kind))
        is_nan = self._arithmetic.compare("ne", value, value)
        # Turned back, both ends are NaN.
        end = kind.maximum if operation == "max" else kind.minimum
        return self._arithmetic.select(is_nan, Value(str(end), kind, UNIFORM), numbers)

    def _turn_negatives(self, numbers: Value) -> Value:
        """Between a float's bits and an integer in the same order, either way."""
        kind = numbers.dtype
        bits, rest = (Value(str(n), kind, UNIFORM) for n in (kind.bits - 1, kind.maximum))
        sign = self._arithmetic.binary("shift_right", numbers, bits)
        return self._arithmetic.binary(
            "bit_xor", numbers, self._arithmetic.binary("bit_and", sign, rest)
        )

    def _scan(self, operation: str, inclusive: bool, value: Value) -> Value:  # noqa: FBT001
        neutral = self._neutral_element(operation, value.dtype)
        total = Value(self._filled(value, neutral), value.type, VARYING)
        rest = self._lanes.literal(neutral, value.dtype, self._lanes.count)
        fill = Value(rest, value.type, VARYING)
        if not inclusive:
            total = self._shift_lanes_up(total, fill, 1)
        distance = 1
        while distance < self._lanes.count:
            moved = self._shift_lanes_up(total, fill, distance)
            total = self._combine_lanes(operation, moved, total)
            distance *= 2
        return total

    def _shift_lanes_up(self, value: Value, fill: Value, distance: int) -> Value:
        lanes = [
            lane - distance if lane >= distance else self._lanes.count + lane
            for lane in range(self._lanes.count)
        ]
        return self._permutations.pick(value, fill, lanes)

    # --- votes

    def _votes(self, predicate: Value, idle: int = 0) -> str:
        """The lanes in which a predicate holds, as bits; what idle ones count as is given."""
        kind = self._lanes.mask_type
        text = self._filled(predicate, idle)
        return self._emit.let(f"bitcast {kind} {text} to {self._lanes.bits_type}")

    def _ballot(self, predicate: Value) -> Value:
        return Value(self._votes(predicate), dtypes.uint32, UNIFORM)

    def _vote(self, comparison: str, other: str, predicate: Value) -> Value:
        votes = self._votes(predicate)
        text = self._emit.let(f"icmp {comparison} {self._lanes.bits_type} {votes}, {other}")
        return Value(text, dtypes.bool_, UNIFORM)

    def _all(self, predicate: Value) -> Value:
        return self._vote("eq", self._active.bits(), predicate)

    def _is_first(self) -> Value:
        kind = vector_type("i64", self._lanes.count)
        numbers = constant_vector("i64", range(self._lanes.count))
        first = self._lanes.splat("i64", self._active.first())
        return Value(self._emit.let(f"icmp eq {kind} {numbers}, {first}"), dtypes.bool_, VARYING)

    def _quad_any(self, predicate: Value) -> Value:
        return self._to_lanes(self._any_of_quads(self._votes(predicate)))

    def _quad_all(self, predicate: Value) -> Value:
        """No active lane of the quad votes against it."""
        bits = self._lanes.bits_type
        against = self._emit.let(f"xor {bits} {self._votes(predicate, idle=1)}, -1")
        return self._to_lanes(self._emit.let(f"xor {bits} {self._any_of_quads(against)}, -1"))

    def _any_of_quads(self, votes: str) -> str:
        """All four bits of each quad that has one."""
        bits, found = self._lanes.bits_type, votes
        for distance in (1, 2):
            above = self._emit.let(f"lshr {bits} {found}, {distance}")
            found = self._emit.let(f"or {bits} {found}, {above}")
        lowest = self._emit.let(f"and {bits} {found}, {0x11111111}")
        return self._emit.let(f"mul {bits} {lowest}, 15")

    def _to_lanes(self, bits: str) -> Value:
        text = self._emit.let(f"bitcast {self._lanes.bits_type} {bits} to {self._lanes.mask_type}")
        return Value(text, dtypes.bool_, VARYING)

    def _quad_ballot(self, predicate: Value) -> Value:
        """The simdgroup's votes, shifted to each lane's quad."""
        count = self._lanes.count
        kind = vector_type("i32", count)
        votes = self._lanes.splat("i32", self._votes(predicate))
        firsts = constant_vector("i32", [n - n % QUAD_LANES for n in range(count)])
        own = self._emit.let(f"lshr {kind} {votes}, {firsts}")
        text = self._emit.let(f"and {kind} {own}, splat (i32 15)")
        return Value(text, dtypes.uint32, VARYING)

    # --- permutations

    def _chosen_lane(self, value: Value, lane: str) -> Value:
        if value.is_uniform:
            return value
        text = self._lanes.extract(self._lanes.vector(value), value.dtype, lane)
        return Value(text, value.type, UNIFORM)

    def _broadcast(self, value: Value, lane: Value) -> Value:
        if not lane.is_uniform:
            return self._permute_lanes("shuffle", value, lane, self._lanes.count)
        return self._chosen_lane(value, self._lane_number(lane.text, lane.dtype))

    def _lane_number(self, text: str, dtype: DType) -> str:
        last = constant(self._lanes.count - 1, dtype)
        kept = self._emit.let(f"and {register_type(dtype)} {text}, {last}")
        return self._conversions.convert(Value(kept, dtype, UNIFORM), dtypes.int64).text

    def _permute_lanes(self, operation: str, value: Value, operand: Value, span: int) -> Value:
        """Each lane takes the value of another in its span; out of the span it keeps its own."""
        known = known_lanes(operand, self._lanes.count)
        if known is not None:
            return self._permutations.pick(value, value, source_lanes(operation, known, span))
        own = constant_vector("i32", range(self._lanes.count))
        kind = vector_type("i32", self._lanes.count)
        distance = self._lanes.vector(self._conversions.convert(operand, dtypes.int32))
        base = constant_vector("i32", [n - n % span for n in range(self._lanes.count)])
        if operation in ("shuffle", "broadcast"):
            wanted = self._emit.let(f"add {kind} {base}, {distance}")
        else:
            instruction = {"shuffle_up": "sub", "shuffle_down": "add", "shuffle_xor": "xor"}
            wanted = self._emit.let(f"{instruction[operation]} {kind} {own}, {distance}")
        from_base = self._emit.let(f"sub {kind} {wanted}, {base}")
        inside = self._emit.let(f"icmp ult {kind} {from_base}, splat (i32 {span})")
        condition = self._lanes.mask_type
        lane = self._emit.let(f"select {condition} {inside}, {kind} {wanted}, {kind} {own}")
        return self._permutations.gather(value, lane)

    _OF_SIMDGROUPS: ClassVar[dict[str, Callable[..., Value]]] = {
        "ballot": _ballot,
        "any": lambda self, p: self._vote("ne", "0", p),
        "all": _all,
        "is_first": _is_first,
        "broadcast": _broadcast,
        "broadcast_first": lambda self, x: self._chosen_lane(x, self._active.first()),
    }
    _OF_QUADS: ClassVar[dict[str, Callable[..., Value]]] = {
        "ballot": _quad_ballot,
        "any": _quad_any,
        "all": _quad_all,
    }

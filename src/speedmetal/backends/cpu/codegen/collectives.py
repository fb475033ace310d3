"""Collectives: a simdgroup is one vector of 32 lanes, so they are operations on its lanes.

Idle lanes take part with the operation's neutral value.
"""

from __future__ import annotations

from collections.abc import Callable

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.atomics import Atomics
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.llvm_text import (
    constant,
    constant_vector,
    overload,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.values import Value
from speedmetal.dtypes import DType

SIMDGROUP_LANES = 32
_QUAD_LANES = 4

_SCANS = {
    "simd_prefix_inclusive_sum": ("sum", True),
    "simd_prefix_exclusive_sum": ("sum", False),
    "simd_prefix_inclusive_product": ("product", True),
    "simd_prefix_exclusive_product": ("product", False),
}
_COMBINE = {"sum": "add", "product": "multiply", "and": "bit_and", "or": "bit_or", "xor": "bit_xor"}


class Collectives(Atomics):
    """Writes collectives; the function has 32 lanes."""

    def collective(self, name: str, arguments: tuple[Value, ...]) -> Value:
        """The result of a collective intrinsic."""
        if name in _SCANS:
            return self._scan(*_SCANS[name], arguments[0])
        scope, _, operation = name.partition("_")
        if operation in _COMBINE or operation in ("min", "max"):
            span = self.lanes if scope == "simd" else _QUAD_LANES
            return self._reduced(operation, arguments[0], span)
        special: dict[str, Callable[..., Value]] = {
            "simd_ballot": self._ballot,
            "simd_any": lambda p: self._vote("ne", "0", p),
            "simd_all": self._all,
            "simd_is_first": self._is_first,
            "simd_broadcast": self._broadcast,
            "simd_broadcast_first": lambda x: self._lane_of(x, self.first_lane()),
            "quad_ballot": self._quad_ballot,
            "quad_any": lambda p: self._quad_vote("or", p),
            "quad_all": lambda p: self._quad_vote("and", p),
        }
        if name in special:
            return special[name](*arguments)
        span = self.lanes if scope == "simd" else _QUAD_LANES
        return self._permuted(operation, arguments[0], arguments[1], span)

    # --- reductions and scans

    def _neutral(self, operation: str, dtype: DType) -> float:
        if operation in ("min", "max"):
            if dtype.is_float:
                return float("inf") if operation == "min" else float("-inf")
            return dtype.maximum if operation == "min" else dtype.minimum
        if operation == "product":
            return 1
        return -1 if operation == "and" and not dtype.is_bool else float(operation == "and")

    def _active(self, value: Value, neutral: float) -> str:
        """The value's lanes, idle ones replaced."""
        text = self.vector(value)
        if self.mask is None:
            return text
        kind = vector_type(register_type(value.dtype), self.lanes)
        rest = self.literal(neutral, value.dtype, self.lanes)
        mask = vector_type("i1", self.lanes)
        return self.w.let(f"select {mask} {self.mask}, {kind} {text}, {kind} {rest}")

    def _combined_lanes(self, operation: str, left: Value, right: Value) -> Value:
        if operation in ("min", "max"):
            return self.extreme(operation, left, right)
        if left.dtype.is_bool:
            return self.logical(operation, left, right)
        return self.binary(_COMBINE[operation], left, right)

    def _shuffled(self, value: Value, other: Value, lanes: list[int]) -> Value:
        """Lanes picked from two vectors, those of the second counted on from the first's."""
        kind = vector_type(register_type(value.dtype), self.lanes)
        numbers = constant_vector("i32", lanes)
        picked = f"<{self.lanes} x i32> {numbers}"
        a, b = self.vector(value), self.vector(other)
        text = self.w.let(f"shufflevector {kind} {a}, {kind} {b}, {picked}")
        return Value(text, value.type, VARYING)

    def _reduced(self, operation: str, value: Value, span: int) -> Value:
        """Butterflies: the same order of operations on every machine."""
        text = self._active(value, self._neutral(operation, value.dtype))
        total = Value(text, value.type, VARYING)
        distance = 1
        while distance < span:
            lanes = [lane ^ distance for lane in range(self.lanes)]
            total = self._combined_lanes(operation, total, self._shuffled(total, total, lanes))
            distance *= 2
        if span < self.lanes:
            return total
        return Value(self.first(total), value.type, UNIFORM)

    def _scan(self, operation: str, inclusive: bool, value: Value) -> Value:  # noqa: FBT001
        neutral = self._neutral(operation, value.dtype)
        total = Value(self._active(value, neutral), value.type, VARYING)
        fill = Value(self.literal(neutral, value.dtype, self.lanes), value.type, VARYING)
        if not inclusive:
            total = self._moved_up(total, fill, 1)
        distance = 1
        while distance < self.lanes:
            moved = self._moved_up(total, fill, distance)
            total = self._combined_lanes(operation, moved, total)
            distance *= 2
        return total

    def _moved_up(self, value: Value, fill: Value, distance: int) -> Value:
        lanes = [
            lane - distance if lane >= distance else self.lanes + lane for lane in range(self.lanes)
        ]
        return self._shuffled(value, fill, lanes)

    # --- votes

    def _votes(self, predicate: Value) -> str:
        """The active lanes in which a predicate holds, as bits."""
        kind = vector_type("i1", self.lanes)
        text = self._active(predicate, 0)
        return self.w.let(f"bitcast {kind} {text} to i{self.lanes}")

    def _ballot(self, predicate: Value) -> Value:
        return Value(self._votes(predicate), dtypes.uint32, UNIFORM)

    def _vote(self, comparison: str, other: str, predicate: Value) -> Value:
        votes = self._votes(predicate)
        text = self.w.let(f"icmp {comparison} i{self.lanes} {votes}, {other}")
        return Value(text, dtypes.bool_, UNIFORM)

    def _all(self, predicate: Value) -> Value:
        return self._vote("eq", self.mask_bits(), predicate)

    def _is_first(self) -> Value:
        kind = vector_type("i64", self.lanes)
        numbers = constant_vector("i64", range(self.lanes))
        first = self.splat("i64", self.first_lane())
        return Value(self.w.let(f"icmp eq {kind} {numbers}, {first}"), dtypes.bool_, VARYING)

    def _quad_vote(self, operation: str, predicate: Value) -> Value:
        return self._reduced(operation, predicate, _QUAD_LANES)

    def _quad_ballot(self, predicate: Value) -> Value:
        """Each lane's bit at its place in the quad, summed over the quad."""
        bits = constant_vector("i32", [1 << (n % _QUAD_LANES) for n in range(self.lanes)])
        kind = vector_type("i32", self.lanes)
        text = self._active(predicate, 0)
        condition = vector_type("i1", self.lanes)
        own = self.w.let(f"select {condition} {text}, {kind} {bits}, {kind} zeroinitializer")
        total = Value(own, dtypes.uint32, VARYING)
        for distance in (1, 2):
            lanes = [lane ^ distance for lane in range(self.lanes)]
            total = self.binary("bit_or", total, self._shuffled(total, total, lanes))
        return total

    # --- permutations

    def _lane_of(self, value: Value, lane: str) -> Value:
        if value.is_uniform:
            return value
        text = self.extract(self.vector(value), value.dtype, lane)
        return Value(text, value.type, UNIFORM)

    def _broadcast(self, value: Value, lane: Value) -> Value:
        if not lane.is_uniform:
            return self._permuted("shuffle", value, lane, self.lanes)
        return self._lane_of(value, self._lane_number(lane.text, lane.dtype))

    def _lane_number(self, text: str, dtype: DType) -> str:
        last = constant(self.lanes - 1, dtype)
        kept = self.w.let(f"and {register_type(dtype)} {text}, {last}")
        return self.convert(Value(kept, dtype, UNIFORM), dtypes.int64).text

    def _permuted(self, operation: str, value: Value, operand: Value, span: int) -> Value:
        """Each lane takes the value of another in its span; out of the span it keeps its own."""
        own = constant_vector("i32", range(self.lanes))
        kind = vector_type("i32", self.lanes)
        distance = self.vector(self.convert(operand, dtypes.int32))
        base = constant_vector("i32", [n - n % span for n in range(self.lanes)])
        if operation in ("shuffle", "broadcast"):
            wanted = self.w.let(f"add {kind} {base}, {distance}")
        else:
            instruction = {"shuffle_up": "sub", "shuffle_down": "add", "shuffle_xor": "xor"}
            wanted = self.w.let(f"{instruction[operation]} {kind} {own}, {distance}")
        from_base = self.w.let(f"sub {kind} {wanted}, {base}")
        inside = self.w.let(f"icmp ult {kind} {from_base}, splat (i32 {span})")
        condition = vector_type("i1", self.lanes)
        lane = self.w.let(f"select {condition} {inside}, {kind} {wanted}, {kind} {own}")
        return self._picked(value, lane)

    def _picked(self, value: Value, lanes: str) -> Value:
        """``value[lanes[n]]`` in each lane n, by way of memory."""
        element = register_type(value.dtype)
        wide = Value(self.vector(value), value.type, VARYING)
        kind = vector_type(element, self.lanes)
        place = self.w.slot(kind, "lanes")
        self.w.do(f"store {kind} {wide.text}, ptr {place}, align 64")
        numbers = f"<{self.lanes} x i32> {lanes}"
        pointers = self.w.let(f"getelementptr {element}, ptr {place}, {numbers}")
        size = value.dtype.bits // 8
        text = self.w.call(
            kind,
            f"llvm.masked.gather.{overload(element, self.lanes)}.v{self.lanes}p0",
            (f"<{self.lanes} x ptr> align {size}", pointers),
            (vector_type("i1", self.lanes), "splat (i1 true)"),
            (kind, "poison"),
        )
        return Value(text, value.type, VARYING)

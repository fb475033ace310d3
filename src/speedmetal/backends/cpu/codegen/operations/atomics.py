"""Atomic accesses of a vector of threads: lane after lane.

A threadgroup runs on one processor thread, so its own memory needs no atomic instructions.
"""

from __future__ import annotations

from collections.abc import Callable

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.addresses import Addresses
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    memory_type,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.operations.single_lanes import SingleLanes
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.dtypes import DType
from speedmetal.ir.nodes import Array, Atomic
from speedmetal.ir.types import Space

# What `atomicrmw` has for integers; signed and unsigned.
_NATIVE = {
    "exchange": ("xchg", "xchg"),
    "add": ("add", "add"),
    "subtract": ("sub", "sub"),
    "min": ("min", "umin"),
    "max": ("max", "umax"),
    "and": ("and", "and"),
    "or": ("or", "or"),
    "xor": ("xor", "xor"),
}
_OPERATORS = {
    "add": "add",
    "subtract": "subtract",
    "and": "bit_and",
    "or": "bit_or",
    "xor": "bit_xor",
}
_UNROLLED_LANES = 16


class Atomics:
    """Writes atomic accesses. Owns nothing.

    Asks where elements are, which lanes are active, and for what one lane computes.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        conversions: Conversions,
        arithmetic: Arithmetic,
        singles: SingleLanes,
        addresses: Addresses,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._conversions = conversions
        self._arithmetic = arithmetic
        self._singles = singles
        self._addresses = addresses

    def atomic(
        self, node: Atomic, indices: tuple[Value, ...], operands: tuple[Value, ...]
    ) -> Value | None:
        """Write one access for each active lane; returns the old values, if they are wanted."""
        dtype = node.array.type.dtype
        offset = self._addresses.offset(node.array, indices)
        if not self._lanes.count or offset.is_uniform:
            pointer = self._addresses.address(node.array, indices, None).pointer
            if not self._lanes.count:
                return Value(self._access(node, pointer, [o.text for o in operands]), dtype)
            if self._can_be_summed(node):
                self._add_sum(node, pointer, operands[0])
                return None
            return self._lane_by_lane(node, lambda _: pointer, operands)
        return self._lane_by_lane(node, self._pointers_of_lanes(node.array, offset), operands)

    def _pointers_of_lanes(self, array: Array, offset: Value) -> Callable[[str], str]:
        """What writes the pointer of a lane."""
        # Threadgroup memory is small: half as many bytes to spread.
        short = array.type.space is Space.THREADGROUP
        kept = self._conversions.convert(offset, dtypes.int32) if short else offset
        place = self._singles.spread(self._lanes.varying(kept))
        base, kind = self._addresses.of(array).pointer, memory_type(array.type.dtype)

        def pointer(lane: str) -> str:
            number = self._conversions.convert(self._singles.lane_of(place, lane), dtypes.int64)
            return self._emit.let(f"getelementptr {kind}, ptr {base}, i64 {number.text}")

        return pointer

    # --- one element for all lanes, old values not wanted: one access with the sum

    def _can_be_summed(self, node: Atomic) -> bool:
        is_sum = node.operation == "add" and node.array.type.dtype.is_integer
        return node.result is None and is_sum

    def _add_sum(self, node: Atomic, pointer: str, operand: Value) -> None:
        dtype = operand.dtype
        kind, element = vector_type(register_type(dtype), self._lanes.count), register_type(dtype)
        zero = self._lanes.literal(0, dtype, self._lanes.count)
        given = self._active.select(kind, self._lanes.vector(operand), zero)
        name = f"llvm.vector.reduce.add.v{self._lanes.count}{element}"
        self._access(node, pointer, [self._emit.call(element, name, (kind, given))])

    # --- a loop over the active lanes

    def _lane_by_lane(
        self, node: Atomic, pointer: Callable[[str], str], operands: tuple[Value, ...]
    ) -> Value | None:
        dtype = node.array.type.dtype
        places = tuple(self._singles.spread(operand) for operand in operands)

        def one_lane(lane: str) -> str:
            values = [self._singles.lane_of(place, lane).text for place in places]
            return self._access(node, pointer(lane), values)

        is_full = self._active.mask is None
        if is_full and node.result is None and self._lanes.count <= _UNROLLED_LANES:
            for lane in range(self._lanes.count):
                one_lane(str(lane))
            return None
        if node.result is None:
            for active in self._active.each():
                one_lane(active)
            return None
        return self._collect_lanes(dtype, one_lane)

    def _collect_lanes(self, dtype: DType, one_lane: Callable[[str], str]) -> Value:
        """The old values of all lanes."""
        kind = vector_type(register_type(dtype), self._lanes.count)
        old_values = self._emit.slot(kind, "old")
        for lane in self._active.each():
            old = one_lane(lane)
            before = self._emit.let(f"load {kind}, ptr {old_values}")
            element = register_type(dtype)
            after = self._emit.let(f"insertelement {kind} {before}, {element} {old}, i64 {lane}")
            self._emit.do(f"store {kind} {after}, ptr {old_values}")
        return Value(self._emit.let(f"load {kind}, ptr {old_values}"), dtype, VARYING)

    # --- one access

    def _access(self, node: Atomic, pointer: str, operands: list[str]) -> str:
        """Write one lane's access; returns the old value."""
        if node.array.type.space is Space.THREADGROUP:
            return self._plain_access(node, pointer, operands)
        dtype = node.array.type.dtype
        bits = f"i{dtype.bits}"
        match node.operation:
            case "load":
                return self._from_bits(self._load_bits(pointer, bits, dtype), dtype)
            case "store":
                text = self._to_bits(operands[0], dtype)
                align = dtype.bits // 8
                target = f"ptr {pointer} monotonic, align {align}"
                self._emit.do(f"store atomic {bits} {text}, {target}")
                return operands[0]
            case "compare_exchange":
                expected, desired = (self._to_bits(o, dtype) for o in operands)
                return self._from_bits(self._exchange_if(pointer, bits, expected, desired), dtype)
            case operation if operation == "exchange" or not dtype.is_float:
                name = _NATIVE[operation][0 if dtype.is_signed else 1]
                given = self._to_bits(operands[0], dtype)
                old = self._emit.let(f"atomicrmw {name} ptr {pointer}, {bits} {given} monotonic")
                return self._from_bits(old, dtype)
        return self._retry(node, pointer, operands[0])

    def _load_bits(self, pointer: str, bits: str, dtype: DType) -> str:
        align = dtype.bits // 8
        return self._emit.let(f"load atomic {bits}, ptr {pointer} monotonic, align {align}")

    def _exchange_if(self, pointer: str, bits: str, expected: str, desired: str) -> str:
        pair = self._emit.let(
            f"cmpxchg ptr {pointer}, {bits} {expected}, {bits} {desired} monotonic monotonic"
        )
        return self._emit.let(f"extractvalue {{ {bits}, i1 }} {pair}, 0")

    def _retry(self, node: Atomic, pointer: str, operand: str) -> str:
        """Compute and exchange until nobody came between: floats have no better."""
        dtype = node.array.type.dtype
        bits = f"i{dtype.bits}"
        again, done = self._emit.label("retry"), self._emit.label("done")
        seen = self._emit.slot(bits, "seen")
        self._emit.do(f"store {bits} {self._load_bits(pointer, bits, dtype)}, ptr {seen}")
        self._emit.jump(again)
        self._emit.start(again)
        before = self._emit.let(f"load {bits}, ptr {seen}")
        old = self._from_bits(before, dtype)
        new = self._combine_values(node.operation, old, operand, dtype)
        after = self._exchange_if(pointer, bits, before, self._to_bits(new, dtype))
        self._emit.do(f"store {bits} {after}, ptr {seen}")
        same = self._emit.let(f"icmp eq {bits} {before}, {after}")
        self._emit.branch(same, done, again)
        self._emit.start(done)
        return old

    def _plain_access(self, node: Atomic, pointer: str, operands: list[str]) -> str:
        dtype = node.array.type.dtype
        kind = memory_type(dtype)
        value = self._lanes.loaded(self._emit.let(f"load {kind}, ptr {pointer}"), dtype, 0)
        if node.operation == "load":
            return value.text
        new = self._combine_values(node.operation, value.text, operands[-1], dtype)
        if node.operation == "compare_exchange":
            bits = f"i{dtype.bits}"
            found, expected = self._to_bits(value.text, dtype), self._to_bits(operands[0], dtype)
            same = self._emit.let(f"icmp eq {bits} {found}, {expected}")
            element = register_type(dtype)
            new = self._emit.let(f"select i1 {same}, {element} {new}, {element} {value.text}")
        text = self._lanes.stored(Value(new, dtype, UNIFORM), 0)
        self._emit.do(f"store {kind} {text}, ptr {pointer}")
        return value.text

    def _combine_values(self, operation: str, old: str, operand: str, dtype: DType) -> str:
        left, right = Value(old, dtype, UNIFORM), Value(operand, dtype, UNIFORM)
        if operation in ("min", "max"):
            return self._arithmetic.extreme(operation, left, right).text
        if operation in _OPERATORS:
            return self._arithmetic.binary(_OPERATORS[operation], left, right).text
        return operand

    def _to_bits(self, text: str, dtype: DType) -> str:
        if dtype.is_bool:
            return self._emit.let(f"zext i1 {text} to i8")
        return self._arithmetic.bitcast(Value(text, dtype, UNIFORM), _same_size(dtype)).text

    def _from_bits(self, text: str, dtype: DType) -> str:
        if dtype.is_bool:
            return self._emit.let(f"trunc i8 {text} to i1")
        return self._arithmetic.bitcast(Value(text, _same_size(dtype), UNIFORM), dtype).text


def _same_size(dtype: DType) -> DType:
    return dtypes.find_dtype(f"int{dtype.bits}")

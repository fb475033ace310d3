"""Atomic accesses of a vector of threads: lane after lane.

A threadgroup runs on one processor thread, so its own memory needs no atomic instructions.
"""

from __future__ import annotations

from collections.abc import Callable

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.llvm_text import (
    memory_type,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.loads_stores import Memory
from speedmetal.backends.cpu.codegen.values import Value
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


class Atomics(Memory):
    """Writes atomic accesses."""

    def atomic(
        self, node: Atomic, indices: tuple[Value, ...], operands: tuple[Value, ...]
    ) -> Value | None:
        """Write one access for each active lane; returns the old values, if they are wanted."""
        dtype = node.array.type.dtype
        offset = self.offset(node.array, indices)
        if not self.lanes or offset.is_uniform:
            pointer = self.address(node.array, indices, None).pointer
            if not self.lanes:
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
        kept = self.convert(offset, dtypes.int32) if short else offset
        place = self.spread(self.varying(kept))
        base, kind = self.storages[array].pointer, memory_type(array.type.dtype)

        def pointer(lane: str) -> str:
            number = self.convert(self.lane_of(place, lane), dtypes.int64)
            return self.w.let(f"getelementptr {kind}, ptr {base}, i64 {number.text}")

        return pointer

    # --- one element for all lanes, old values not wanted: one access with the sum

    def _can_be_summed(self, node: Atomic) -> bool:
        is_sum = node.operation == "add" and node.array.type.dtype.is_integer
        return node.result is None and is_sum

    def _add_sum(self, node: Atomic, pointer: str, operand: Value) -> None:
        dtype = operand.dtype
        kind, element = vector_type(register_type(dtype), self.lanes), register_type(dtype)
        given = self.vector(operand)
        if self.mask is not None:
            zero = self.literal(0, dtype, self.lanes)
            mask_kind = vector_type("i1", self.lanes)
            given = self.w.let(f"select {mask_kind} {self.mask}, {kind} {given}, {kind} {zero}")
        name = f"llvm.vector.reduce.add.v{self.lanes}{element}"
        self._access(node, pointer, [self.w.call(element, name, (kind, given))])

    # --- a loop over the active lanes

    def _lane_by_lane(
        self, node: Atomic, pointer: Callable[[str], str], operands: tuple[Value, ...]
    ) -> Value | None:
        dtype = node.array.type.dtype
        places = tuple(self.spread(operand) for operand in operands)

        def one_lane(lane: str) -> str:
            values = [self.lane_of(place, lane).text for place in places]
            return self._access(node, pointer(lane), values)

        if self.mask is None and node.result is None and self.lanes <= _UNROLLED_LANES:
            for lane in range(self.lanes):
                one_lane(str(lane))
            return None
        if node.result is None:
            for active in self.each_active_lane():
                one_lane(active)
            return None
        return self._collected(dtype, one_lane)

    def _collected(self, dtype: DType, one_lane: Callable[[str], str]) -> Value:
        """The old values of all lanes."""
        kind = vector_type(register_type(dtype), self.lanes)
        old_values = self.w.slot(kind, "old")
        for lane in self.each_active_lane():
            old = one_lane(lane)
            before = self.w.let(f"load {kind}, ptr {old_values}")
            element = register_type(dtype)
            after = self.w.let(f"insertelement {kind} {before}, {element} {old}, i64 {lane}")
            self.w.do(f"store {kind} {after}, ptr {old_values}")
        return Value(self.w.let(f"load {kind}, ptr {old_values}"), dtype, VARYING)

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
                self.w.do(f"store atomic {bits} {text}, {target}")
                return operands[0]
            case "compare_exchange":
                expected, desired = (self._to_bits(o, dtype) for o in operands)
                return self._from_bits(self._exchange_if(pointer, bits, expected, desired), dtype)
            case operation if operation == "exchange" or not dtype.is_float:
                name = _NATIVE[operation][0 if dtype.is_signed else 1]
                given = self._to_bits(operands[0], dtype)
                old = self.w.let(f"atomicrmw {name} ptr {pointer}, {bits} {given} monotonic")
                return self._from_bits(old, dtype)
        return self._retry(node, pointer, operands[0])

    def _load_bits(self, pointer: str, bits: str, dtype: DType) -> str:
        align = dtype.bits // 8
        return self.w.let(f"load atomic {bits}, ptr {pointer} monotonic, align {align}")

    def _exchange_if(self, pointer: str, bits: str, expected: str, desired: str) -> str:
        pair = self.w.let(
            f"cmpxchg ptr {pointer}, {bits} {expected}, {bits} {desired} monotonic monotonic"
        )
        return self.w.let(f"extractvalue {{ {bits}, i1 }} {pair}, 0")

    def _retry(self, node: Atomic, pointer: str, operand: str) -> str:
        """Compute and exchange until nobody came between: floats have no better."""
        dtype = node.array.type.dtype
        bits = f"i{dtype.bits}"
        again, done = self.w.label("retry"), self.w.label("done")
        seen = self.w.slot(bits, "seen")
        self.w.do(f"store {bits} {self._load_bits(pointer, bits, dtype)}, ptr {seen}")
        self.w.jump(again)
        self.w.start(again)
        before = self.w.let(f"load {bits}, ptr {seen}")
        old = self._from_bits(before, dtype)
        new = self._combined(node.operation, old, operand, dtype)
        after = self._exchange_if(pointer, bits, before, self._to_bits(new, dtype))
        self.w.do(f"store {bits} {after}, ptr {seen}")
        same = self.w.let(f"icmp eq {bits} {before}, {after}")
        self.w.branch(same, done, again)
        self.w.start(done)
        return old

    def _plain_access(self, node: Atomic, pointer: str, operands: list[str]) -> str:
        dtype = node.array.type.dtype
        kind = memory_type(dtype)
        value = self._from_memory(self.w.let(f"load {kind}, ptr {pointer}"), dtype, 0)
        if node.operation == "load":
            return value.text
        new = self._combined(node.operation, value.text, operands[-1], dtype)
        if node.operation == "compare_exchange":
            bits = f"i{dtype.bits}"
            found, expected = self._to_bits(value.text, dtype), self._to_bits(operands[0], dtype)
            same = self.w.let(f"icmp eq {bits} {found}, {expected}")
            element = register_type(dtype)
            new = self.w.let(f"select i1 {same}, {element} {new}, {element} {value.text}")
        text = self._to_memory(Value(new, dtype, UNIFORM), 0)
        self.w.do(f"store {kind} {text}, ptr {pointer}")
        return value.text

    def _combined(self, operation: str, old: str, operand: str, dtype: DType) -> str:
        left, right = Value(old, dtype, UNIFORM), Value(operand, dtype, UNIFORM)
        if operation in ("min", "max"):
            return self.extreme(operation, left, right).text
        if operation in _OPERATORS:
            return self.binary(_OPERATORS[operation], left, right).text
        return operand

    def extreme(self, which: str, left: Value, right: Value) -> Value:
        """The lesser or greater of two values; NaN where one is NaN."""
        dtype = left.dtype
        if dtype is dtypes.bfloat16:
            return self.narrowed(self.extreme(which, self.widened(left), self.widened(right)))
        lanes = self.width(left, right)
        a, b = self.operand(left, lanes), self.operand(right, lanes)
        if dtype.is_float:
            name = "llvm.minimum" if which == "min" else "llvm.maximum"
        else:
            name = f"llvm.{'s' if dtype.is_signed else 'u'}{which}"
        text = self.intrinsic(name, register_type(dtype), lanes, a, b)
        return self.result(text, dtype, lanes)

    def _to_bits(self, text: str, dtype: DType) -> str:
        if dtype.is_bool:
            return self.w.let(f"zext i1 {text} to i8")
        return self.bitcast(Value(text, dtype, UNIFORM), _same_size(dtype)).text

    def _from_bits(self, text: str, dtype: DType) -> str:
        if dtype.is_bool:
            return self.w.let(f"trunc i8 {text} to i1")
        return self.bitcast(Value(text, _same_size(dtype), UNIFORM), dtype).text


def _same_size(dtype: DType) -> DType:
    return dtypes.named(f"int{dtype.bits}")

"""Lanes picked from a vector: by numbers known now, or by running ones."""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    overload,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit

# What picks lanes of 32 bits from as many registers.
_INSTRUCTIONS = {1: "llvm.x86.avx2.permd", 2: "llvm.x86.avx512.vpermi2var.d.512"}


def known_lanes(value: Value, count: int) -> list[int] | None:
    """An integer of each lane, where it is a constant now."""
    stride = value.stride
    if stride is None or value.text.startswith("%"):
        return None
    return [int(value.text) + n * stride for n in range(count)]


def source_lanes(operation: str, operands: list[int], span: int) -> list[int]:
    """The lane that each lane's value comes from, by the operand of a shuffle in each.

    Lanes exchange in spans of neighbours; out of its span, a lane keeps its own value.

    >>> source_lanes("shuffle_xor", [1] * 4, 4), source_lanes("shuffle_up", [3] * 8, 4)
    ([1, 0, 3, 2], [0, 1, 2, 0, 4, 5, 6, 4])
    """
    sources = []
    for lane, operand in enumerate(operands):
        base = lane - lane % span
        wanted = {
            "shuffle": base + operand,
            "broadcast": base + operand,
            "shuffle_xor": lane ^ operand,
            "shuffle_up": lane - operand,
            "shuffle_down": lane + operand,
        }[operation]
        sources.append(wanted if base <= wanted < base + span else lane)
    return sources


class Permutations:
    """Writes how lanes are picked. Owns nothing; asks how values are held, and for the unit."""

    def __init__(self, emit: Emitter, lanes: Lanes, unit: VectorUnit) -> None:
        self._emit = emit
        self._lanes = lanes
        self._unit = unit

    def pick(self, value: Value, other: Value, lanes: list[int]) -> Value:
        """Lanes picked from two vectors, those of the second counted on from the first's."""
        a, b = self._lanes.vector(value), self._lanes.vector(other)
        element = register_type(value.dtype)
        text = self._lanes.shuffle(element, a, b, lanes, self._lanes.count)
        return Value(text, value.type, VARYING)

    def halves(self, value: Value, count: int) -> tuple[Value, Value]:
        """The halves of a vector of any width: ``count`` lanes each, or a scalar for one."""
        element = register_type(value.dtype)
        if count == 1:
            kind = vector_type(element, 2)
            first, second = (
                self._emit.let(f"extractelement {kind} {value.text}, i64 {n}") for n in range(2)
            )
            return Value(first, value.type, UNIFORM), Value(second, value.type, UNIFORM)
        lower, upper = (
            self._lanes.part(element, value.text, start, count, 2 * count) for start in (0, count)
        )
        return Value(lower, value.type, VARYING), Value(upper, value.type, VARYING)

    def gather(self, value: Value, lanes: str) -> Value:
        """``value[lanes[n]]`` in each lane n; ``lanes`` are i32 from 0 on."""
        wide = Value(self._lanes.vector(value), value.type, VARYING)
        if self._unit.permuted_registers:
            return self._gather_words(wide, lanes)
        return self._gather_from_memory(wide, lanes)

    # --- by running numbers

    def _gather_words(self, value: Value, lanes: str) -> Value:
        """By the processor's instruction for lanes of 32 bits."""
        count, dtype = self._lanes.count, value.dtype
        kind, words = vector_type(register_type(dtype), count), vector_type("i32", count)
        integers = vector_type(f"i{dtype.bits}", count)
        text = value.text
        if kind != integers:
            text = self._emit.let(f"bitcast {kind} {text} to {integers}")
        if dtype.bits < 32:
            wide = self._emit.let(f"zext {integers} {text} to {words}")
            text = self._emit.let(f"trunc {words} {self._permuted(wide, lanes)} to {integers}")
        elif dtype.bits == 32:
            text = self._permuted(text, lanes)
        else:
            text = self._gather_halves(text, lanes)
        if kind != integers:
            text = self._emit.let(f"bitcast {integers} {text} to {kind}")
        return Value(text, value.type, VARYING)

    def _gather_halves(self, text: str, lanes: str) -> str:
        count = self._lanes.count
        kind, words = vector_type("i64", count), vector_type("i32", count)
        shifted = self._emit.let(f"lshr {kind} {text}, splat (i64 32)")
        halves = (self._emit.let(f"trunc {kind} {half} to {words}") for half in (text, shifted))
        low, high = (
            self._emit.let(f"zext {words} {self._permuted(half, lanes)} to {kind}")
            for half in halves
        )
        upper = self._emit.let(f"shl {kind} {high}, splat (i64 32)")
        return self._emit.let(f"or {kind} {upper}, {low}")

    def _permuted(self, text: str, lanes: str) -> str:
        """32 lanes of i32, each picked by its number: each register from all registers."""
        width, count = self._unit.lanes, self._lanes.count
        starts = range(0, count, width)
        given = [self._lanes.part("i32", text, start, width, count) for start in starts]
        numbers = [self._lanes.part("i32", lanes, start, width, count) for start in starts]
        return self._lanes.join("i32", [self._register(given, number) for number in numbers], width)

    def _register(self, given: list[str], numbers: str) -> str:
        """One register's lanes: picked from one or two registers at once, and chosen between."""
        width, at_once = self._unit.lanes, self._unit.permuted_registers
        kind, condition = vector_type("i32", width), vector_type("i1", width)
        found = []
        for start in range(0, len(given), at_once):
            operands = [(kind, given[start]), (kind, numbers)]
            operands += [(kind, text) for text in given[start + 1 : start + at_once]]
            found.append(self._emit.call(kind, _INSTRUCTIONS[at_once], *operands))
        bit = width * at_once
        while len(found) > 1:
            own = self._emit.let(f"and {kind} {numbers}, splat (i32 {bit})")
            upper = self._emit.let(f"icmp ne {kind} {own}, zeroinitializer")
            found = [
                self._emit.let(f"select {condition} {upper}, {kind} {b}, {kind} {a}")
                for a, b in zip(found[::2], found[1::2], strict=True)
            ]
            bit *= 2
        return found[0]

    def _gather_from_memory(self, value: Value, lanes: str) -> Value:
        count = self._lanes.count
        element = register_type(value.dtype)
        kind = vector_type(element, count)
        place = self._emit.slot(kind, "lanes")
        self._emit.do(f"store {kind} {value.text}, ptr {place}, align 64")
        pointers = self._emit.let(f"getelementptr {element}, ptr {place}, <{count} x i32> {lanes}")
        name = f"llvm.masked.gather.{overload(element, count)}.v{count}p0"
        target = (f"<{count} x ptr> align {value.dtype.itemsize}", pointers)
        every = (self._lanes.mask_type, "splat (i1 true)")
        text = self._emit.call(kind, name, target, every, (kind, "poison"))
        return Value(text, value.type, VARYING)

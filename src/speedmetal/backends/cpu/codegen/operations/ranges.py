"""How ranges go on and end, in lanes whose counters may reach the ends of their type."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import value_type
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.common.records import record
from speedmetal.ir import counting
from speedmetal.ir.nodes import For


@record
class Bounds:
    """What a loop's bounds are, with the facts that decide how it is written.

    ``goes_on`` is a slot that holds whether a loop goes on. It is empty where comparing the
    counter with ``stop`` tells that, because the counter stays in its type.
    """

    start: Value
    stop: Value
    step: Value
    rising: bool | None
    goes_on: str = ""
    goes_on_lanes: int = 0


class Ranges:
    """Writes the conditions of loops over ranges. Owns nothing; asks for arithmetic."""

    def __init__(
        self, emit: Emitter, lanes: Lanes, conversions: Conversions, arithmetic: Arithmetic
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions
        self._arithmetic = arithmetic

    def enter(self, node: For, start: Value, stop: Value, step: Value) -> Bounds:
        """Before the loop: find whether there is a first turn, where that is not plain."""
        rising = counting.step_rises(node.step)
        bounds = Bounds(start, stop, step, rising)
        if counting.cannot_overflow(node):
            return bounds
        begins = self._is_before(start, bounds)
        if counting.may_be_zero(node.step) and rising is not None:
            zero = Value("0", step.type, UNIFORM)
            moves = self._arithmetic.compare("ne", step, zero)
            begins = self._arithmetic.logical("and", begins, moves)
        lanes = self._lanes.width(start, stop, step)
        slot = self._emit.slot(value_type(dtypes.bool_, lanes), "goes.on")
        bounds = Bounds(start, stop, step, rising, slot, lanes)
        self._set_goes_on(bounds, begins)
        return bounds

    def may_turn(self, counter: Value, bounds: Bounds) -> Value:
        """At the head of the loop: whether there is a turn with this value of the counter."""
        if not bounds.goes_on:
            return self._is_before(counter, bounds)
        kind = value_type(dtypes.bool_, bounds.goes_on_lanes)
        text = self._emit.let(f"load {kind}, ptr {bounds.goes_on}")
        return self._lanes.result(text, dtypes.bool_, bounds.goes_on_lanes)

    def advance(self, counter: Value, bounds: Bounds) -> Value:
        """After a turn: the counter's next value; it may wrap where there is no next turn."""
        if bounds.goes_on:
            self._set_goes_on(bounds, self._is_far(counter, bounds))
        return self._arithmetic.binary("add", counter, bounds.step)

    def _set_goes_on(self, bounds: Bounds, condition: Value) -> None:
        kind = value_type(dtypes.bool_, bounds.goes_on_lanes)
        text = self._lanes.operand(condition, bounds.goes_on_lanes)
        self._emit.do(f"store {kind} {text}, ptr {bounds.goes_on}")

    def _is_before(self, value: Value, bounds: Bounds) -> Value:
        """Whether a value has not come to ``stop`` yet; never where the step is 0."""
        compare, step = self._arithmetic.compare, bounds.step
        if bounds.rising is not None:
            return compare("lt" if bounds.rising else "gt", value, bounds.stop)
        zero = Value("0", step.type, UNIFORM)
        below, above = (compare(sign, value, bounds.stop) for sign in ("lt", "gt"))
        falls = self._arithmetic.logical("and", compare("lt", step, zero), above)
        return self._arithmetic.select(compare("gt", step, zero), below, falls)

    def _is_far(self, counter: Value, bounds: Bounds) -> Value:
        """Whether ``stop`` is more than a step away from a value before it.

        In unsigned arithmetic: a distance between two values of a type has its width.
        """
        binary, compare = self._arithmetic.binary, self._arithmetic.compare
        select = self._arithmetic.select
        counter, stop, step = map(self._to_unsigned_type, (counter, bounds.stop, bounds.step))
        if bounds.rising is True:
            return compare("gt", binary("subtract", stop, counter), step)
        down, back = binary("subtract", counter, stop), self._arithmetic.unary("negate", step)
        if bounds.rising is False:
            return compare("gt", down, back)
        zero = Value("0", bounds.step.type, UNIFORM)
        rises, up = compare("gt", bounds.step, zero), binary("subtract", stop, counter)
        return compare("gt", select(rises, up, down), select(rises, step, back))

    def _to_unsigned_type(self, value: Value) -> Value:
        return self._conversions.convert(value, dtypes.unsigned_of(value.dtype))

"""Lanes taken one by one, by a number that only the running program knows."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import VARYING
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    memory_type,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value


class SingleLanes:
    """Writes accesses to single lanes. Owns nothing; asks how values are held and converted."""

    def __init__(self, emit: Emitter, lanes: Lanes, conversions: Conversions) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions

    def spread(self, value: Value) -> Value:
        """The value with its lanes in memory, for :meth:`lane_of`; ``text`` is their address.

        Reading lanes one by one from memory takes 0.5 ns each on a Zen 4, taking them out of a
        vector register 2 to 6 ns.
        """
        if value.is_uniform:
            return value
        # Lanes of one bit have no addresses.
        held = self._conversions.convert(value, dtypes.uint8) if value.dtype.is_bool else value
        kind = vector_type(register_type(held.dtype), self._lanes.count)
        text = self._lanes.vector(held)
        # Volatile, or LLVM would take the lanes out of the register after all.
        place = self._emit.slot(kind, "spread")
        self._emit.do(f"store volatile {kind} {text}, ptr {place}")
        return Value(place, value.type, VARYING)

    def lane_of(self, place: Value, lane: str) -> Value:
        """One lane of what :meth:`spread` put into memory; ``lane`` is an i64."""
        if place.is_uniform:
            return place
        element = memory_type(place.dtype)
        target = self._emit.let(f"getelementptr {element}, ptr {place.text}, i64 {lane}")
        text = self._emit.let(f"load volatile {element}, ptr {target}")
        return self._lanes.loaded(text, place.dtype, 0)

"""Chains of selections between integers, cut where LLVM would follow them too far.

LLVM asks of nearly every operand which of its bits are known, and follows a selection into both of
its values, and into the comparison for each of them, six deep. A sort of (int32, index) pairs is
one such chain: 20 pairs took 1.4 s in its InstCombine, and 0.06 s where every third selection is
cut off from those before it.
"""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import value_type
from speedmetal.backends.cpu.codegen.operations.values import Value

_LONGEST_CHAIN = 2
_SMALLEST_REGISTER_BITS = 128


class SelectChains:
    """Counts the selections behind a value, through variables. Owns the counts; asks the emitter.

    What is not known by name has none: a constant, a load, a sum.
    """

    def __init__(self, emit: Emitter) -> None:
        self._emit = emit
        self._lengths: dict[str, int] = {}

    def carry(self, source: str, to: str) -> None:
        """A variable's slot takes a value, or a value is read from a slot."""
        length = self._lengths.get(source)
        if length is not None:
            self._lengths[to] = length
        else:
            self._lengths.pop(to, None)

    def extend(self, selected: Value, lanes: int, *behind: Value) -> Value:
        """What was selected between the values behind it, cut off from them if those are long."""
        if selected.dtype.is_float or selected.dtype.is_bool:
            return selected
        length = 1 + max(self._lengths.get(value.text, 0) for value in behind)
        if length <= _LONGEST_CHAIN:
            self._lengths[selected.text] = length
            return selected
        return Value(self._cut(selected, lanes), selected.type, selected.stride)

    def _cut(self, value: Value, lanes: int) -> str:
        """The value's bits behind an instruction that LLVM does not look through.

        A fence takes floats; both casts and the fence itself become no machine code. In registers
        of integers it would, so scalars are frozen instead, which ends most questions.
        """
        kind = value_type(value.type, lanes)
        bits = value.dtype.bits
        if lanes * bits < _SMALLEST_REGISTER_BITS:
            return self._emit.let(f"freeze {kind} {value.text}")
        element, count = ("double", lanes) if bits == 64 else ("float", lanes * bits // 32)
        floats = f"<{count} x {element}>"
        suffix = f"v{count}f{64 if bits == 64 else 32}"
        cast = self._emit.let(f"bitcast {kind} {value.text} to {floats}")
        fenced = self._emit.call(floats, f"llvm.arithmetic.fence.{suffix}", (floats, cast))
        return self._emit.let(f"bitcast {floats} {fenced} to {kind}")

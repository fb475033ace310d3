"""Loads and stores of lanes whose elements are equally far apart, but no neighbours in memory.

That is along an axis that is not the one of neighbours (``x[::2]``, ``x[::-1]``, a channel of an
image, a column of a matrix). Lane by lane they take a fraction of the time of a gather or scatter:
what a processor fetches ahead it finds by the addresses of loads, and it knows none of a gather's.
Measured on two cores of a Zen 4, 2^22 float32 copied: with a step of 2 13.9 ms by gathers, 1.6 lane
by lane (NumPy: 1.6), with a step of 5 28 and 3.3 ms; softmax over 8 columns 14.2 and 4.4 ms.

Where the text has a short step (``x[3 * i + 1]``, the halves of complex numbers), whole vectors are
loaded instead, and each lane's element is taken out of them. Measured on two cores of a Sapphire
Rapids, 60,000 float32: 11, 15, 19 and 52 us with steps of 2, 3, 4 and 8, lane by lane 23, 23, 23
and 48.
"""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.operations.addresses import Addresses, Stepping
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import memory_type, vector_type
from speedmetal.dtypes import DType

MOST_STEPPING = 16
"""Accesses of a function that are written lane by lane; more would take LLVM too long."""
LONGEST_STEP = 4
"""Up to which whole vectors are loaded: so many of them for one of lanes."""


class Steps:
    """Writes accesses of all lanes, one after the other. Owns their count.

    Args:
        emit: Of the function.
        lanes: Of a vector.
        addresses: Asked where a lane's element is.
    """

    def __init__(self, emit: Emitter, lanes: int, addresses: Addresses) -> None:
        self._emit = emit
        self._lanes = lanes
        self._addresses = addresses
        self._left = MOST_STEPPING

    def take(self) -> bool:
        """Whether one more access may be written lane by lane."""
        self._left -= 1
        return self._left >= 0

    def load(self, at: Stepping, dtype: DType, align: int) -> str:
        """The lanes' elements, as a vector.

        Args:
            at: Where they are.
            dtype: Of the elements.
            align: Of an element, in bytes.
        """
        element = memory_type(dtype)
        kind = vector_type(element, self._lanes)
        if at.step.isdecimal() and 2 <= int(at.step) <= LONGEST_STEP:
            return self._load_vectors(at.pointer, int(at.step), element, align)
        text = "poison"
        for lane in range(self._lanes):
            pointer = self._addresses.of_lane(at, element, lane)
            one = self._emit.let(f"load {element}, ptr {pointer}, align {align}")
            text = self._emit.let(f"insertelement {kind} {text}, {element} {one}, i64 {lane}")
        return text

    def _load_vectors(self, pointer: str, step: int, element: str, align: int) -> str:
        """The same by vectors side by side, the last of which ends with the last lane's element."""
        count = self._lanes
        kind = vector_type(element, count)
        last = (count - 1) * (step - 1)
        text, end = "poison", 0
        for start in (*range(0, last, count), last):
            where = self._emit.let(f"getelementptr {element}, ptr {pointer}, i64 {start}")
            vector = self._emit.let(f"load {kind}, ptr {where}, align {align}")
            found = [lane * step for lane in range(count)]
            mask = ", ".join(
                # What was found before, what is in this vector, and what is yet to be found.
                f"i32 {lane if place < end else count + place - start}"
                if place < start + count
                else "i32 poison"
                for lane, place in enumerate(found)
            )
            choice = f"{kind} {text}, {kind} {vector}, <{count} x i32> <{mask}>"
            text, end = self._emit.let(f"shufflevector {choice}"), start + count
        return text

    def store(self, at: Stepping, dtype: DType, align: int, text: str) -> None:
        """Store the lanes' elements, the first first.

        Args:
            at: Where they go.
            dtype: Of the elements.
            align: Of an element, in bytes.
            text: The elements, a vector.
        """
        element = memory_type(dtype)
        kind = vector_type(element, self._lanes)
        for lane in range(self._lanes):
            pointer = self._addresses.of_lane(at, element, lane)
            one = self._emit.let(f"extractelement {kind} {text}, i64 {lane}")
            self._emit.do(f"store {element} {one}, ptr {pointer}, align {align}")

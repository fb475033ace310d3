"""Atomic operations: the target's own where it has them, else a loop of compare-and-exchange.

All are relaxed: an atomic access orders nothing but accesses to its own element. The loops replace
a whole word (32 bits, or 64 for types of 64 bits); an element of 8 or 16 bits is changed in the
word around it, which other elements share.

A target provides, in its prelude, ``read_word(word)`` and ``replace_word(word, old, desired)``
(with a space's name before them where a target has spaces and it is not device memory),
which is true where ``word`` held ``old`` and holds ``desired`` now, and else updates ``old``; it
may fail without a reason. Its table of native operations has the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from speedmetal.backends.c_family.device_prelude import DevicePrelude, unsigned_type
from speedmetal.dtypes import DType, Kind, uint32, uint64
from speedmetal.ir.types import Space

_PARAMETERS = {
    "load": (),
    "compare_exchange": ("expected", "desired"),
}

_NEW_VALUE = {
    "store": "value",
    "exchange": "value",
    "min": "minimum(current, value)",
    "max": "maximum(current, value)",
}
_SIGNS = {"add": "+", "subtract": "-", "and": "&", "or": "|", "xor": "^"}


@dataclass(frozen=True, slots=True)
class _Element:
    """How an element lies in its word."""

    dtype: DType
    type: str
    pointer: str
    word: str
    narrow: bool


class Atomics:
    """The functions for the atomic operations of a kernel.

    Args:
        helpers: Where they are added.
        conversions: For a type, formats from its bits as an unsigned integer, and to them.
    """

    def __init__(self, helpers: DevicePrelude, conversions: dict[DType, tuple[str, str]]) -> None:
        self._helpers = helpers
        self._conversions = conversions
        self.native: dict[tuple[str, DType, Space], str] = {}

    def function(self, operation: str, dtype: DType, space: Space) -> str:
        """The name of the function that does ``operation`` on an element, which it adds."""
        name = f"{self._prefix(space)}atomic_{operation}"
        element = self._element(dtype, space)
        body = self.native.get((operation, dtype, space))
        if body is None:
            body = self._print_body(operation, element, space)
        operands = _PARAMETERS.get(operation, ("value",))
        parameters = ", ".join(
            [f"{element.pointer} address", *(f"{element.type} {o}" for o in operands)]
        )
        result = "void" if operation == "store" else element.type
        self._helpers.function(name, result, parameters, body)
        return name

    def _prefix(self, space: Space) -> str:
        """The prefix of helper functions for a memory space; empty for device memory.

        Overloads that differ in a pointer's space alone would be one function to a compiler that
        knows no spaces, such as the one of the Metal simulator.
        """
        other = self._helpers.dialect.spaces[space]
        return "" if other == self._helpers.dialect.spaces[Space.DEVICE] else other.strip() + "_"

    def _element(self, dtype: DType, space: Space) -> _Element:
        helpers = self._helpers
        pointer = f"{helpers.dialect.spaces[space]}{helpers.type(dtype)}*"
        word = helpers.type(uint64 if dtype.bits == 64 else uint32)
        return _Element(dtype, helpers.type(dtype), pointer, word, dtype.itemsize < 4)

    def _print_body(self, operation: str, element: _Element, space: Space) -> str:
        for piece in ("as_type", "word", f"word_{space.value}"):
            if piece in self._helpers.dialect.prelude:
                self._helpers.prelude(piece)
        if operation in ("min", "max"):
            self._helpers.extremum(element.dtype, f"{operation}imum")
        lines = self._find_word(element, space)
        prefix = self._prefix(space)
        lines.append(f"{element.word} old = {prefix}read_word(word);")
        current = self._current(element, "old")
        if operation == "load":
            return "\n".join([*lines, f"return {current};"])
        if operation == "compare_exchange":
            return "\n".join([*lines, *self._compare_exchange(element, current, prefix)])
        if operation in _SIGNS:
            new = self._helpers.infix(element.dtype, "current", _SIGNS[operation], "value")
        else:
            new = _NEW_VALUE[operation]
        if element.dtype.is_bool and operation in ("and", "or", "xor"):
            new = f"bool({new})"
        lines += [
            "while (true) {",
            *([] if operation == "store" else [f"    {element.type} current = {current};"]),
            f"    {element.word} desired = {self._word_with(element, new)};",
            f"    if ({prefix}replace_word(word, old, desired)) "
            + ("return;" if operation == "store" else "return current;"),
            "}",
        ]
        return "\n".join(lines)

    def _find_word(self, element: _Element, space: Space) -> list[str]:
        pointer = f"{self._helpers.dialect.spaces[space]}{element.word}*"
        if not element.narrow:
            return [f"{pointer} word = ({pointer})address;"]
        bits = element.dtype.itemsize * 8
        return [
            "// The element is a part of a word of 32 bits.",
            "size_t place = (size_t)address;",
            f"{pointer} word = ({pointer})(place & ~size_t(3));",
            f"{element.word} shift = {element.word}(place & 3) * 8;",
            f"{element.word} mask = {element.word}({2**bits - 1}) << shift;",
        ]

    def _bits_type(self, element: _Element) -> str:
        return self._helpers.type(unsigned_type(element.dtype.itemsize * 8))

    def _current(self, element: _Element, word: str) -> str:
        """The element's value in a word."""
        bits = f"{self._bits_type(element)}({word} >> shift)" if element.narrow else word
        return self._from_bits(element, bits)

    def _from_bits(self, element: _Element, bits: str) -> str:
        if element.dtype.is_integer:
            return bits if element.dtype.kind is Kind.UNSIGNED else f"{element.type}({bits})"
        given = self._conversions.get(element.dtype, ("as_type<{type}>({0})", ""))[0]
        return given.format(bits, type=element.type)

    def _to_bits(self, element: _Element, value: str) -> str:
        if element.dtype.is_integer:
            unsigned = element.dtype.kind is Kind.UNSIGNED
            return value if unsigned else f"{self._bits_type(element)}({value})"
        default = f"as_type<{self._bits_type(element)}>({{0}})"
        return self._conversions.get(element.dtype, ("", default))[1].format(value)

    def _word_with(self, element: _Element, value: str) -> str:
        """The word with another value of the element."""
        bits = self._to_bits(element, value)
        if not element.narrow:
            return bits
        return f"(old & ~mask) | ({element.word}({bits}) << shift)"

    def _compare_exchange(self, element: _Element, current: str, prefix: str) -> list[str]:
        """Fails only where the element's bits differ, whatever its neighbours in the word do."""
        bits = self._bits_type(element)
        found = f"{bits}(old >> shift)" if element.narrow else "old"
        desired = self._word_with(element, "desired")
        return [
            f"while ({found} == {self._to_bits(element, 'expected')}) {{",
            f"    if ({prefix}replace_word(word, old, {desired})) return expected;",
            "}",
            f"return {current};",
        ]

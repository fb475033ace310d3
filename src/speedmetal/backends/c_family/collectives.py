"""Collectives written out with shuffles, where a target has none of its own.

Inside the functions, ``active`` has a bit for each lane that takes part and ``lane`` is the
thread's own; a target says how both are found, and how a value of another lane is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from speedmetal.backends.c_family.device_prelude import (
    DevicePrelude,
    greatest_literal,
    least_literal,
)
from speedmetal.dtypes import DType, bool_, int32, uint32
from speedmetal.intrinsics.record import QUAD_LANES, SIMDGROUP_LANES, Exchange

_COMBINE = {
    "sum": "+",
    "product": "*",
    "min": "minimum",
    "max": "maximum",
    "and": "&",
    "or": "|",
    "xor": "^",
}
_SOURCE = {
    "shuffle": "operand",
    "broadcast": "operand",
    "shuffle_xor": "place ^ operand",
    "shuffle_up": "place - operand",
    "shuffle_down": "place + operand",
}


@dataclass(frozen=True, slots=True)
class Primitives:
    """What a target provides.

    Args:
        context: The parameters of every function that lead to ``active`` and ``lane``.
        active: The expression of a word with a bit for each lane that takes part.
        lane: The expression for the number of the thread's lane.
        lowest: A format: the number of the lowest bit of a word that is not 0.
        shuffle: A format with the value and the lane: the value of another lane.
        ballot: A format with a predicate: a bit for each lane where it is true.
        shuffle_xor: A format with the value and an expression: the value of the lane whose number
            is the thread's own, exclusive or the expression.
        full_prefix: Lines for a simdgroup of which all 32 lanes take part, or empty: a format with
            ``{combined}``, of ``other`` and ``x``.
    """

    context: str
    active: str
    lane: str
    lowest: str
    shuffle: str
    ballot: str
    shuffle_xor: str
    full_prefix: str = ""


class Collectives:
    """The functions for the collectives of a kernel."""

    def __init__(self, helpers: DevicePrelude, primitives: Primitives) -> None:
        self._helpers = helpers
        self._given = primitives

    def function(self, exchange: Exchange, dtype: DType | None) -> str:
        """The name of the function for a collective on operands of this type, which it adds."""
        operation, quad = exchange.operation, exchange.is_of_quads
        own_name = f"{'quadgroup' if quad else 'simdgroup'}_{operation}"
        if operation in _COMBINE:
            assert dtype is not None
            body = self._reduction(operation, dtype, exchange.lanes)
            if exchange.lanes not in (SIMDGROUP_LANES, QUAD_LANES):
                own_name += f"_{exchange.lanes}"
        elif operation.startswith("prefix"):
            assert dtype is not None
            body = self._prefix(operation, dtype)
        elif operation in _SOURCE:
            assert dtype is not None
            return self._shuffle(own_name, operation, dtype, quad=quad)
        else:
            return self._vote(own_name, operation, dtype, quad=quad)
        t = self._helpers.type(dtype)
        self._helpers.function(own_name, t, f"{self._given.context}, {t} x", body)
        return own_name

    # --- Pieces --------------------------------------------------------------------------------

    def _begin(self, *, active: bool = True, lane: bool = True) -> list[str]:
        word = self._helpers.type(uint32)
        lines = []
        if active and self._given.active != "active":
            lines.append(f"{word} active = {self._given.active};")
        if lane and self._given.lane != "lane":
            lines.append(f"{word} lane = {self._given.lane};")
        return lines

    def _combine_values(self, operation: str, dtype: DType, first: str, second: str) -> str:
        word = _COMBINE[operation]
        if operation in ("min", "max"):
            return f"{self._helpers.extremum(dtype, word)}({first}, {second})"
        if operation in ("and", "or", "xor") and dtype.bits >= 32:
            return f"{first} {word} {second}"
        return self._helpers.infix(dtype, first, word, second)

    def _shuffle_lanes(self, dtype: DType, lane: str) -> str:
        text = self._given.shuffle.format("x", lane)
        narrow = dtype.is_integer and dtype.bits < 32
        return f"{self._helpers.type(dtype)}({text})" if narrow else text

    def _identity(self, operation: str, dtype: DType) -> str:
        """What changes nothing when it is combined with a value."""
        dialect = self._helpers.dialect
        t = self._helpers.type(dtype)
        match operation:
            case "sum" | "or" | "xor":
                return f"{t}(0)"
            case "product":
                return f"{t}(1)"
            case "and":
                return f"{t}(~{t}(0))"
            case "min" if not dtype.is_float:
                return greatest_literal(dtype, dialect)
            case "max" if not dtype.is_float:
                return least_literal(dtype, dialect)
        infinity = dialect.double_infinity if dtype.bits == 64 else dialect.infinity
        return infinity if operation == "min" else f"-{infinity}"

    def _reduction(self, operation: str, dtype: DType, lanes: int) -> str:
        """By halves, where all lanes take part; else lane after lane."""
        t, word = self._helpers.type(dtype), self._helpers.type(uint32)
        combined = self._combine_values(operation, dtype, "result", "other")
        is_part = lanes < SIMDGROUP_LANES
        lines = [
            *self._begin(lane=is_part),
            "if (active == 0xffffffff) {",
            f"    for (int offset = {lanes // 2}; offset > 0; offset /= 2) {{",
            f"        {t} other = {t}({self._given.shuffle_xor.format('x', 'offset')});",
            f"        x = {self._combine_values(operation, dtype, 'x', 'other')};",
            "    }",
            "    return x;",
            "}",
            f"{t} result = {self._identity(operation, dtype)};",
        ]
        if is_part:
            lines += [
                f"for ({word} k = 0; k < {lanes}; ++k) {{",
                f"    {word} source = (lane & ~{lanes - 1}u) + k;",
                f"    {t} other = {self._shuffle_lanes(dtype, 'source')};",
                f"    if ((active >> source & 1) != 0) result = {combined};",
            ]
        else:
            lines += [
                f"for ({word} rest = active; rest != 0; rest &= rest - 1) {{",
                f"    {t} other = {self._shuffle_lanes(dtype, self._given.lowest.format('rest'))};",
                f"    result = {combined};",
            ]
        return "\n".join([*lines, "}", "return result;"])

    def _prefix(self, operation: str, dtype: DType) -> str:
        _, reach, combine = operation.split("_")
        t, word = self._helpers.type(dtype), self._helpers.type(uint32)
        identity = self._identity(combine, dtype)
        lines = self._begin()
        if self._given.full_prefix:
            full = self._combine_values(combine, dtype, "other", "x")
            ending = (
                "return x;"
                if reach == "inclusive"
                else _SHIFTED.format(
                    type=t, shuffle=self._shuffle_lanes(dtype, "lane - 1 & 31"), identity=identity
                )
            )
            text = self._given.full_prefix.format(type=t, combined=full, ending=ending)
            lines += text.splitlines()
        within = "<=" if reach == "inclusive" else "<"
        lines += [
            f"{t} result = {identity};",
            f"for ({word} rest = active; rest != 0; rest &= rest - 1) {{",
            f"    {word} source = {self._given.lowest.format('rest')};",
            f"    {t} other = {self._shuffle_lanes(dtype, 'source')};",
            (
                f"    if (source {within} lane) result = "
                f"{self._combine_values(combine, dtype, 'result', 'other')};"
            ),
            "}",
            "return result;",
        ]
        return "\n".join(lines)

    def _shuffle(self, name: str, operation: str, dtype: DType, *, quad: bool) -> str:
        t, word, number = map(self._helpers.type, (dtype, uint32, int32))
        size = 4 if quad else 32
        lines = self._begin(active="up" in operation or "down" in operation)
        base = "(lane & ~3u) + " if quad else ""
        lines += [
            f"{word} place = lane & {size - 1};",
            f"{word} source = {_SOURCE[operation].replace('operand', f'{word}(operand)')};",
        ]
        wrapped = f"source & {size - 1}"
        value = self._shuffle_lanes(dtype, f"{base}({wrapped})" if quad else wrapped)
        if operation in ("shuffle_up", "shuffle_down"):
            there = f"(active >> ({base}source) & 1) != 0"
            lines += [
                f"{t} other = {value};",
                "// Where no active thread is in that place, the thread's own value.",
                f"return source < {size} && {there} ? other : x;",
            ]
        else:
            lines.append(f"return {value};")
        self._helpers.function(
            name, t, f"{self._given.context}, {t} x, {number} operand", "\n".join(lines)
        )
        return name

    def _vote(self, name: str, operation: str, dtype: DType | None, *, quad: bool) -> str:
        word, truth = self._helpers.type(uint32), self._helpers.type(bool_)
        parameters = self._given.context
        if operation == "is_first":
            lines = [*self._begin(), f"return lane == {self._given.lowest.format('active')};"]
            self._helpers.function(name, truth, parameters, "\n".join(lines))
            return name
        if operation == "broadcast_first":
            assert dtype is not None
            t = self._helpers.type(dtype)
            value = self._shuffle_lanes(dtype, self._given.lowest.format("active"))
            lines = [*self._begin(lane=False), f"return {value};"]
            self._helpers.function(name, t, f"{parameters}, {t} x", "\n".join(lines))
            return name
        own = " >> (lane & ~3u) & 15" if quad else ""
        votes = self._given.ballot.format("predicate")
        lines = self._begin(active=operation == "all", lane=quad)
        lines.append(
            {
                "ballot": f"return {votes}{own};",
                "any": f"return ({votes}{own}) != 0;",
                "all": f"return (({votes} ^ active){own}) == 0;",
            }[operation]
        )
        result = word if operation == "ballot" else truth
        parameters = f"{parameters}, {truth} predicate"
        self._helpers.function(name, result, parameters, "\n".join(lines))
        return name


_SHIFTED = """{type} before = {shuffle};
    return lane == 0 ? {identity} : before;"""

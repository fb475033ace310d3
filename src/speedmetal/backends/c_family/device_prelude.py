"""Functions of the printed source: what an operation needs where C++ means something else.

Each is printed once, before its first user, and only where it is used. Functions of one name are
overloaded on their operands' types.
"""

from __future__ import annotations

from speedmetal.backends import mailbox
from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.dtypes import DType, Kind, float32, float64, uint16, uint32, uint64
from speedmetal.ir.report_sites import POSITIONS_LEVEL
from speedmetal.ir.types import Space

_LINE_LENGTH = 98
_UNSIGNED_OF_BITS = {8: "uint8", 16: "uint16", 32: "uint32", 64: "uint64"}


def unsigned_type(bits: int) -> DType:
    """The unsigned integer of this many bits."""
    from speedmetal import dtypes

    return dtypes.find_dtype(_UNSIGNED_OF_BITS[bits])


def least_literal(dtype: DType, dialect: Dialect) -> str:
    """The least value of an integer type; C++ has no literal for that of a wide signed one."""
    if dtype.kind is Kind.UNSIGNED:
        return f"0{dialect.suffixes[dtype]}"
    suffix = dialect.suffixes[dtype]
    return f"(-{2 ** (dtype.bits - 1) - 1}{suffix} - 1)"


def greatest_literal(dtype: DType, dialect: Dialect) -> str:
    bits = dtype.bits - (dtype.kind is Kind.SIGNED)
    return f"{2**bits - 1}{dialect.suffixes[dtype]}"


class DevicePrelude:
    """The functions that a source needs, in an order in which each stands before its users."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._texts: dict[tuple[str, ...], str] = {}

    def text(self) -> str:
        """All definitions: the names of types first, then what is built on them."""
        texts = list(self._texts.values())
        types = [text for text in texts if text.startswith("typedef")]
        rest = [text for text in texts if not text.startswith("typedef")]
        return "\n".join([*(["".join(types)] if types else []), *rest])

    def add(self, key: tuple[str, ...], text: str) -> None:
        self._texts.setdefault(key, text.strip("\n") + "\n")

    def has(self, *key: str) -> bool:
        return key in self._texts

    def prelude(self, name: str) -> None:
        """A definition of the target's own."""
        self.add(("prelude", name), self.dialect.prelude[name])

    def type(self, dtype: DType) -> str:
        """A type's name; its definition is printed where the target does not have it."""
        name = self.dialect.types[dtype]
        if name in self.dialect.prelude:
            self.prelude(name)
        return name

    def function(self, name: str, result: str, parameters: str, body: str, about: str = "") -> None:
        """Add a function, once for each list of parameters."""
        if self.has(name, parameters):
            return
        comment = "".join(f"// {line}\n" for line in about.splitlines())
        indented = "\n".join(
            f"    {line}" if line else "" for line in body.strip("\n").splitlines()
        )
        head = f"{self.dialect.function}{result} {name}({parameters})"
        if len(head) > _LINE_LENGTH:
            head = head.replace("(", "(\n    ", 1).replace(", ", ",\n    ")
        self.add((name, parameters), f"{comment}{head} {{\n{indented}\n}}\n")

    # --- Integers ------------------------------------------------------------------------------

    def infix(self, dtype: DType, left: str, sign: str, right: str) -> str:
        """An operator on two names of a type; sums and products of integers wrap."""
        text = f"{left} {sign} {right}"
        if not dtype.is_integer or (dtype.kind is Kind.UNSIGNED and dtype.bits >= 32):
            return text
        if dtype.bits >= 32 or dtype is uint16:  # C++ computes uint16 as int
            unsigned = self.type(unsigned_type(max(dtype.bits, 32)))
            text = f"{unsigned}({left}) {sign} {unsigned}({right})"
        return f"{self.type(dtype)}({text})"

    def negation(self, dtype: DType) -> str:
        """The target's own function that negates a type."""
        self.type(dtype)
        name = self.dialect.negations[dtype]
        self.prelude(name)
        return name

    def floor_divide(self, dtype: DType) -> str:
        t = self.type(dtype)
        if dtype.kind is Kind.UNSIGNED:
            body = f"return b == 0 ? {t}(0) : {t}(a / b);"
        else:
            u = self.type(unsigned_type(dtype.bits))
            body = (
                f"if (b == 0) return {t}(0);\n"
                f"if (b == -1) return {t}({u}(0) - {u}(a));\n"
                f"return {t}(a / b - (a % b != 0 && (a ^ b) < 0));"
            )
        self.function(
            "floor_divide", t, f"{t} a, {t} b", body, "Rounds down, as Python does; 0 where b is 0."
        )
        return "floor_divide"

    def remainder(self, dtype: DType) -> str:
        t = self.type(dtype)
        if dtype.kind is Kind.UNSIGNED:
            body = f"return b == 0 ? {t}(0) : {t}(a % b);"
        else:
            body = (
                f"if (b == 0 || b == -1) return {t}(0);\n"
                f"{t} rest = {t}(a % b);\n"
                f"return rest != 0 && (rest ^ b) < 0 ? {t}(rest + b) : rest;"
            )
        about = "Has the sign of b, as in Python; 0 where b is 0."
        self.function("floor_remainder", t, f"{t} a, {t} b", body, about)
        return "floor_remainder"

    def shift(self, dtype: DType, operator: str) -> str:
        t, u = self.type(dtype), self.type(unsigned_type(dtype.bits))
        fits = f"{u}(count) < {dtype.bits}"
        if operator == "shift_left":
            body = f"return {fits} ? {t}({u}(x) << count) : {t}(0);"
        elif dtype.kind is Kind.UNSIGNED:
            body = f"return {fits} ? {t}(x >> count) : {t}(0);"
        else:
            body = f"return {t}(x >> ({fits} ? count : {t}({dtype.bits - 1})));"
        about = "As if by one bit, count times: all of them may be shifted out."
        self.function(operator, t, f"{t} x, {t} count", body, about)
        return operator

    def range_next(self, dtype: DType) -> str:
        """The name of a function, which it adds, for a counter's next value: at most ``stop``."""
        t, u = self.type(dtype), self.type(unsigned_type(dtype.bits))
        if dtype.kind is Kind.UNSIGNED:
            body = f"return stop - i > step ? {t}(i + step) : stop;"
        else:
            body = (
                f"{u} left = step > 0 ? {u}(stop) - {u}(i) : {u}(i) - {u}(stop);\n"
                f"{u} size = step > 0 ? {u}(step) : {u}(0) - {u}(step);\n"
                f"return left > size ? {t}(i + step) : stop;"
            )
        about = "One step of a range; stop where the range ends, so that nothing overflows."
        self.function("range_next", t, f"{t} i, {t} stop, {t} step", body, about)
        return "range_next"

    def range_turns(self, dtype: DType) -> str:
        """The name of a function, which it adds, for how many turns a rising range has."""
        t, u = self.type(dtype), self.type(unsigned_type(dtype.bits))
        body = f"return start < stop ? ({u}(stop) - {u}(start) - 1) / {u}(step) + 1 : 0;"
        about = "How many turns a range has whose step is greater than 0."
        self.function("range_turns", u, f"{t} start, {t} stop, {t} step", body, about)
        return "range_turns"

    # --- Floats and comparison -----------------------------------------------------------------

    def extremum(self, dtype: DType, name: str) -> str:
        """``minimum`` or ``maximum``."""
        t = self.type(dtype)
        sign = "<" if name == "minimum" else ">"
        nan = "isnan(a) || " if dtype.is_float else ""
        about = "NaN where either is NaN." if dtype.is_float else ""
        if dtype is float32 and name in self.dialect.extrema:
            body = self.dialect.extrema[name]
        elif dtype in (float32, float64) or not dtype.is_float:
            body = f"return {nan}a {sign} b ? a : b;"
        else:
            body = f"return isnan(float(a)) || float(a) {sign} float(b) ? a : b;"
        self.function(name, t, f"{t} a, {t} b", body, about)
        return name

    def absolute(self, dtype: DType) -> str:
        t = self.type(dtype)
        u = self.type(unsigned_type(dtype.bits))
        negated = f"{t}({u}(0) - {u}(x))"
        if dtype in self.dialect.negations:
            negated = f"{self.negation(dtype)}(x)"
        body = f"return x < 0 ? {negated} : x;"
        self.function("absolute", t, f"{t} x", body, "The least integer stays itself.")
        return "absolute"

    def saturate(self, source: DType, target: DType) -> str:
        """A conversion of float32 or float64 to an integer: rounds to zero, saturates, NaN is 0."""
        if (source, target) in self.dialect.conversions:
            return self.dialect.conversions[source, target]
        s, t = self.type(source), self.type(target)
        name = f"saturating_{target.name}"
        suffix = self.dialect.suffixes[source]
        bound = f"{float(2 ** (target.bits - (target.kind is Kind.SIGNED))):.1f}{suffix}"
        low = f"-{bound}" if target.kind is Kind.SIGNED else f"0.0{suffix}"
        body = (
            f"if (isnan(x)) return 0;\n"
            f"if (x >= {bound}) return {greatest_literal(target, self.dialect)};\n"
            f"if (x <= {low}) return {least_literal(target, self.dialect)};\n"
            f"return {t}(x);"
        )
        self.function(name, t, f"{s} x", body, "Rounds to zero; ends at the type's ends; NaN is 0.")
        return name

    # --- The mailbox ---------------------------------------------------------------------------

    def report_failure(self, debug: int, replace: str) -> str:
        """``replace`` is the target's expression that exchanges word 0 for 1."""
        word = self.type(uint32)
        device = self.dialect.spaces[Space.DEVICE]
        parameters = f"{device}{word}* mailbox, {word} site"
        body = f"if ({replace} != 0) return;\nmailbox[{mailbox.SITE}] = site;\n"
        if debug >= POSITIONS_LEVEL:
            for first, what in ((mailbox.THREAD, "thread"), (mailbox.THREADGROUP, "threadgroup")):
                for axis, letter in enumerate("xyz"):
                    parameters += f", {word} {what}_{letter}"
                    body += f"mailbox[{first + axis}] = {what}_{letter};\n"
        about = "The first failure of a launch is the one that is told."
        self.function("report_failure", "void", parameters, body, about)
        return "report_failure"

    def open_record(self, add: str) -> str:
        """``add`` is the target's expression that adds ``words`` to the cursor, giving the old."""
        word = self.type(uint32)
        device = self.dialect.spaces[Space.DEVICE]
        body = (
            f"{word} first = {add};\n"
            f"{word} capacity = mailbox[{mailbox.PRINT_CAPACITY}];\n"
            "if (first > capacity || words > capacity - first) return nullptr;\n"
            f"{device}{word}* record = mailbox + {mailbox.PRINT_AREA} + first;\n"
            "record[0] = site;\n"
            "return record + 1;"
        )
        parameters = f"{device}{word}* mailbox, {word} site, {word} words"
        about = "Room for the values of one print; none when the mailbox is full."
        self.function("open_record", f"{device}{word}*", parameters, body, about)
        return "open_record"

    def write_value(self) -> str:
        word, value = self.type(uint32), self.type(uint64)
        device = self.dialect.spaces[Space.DEVICE]
        body = f"record[0] = {word}(value);\nrecord[1] = {word}(value >> 32);"
        self.function("write_value", "void", f"{device}{word}* record, {value} value", body)
        return "write_value"

    def double_bits(self) -> str:
        """The bits of the float64 of the same value as a float32, without float64 arithmetic."""
        long, word = self.type(uint64), self.type(uint32)
        body = _DOUBLE_BITS.format(long=long, word=word, suffix=self.dialect.suffixes[uint64])
        about = "The bits of the same number as a float of 64 bits."
        self.function("double_bits", long, "float x", body, about)
        return "double_bits"


_DOUBLE_BITS = """
{word} bits = as_type<{word}>(x);
{long} sign = {long}(bits >> 31) << 63;
{word} exponent = (bits >> 23) & 0xffu;
{long} fraction = bits & 0x7fffffu;
if (exponent == 0xffu) return sign | {long}(0x7ff) << 52 | fraction << 29;
if (exponent == 0u && fraction == 0) return sign;
if (exponent == 0u) {{
    // A subnormal: it is a normal number of 64 bits.
    exponent = 1u;
    while ((fraction & 0x800000u) == 0) {{
        fraction <<= 1;
        exponent -= 1u;
    }}
    fraction &= 0x7fffffu;
}}
return sign | {long}(exponent + 896u) << 52 | fraction << 29;
"""

__all__ = ["DevicePrelude", "greatest_literal", "least_literal", "unsigned_type"]

"""Random expressions of the kernel language, as Python text that also runs as plain Python.

Whatever is written is exact in both: integers stay far inside int32, floats are multiples of small
powers of two that fit into float32's 24 bits, so that no order of rounding can show. Functions like
``math.sin`` go only into results that are compared with a tolerance, and never steer anything.
Expressions carry a bound of their magnitude; where one grows too large it is folded by ``%``.

Every choice is one number below a limit, 0 being the simplest, so that Hypothesis can shrink.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Choose = Callable[[int], int]

INPUT_SIZE = 16  # elements of both input arrays
INPUT_INT = 99  # greatest magnitude in the integer input
INPUT_FLOAT = 32.0  # greatest magnitude in the float input, whose elements are multiples of 1/8
THREADS = 37  # of every grid: no multiple of anything

_LARGEST_INT = 1 << 30
_FLOAT_BITS = 23
VARIABLE_INT = 999
VARIABLE_FLOAT = 64.0
VARIABLE_FRACTION = 3  # bits below one that a float variable may have
THREAD_ARRAY = 4


@dataclass(frozen=True, slots=True)
class Int:
    """An integer expression, at most ``bound`` in magnitude."""

    text: str
    bound: int


@dataclass(frozen=True, slots=True)
class Float:
    """An exact float expression: magnitude at most ``bound``, a multiple of ``2**-fraction``."""

    text: str
    bound: float
    fraction: int

    @property
    def is_exact(self) -> bool:
        return self.bound * 2.0**self.fraction <= 1 << _FLOAT_BITS


@dataclass(slots=True)
class Scope:
    """Names that may be read here; those of a block go when it ends."""

    ints: list[Int] = field(default_factory=list)
    floats: list[Float] = field(default_factory=list)
    bools: list[str] = field(default_factory=list)
    arrays: list[str] = field(default_factory=list)  # thread arrays of integers
    assigned_ints: list[str] = field(default_factory=list)
    assigned_floats: list[str] = field(default_factory=list)
    assigned_bools: list[str] = field(default_factory=list)

    def copy(self) -> Scope:
        return Scope(*(list(getattr(self, name)) for name in self.__slots__))  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Helper:
    """A function that kernels may call: its name, and what its parameters and result are."""

    name: str
    parameters: str  # a letter for each: i(nt), f(loat), a(rray), g (a function of one int)
    result: str


class Expressions:
    """Writes expressions; ``choose(n)`` gives a number from 0 to n - 1."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._scope = Scope()
        self._helpers: list[Helper] = []
        self._names = 0
        self._has_inputs = False
        self._in_lambda = False  # where calls could become recursion

    # --- Choices --------------------------------------------------------------------------

    def _one_of(self, *options: Any) -> Any:
        return options[self._choose(len(options))]

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    # --- Integers --------------------------------------------------------------------------

    def _int_leaf(self, _depth: int = 0) -> Int:
        if self._scope.ints and self._choose(4):
            return self._one_of(*self._scope.ints)
        value = self._one_of(0, 1, 2, 3, 5, 7, 10, 31, -1, -3, -8)
        return Int(str(value) if value >= 0 else f"({value})", abs(value))

    def _int(self, depth: int) -> Int:
        if depth <= 0:
            return self._int_leaf()
        return self._one_of(
            self._int_leaf, self._sum, self._sum, self._product, self._division, self._bits,
            self._shift, self._int_choice, self._extreme, self._from_float, self._element,
            self._int_unary, self._int_logic, self._int_call, self._thread_element, self._counted,
        )(depth - 1)  # fmt: skip

    def _folded(self, e: Int, limit: int) -> Int:
        if e.bound <= limit:
            return e
        modulus = self._one_of(limit, -limit) if limit > 1 else 1
        return Int(f"({e.text} % {modulus})", abs(limit) - 1)

    def _sum(self, depth: int) -> Int:
        a, b = self._int(depth), self._int(depth)
        a, b = self._folded(a, _LARGEST_INT // 2), self._folded(b, _LARGEST_INT // 2)
        return Int(f"({a.text} {self._one_of('+', '-')} {b.text})", a.bound + b.bound)

    def _product(self, depth: int) -> Int:
        a, b = self._int(depth), self._int(depth)
        if a.bound * b.bound > _LARGEST_INT:
            a, b = self._folded(a, 997), self._folded(b, 499)
        return Int(f"({a.text} * {b.text})", a.bound * b.bound)

    def _divisor(self, depth: int) -> Int:
        """Never 0; of either sign."""
        kind = self._choose(3)
        if kind == 0:
            value = self._one_of(1, 2, 3, 7, -1, -2, -5, 8)
            return Int(str(value), abs(value))
        e = self._int(depth)
        if kind == 1:
            return Int(f"({e.text} % 7 + 1)", 7)
        return Int(f"({e.text} % 5 - 5)", 5)

    def _division(self, depth: int) -> Int:
        a, b = self._int(depth), self._divisor(depth)
        operator = self._one_of("//", "%")
        return Int(f"({a.text} {operator} {b.text})", a.bound + 1 if operator == "//" else b.bound)

    def _bits(self, depth: int) -> Int:
        a, b = self._int(depth), self._int(depth)
        bound = (1 << max(a.bound, b.bound).bit_length()) if max(a.bound, b.bound) else 1
        return Int(f"({a.text} {self._one_of('&', '|', '^')} {b.text})", bound)

    def _shift(self, depth: int) -> Int:
        a, b = self._folded(self._int(depth), 997), self._int(depth)
        if self._choose(2):
            return Int(f"({a.text} << ({b.text} % 5))", a.bound << 4)
        return Int(f"({a.text} >> ({b.text} % 9))", a.bound + 1)

    def _int_choice(self, depth: int) -> Int:
        a, b = self._int(depth), self._int(depth)
        return Int(f"({a.text} if {self._bool(depth)} else {b.text})", max(a.bound, b.bound))

    def _extreme(self, depth: int) -> Int:
        parts = [self._int(depth) for _ in range(2 + self._choose(2))]
        texts = ", ".join(e.text for e in parts)
        return Int(f"{self._one_of('min', 'max')}({texts})", max(e.bound for e in parts))

    def _from_float(self, depth: int) -> Int:
        e = self._float(depth)
        function = self._one_of("int", "math.floor", "math.ceil", "round", "math.trunc")
        return Int(f"{function}({e.text})", int(e.bound) + 1)

    def _index(self, depth: int, size: int) -> str:
        e = self._int(depth)
        return f"{e.text} % {size}"

    def _steady_int(self, depth: int) -> Int:
        """An integer that is the same if written twice: helpers may change what they read."""
        e = self._int(depth)
        return self._int_leaf() if "helper_" in e.text else e

    def _element(self, depth: int) -> Int:
        if not self._has_inputs:
            return self._int_leaf()
        if self._choose(3):
            return Int(f"a[{self._index(depth, INPUT_SIZE)}]", INPUT_INT)
        # The element is out of range where the condition is false: it must not be touched there.
        e = self._steady_int(depth)
        other = self._int_leaf()
        bound = max(INPUT_INT, other.bound)
        return Int(f"(a[{e.text}] if 0 <= {e.text} < a.size else {other.text})", bound)

    def _thread_element(self, depth: int) -> Int:
        if not self._scope.arrays:
            return self._int_leaf()
        array = self._one_of(*self._scope.arrays)
        return Int(f"{array}[{self._index(depth, THREAD_ARRAY)}]", VARIABLE_INT)

    def _int_unary(self, depth: int) -> Int:
        e = self._int(depth)
        form = self._one_of("(-{})", "(~{})", "abs({})", "(+{})")
        return Int(form.format(e.text), e.bound + 1)

    def _int_logic(self, depth: int) -> Int:
        a, b = self._int(depth), self._int(depth)
        operator = self._one_of("and", "or")
        return Int(f"({a.text} {operator} {b.text})", max(a.bound, b.bound))

    def _counted(self, depth: int) -> Int:
        if self._choose(2):
            return Int(f"({self._bool(depth)} + {self._bool(depth)})", 2)
        return Int(f"int({self._bool(depth)})", 1)

    def _int_call(self, depth: int) -> Int:
        found = [h for h in self._helpers if h.result == "i"]
        if not found or self._in_lambda:
            return self._int_leaf()
        text = self._call(self._one_of(*found), depth)
        return Int(text, VARIABLE_INT) if text else self._int_leaf()

    def _call(self, helper: Helper, depth: int) -> str:
        """A call of the helper; empty where the scope has no argument for it."""
        arguments = []
        for kind in helper.parameters:
            if kind == "i":
                arguments.append(self._folded(self._int(depth), VARIABLE_INT + 1).text)
            elif kind == "f":
                arguments.append(self._plain_float(self._float(depth)).text)
            elif kind == "a":
                if not self._scope.arrays:
                    return ""
                arguments.append(self._one_of(*self._scope.arrays))
            else:
                arguments.append(self._function(helper, depth))
        return f"{helper.name}({', '.join(arguments)})"

    def _function(self, user: Helper, depth: int) -> str:
        """A function of one integer, whose result is below 1000, that does not call its user."""
        before = self._helpers[: self._helpers.index(user)]
        found = [h.name for h in before if (h.parameters, h.result) == ("i", "i")]
        if found and self._choose(2):
            return self._one_of(*found)
        scope, self._scope = self._scope, self._scope.copy()
        name = self._name("v")
        self._scope.ints.append(Int(name, VARIABLE_INT))
        self._in_lambda = True
        body = self._folded(self._int(depth), VARIABLE_INT + 1)
        self._in_lambda = False
        self._scope = scope
        return f"lambda {name}: {body.text}"

    # --- Floats ----------------------------------------------------------------------------

    def _float_leaf(self, _depth: int = 0) -> Float:
        if self._scope.floats and self._choose(4):
            return self._one_of(*self._scope.floats)
        value = self._one_of(0.0, 1.0, 0.5, 2.0, -1.0, 0.25, 3.5, -0.75)
        return Float(str(value) if value >= 0 else f"({value})", abs(value), 2)

    def _float(self, depth: int) -> Float:
        if depth <= 0:
            return self._float_leaf()
        return self._one_of(
            self._float_leaf, self._float_sum, self._float_product, self._from_int,
            self._float_choice, self._float_extreme, self._float_division, self._float_element,
            self._float_unary, self._mixed, self._float_call,
        )(depth - 1)  # fmt: skip

    def _plain_float(self, e: Float) -> Float:
        """The value folded to what variables hold."""
        text, fraction, bound = e.text, e.fraction, e.bound
        if fraction > VARIABLE_FRACTION:
            text, fraction = f"(sm.floor({text} * 8.0) * 0.125)", VARIABLE_FRACTION
            bound += 1
        if bound > VARIABLE_FLOAT:
            text, bound = f"({text} % 64.0)", VARIABLE_FLOAT
        return Float(text, bound, fraction)

    def _exact(self, make: Callable[..., Float], *operands: Float) -> Float:
        result = make(*operands)
        return result if result.is_exact else make(*map(self._plain_float, operands))

    def _float_sum(self, depth: int) -> Float:
        a, b, sign = self._float(depth), self._float(depth), self._one_of("+", "-")
        return self._exact(
            lambda x, y: Float(
                f"({x.text} {sign} {y.text})", x.bound + y.bound, max(x.fraction, y.fraction)
            ),
            a, b,
        )  # fmt: skip

    def _float_product(self, depth: int) -> Float:
        return self._exact(
            lambda x, y: Float(
                f"({x.text} * {y.text})", x.bound * y.bound, x.fraction + y.fraction
            ),
            self._float(depth), self._float(depth),
        )  # fmt: skip

    def _from_int(self, depth: int) -> Float:
        e = self._folded(self._int(depth), 9973)
        if self._choose(2):
            return Float(f"({e.text} / 4)", e.bound / 4 + 1, 2)
        return Float(f"float({e.text})", float(e.bound), 0)

    def _mixed(self, depth: int) -> Float:
        number, e = self._plain_float(self._float(depth)), self._folded(self._int(depth), 97)
        if self._choose(2):
            return Float(f"({e.text} * {number.text})", e.bound * number.bound, number.fraction)
        return Float(f"({number.text} - {e.text})", e.bound + number.bound, number.fraction)

    def _float_choice(self, depth: int) -> Float:
        a, b = self._float(depth), self._float(depth)
        text = f"({a.text} if {self._bool(depth)} else {b.text})"
        return self._exact(
            lambda x, y: Float(
                text if (x, y) == (a, b) else f"({x.text} if {self._bool(0)} else {y.text})",
                max(x.bound, y.bound), max(x.fraction, y.fraction),
            ),
            a, b,
        )  # fmt: skip

    def _float_extreme(self, depth: int) -> Float:
        name = self._one_of("min", "max")
        return self._exact(
            lambda x, y: Float(
                f"{name}({x.text}, {y.text})", max(x.bound, y.bound), max(x.fraction, y.fraction)
            ),
            self._float(depth), self._float(depth),
        )  # fmt: skip

    def _float_division(self, depth: int) -> Float:
        e = self._plain_float(self._float(depth))
        divisor = self._one_of(1.0, 2.0, 3.5, -2.25, -8.0, 0.5)
        operator = self._one_of("//", "%")
        if operator == "//":
            return Float(f"({e.text} // {divisor})", e.bound / abs(divisor) + 1, 0)
        return Float(f"({e.text} % {divisor})", abs(divisor), max(e.fraction, 2))

    def _float_element(self, depth: int) -> Float:
        if not self._has_inputs:
            return self._float_leaf()
        return Float(f"b[{self._index(depth, INPUT_SIZE)}]", INPUT_FLOAT, 3)

    def _float_unary(self, depth: int) -> Float:
        e = self._float(depth)
        form = self._one_of("(-{})", "abs({})", "sm.floor({})", "sm.trunc({})", "sm.ceil({})")
        return self._exact(lambda x: Float(form.format(x.text), x.bound + 1, x.fraction), e)

    def _float_call(self, depth: int) -> Float:
        found = [h for h in self._helpers if h.result == "f"]
        if not found or self._in_lambda:
            return self._float_leaf()
        text = self._call(self._one_of(*found), depth)
        if not text:
            return self._float_leaf()
        return Float(text, VARIABLE_FLOAT, VARIABLE_FRACTION)

    def _inexact(self, depth: int) -> str:
        """A float of moderate size, by functions that round."""
        e = self._plain_float(self._float(depth)).text
        form = self._one_of(
            "math.sqrt(abs({}))", "math.sin({})", "math.cos({})", "math.exp({} * 0.05)",
            "math.tanh({})", "math.log1p(abs({}))", "math.log(abs({}) + 0.5)",
            "(1.0 / (abs({}) + 0.5))", "math.atan({})", "((abs({}) + 0.5) ** 0.5)",
            "math.atan2({}, 2.5)", "math.hypot({}, 1.5)", "(float({}) / 3)",
        )  # fmt: skip
        text = form.format(e)
        if depth > 1 and self._choose(2):
            return f"({text} {self._one_of('+', '*', '-')} {self._inexact(depth - 1)})"
        return text

    # --- Truth -----------------------------------------------------------------------------

    def _bool(self, depth: int) -> str:
        if depth <= 0:
            return self._bool_leaf()
        return self._one_of(
            self._comparison, self._comparison, self._chain, self._logic, self._negation,
            self._membership, self._guarded, self._float_comparison,
        )(depth - 1)  # fmt: skip

    def _bool_leaf(self) -> str:
        if self._scope.bools and self._choose(2):
            return self._one_of(*self._scope.bools)
        return self._comparison(0)

    def _relation(self) -> str:
        return self._one_of("<", "<=", ">", ">=", "==", "!=")

    def _comparison(self, depth: int) -> str:
        return f"({self._int(depth).text} {self._relation()} {self._int(depth).text})"

    def _float_comparison(self, depth: int) -> str:
        return f"({self._float(depth).text} {self._relation()} {self._float(depth).text})"

    def _chain(self, depth: int) -> str:
        a, b, c = (self._int(depth).text for _ in range(3))
        return f"({a} {self._relation()} {b} {self._relation()} {c})"

    def _logic(self, depth: int) -> str:
        return f"({self._bool(depth)} {self._one_of('and', 'or')} {self._bool(depth)})"

    def _negation(self, depth: int) -> str:
        return f"(not {self._bool(depth)})"

    def _membership(self, depth: int) -> str:
        items = ", ".join(self._int(0).text for _ in range(3))
        return f"({self._int(depth).text} {self._one_of('in', 'not in')} ({items}))"

    def _guarded(self, depth: int) -> str:
        if not self._has_inputs:
            return self._comparison(depth)
        index, other = self._steady_int(depth).text, self._int(0).text
        return f"(0 <= {index} < {INPUT_SIZE} and a[{index}] {self._relation()} {other})"

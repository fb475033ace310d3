"""Random programs of the kernel language, as Python text that also runs as plain Python.

Whatever is written is exact in both: integers stay far inside int32, floats are multiples of small
powers of two that fit into float32's 24 bits, so that no order of rounding can show. Functions like
``math.sin`` go only into results that are compared with a tolerance, and never steer anything.
Expressions carry a bound of their magnitude; where one grows too large it is folded by ``%``.

Every choice is one number below a limit, 0 being the simplest, so that Hypothesis can shrink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Choose = Callable[[int], int]

INPUT_SIZE = 16  # elements of both input arrays
INPUT_INT = 99  # greatest magnitude in the integer input
INPUT_FLOAT = 32.0  # greatest magnitude in the float input, whose elements are multiples of 1/8
THREADS = 37  # of every grid: no multiple of anything
OUTPUTS = 4  # results of each kind that a thread can write
SHARED_SIZE = 32  # elements of the threadgroup array; at least the threads of a threadgroup

_LARGEST_INT = 1 << 30
_FLOAT_BITS = 23
_VARIABLE_INT = 999
_VARIABLE_FLOAT = 64.0
_VARIABLE_FRACTION = 3  # bits below one that a float variable may have
_THREAD_ARRAY = 4


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


@dataclass(frozen=True, slots=True)
class Program:
    """A kernel's text, with the functions that it calls.

    Args:
        source: The text; it needs the names ``sm`` and ``math``.
        name: The kernel.
        threads: Threads of a threadgroup in its launch.
        debug: Level of its launch.
        has_barriers: Whether the threads of a threadgroup wait for each other.
    """

    source: str
    name: str
    threads: int
    debug: int
    has_barriers: bool


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


class Writer:
    """Writes one program; ``choose(n)`` gives a number from 0 to n - 1."""

    def __init__(self, choose: Choose, prefix: str) -> None:
        self._choose = choose
        self._prefix = prefix
        self._lines: list[str] = []
        self._indent = 0
        self._scope = Scope()
        self._names = 0
        self._loops = 0  # loops around that may be left by break or continue
        self._helpers: list[Helper] = []
        self._result = ""  # of the function being written; "" in a kernel
        self._may_return = True
        self._has_inputs = False
        self._in_lambda = False  # where calls could become recursion

    # --- Choices and text ------------------------------------------------------------------

    def _one_of(self, *options: Any) -> Any:
        return options[self._choose(len(options))]

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self._line(head)
        before, self._scope = self._scope, self._scope.copy()
        self._indent += 1
        start = len(self._lines)
        yield
        if len(self._lines) == start:
            self._line("pass")
        self._indent -= 1
        self._scope = before

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

    def _element(self, depth: int) -> Int:
        if not self._has_inputs:
            return self._int_leaf()
        if self._choose(3):
            return Int(f"a[{self._index(depth, INPUT_SIZE)}]", INPUT_INT)
        # The element is out of range where the condition is false: it must not be touched there.
        e = self._int(depth)
        other = self._int_leaf()
        bound = max(INPUT_INT, other.bound)
        return Int(f"(a[{e.text}] if 0 <= {e.text} < a.size else {other.text})", bound)

    def _thread_element(self, depth: int) -> Int:
        if not self._scope.arrays:
            return self._int_leaf()
        array = self._one_of(*self._scope.arrays)
        return Int(f"{array}[{self._index(depth, _THREAD_ARRAY)}]", _VARIABLE_INT)

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
        return Int(text, _VARIABLE_INT) if text else self._int_leaf()

    def _call(self, helper: Helper, depth: int) -> str:
        """A call of the helper; empty where the scope has no argument for it."""
        arguments = []
        for kind in helper.parameters:
            if kind == "i":
                arguments.append(self._folded(self._int(depth), _VARIABLE_INT + 1).text)
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
        self._scope.ints.append(Int(name, _VARIABLE_INT))
        self._in_lambda = True
        body = self._folded(self._int(depth), _VARIABLE_INT + 1)
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
        if fraction > _VARIABLE_FRACTION:
            text, fraction = f"(sm.floor({text} * 8.0) * 0.125)", _VARIABLE_FRACTION
            bound += 1
        if bound > _VARIABLE_FLOAT:
            text, bound = f"({text} % 64.0)", _VARIABLE_FLOAT
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
            lambda x, y: Float(f"({x.text} * {y.text})", x.bound * y.bound, x.fraction + y.fraction),
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
        return self._exact(
            lambda x: Float(form.format(x.text), x.bound + 1, x.fraction), e
        )

    def _float_call(self, depth: int) -> Float:
        found = [h for h in self._helpers if h.result == "f"]
        if not found or self._in_lambda:
            return self._float_leaf()
        text = self._call(self._one_of(*found), depth)
        if not text:
            return self._float_leaf()
        return Float(text, _VARIABLE_FLOAT, _VARIABLE_FRACTION)

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
        index, other = self._int(depth).text, self._int(0).text
        return f"(0 <= {index} < {INPUT_SIZE} and a[{index}] {self._relation()} {other})"

    # --- Statements ------------------------------------------------------------------------

    def _statements(self, budget: int) -> None:
        for _ in range(1 + self._choose(budget + 1)):
            if not self._statement(budget - 1):
                return

    def _statement(self, budget: int) -> bool:
        """Write one statement; False where nothing after it would run."""
        simple = (
            self._assign_int, self._assign_float, self._write_output, self._augment,
            self._assign_bool, self._swap, self._store_element, self._effect, self._assertion,
        )  # fmt: skip
        compound = (self._if, self._for, self._while, self._unrolled)
        options = simple if budget <= 0 else (*simple, *compound, *compound)
        leaving = self._choose(12)
        if leaving == 11:
            return self._leave()
        self._one_of(*options)(budget)
        return True

    def _leave(self) -> bool:
        """Break, continue or return, under a condition most times."""
        ways = ["break", "continue"] if self._loops else []
        if self._may_return:
            ways.append("return")
        if not ways:
            return True
        way = self._one_of(*ways)
        if not self._choose(6):
            self._line(self._departure(way))
            return False
        with self._block(f"if {self._bool(1)}:"):
            self._line(self._departure(way))
        return True

    def _departure(self, way: str) -> str:
        if way != "return" or not self._result:
            return way
        return f"return {self._value(self._result, 1)}"

    def _value(self, kind: str, depth: int) -> str:
        if kind == "i":
            return self._folded(self._int(depth), _VARIABLE_INT + 1).text
        if kind == "f":
            return self._plain_float(self._float(depth)).text
        return f"({self._value('i', depth)}, {self._value('f', depth)})"

    def _target(self, letter: str) -> str:
        """A variable of this kind that exists, or a new one of this block."""
        assigned: list[str] = {
            "i": self._scope.assigned_ints,
            "f": self._scope.assigned_floats,
            "b": self._scope.assigned_bools,
        }[letter]
        if assigned and self._choose(3):
            return self._one_of(*assigned)
        return self._name(letter)

    def _declare(self, name: str) -> None:
        scope = self._scope
        if name[0] == "i" and name not in scope.assigned_ints:
            scope.assigned_ints.append(name)
            scope.ints.append(Int(name, _VARIABLE_INT))
        elif name[0] == "f" and name not in scope.assigned_floats:
            scope.assigned_floats.append(name)
            scope.floats.append(Float(name, _VARIABLE_FLOAT, _VARIABLE_FRACTION))
        elif name[0] == "b" and name not in scope.assigned_bools:
            scope.assigned_bools.append(name)
            scope.bools.append(name)

    def _assign_int(self, _budget: int) -> None:
        name = self._target("i")
        self._line(f"{name} = {self._value('i', 2)}")
        self._declare(name)

    def _assign_float(self, _budget: int) -> None:
        name = self._target("f")
        self._line(f"{name} = {self._value('f', 2)}")
        self._declare(name)

    def _assign_bool(self, _budget: int) -> None:
        name = self._target("b")
        self._line(f"{name} = {self._bool(2)}")
        self._declare(name)

    def _augment(self, _budget: int) -> None:
        if not self._scope.assigned_ints:
            self._assign_int(0)
            return
        name = self._one_of(*self._scope.assigned_ints)
        operator = self._one_of("+", "-", "*", "^", "|", "//")
        e = self._folded(self._int(2), 997)
        if operator == "//":
            e = self._divisor(1)
        self._line(f"{name} {operator}= {e.text}")
        self._line(f"{name} %= {self._one_of(1000, -1000)}")

    def _swap(self, _budget: int) -> None:
        pairs = [h for h in self._helpers if h.result == "t"]
        first, second = self._target("i"), self._target("f")
        if pairs and self._choose(2):
            text = self._call(self._one_of(*pairs), 1)
            if text:
                self._line(f"{first}, {second} = {text}")
                self._declare(first)
                self._declare(second)
                return
        others = self._scope.assigned_ints
        if len(others) < 2:
            self._assign_int(0)
            return
        a, b = self._one_of(*others), self._one_of(*others)
        values = f"{self._value('i', 1)}, {self._value('i', 1)}"
        if self._choose(2) and a != b:
            values = f"{b}, {a}"
        self._line(f"{a}, {b} = {values}")

    def _write_output(self, _budget: int) -> None:
        if self._result:
            self._assign_int(0)
            return
        place = self._choose(OUTPUTS)
        kind = self._choose(4)
        if kind == 0:
            operator = self._one_of("=", "+=", "^=")
            value = self._folded(self._int(3), 997)
            self._line(f"whole[i, {place}] {operator} {value.text}")
            self._line(f"whole[i, {place}] %= 4099")
        elif kind == 1:
            self._line(f"exact[i, {place}] = {self._plain_float(self._float(3)).text}")
        elif kind == 2:
            self._line(f"exact[i, {place}] = float({self._bool(2)})")
        else:
            self._line(f"rough[i, {place}] = {self._inexact(3)}")

    def _store_element(self, _budget: int) -> None:
        if not self._scope.arrays:
            self._assign_float(0)
            return
        array = self._one_of(*self._scope.arrays)
        place = f"{array}[{self._index(1, _THREAD_ARRAY)}]"
        if self._choose(2):
            self._line(f"{place} = {self._value('i', 2)}")
            return
        self._line(f"{array}[{self._choose(_THREAD_ARRAY)}] += {self._value('i', 1)}")
        for position in range(_THREAD_ARRAY):
            self._line(f"{array}[{position}] %= 1000")

    def _effect(self, _budget: int) -> None:
        """An expression whose parts see each other's effects: the order of evaluation shows."""
        changing = [h for h in self._helpers if "a" in h.parameters and h.result == "i"]
        if not changing or not self._scope.arrays:
            self._assign_int(0)
            return
        array = self._one_of(*self._scope.arrays)
        helper = self._one_of(*changing)
        call = self._call(helper, 1)
        name = self._target("i")
        read = f"{array}[{self._choose(_THREAD_ARRAY)}]"
        form = self._one_of(
            "({read} + {call}) % 997", "({call} - {read} * 3) % 997",
            "({read} if {condition} and {call} > 5 else {call}) % 997",
            "({call} + {call} * 2 - {read}) % 997", "max({read}, {call}, {read})",
        )  # fmt: skip
        condition = self._bool(1)
        self._line(f"{name} = {form.format(read=read, call=call, condition=condition)}")
        self._declare(name)

    def _assertion(self, _budget: int) -> None:
        names = self._scope.assigned_ints
        if self._result or not names:
            self._assign_bool(0)
            return
        name = self._one_of(*names)
        self._line(f'assert -1000 < {name} < 1000, "{name} is beyond its bound"')

    def _if(self, budget: int) -> None:
        with self._block(f"if {self._bool(2)}:"):
            self._statements(budget)
        if self._choose(3) == 2:
            with self._block(f"elif {self._bool(1)}:"):
                self._statements(budget)
        if self._choose(2):
            with self._block("else:"):
                self._statements(budget)

    def _bounds(self) -> tuple[str, int]:
        """The text of a range of at most 6 numbers, and their greatest magnitude."""
        count = f"{self._int(1).text} % 5"
        kind = self._choose(6)
        if kind == 0:
            return f"range({1 + self._choose(5)})", 5
        if kind == 1:
            return f"range({count})", 5
        if kind == 2:
            return f"range({self._one_of(-2, 0, 3)}, {count})", 6
        if kind == 3:
            return f"range({count}, -2, -1)", 6
        if kind == 4:
            return f"range({count}, 9, {self._one_of(2, 3)})", 9
        return f"range({count}, {self._int(1).text} % 7, {self._one_of('2', '-1')})", 9

    def _for(self, budget: int) -> None:
        name = self._name("k")
        bounds, bound = self._bounds()
        escapes = not self._choose(4)
        if escapes:
            self._line(f"{name} = {self._choose(5)}")
        self._loops += 1
        with self._block(f"for {name} in {bounds}:"):
            self._scope.ints.append(Int(name, bound))
            self._statements(budget)
        self._loops -= 1
        if escapes:
            self._scope.ints.append(Int(name, bound))

    def _while(self, budget: int) -> None:
        name = self._name("w")
        self._line(f"{name} = {self._int(1).text} % 6")
        condition = f"{name} > 0"
        if self._choose(2):
            condition = f"{name} > 0 {self._one_of('and', 'and not')} {self._bool(1)}"
        self._loops += 1
        with self._block(f"while {self._one_of(condition, 'True')}:"):
            self._scope.ints.append(Int(name, 6))
            self._line(f"{name} -= 1")
            with self._block(f"if {name} < 0:"):
                self._line("break")
            self._statements(budget)
        self._loops -= 1

    def _unrolled(self, budget: int) -> None:
        name = self._name("u")
        items = self._one_of("sm.static_range(3)", "(4, 1, 7)", "sm.static_range(5, 0, -2)")
        self._loops += 1
        with self._block(f"for {name} in {items}:"):
            self._scope.ints.append(Int(name, 7))
            self._statements(budget)
        self._loops -= 1

    # --- Functions -------------------------------------------------------------------------

    def _helper(self, number: int) -> None:
        """A function; later ones may call it."""
        parameters = self._one_of("i", "if", "ai", "gi", "f")
        result = self._one_of("i", "f", "t") if parameters != "i" else "i"
        helper = Helper(f"{self._prefix}helper_{number}", parameters, result)
        names = {kind: f"{kind}_{place}" for place, kind in enumerate(parameters)}
        before, self._scope = self._scope, Scope()
        self._result, self._may_return = result, True
        with self._block(f"def {helper.name}({', '.join(names.values())}):"):
            if "i" in names:
                self._scope.ints.append(Int(names["i"], _VARIABLE_INT))
            if "f" in names:
                self._scope.floats.append(Float(names["f"], _VARIABLE_FLOAT, _VARIABLE_FRACTION))
            if "g" in names:
                called = f"{names['g']}({names['i']})"
                self._scope.ints.append(Int(called, _VARIABLE_INT))
            if "a" in names:
                self._scope.arrays.append(names["a"])
                place = f"{names['a']}[{names['i']} % {_THREAD_ARRAY}]"
                self._line(f"{place} = ({place} * 3 + {names['i']}) % 997")
            self._statements(self._choose(3))
            self._line(f"return {self._value(result, 2)}")
        self._line("")
        self._scope = before
        self._helpers.append(helper)

    def program(self) -> Program:
        """A kernel with its functions."""
        for number in range(self._choose(3)):
            self._helper(number)
        threads, debug = self._one_of(32, 8, 5), self._one_of(0, 0, 1, 2)
        has_barriers = self._choose(4) == 3
        self._result, self._may_return = "", not has_barriers
        name = f"{self._prefix}kernel"
        self._line("@sm.kernel")
        with self._block(f"def {name}(a, b, s, w, whole, exact, rough):"):
            self._line("i = sm.thread_position_in_grid().x")
            self._has_inputs = True
            self._scope.ints += [Int("i", THREADS), Int("s", 9)]
            self._scope.floats.append(Float("w", 4.0, 2))
            self._thread_array()
            for _ in range(self._choose(3)):
                self._assign_int(0)
                self._assign_float(0)
            if has_barriers:
                self._phases()
            else:
                self._statements(self._one_of(2, 2, 3))
            self._digest()
        return Program("\n".join(self._lines), name, threads, debug, has_barriers)

    def _digest(self) -> None:
        """What the variables hold at last."""
        elements = [f"{name}[{k}]" for name in self._scope.arrays for k in range(_THREAD_ARRAY)]
        terms = enumerate([e.text for e in self._scope.ints] + elements)
        self._line(f"whole[i, 0] += {' + '.join(f'{t} * {p % 7 + 1}' for p, t in terms)}")
        self._line(f"exact[i, 0] += {' + '.join(e.text for e in self._scope.floats)}")

    def _thread_array(self) -> None:
        if not self._choose(2):
            return
        name = self._name("t")
        self._line(f"{name} = sm.thread_array(({_THREAD_ARRAY},), sm.int32)")
        with self._block(f"for k in range({_THREAD_ARRAY}):"):
            self._line(f"{name}[k] = {self._folded(self._int(1), _VARIABLE_INT + 1).text}")
        self._scope.arrays.append(name)

    def _phases(self) -> None:
        """Stretches of work between barriers, which all threads reach."""
        self._line(f"shared = sm.threadgroup_array(({SHARED_SIZE},), sm.int32)")
        self._line("count = sm.threads_per_threadgroup().x")
        self._line("lane = sm.thread_position_in_threadgroup().x")
        self._scope.ints += [Int("count", SHARED_SIZE), Int("lane", SHARED_SIZE)]
        for _ in range(1 + self._choose(2)):
            self._assign_int(0)
        if not self._choose(2):
            self._phase()
            self._phase()
            return
        name = self._name("r")
        with self._block(f"for {name} in range({self._one_of('3', 's % 3 + 1')}):"):
            self._scope.ints.append(Int(name, 3))
            self._phase()
            if self._choose(2):
                with self._block(f"if (s + {name}) % 2 == 0:"):
                    self._phase()

    def _phase(self) -> None:
        self._statements(self._choose(3))
        self._line(f"shared[lane] = {self._value('i', 2)}")
        self._line("sm.threadgroup_barrier()")
        name = self._target("i")
        self._line(f"{name} = shared[(lane + {self._int(1).text}) % count]")
        self._declare(name)
        self._statements(self._choose(3))
        self._line("sm.threadgroup_barrier()")


@st.composite
def programs(draw: st.DrawFn, prefix: str = "") -> Program:
    """A random program."""

    def choose(limit: int) -> int:
        return 0 if limit <= 1 else draw(_NUMBERS[limit])

    return Writer(choose, prefix).program()


_NUMBERS = {limit: st.integers(0, limit - 1) for limit in range(2, 64)}

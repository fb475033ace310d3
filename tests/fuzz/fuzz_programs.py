"""Random programs of the kernel language: statements, functions and kernels.

What :mod:`fuzz_expressions` says of exactness holds for variables as well: each keeps to the bounds
of its kind, because what it is assigned is folded first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fuzz_expressions import (
    THREAD_ARRAY,
    THREADS,
    VARIABLE_FLOAT,
    VARIABLE_FRACTION,
    VARIABLE_INT,
    Choose,
    Expressions,
    Float,
    Helper,
    Int,
    Scope,
)
from hypothesis import strategies as st

TILE = 3  # elements of a thread array whose indices are all constants
OUTPUTS = 4  # results of each kind that a thread can write
SHARED_SIZE = 32  # elements of the threadgroup array; at least the threads of a threadgroup


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


class Writer(Expressions):
    """Writes one program; ``choose(n)`` gives a number from 0 to n - 1."""

    def __init__(self, choose: Choose) -> None:
        super().__init__(choose)
        self._lines: list[str] = []
        self._indent = 0
        self._loops = 0  # loops around that may be left by break or continue
        self._result = ""  # of the function being written; "" in a kernel
        self._may_return = True

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

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
            return self._folded(self._int(depth), VARIABLE_INT + 1).text
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
            scope.ints.append(Int(name, VARIABLE_INT))
        elif name[0] == "f" and name not in scope.assigned_floats:
            scope.assigned_floats.append(name)
            scope.floats.append(Float(name, VARIABLE_FLOAT, VARIABLE_FRACTION))
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
        place = f"{array}[{self._index(1, THREAD_ARRAY)}]"
        if self._choose(2):
            self._line(f"{place} = {self._value('i', 2)}")
            return
        self._line(f"{array}[{self._choose(THREAD_ARRAY)}] += {self._value('i', 1)}")
        for position in range(THREAD_ARRAY):
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
        read = f"{array}[{self._choose(THREAD_ARRAY)}]"
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
        parameters = self._one_of("i", "ai", "if", "gi", "ai", "f")
        result = "i" if parameters in ("i", "ai") else self._one_of("i", "f", "t")
        helper = Helper(f"helper_{number}", parameters, result)
        names = {kind: f"{kind}_{place}" for place, kind in enumerate(parameters)}
        before, self._scope = self._scope, Scope()
        self._result, self._may_return = result, True
        with self._block(f"def {helper.name}({', '.join(names.values())}):"):
            if "i" in names:
                self._scope.ints.append(Int(names["i"], VARIABLE_INT))
            if "f" in names:
                self._scope.floats.append(Float(names["f"], VARIABLE_FLOAT, VARIABLE_FRACTION))
            if "g" in names:
                called = f"{names['g']}({names['i']})"
                self._scope.ints.append(Int(called, VARIABLE_INT))
            if "a" in names:
                self._scope.arrays.append(names["a"])
                place = f"{names['a']}[{names['i']} % {THREAD_ARRAY}]"
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
        name = "kernel"
        self._line("@sm.kernel")
        with self._block(f"def {name}(a, b, s, w, whole, exact, rough):"):
            self._line("i = sm.thread_position_in_grid().x")
            self._has_inputs = True
            self._scope.ints += [Int("i", THREADS), Int("s", 9)]
            self._scope.floats.append(Float("w", 4.0, 2))
            self._thread_array()
            self._tile()
            for _ in range(self._choose(3)):
                self._assign_int(0)
                self._assign_float(0)
            if self._scope.arrays:
                self._effect(0)
            if has_barriers:
                self._phases()
            else:
                self._statements(self._one_of(2, 2, 3))
            self._digest()
        return Program("\n".join(self._lines), name, threads, debug, has_barriers)

    def _digest(self) -> None:
        """What the variables hold at last."""
        elements = [f"{name}[{k}]" for name in self._scope.arrays for k in range(THREAD_ARRAY)]
        terms = enumerate([e.text for e in self._scope.ints] + elements)
        self._line(f"whole[i, 0] += {' + '.join(f'{t} * {p % 7 + 1}' for p, t in terms)}")
        self._line(f"exact[i, 0] += {' + '.join(e.text for e in self._scope.floats)}")

    def _thread_array(self) -> None:
        changing = [helper for helper in self._helpers if "a" in helper.parameters]
        if not changing and not self._choose(2):
            return
        name = self._name("t")
        self._line(f"{name} = sm.thread_array(({THREAD_ARRAY},), sm.int32)")
        with self._block(f"for k in range({THREAD_ARRAY}):"):
            self._line(f"{name}[k] = {self._folded(self._int(1), VARIABLE_INT + 1).text}")
        self._scope.arrays.append(name)

    def _tile(self) -> None:
        """A thread array whose indices are all constants: each element is a variable of its own."""
        if not self._choose(2):
            return
        name = self._name("m")
        self._line(f"{name} = sm.thread_array(({TILE},), sm.int32)")
        with self._block(f"for k in sm.static_range({TILE}):"):
            self._line(f"{name}[k] = {self._folded(self._int(1), VARIABLE_INT + 1).text}")
        elements = [f"{name}[{k}]" for k in range(TILE)]
        self._scope.assigned_ints += elements
        self._scope.ints += [Int(element, VARIABLE_INT) for element in elements]

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
def programs(draw: st.DrawFn) -> Program:
    """A random program."""

    def choose(limit: int) -> int:
        return 0 if limit <= 1 else draw(_NUMBERS[limit])

    return Writer(choose).program()


_NUMBERS = {limit: st.integers(0, limit - 1) for limit in range(2, 64)}

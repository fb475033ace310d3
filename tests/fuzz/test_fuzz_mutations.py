# ruff: noqa: BLE001, PT017, S102 - programs are our own text; whatever they raise is looked at
"""A kernel that is wrong somewhere is refused with a CompileError, never by an accident.

Valid programs are spoilt at random: nodes of their syntax trees are deleted, doubled, replaced by
others, or exchanged for what the language does not have. What results is either a valid kernel,
which every target's printer takes, or one whose faults are told with their places.
"""

from __future__ import annotations

import ast
import copy
import linecache
import os
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from fuzz_expressions import Choose
from fuzz_programs import Writer
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

import speedmetal as sm
from tiers import examples

SEED = int(os.environ.get("SPEEDMETAL_FUZZ_SEED", "0"))
MUTANTS = examples(800)
MUTANTS_AT_NIGHT = 20_000
SIGNATURE = "i32[:] f32[:] i32 f32 i32[:,:] f32[:,:] f32[:,:]"

_FOREIGN_EXPRESSIONS = (
    "[1, 2]", "{'a': 1}", "'text'", "None", "...", "(yield 1)", "[x for x in a]", "f'{i}'", "b'x'",
    "a", "i.x", "a[0][1]", "a[:]", "a[0, 0]", "sm", "sm.float32", "sm.no_such_name", "math.sin",
    "i @ i", "1j", "(1, 2)", "()", "a.shape", "a.size.x", "lambda: 1", "lambda x: x", "1 << 99999",
    "10 ** 400", "1e999", "-1 ** 0.5", "sm.thread_position_in_grid()", "min()", "max(1)", "abs()",
    "range(3)", "range(0, 1, 0)", "1 / 0", "5 % 0", "print", "len(3)", "int('7')", "undefined",
    "sm.simd_sum(i)", "sm.simd_shuffle(w, 1.5)", "sm.atomic_add(whole, (i, 0), 1)", "not a",
    "sm.thread_array((i,), sm.int32)", "sm.thread_array(0, sm.int32)", "a is None", "a == b",
    "sm.simdgroup_matrix(0.0, sm.float32)", "sm.bitcast(i, sm.int8)", "sm.uint8(300)", "whole[0]",
    "(i := 3)", "*a", "sum((1, a))", "isinstance(i, int)", "a.append(1)", "divmod(i, 0)", "w.real",
    "sm.random.uniform(1, i)", "sm.float16(w)", "i < w < a", "a[1.5]", "a['x']", "exact[i, -9]",
)  # fmt: skip
_FOREIGN_STATEMENTS = (
    "pass", "return 5", "return", "break", "continue", "raise ValueError", "del i", "import os",
    "global i", "with a: pass", "try:\n    pass\nfinally:\n    pass", "class C: pass", "a = 3",
    "def f(x):\n    return f(x)", "i = w", "i += 'x'", "w: sm.int32 = 1.5", "assert i", "assert a",
    "sm.threadgroup_barrier()", "sm.simdgroup_barrier('nowhere')", "print(i, sep=1)", "print(*a)",
    "for x in a: pass", "for x, y in ((1, 2), 3): pass", "while i: i = i - 1", "a[i] = w",
    "a, b = b, a", "i, = 1, 2", "match i:\n    case 1:\n        pass", "async def f(): pass",
    "shared = sm.threadgroup_array((w,), sm.float32)", "sm.atomic_min(a, 0)", "a[0] = a",
    "sm.x = i",
    "exact[0] = 1.0", "whole[i, 0], = (1,)", "for i in range(w): pass", "lambda: 0", "nonlocal i",
)  # fmt: skip


class Mutator:
    """Spoils a tree; every choice is one number, as in the programs' writer."""

    def __init__(self, choose: Choose, tree: ast.Module) -> None:
        self._choose = choose
        self._tree = tree

    def _one_of(self, options: Any) -> Any:
        return options[self._choose(len(options))]

    def _blocks(self) -> list[list[ast.stmt]]:
        found = []
        for node in ast.walk(self._tree):
            for name in ("body", "orelse"):
                block = getattr(node, name, None)
                if isinstance(block, list) and block and not isinstance(node, ast.Module):
                    found.append(block)
        return found

    def _places(self) -> list[tuple[ast.AST, str, int | None]]:
        """Where expressions stand: a node, its field, and the place in a list."""
        found: list[tuple[ast.AST, str, int | None]] = []
        for node in ast.walk(self._tree):
            for name, value in ast.iter_fields(node):
                if name in ("decorator_list", "ctx"):
                    continue
                if isinstance(value, ast.expr):
                    found.append((node, name, None))
                elif isinstance(value, list):
                    places = range(len(value))
                    found += [(node, name, k) for k in places if isinstance(value[k], ast.expr)]
        return found

    @staticmethod
    def _get(place: tuple[ast.AST, str, int | None]) -> ast.expr:
        node, name, number = place
        value = getattr(node, name)
        return value if number is None else value[number]

    @staticmethod
    def _put(place: tuple[ast.AST, str, int | None], new: ast.expr) -> None:
        node, name, number = place
        if number is None:
            setattr(node, name, new)
        else:
            getattr(node, name)[number] = new

    def replace_expression(self) -> None:
        new = ast.parse(self._one_of(_FOREIGN_EXPRESSIONS).replace("*a", "(*a,)"), mode="eval").body
        self._put(self._one_of(self._places()), new)

    def move_expression(self) -> None:
        places = self._places()
        self._put(self._one_of(places), copy.deepcopy(self._get(self._one_of(places))))

    def rename(self) -> None:
        names = [node for node in ast.walk(self._tree) if isinstance(node, ast.Name)]
        self._one_of(names).id = self._one_of(names).id

    def change_operator(self) -> None:
        operators = [n for n in ast.walk(self._tree) if isinstance(n, ast.BinOp | ast.AugAssign)]
        if operators:
            kinds = (ast.Div, ast.Pow, ast.MatMult, ast.LShift, ast.BitAnd, ast.FloorDiv, ast.Mod)
            self._one_of(operators).op = self._one_of(kinds)()

    def delete_statement(self) -> None:
        block = self._one_of(self._blocks())
        del block[self._choose(len(block))]

    def double_statement(self) -> None:
        block = self._one_of(self._blocks())
        block.append(copy.deepcopy(self._one_of(block)) if block else ast.Pass())

    def move_statement(self) -> None:
        blocks = self._blocks()
        moved = copy.deepcopy(self._one_of(self._one_of(blocks)) if blocks[0] else ast.Pass())
        target = self._one_of(blocks)
        target.insert(self._choose(len(target) + 1), moved)

    def insert_statement(self) -> None:
        block = self._one_of(self._blocks())
        new = ast.parse(self._one_of(_FOREIGN_STATEMENTS)).body
        block.insert(self._choose(len(block) + 1), new[0])

    def spoil(self) -> None:
        ways: tuple[Callable[[], None], ...] = (
            self.replace_expression, self.insert_statement, self.move_expression, self.rename,
            self.delete_statement, self.double_statement, self.move_statement, self.change_operator,
        )  # fmt: skip
        for _ in range(1 + self._choose(3)):
            self._one_of(ways)()


@st.composite
def mutants(draw: st.DrawFn) -> tuple[str, str, int]:
    """The text of a program with faults, its kernel, and a debug level."""

    def choose(limit: int) -> int:
        return draw(st.integers(0, limit - 1)) if limit > 1 else 0

    program = Writer(choose).program()
    tree = ast.parse(program.source)
    Mutator(choose, tree).spoil()
    for node in ast.walk(tree):
        if getattr(node, "body", None) == []:  # it has lost every statement
            node.body = [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(tree)), program.name, program.debug


def defined(text: str, name: str) -> sm.Kernel | None:
    """The kernel; None where Python itself refuses to define it."""
    text = f"import math\nimport speedmetal as sm\n\n{text}\n"
    place = f"<mutant {hash(text)}>"
    names: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of what is wrong on purpose
            exec(compile(text, place, "exec"), names)
    except Exception:  # defaults and decorators are run by Python, which may refuse them
        return None
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    found = names[name]
    return found if isinstance(found, sm.Kernel) else None


def check(mutant: tuple[str, str, int]) -> None:
    """Compile it for every target, up to the target's own text."""
    text, name, debug = mutant
    kernel = defined(text, name)
    if kernel is None:
        return
    for target in ("cpu", "cuda", "metal"):
        try:
            source = sm.code(kernel, SIGNATURE, target=target, debug=debug)
        except sm.CompileError as error:
            assert error.diagnostics
            assert all(found.message and found.span.line > 0 for found in error.diagnostics)
            str(error)  # it can be shown
            return
        except sm.LaunchError:  # a parameter is gone
            return
        assert kernel.name in source


def try_mutants(number: int, first_seed: int) -> None:
    @seed(first_seed)
    @settings(
        deadline=None,
        database=None,
        max_examples=number,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutants())
    def each(mutant):
        note(f"SPEEDMETAL_FUZZ_SEED={SEED}, debug={mutant[2]}\n{mutant[0]}")
        check(mutant)

    each()


def test_faults_are_told_and_never_crash():
    try_mutants(MUTANTS, SEED)


@pytest.mark.tier("nightly")
@pytest.mark.timeout(7200)
def test_many_faults_are_told_and_never_crash():
    try_mutants(MUTANTS_AT_NIGHT, SEED + 1)


@pytest.mark.parametrize("foreign", _FOREIGN_EXPRESSIONS)
def test_every_foreign_expression_is_a_value_or_a_told_fault(foreign):
    text = f"@sm.kernel\ndef k(a, b, s, w, whole, exact, rough):\n    i = 0\n    x = {foreign}\n"
    check((f"{text}    exact[i, 0] = x\n", "k", 1))
    check((f"{text}    if x:\n        exact[i, 0] = 1.0\n", "k", 0))
    check((f"{text}    whole[x] = 1 + x\n", "k", 0))


@pytest.mark.parametrize("foreign", _FOREIGN_STATEMENTS)
def test_every_foreign_statement_is_done_or_a_told_fault(foreign):
    indented = foreign.replace("\n", "\n    ")
    head = "@sm.kernel\ndef k(a, b, s, w, whole, exact, rough):\n"
    body = f"    i = sm.thread_position_in_grid().x\n    {indented}\n    whole[0, 0] = 1\n"
    check((head + body, "k", 1))
    inner = body.replace("\n", "\n    ").rstrip(" ")
    check((f"{head}    for turn in range(s):\n    {inner}", "k", 0))

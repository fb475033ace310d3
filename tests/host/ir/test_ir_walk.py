"""Going over trees finds every node once, in order; rewriting changes what it should alone."""

from __future__ import annotations

from dataclasses import replace

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.ir import nodes as ir
from speedmetal.ir import walk
from speedmetal.source import NOWHERE


def program() -> ir.Kernel:
    b = Builder("walked")
    v, k = b.array("v", d.float32), b.scalar("k", d.int32)
    c = b.variable("c", d.int32)
    inner = b.store(v, [c], b.add(b.load(v, b.add(c, 1)), 2.0))
    b.emit(b.loop(c, 0, k, 1, [b.when(b.compare("lt", c, 3), [inner], [ir.Break(NOWHERE)])]))
    b.emit(b.loop_while(b.compare("gt", k, 0), [ir.Continue(NOWHERE)]))
    b.emit(b.leave())
    return b.kernel()


def test_statements_come_in_program_order():
    names = [type(s).__name__ for s in walk.statements(program().body)]
    assert names == ["For", "If", "Store", "Break", "While", "Continue", "Return"]


def test_operands_come_before_their_users():
    store = next(s for s in walk.statements(program().body) if isinstance(s, ir.Store))
    names = [type(e).__name__ for e in walk.expressions(store)]
    assert names == ["Read", "Read", "Constant", "Binary", "Load", "Constant", "Binary"]


def test_what_a_statement_assigns():
    b = Builder("assigns")
    n, r = b.array("n", d.int32), b.variable("r", d.int32)
    assert walk.assigned_variable(b.assign(r, 1)) is r
    assert walk.assigned_variable(b.atomic("add", n, [0], 1, result=r)) is r
    assert walk.assigned_variable(b.loop(r, 0, 1, 1, [])) is r
    assert walk.assigned_variable(b.leave()) is None


def test_rewriting_nothing_gives_the_same_objects():
    kernel = program()
    store = next(s for s in walk.statements(kernel.body) if isinstance(s, ir.Store))
    assert walk.map_operands(store, lambda e: e) is store
    assert walk.rewrite(store.value, lambda e: e) is store.value


def test_every_constant_is_rewritten_and_the_rest_kept():
    def add_one(e: ir.Expression) -> ir.Expression:
        return replace(e, value=e.value + 1) if isinstance(e, ir.Constant) else e

    def constants(body: tuple[ir.Statement, ...]) -> list[float]:
        return [
            e.value
            for s in walk.statements(body)
            for e in walk.expressions(s)
            if isinstance(e, ir.Constant)
        ]

    kernel = program()
    changed = walk.rewrite_body(kernel.body, add_one)
    assert constants(changed) == [value + 1 for value in constants(kernel.body)]
    assert [type(s) for s in walk.statements(changed)] == [
        type(s) for s in walk.statements(kernel.body)
    ]


def test_statements_are_expanded_after_those_inside_them():
    seen: list[str] = []

    def expand(statement: ir.Statement) -> tuple[ir.Statement, ...]:
        seen.append(type(statement).__name__)
        return () if isinstance(statement, ir.Store) else (statement, statement)

    body = walk.rewrite_body(program().body, lambda e: e, expand)
    assert seen == ["Store", "Break", "If", "For", "Continue", "While", "Return"]
    assert len(body) == 6
    assert not any(isinstance(s, ir.Store) for s in walk.statements(body))


def test_a_callee_counts_with_all_that_it_calls():
    x = ir.Variable("x", d.float32, NOWHERE)
    read = ir.Read(x, NOWHERE)
    square = ir.Binary("multiply", read, read, d.float32, NOWHERE)
    inner = ir.Function("inner", (x,), d.float32, (ir.Return(square, NOWHERE),), NOWHERE)
    twice = ir.Return(ir.Invoke(inner, (ir.Invoke(inner, (read,), NOWHERE),), NOWHERE), NOWHERE)
    outer = ir.Function("outer", (x,), d.float32, (twice,), NOWHERE)
    body: tuple[ir.Statement, ...] = (ir.Return(ir.Invoke(outer, (read,), NOWHERE), NOWHERE),)
    assert walk.size(inner.body) == walk.size_with_callees(inner.body) == 3
    assert walk.size(outer.body) == 3
    assert walk.size_with_callees(outer.body) == 3 + 2 * 3
    assert walk.size_with_callees(body) == 2 + 9
    for _ in range(60):  # each calls the one before twice: found in no time all the same
        call = ir.Invoke(outer, (ir.Invoke(outer, (read,), NOWHERE),), NOWHERE)
        outer = replace(outer, body=(ir.Return(call, NOWHERE),))
    assert walk.size_with_callees(outer.body) > 2**60

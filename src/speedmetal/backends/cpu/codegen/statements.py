"""Statements under masks: how threads that go different ways share one vector.

The active lanes are a mask; None means all. A condition that is the same for all lanes is a
branch; one that varies makes the mask smaller for its body, which is skipped where no lane is
left. Lanes that leave a loop or the function early are taken out of *live* masks in stack slots,
which LLVM turns into registers. It holds at every statement that at least one lane is active.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from speedmetal.backends.cpu.codegen.expressions import FunctionTable
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM, LaneStrides, Path
from speedmetal.backends.cpu.codegen.llvm_text import Writer, value_type, vector_type
from speedmetal.backends.cpu.codegen.ranges import Ranges
from speedmetal.backends.cpu.codegen.values import Value
from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assert,
    Assign,
    Atomic,
    Barrier,
    Break,
    Call,
    Constant,
    Continue,
    Expression,
    For,
    If,
    Invoke,
    Load,
    MatrixStore,
    Print,
    Return,
    Statement,
    Store,
    Variable,
    While,
)

_CHEAP_STATEMENTS = 4
_TWICE_WRITTEN_EXPRESSIONS = 150
# LLVM has no instructions for these: it calls the C library for each lane.
_LIBRARY_CALLS = frozenset({"llvm.pow", "llvm.sin", "llvm.cos", "llvm.tan"})


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop around what is being written. The slots hold masks, in loops that lanes leave."""

    node: For | While
    next: str
    end: str
    live: str = ""
    iteration: str = ""


class Statements(Ranges):
    """Writes statements for the lanes of a vector."""

    def __init__(
        self, writer: Writer, lanes: int, shapes: LaneStrides, functions: FunctionTable
    ) -> None:
        super().__init__(writer, lanes, shapes, functions)
        self.loops: list[Loop] = []
        self.return_label = ""
        self.live = ""  # slot of the lanes that have not returned, where some do so early
        self.result_slot = ""  # slot of a function's result
        self.result_lanes = 0

    # --- blocks

    def block(self, body: tuple[Statement, ...], path: Path) -> None:
        """Write a body. Afterwards the mask is the one before, less lanes that left."""
        entry = self.mask
        end = ""
        for number, statement in enumerate(body):
            self._STATEMENTS[type(statement)](self, statement, path)
            if isinstance(statement, Break | Continue | Return):
                break
            if not self._loses_lanes(statement):
                continue
            self.mask = self._remaining(entry)
            rest = body[number + 1 :]
            if not rest:
                break
            end, more = end or self.w.label("end"), self.w.label("more")
            self.w.branch(self.any_active(), more, end)
            self.w.start(more)
            if self.mask is not None and self._is_better_twice(entry, rest):
                self._under_mask(self.mask, entry, rest, path)
                break
        if end:
            self.w.jump(end)
            self.w.start(end)

    def _loses_lanes(self, statement: Statement) -> bool:
        if isinstance(statement, Assert):
            return bool(self.lanes)
        if not self.shapes.masked_exits and not self.shapes.has_masked_return:
            return False
        return self._may_lose(statement, frozenset())

    def _may_lose(self, statement: Statement, inner: frozenset[Statement]) -> bool:
        """Whether a masked exit in the statement leads out of it."""
        match statement:
            case Return():
                return self.shapes.has_masked_return
            case Break() | Continue():
                return not inner and bool(self.loops) and bool(self.loops[-1].live)
            case Assert():
                return True
            case For() | While():
                inner = inner | {statement}
        return any(self._may_lose(s, inner) for block in walk.blocks(statement) for s in block)

    def _remaining(self, entry: str | None) -> str | None:
        """The lanes of a mask that have not left the innermost loop, or the function."""
        masked = next((loop for loop in reversed(self.loops) if loop.iteration), None)
        slot = masked.iteration if masked else self.live
        if not slot:
            return entry
        kind = vector_type("i1", self.lanes)
        left = self.w.let(f"load {kind}, ptr {slot}")
        return left if entry is None else self.w.let(f"and {kind} {entry}, {left}")

    # --- masks

    def any_active(self, mask: str | None = "") -> str:
        """Whether a mask (by default the current one) has an active lane, as i1."""
        mask = self.mask if mask == "" else mask
        if mask is None:
            return "true"
        bits = self.w.let(f"bitcast <{self.lanes} x i1> {mask} to i{self.lanes}")
        return self.w.let(f"icmp ne i{self.lanes} {bits}, 0")

    def all_active(self, mask: str) -> str:
        """Whether every lane of a mask is active, as i1."""
        bits = self.w.let(f"bitcast <{self.lanes} x i1> {mask} to i{self.lanes}")
        return self.w.let(f"icmp eq i{self.lanes} {bits}, -1")

    def mask_text(self) -> str:
        return self.mask or "splat (i1 true)"

    def narrowed_mask(self, condition: str) -> str:
        """The active lanes in which a condition (a vector) holds."""
        if self.mask is None:
            return condition
        return self.w.let(f"and <{self.lanes} x i1> {self.mask}, {condition}")

    def opposite(self, condition: str) -> str:
        return self.w.let(f"xor <{self.lanes} x i1> {condition}, splat (i1 true)")

    def _clear(self, slot: str) -> None:
        """Take the active lanes out of the mask in a slot."""
        kind = vector_type("i1", self.lanes)
        before = self.w.let(f"load {kind}, ptr {slot}")
        kept = self.w.let(f"and {kind} {before}, {self.opposite(self.mask_text())}")
        self.w.do(f"store {kind} {kept}, ptr {slot}")

    # --- assignments and accesses

    def _assign(self, node: Assign, path: Path) -> None:
        self.assign(node.variable, self.evaluate(node.value), path)

    def assign(self, variable: Variable, value: Value, path: Path) -> None:
        """Give a variable a value in the active lanes."""
        accesses = self.shapes.accesses[variable]
        if accesses.is_single:
            if accesses.read:
                self.bound[variable] = value
            return
        slot, lanes = self.slot_of(variable), self.lanes_of(variable)
        kind = value_type(variable.type, lanes)
        text = self.vector(value) if lanes else value.text
        if lanes and self.mask is not None and self.shapes.leaves_lanes_behind(variable, path):
            before = self.w.let(f"load {kind}, ptr {slot}")
            chooser = vector_type("i1", self.lanes)
            text = self.w.let(f"select {chooser} {self.mask}, {kind} {text}, {kind} {before}")
        self.w.do(f"store {kind} {text}, ptr {slot}")

    def _store(self, node: Store, path: Path) -> None:
        del path
        indices = self.evaluate_all(node.indices)
        self.store(node.array, indices, self.evaluate(node.value), node.part)

    def _matrix_store(self, node: MatrixStore, path: Path) -> None:
        del path
        self.matrix_store(node.array, self.evaluate_all(node.indices), self.evaluate(node.value))

    def _atomic(self, node: Atomic, path: Path) -> None:
        indices = self.evaluate_all(node.indices)
        old = self.atomic(node, indices, self.evaluate_all(node.operands))
        if old is not None and node.result is not None:
            self.assign(node.result, old, path)

    # --- conditions

    def _if(self, node: If, path: Path) -> None:
        condition = self.evaluate(node.condition)
        if condition.is_uniform:
            self._branch(node, condition.text, path)
        elif self._is_cheap(node.body) and self._is_cheap(node.orelse):
            self._both(node, condition.text, path)
        else:
            self._masked_branches(node, condition.text, path)

    def _branch(self, node: If, condition: str, path: Path) -> None:
        entry = self.mask
        labels = [self.w.label(hint) for hint in ("then", "else", "join")]
        then, otherwise, join = labels
        self.w.branch(condition, then, otherwise if node.orelse else join)
        for number, (label, body) in enumerate(((then, node.body), (otherwise, node.orelse))):
            if number and not body:
                continue
            self.w.start(label)
            self.mask = entry
            self.block(body, (*path, (node, number)))
            self.w.jump(join)
        self.w.start(join)
        self.mask = entry

    def _masks(self, node: If, condition: str) -> tuple[str, str]:
        """The lanes of the body, and those of the else part where there is one."""
        then = self.narrowed_mask(condition)
        return then, self.narrowed_mask(self.opposite(condition)) if node.orelse else ""

    def _both(self, node: If, condition: str, path: Path) -> None:
        """Without a branch: cheaper than the question whether there is a lane for it."""
        entry = self.mask
        masks = self._masks(node, condition)
        for number, body in enumerate((node.body, node.orelse)):
            if body:
                self.mask = masks[number]
                self.block(body, (*path, (node, number)))
                self.mask = entry

    def _masked_branches(self, node: If, condition: str, path: Path) -> None:
        entry = self.mask
        masks = self._masks(node, condition)
        for number, body in enumerate((node.body, node.orelse)):
            if not body:
                continue
            some, join = self.w.label("some"), self.w.label("join")
            self.w.branch(self.any_active(masks[number]), some, join)
            self.w.start(some)
            self._under_mask(masks[number], entry, body, (*path, (node, number)))
            self.w.jump(join)
            self.w.start(join)
            self.mask = entry

    def _under_mask(
        self, mask: str, entry: str | None, body: tuple[Statement, ...], path: Path
    ) -> None:
        """Write a body for some lanes; where masks are dear, for all lanes as well."""
        if self._is_better_twice(entry, body):
            full, part, done = (self.w.label(name) for name in ("full", "part", "both"))
            self.w.branch(self.all_active(mask), full, part)
            self.w.start(full)
            self.mask = None
            self.block(body, path)
            self.w.jump(done)
            self.w.start(part)
            self.mask = mask
            self.block(body, path)
            self.w.jump(done)
            self.w.start(done)
            return
        self.mask = mask
        self.block(body, path)

    def _is_better_twice(self, entry: str | None, body: tuple[Statement, ...]) -> bool:
        """Whether a body that runs under a mask is worth a second text for full vectors."""
        if entry is not None or walk.size(body) > _TWICE_WRITTEN_EXPRESSIONS:
            return False
        inside = list(walk.statements(body))
        if any(isinstance(s, Atomic) or self._streams(s) for s in inside):
            return True
        return not self.functions.unit.has_masks and any(map(_accesses_memory, inside))

    def _streams(self, statement: Statement) -> bool:
        return isinstance(statement, Store) and statement.array in self.streamed

    def _is_cheap(self, body: tuple[Statement, ...]) -> bool:
        """Whether a body may be run for no lane, at a cost below that of a branch."""
        if len(body) > _CHEAP_STATEMENTS:
            return False
        return all(
            isinstance(statement, Assign)
            and not any(_is_dear(e) for e in walk.expressions(statement))
            for statement in body
        )

    # --- loops

    def _enter(self, node: For | While) -> Loop:
        labels = (self.w.label("next"), self.w.label("end.loop"))
        if node not in self.shapes.varying:
            return Loop(node, *labels)
        kind = vector_type("i1", self.lanes)
        live, iteration = self.w.slot(kind, "live"), self.w.slot(kind, "iteration")
        self.w.do(f"store {kind} {self.mask_text()}, ptr {live}")
        return Loop(node, *labels, live, iteration)

    def _body(self, loop: Loop, path: Path) -> None:
        self.loops.append(loop)
        self.block(loop.node.body, (*path, (loop.node, 0)))
        self.loops.pop()
        self.w.jump(loop.next)
        self.w.start(loop.next)

    def _while_any(self, loop: Loop, head: str) -> None:
        """Go round again where lanes are left."""
        if not loop.live:
            self.w.jump(head)
            return
        kind = vector_type("i1", self.lanes)
        left = self.w.let(f"load {kind}, ptr {loop.live}")
        self.w.branch(self.any_active(left), head, loop.end)

    def _admit(self, loop: Loop, condition: Value, body: str) -> None:
        """Start an iteration with the lanes for which the loop's condition holds."""
        if not loop.live:
            self.w.branch(condition.text, body, loop.end)
            self.w.start(body)
            return
        kind = vector_type("i1", self.lanes)
        live = self.mask_text()
        if condition.is_uniform and condition.text != "true":
            onward = self.w.label("onward")
            self.w.branch(condition.text, onward, loop.end)
            self.w.start(onward)
        elif not condition.is_uniform:
            live = self.narrowed_mask(self.vector(condition))
            self.w.do(f"store {kind} {live}, ptr {loop.live}")
        self.w.branch(self.any_active(live), body, loop.end)
        self.w.start(body)
        self.w.do(f"store {kind} {live}, ptr {loop.iteration}")
        self.mask = live

    def _load_live(self, loop: Loop) -> None:
        if loop.live:
            self.mask = self.w.let(f"load {vector_type('i1', self.lanes)}, ptr {loop.live}")

    def _while(self, node: While, path: Path) -> None:
        entry = self.mask
        loop = self._enter(node)
        head, body = self.w.label("head"), self.w.label("body")
        self.w.jump(head)
        self.w.start(head)
        self._load_live(loop)
        self._admit(loop, self.evaluate(node.condition), body)
        self._body(loop, path)
        self._while_any(loop, head)
        self.w.start(loop.end)
        self.mask = entry

    def _for(self, node: For, path: Path) -> None:
        entry = self.mask
        counter = node.counter
        bounds = self.enter_range(node, *self.evaluate_all((node.start, node.stop, node.step)))
        loop = self._enter(node)
        lanes = self.lanes_of(counter)
        kind = value_type(counter.type, lanes)
        slot = self.w.slot(kind, counter.name)
        first = self.vector(bounds.start) if lanes else bounds.start.text
        self.w.do(f"store {kind} {first}, ptr {slot}")
        head, body = self.w.label("head"), self.w.label("body")
        self.w.jump(head)
        self.w.start(head)
        self._load_live(loop)
        shape = self.shapes.of.get(counter, UNIFORM)
        value = Value(self.w.let(f"load {kind}, ptr {slot}", counter.name), counter.type, shape)
        self._admit(loop, self.may_turn(value, bounds), body)
        self.bound[counter] = value
        self._body(loop, path)
        following = self.advance(value, bounds)
        after = self.vector(following) if lanes else following.text
        self.w.do(f"store {kind} {after}, ptr {slot}")
        self._while_any(loop, head)
        self.w.start(loop.end)
        self.mask = entry

    # --- exits

    def _break(self, node: Break, path: Path) -> None:
        del node, path
        loop = self.loops[-1]
        if not loop.live:
            self._jump_away(loop.end)
            return
        self._clear(loop.live)
        self._clear(loop.iteration)

    def _continue(self, node: Continue, path: Path) -> None:
        del node, path
        loop = self.loops[-1]
        if not loop.live:
            self._jump_away(loop.next)
            return
        self._clear(loop.iteration)

    def _return(self, node: Return, path: Path) -> None:
        del path
        if node.value is not None:
            self._set_result(self.evaluate(node.value))
        self.leave()

    def _set_result(self, value: Value) -> None:
        lanes = self.result_lanes
        kind = value_type(value.type, lanes)
        text = self.operand(value, lanes)
        if self.live and self.mask is not None:
            before = self.w.let(f"load {kind}, ptr {self.result_slot}")
            chooser = vector_type("i1", self.lanes)
            text = self.w.let(f"select {chooser} {self.mask}, {kind} {text}, {kind} {before}")
        self.w.do(f"store {kind} {text}, ptr {self.result_slot}")

    def leave(self) -> None:
        """The active lanes are done with the function."""
        if not self.live:
            self._jump_away(self.return_label)
            return
        for slot in (self.live, *(s for loop in self.loops for s in (loop.live, loop.iteration))):
            if slot:
                self._clear(slot)
        left = self.w.let(f"load {vector_type('i1', self.lanes)}, ptr {self.live}")
        stay = self.w.label("stay")
        self.w.branch(self.any_active(left), stay, self.return_label)
        self.w.start(stay)

    def _jump_away(self, label: str) -> None:
        self.w.jump(label)
        self.w.start(self.w.label("unreached"))

    # --- what only kernels have

    def print_values(self, node: Print) -> None:
        raise InternalError(f"{type(node).__name__} stands in a function")

    def check(self, node: Assert) -> None:
        raise InternalError(f"{type(node).__name__} stands in a function")

    def _print(self, node: Print, path: Path) -> None:
        del path
        self.print_values(node)

    def _assert(self, node: Assert, path: Path) -> None:
        del path
        if isinstance(node.condition, Constant) and node.condition.value:
            return
        self.check(node)

    def _barrier(self, node: Barrier, path: Path) -> None:
        """Statements are run for the whole vector, one after the other: nothing to wait for."""
        del path
        if node.scope != "simdgroup":
            raise InternalError("a threadgroup barrier stands inside a run")

    _STATEMENTS: ClassVar[dict[type, Callable[[Any, Any, Path], None]]] = {
        Assign: _assign,
        Store: _store,
        MatrixStore: _matrix_store,
        Atomic: _atomic,
        If: _if,
        For: _for,
        While: _while,
        Break: _break,
        Continue: _continue,
        Return: _return,
        Print: _print,
        Assert: _assert,
        Barrier: _barrier,
    }


def _accesses_memory(statement: Statement) -> bool:
    every = walk.expressions(statement)
    return isinstance(statement, Store) or any(isinstance(e, Load) for e in every)


def _is_dear(expression: Expression) -> bool:
    """Whether it costs more than a branch around it, or must not be done for no lane."""
    if isinstance(expression, Call):
        types = [a.type for a in expression.arguments if isinstance(a.type, DType)]
        spelling = expression.intrinsic.spelling("cpu", types[0] if types else None)
        return isinstance(spelling, str) and spelling in _LIBRARY_CALLS
    return isinstance(expression, Load | Invoke)

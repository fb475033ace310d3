"""Loops that lanes may leave one by one.

A loop goes round as long as one lane has turns left. Where lanes may leave it at different times,
a slot holds those that are still in it, another those that are in the current iteration.
"""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions.lane_strides import LaneStrides, Path
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import value_type
from speedmetal.backends.cpu.codegen.operations.loads_stores import Memory
from speedmetal.backends.cpu.codegen.operations.ranges import Ranges
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threads.branches import WriteBlock
from speedmetal.backends.cpu.codegen.threads.exits import Exits, Loop
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.ir.nodes import For, While


class Loops:
    """Writes loops. Owns nothing.

    Asks which loops lanes leave, how ranges go on, and tells the exits what is around them;
    `block` writes the bodies.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        variables: Variables,
        expressions: Expressions,
        memory: Memory,
        ranges: Ranges,
        exits: Exits,
        strides: LaneStrides,
        block: WriteBlock,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._variables = variables
        self._expressions = expressions
        self._memory = memory
        self._ranges = ranges
        self._exits = exits
        self._strides = strides
        self._block = block

    def write_while(self, node: While, path: Path) -> None:
        entry = self._active.mask
        loop = self._enter(node)
        head, body = self._emit.label("head"), self._emit.label("body")
        self._emit.jump(head)
        self._emit.start(head)
        self._memory.known.forget()  # the iteration before may have changed it
        self._load_live(loop)
        self._admit(loop, self._expressions.evaluate(node.condition), body)
        self._body(loop, path)
        self._while_any(loop, head)
        self._emit.start(loop.end)
        self._active.mask = entry

    def write_for(self, node: For, path: Path) -> None:
        entry = self._active.mask
        counter = node.counter
        given = self._expressions.evaluate_all((node.start, node.stop, node.step))
        bounds = self._ranges.enter(node, *given)
        loop = self._enter(node)
        lanes = self._variables.lanes_of(counter)
        kind = value_type(counter.type, lanes)
        slot = self._emit.slot(kind, counter.name)
        self._emit.do(f"store {kind} {self._lanes.operand(bounds.start, lanes)}, ptr {slot}")
        head, body = self._emit.label("head"), self._emit.label("body")
        self._emit.jump(head)
        self._emit.start(head)
        self._memory.known.forget()  # the iteration before may have changed it
        self._load_live(loop)
        text = self._emit.let(f"load {kind}, ptr {slot}", counter.name)
        value = Value(text, counter.type, self._variables.stride_of(counter))
        self._admit(loop, self._ranges.may_turn(value, bounds), body)
        self._variables.bind(counter, value)
        self._body(loop, path)
        following = self._ranges.advance(value, bounds)
        self._emit.do(f"store {kind} {self._lanes.operand(following, lanes)}, ptr {slot}")
        self._while_any(loop, head)
        self._emit.start(loop.end)
        self._active.mask = entry

    # --- one iteration

    def _enter(self, node: For | While) -> Loop:
        labels = (self._emit.label("next"), self._emit.label("end.loop"))
        if node not in self._strides.varying:
            return Loop(node, *labels)
        kind = self._lanes.mask_type
        live, iteration = self._emit.slot(kind, "live"), self._emit.slot(kind, "iteration")
        self._emit.do(f"store {kind} {self._active.text()}, ptr {live}")
        return Loop(node, *labels, live, iteration)

    def _load_live(self, loop: Loop) -> None:
        if loop.live:
            self._active.mask = self._emit.let(f"load {self._lanes.mask_type}, ptr {loop.live}")

    def _admit(self, loop: Loop, condition: Value, body: str) -> None:
        """Start an iteration with the lanes for which the loop's condition holds."""
        if not loop.live:
            self._emit.branch(condition.text, body, loop.end)
            self._emit.start(body)
            return
        kind = self._lanes.mask_type
        live = self._active.text()
        if condition.is_uniform and condition.text != "true":
            onward = self._emit.label("onward")
            self._emit.branch(condition.text, onward, loop.end)
            self._emit.start(onward)
        elif not condition.is_uniform:
            live = self._active.narrowed(self._lanes.vector(condition))
            self._emit.do(f"store {kind} {live}, ptr {loop.live}")
        self._emit.branch(self._active.any_of(live), body, loop.end)
        self._emit.start(body)
        self._emit.do(f"store {kind} {live}, ptr {loop.iteration}")
        self._active.mask = live

    def _body(self, loop: Loop, path: Path) -> None:
        self._exits.enter(loop)
        self._block(loop.node.body, (*path, (loop.node, 0)))
        self._exits.leave_loop()
        self._emit.jump(loop.next)
        self._emit.start(loop.next)

    def _while_any(self, loop: Loop, head: str) -> None:
        """Go round again where lanes are left."""
        if not loop.live:
            self._emit.jump(head)
            return
        left = self._emit.let(f"load {self._lanes.mask_type}, ptr {loop.live}")
        self._emit.branch(self._active.any_of(left), head, loop.end)

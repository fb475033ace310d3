"""Failures and prints: what a kernel writes into its mailbox."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends import mailbox
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.decisions.plan import AXES, Plan
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.single_lanes import SingleLanes
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threadgroups import arguments
from speedmetal.backends.cpu.codegen.threadgroups.arguments import Arguments
from speedmetal.backends.cpu.codegen.threadgroups.positions import Positions
from speedmetal.backends.cpu.codegen.threads.exits import Exits
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions
from speedmetal.ir import analysis
from speedmetal.ir.nodes import Assert, Print, Statement


class Reporting:
    """Writes asserts and prints of a kernel. Owns where the mailbox is, and statements' numbers.

    Asks for values, positions and the active lanes; threads that fail leave by the exits.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        conversions: Conversions,
        singles: SingleLanes,
        expressions: Expressions,
        exits: Exits,
        positions: Positions,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._conversions = conversions
        self._singles = singles
        self._expressions = expressions
        self._exits = exits
        self._positions = positions
        self._mailbox = ""
        self._facts = analysis.facts(plan.kernel)
        self.has_positions = self._facts.reports_positions
        """Whether reports say which thread it was."""

    def read_mailbox(self, given: Arguments) -> None:
        """Read where the mailbox is, where the kernel needs one."""
        if self.has_positions or self._facts.reports_itself:
            self._mailbox = given.load(arguments.MAILBOX, "ptr")

    def _word(self, number: int | str) -> str:
        return self._emit.let(f"getelementptr i32, ptr {self._mailbox}, i64 {number}")

    # --- failures

    def check(self, node: Assert) -> None:
        """Threads for which the condition is false report and leave."""
        condition = self._expressions.evaluate(node.condition)
        entry = self._active.mask
        failing = self._active.narrowed(self._active.opposite(self._lanes.vector(condition)))
        failed, fine = self._emit.label("failed"), self._emit.label("fine")
        self._emit.branch(self._active.any_of(failing), failed, fine)
        self._emit.start(failed)
        self._active.mask = failing
        lane = self._active.first() if self.has_positions else "0"
        self._report(self._facts.sites[node], lane)
        self._exits.take_return()
        self._emit.jump(fine)
        self._emit.start(fine)
        self._active.mask = entry

    def report_divergence(self, node: Statement, differing: str) -> None:
        """Threads of this vector take another way round a barrier than the first thread."""
        entry = self._active.mask
        failed, fine = self._emit.label("differ"), self._emit.label("agree")
        self._emit.branch(self._active.any_of(differing), failed, fine)
        self._emit.start(failed)
        self._active.mask = differing
        self._report(self._facts.sites[node], self._active.first())
        self._emit.jump(fine)
        self._emit.start(fine)
        self._active.mask = entry

    def _report(self, site: int, lane: str) -> None:
        """The first to fail in the launch writes what and where."""
        flag = self._emit.let(f"atomicrmw xchg ptr {self._word(mailbox.FAILED)}, i32 1 monotonic")
        first, done = self._emit.label("first"), self._emit.label("reported")
        self._emit.branch(self._emit.let(f"icmp eq i32 {flag}, 0"), first, done)
        self._emit.start(first)
        self._emit.do(f"store i32 {site}, ptr {self._word(mailbox.SITE)}")
        if self.has_positions:
            self._report_positions(lane)
        self._emit.jump(done)
        self._emit.start(done)

    def _report_positions(self, lane: str) -> None:
        for name, word in (
            ("thread_position_in_threadgroup", mailbox.THREAD),
            ("threadgroup_position_in_grid", mailbox.THREADGROUP),
        ):
            for axis in AXES:
                value = self._positions.of(name, axis)
                text = value.text if value.is_uniform else (
                    self._lanes.extract(self._lanes.vector(value), value.dtype, lane)
                )  # fmt: skip
                short = self._conversions.convert(Value(text, value.type, UNIFORM), dtypes.int32)
                self._emit.do(f"store i32 {short.text}, ptr {self._word(word + axis)}")

    # --- prints

    def print_values(self, node: Print) -> None:
        """A record for each active thread, in order."""
        values = self._expressions.evaluate_all(node.values)
        places = [self._singles.spread(value) for value in values]
        for lane in self._active.each():
            scalars = [self._singles.lane_of(place, lane) for place in places]
            self._print_record(self._facts.sites[node], scalars)

    def _print_record(self, site: int, values: list[Value]) -> None:
        words = 1 + 2 * len(values)
        cursor = self._emit.let(
            f"atomicrmw add ptr {self._word(mailbox.PRINT_CURSOR)}, i32 {words} monotonic"
        )
        capacity = self._emit.let(f"load i32, ptr {self._word(mailbox.PRINT_CAPACITY)}")
        end = self._emit.let(f"add i32 {cursor}, {words}")
        room, done = self._emit.label("room"), self._emit.label("printed")
        self._emit.branch(self._emit.let(f"icmp ule i32 {end}, {capacity}"), room, done)
        self._emit.start(room)
        place = self._emit.let(f"zext i32 {cursor} to i64")
        first = self._emit.let(f"add i64 {place}, {mailbox.PRINT_AREA}")
        record = self._word(first)
        self._emit.do(f"store i32 {site}, ptr {record}")
        for number, value in enumerate(values):
            target = self._emit.let(f"getelementptr i32, ptr {record}, i64 {1 + 2 * number}")
            self._emit.do(f"store i64 {self._sixty_four_bits(value)}, ptr {target}, align 4")
        self._emit.jump(done)
        self._emit.start(done)

    def _sixty_four_bits(self, value: Value) -> str:
        if value.dtype.is_float:
            wide = self._conversions.convert(value, dtypes.float64)
            return self._emit.let(f"bitcast double {wide.text} to i64")
        wanted = dtypes.int64 if value.dtype.is_signed else dtypes.uint64
        return self._conversions.convert(value, wanted).text

"""Failures and prints: what a kernel writes into its mailbox."""

from __future__ import annotations

from functools import cached_property

from speedmetal import dtypes
from speedmetal.backends import mailbox
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.statements import Statements
from speedmetal.backends.cpu.codegen.values import Value
from speedmetal.ir import analysis
from speedmetal.ir.nodes import Assert, Kernel, Print, Statement

_AXES = range(3)


class Reporting(Statements):
    """Writes asserts and prints of a kernel."""

    kernel: Kernel
    mailbox: str = ""
    at: dict[tuple[str, int | None], Value]

    @cached_property
    def may_fail(self) -> bool:
        return analysis.may_fail(self.kernel)

    @property
    def reports(self) -> bool:
        """Whether the kernel needs a mailbox."""
        return self.reports_positions or analysis.reports_itself(self.kernel)

    @property
    def reports_positions(self) -> bool:
        return analysis.reports_positions(self.kernel)

    @cached_property
    def sites(self) -> dict[Statement, int]:
        """The numbers that stand for statements in the mailbox."""
        return analysis.site_numbers(self.kernel)

    def _word(self, number: int | str) -> str:
        return self.w.let(f"getelementptr i32, ptr {self.mailbox}, i64 {number}")

    # --- failures

    def check(self, node: Assert) -> None:
        """Threads for which the condition is false report and leave."""
        condition = self.evaluate(node.condition)
        entry = self.mask
        failing = self.narrowed_mask(self.opposite(self.vector(condition)))
        failed, fine = self.w.label("failed"), self.w.label("fine")
        self.w.branch(self.any_active(failing), failed, fine)
        self.w.start(failed)
        self.mask = failing
        lane = self.first_lane() if self.reports_positions else "0"
        self._report(self.sites[node], lane)
        self.leave()
        self.w.jump(fine)
        self.w.start(fine)
        self.mask = entry

    def report_divergence(self, node: Statement, differing: str) -> None:
        """Threads of this vector take another way round a barrier than the first thread."""
        entry = self.mask
        failed, fine = self.w.label("differ"), self.w.label("agree")
        self.w.branch(self.any_active(differing), failed, fine)
        self.w.start(failed)
        self.mask = differing
        self._report(self.sites[node], self.first_lane())
        self.w.jump(fine)
        self.w.start(fine)
        self.mask = entry

    def _report(self, site: int, lane: str) -> None:
        """The first to fail in the launch writes what and where."""
        flag = self.w.let(f"atomicrmw xchg ptr {self._word(mailbox.FAILED)}, i32 1 monotonic")
        first, done = self.w.label("first"), self.w.label("reported")
        self.w.branch(self.w.let(f"icmp eq i32 {flag}, 0"), first, done)
        self.w.start(first)
        self.w.do(f"store i32 {site}, ptr {self._word(mailbox.SITE)}")
        if self.reports_positions:
            self._report_positions(lane)
        self.w.jump(done)
        self.w.start(done)

    def _report_positions(self, lane: str) -> None:
        for name, word in (
            ("thread_position_in_threadgroup", mailbox.THREAD),
            ("threadgroup_position_in_grid", mailbox.THREADGROUP),
        ):
            for axis in _AXES:
                value = self.at[name, axis]
                text = value.text if value.is_uniform else (
                    self.extract(self.vector(value), value.dtype, lane)
                )  # fmt: skip
                short = self.convert(Value(text, value.type, UNIFORM), dtypes.int32)
                self.w.do(f"store i32 {short.text}, ptr {self._word(word + axis)}")

    # --- prints

    def print_values(self, node: Print) -> None:
        """A record for each active thread, in order."""
        values = self.evaluate_all(node.values)
        places = [self.spread(value) for value in values]
        for lane in self.each_active_lane():
            scalars = [self.lane_of(place, lane) for place in places]
            self._print_record(self.sites[node], scalars)

    def _print_record(self, site: int, values: list[Value]) -> None:
        words = 1 + 2 * len(values)
        cursor = self.w.let(
            f"atomicrmw add ptr {self._word(mailbox.PRINT_CURSOR)}, i32 {words} monotonic"
        )
        capacity = self.w.let(f"load i32, ptr {self._word(mailbox.PRINT_CAPACITY)}")
        end = self.w.let(f"add i32 {cursor}, {words}")
        room, done = self.w.label("room"), self.w.label("printed")
        self.w.branch(self.w.let(f"icmp ule i32 {end}, {capacity}"), room, done)
        self.w.start(room)
        place = self.w.let(f"zext i32 {cursor} to i64")
        first = self.w.let(f"add i64 {place}, {mailbox.PRINT_AREA}")
        record = self._word(first)
        self.w.do(f"store i32 {site}, ptr {record}")
        for number, value in enumerate(values):
            target = self.w.let(f"getelementptr i32, ptr {record}, i64 {1 + 2 * number}")
            self.w.do(f"store i64 {self._sixty_four_bits(value)}, ptr {target}, align 4")
        self.w.jump(done)
        self.w.start(done)

    def _sixty_four_bits(self, value: Value) -> str:
        if value.dtype.is_float:
            wide = self.convert(value, dtypes.float64)
            return self.w.let(f"bitcast double {wide.text} to i64")
        wanted = dtypes.int64 if value.dtype.is_signed else dtypes.uint64
        return self.convert(value, wanted).text

"""The runtime's reports in words: what happened, where, and what to do."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.runtime import lines
from speedmetal.metal_simulator.runtime.records import Dispatch, Region

if TYPE_CHECKING:
    from speedmetal.metal_simulator.runtime.library import Divergence, Party, Position, Race, Report

# enum smr_status
DONE, FAULT, TIMEOUT, DIVERGENCE, THREADGROUP_FULL, UNDERFLOW, FAILED, NO_MEMORY = range(8)
DIVISION = 8

_VERBS = ("touched", "read", "wrote")  # by enum smr_access
_NEAR_BYTES = 16 << 20  # of the guards around a buffer: what lies farther is another buffer's
_NULL_BYTES = 1 << 16
_ENDINGS = {
    signal.SIGILL: "came to a place that must never be reached (a trap)",
    signal.SIGTRAP: "came to a place that must never be reached (a trap)",
}


@dataclass(frozen=True, slots=True)
class Unbound:
    """Addresses that stand for buffers that are not bound.

    Args:
        address: Of index 0.
        step_bytes: From index to index.
        count: Of indices.
    """

    address: int
    step_bytes: int
    count: int

    def find(self, address: int) -> tuple[int, int] | None:
        """The index and the offset of an address; None: it is none of these."""
        index, offset = divmod(address - self.address, self.step_bytes)
        return (index, offset) if 0 <= index < self.count else None


@dataclass(frozen=True, slots=True)
class Explainer:
    """Makes errors of reports.

    Args:
        dispatch: What ran.
        unbound: The addresses of buffers that were not bound.
        limit_bytes: Of threadgroup memory.
        timeout_seconds: Of the watchdog.
    """

    dispatch: Dispatch
    unbound: Unbound
    limit_bytes: int
    timeout_seconds: float | None

    # ---- parts of sentences

    def error(self, kind: str, message: str) -> SimulationError:
        """An error of this kernel."""
        return SimulationError(kind, f"kernel {self.dispatch.name!r}: {message}")

    def line(self, code: Sequence[int]) -> str:
        """`` (line 12)``, or nothing."""
        for address in code:
            found = lines.source_line(address) if address else None
            if found is not None:
                return f" (line {found})"
        return ""

    def buffer(self, index: int) -> str:
        """``buffer 2 ('c')``."""
        region = self.dispatch.buffers.get(index)
        return f"buffer {index} ({region.name!r})" if region and region.name else f"buffer {index}"

    def _who(self, report: Report) -> str:
        if not report.has_position:
            return f"a thread of threadgroup {_triple(report.position.threadgroup)}"
        return _thread(report.position)

    # ---- reports

    def failure(self, report: Report) -> SimulationError:
        """The error of a report whose status is not DONE."""
        explain = {
            FAULT: self._fault,
            TIMEOUT: self._timeout,
            DIVERGENCE: lambda report: self.divergence(report.divergence),
            THREADGROUP_FULL: self._threadgroup_full,
            UNDERFLOW: self._underflow,
            FAILED: self._failed,
            DIVISION: self._division,
        }.get(report.status)
        if explain is None:
            return self.error(
                "failed", "the host has no memory, or no threads, left to run it; free some"
            )
        return explain(report)

    def _fault(self, report: Report) -> SimulationError:
        who, line = self._who(report), self.line(report.code)
        if report.signal == signal.SIGFPE:
            return self._division(report)
        if report.signal in _ENDINGS:
            return self.error("failed", f"{who} {_ENDINGS[signal.Signals(report.signal)]}{line}")
        where = f"{who} {_VERBS[report.access]} {self._place(report)}{line}"
        return self.error("out of bounds", f"{where}; {self._advice(report)}")

    def _division(self, report: Report) -> SimulationError:
        return self.error(
            "failed",
            f"{self._who(report)} divided an integer by zero, or the smallest by -1"
            f"{self.line(report.code)}; Metal leaves the result undefined: test the divisor "
            "before, or let strict=False count such divisions if nothing uses their results",
        )

    def _place(self, report: Report) -> str:
        if report.is_stack:
            return "beyond its own memory, of which there are 384 KiB"
        if report.is_threadgroup_memory:
            return f"{_site(report.threadgroup_site)} at byte offset {report.threadgroup_offset}"
        if found := self.unbound.find(report.address):
            index, offset = found
            return f"buffer {index} at byte offset {offset}, but nothing is bound at this index"
        if found := self.nearest(report.address):
            index, offset = found
            return f"{self.buffer(index)} at byte offset {offset}, {self._beyond(index, offset)}"
        if report.address < _NULL_BYTES:
            # Intel processors tell no address for one that cannot be.
            return "through a pointer that is null, or not aligned, or no address at all"
        return f"address {report.address:#x}, which is in no buffer"

    def _beyond(self, index: int, offset: int) -> str:
        size = self.dispatch.buffers[index].size_bytes
        if offset < 0:
            return f"{-offset} bytes before its begin"
        if offset < size:
            return f"inside its {size} bytes, which are not there any more"
        return f"{offset - size} bytes behind its end (it has {size} bytes)"

    def _advice(self, report: Report) -> str:
        if report.is_stack:
            return "make the thread's arrays smaller"
        if report.is_threadgroup_memory:
            return "make the array larger, or keep the index within it"
        if self.unbound.find(report.address):
            return "bind a buffer there, or do not use the parameter"
        return "keep the index within the buffer: compare it with the number of elements first"

    def nearest(self, address: int) -> tuple[int, int] | None:
        """The buffer index and byte offset of an address in or near a buffer."""
        best: tuple[int, int, int] | None = None
        for index, region in self.dispatch.buffers.items():
            distance = _distance(region, address)
            if distance < _NEAR_BYTES and (best is None or distance < best[0]):
                best = (distance, index, address - region.address)
        return best[1:] if best else None

    def _timeout(self, report: Report) -> SimulationError:
        where = ""
        if report.has_position:
            where = f"; {_thread(report.position)} was still running{self.line(report.code)}"
        return self.error(
            "timeout",
            f"it did not end within {self.timeout_seconds} s{where}. Look for a loop without an "
            "end (a thread cannot wait for another but at a barrier), or raise "
            "simulator_settings(timeout=...)",
        )

    def _threadgroup_full(self, report: Report) -> SimulationError:
        return self.error(
            "threadgroup memory",
            f"its threadgroups use {report.threadgroup_bytes} bytes of threadgroup memory or more, "
            f"{self.limit_bytes} are allowed; make the arrays smaller",
        )

    def _underflow(self, report: Report) -> SimulationError:
        return self.error(
            "out of bounds",
            f"{self._who(report)} wrote {_site(report.threadgroup_site)} at byte offset "
            f"{report.threadgroup_offset}, before its begin; keep the index within the array",
        )

    def _failed(self, report: Report) -> SimulationError:
        message = report.message.decode(errors="replace")
        return self.error("failed", f"{self._who(report)}: {message}{self.line(report.code)}")

    def damage(self, index: int, offset: int) -> SimulationError:
        """The error of a write beside a buffer, found when the dispatch had ended."""
        return self.error(
            "out of bounds",
            f"a thread wrote {self.buffer(index)} at byte offset {offset}, "
            f"{self._beyond(index, offset)}; keep the index within the buffer: compare it with "
            "the number of elements first",
        )

    # ---- divergence

    def divergence(self, found: Divergence) -> SimulationError:
        """The error of a barrier that some threads did not reach."""
        kind = "simdgroup" if found.is_simdgroup else "threadgroup"
        other = _triple(found.other.thread)
        if found.other_code[0]:
            elsewhere = f"thread {other} waits at another barrier{self.line(found.other_code)}"
        else:
            elsewhere = f"thread {other} has returned"
        return self.error(
            "divergence",
            f"{found.waiting_threads} of the {found.expected_threads} threads of a {kind} came to "
            f"a {kind}_barrier{self.line(found.waiting_code)}, thread "
            f"{_triple(found.waiting.thread)} of threadgroup {_triple(found.waiting.threadgroup)} "
            f"for one, while {elsewhere}; on a GPU this hangs or goes wrong: let all threads reach "
            "each barrier, and guard loads and stores instead of returning early",
        )

    # ---- races

    def races(self, races: Iterable[Race], count: int) -> SimulationError:
        """The error of the races that were found.

        Args:
            races: Those that are told apart.
            count: Of all.
        """
        listed = list(races)
        texts = "\n".join(f"  {text}" for text in self._race_texts(listed))
        return self.error(
            "race",
            f"{count} accesses conflict with another thread's, and nothing orders the two:\n"
            f"{texts}\nPut a barrier between them whose mem_flags name the memory (threads of one "
            "threadgroup), use atomics, or let each thread write elements of its own; threadgroups "
            "of one dispatch cannot wait for each other",
        )

    def _race_texts(self, races: list[Race]) -> Iterator[str]:
        for race in races:
            yield (
                f"{self._race_place(race)}: {self._party(race.earlier)}, then "
                f"{self._party(race.later)}"
            )

    def _race_place(self, race: Race) -> str:
        for index, region in self.dispatch.buffers.items():
            offset = race.address - region.address
            if 0 <= offset < region.size_bytes:
                return f"{self.buffer(index)}, byte offset {offset} ({race.size_bytes} bytes)"
        return f"threadgroup memory ({race.size_bytes} bytes)"

    def _party(self, party: Party) -> str:
        how = " atomically" if party.is_atomic else ""
        return f"{_thread(party.position)} {_VERBS[party.access]}{how}{self.line([party.code])}"


def _distance(region: Region, address: int) -> int:
    end = region.address + region.size_bytes
    return max(region.address - address, address - end, 0)


def _thread(position: Position) -> str:
    threadgroup = _triple(position.threadgroup)
    return f"thread {_triple(position.thread)} of threadgroup {threadgroup}"


def _triple(values: Iterable[int]) -> str:
    return f"({', '.join(map(str, values))})"


def _site(site: int) -> str:
    if site < 0:
        return f"[[threadgroup({-1 - site})]]"
    return f"threadgroup array number {site + 1} of the text"

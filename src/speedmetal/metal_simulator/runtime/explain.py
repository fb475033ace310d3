"""The runtime's reports in words: what happened, where, and what to do."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.runtime import lines, places
from speedmetal.metal_simulator.runtime.records import Dispatch, Region

if TYPE_CHECKING:
    from speedmetal.metal_simulator.runtime.library import Divergence, Party, Position, Race, Report

# enum smr_status
DONE, FAULT, TIMEOUT, DIVERGENCE, THREADGROUP_FULL, DAMAGE, FAILED, NO_MEMORY = range(8)
DIVISION, INDEX, OWN_ARRAY, MISALIGNED, LANE, OUTSIDE_TEXTURE = range(8, 14)

_VERBS = ("touched", "read", "wrote")  # by enum smr_access
_NEAR_BYTES = 16 << 20  # of the guards around a buffer: what lies farther is another buffer's
_NULL_BYTES = 1 << 16
_KEEP_WITHIN = "keep the index within the buffer: compare it with the number of elements first"
_KEEP_IN_ARRAY = "make the array larger, or keep the index within it"

# enum smr_meeting
_THREADGROUP_BARRIER, _SIMDGROUP_BARRIER, _SIMDGROUP_FUNCTION = range(1, 4)
_QUADGROUP = 4
_FLAGS = {1: "mem_device", 2: "mem_threadgroup", 4: "mem_texture"}
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
        """The buffer index and offset that an address stands for; None: it stands for none."""
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
        """An error whose message begins with the kernel's name."""
        return SimulationError(kind, f"kernel {self.dispatch.name!r}: {message}")

    def line(self, code: Sequence[int]) -> str:
        """The line of the first code address that has one: `` (line 12)``, else nothing."""
        for address in code:
            found = lines.source_line(address) if address else None
            if found is not None:
                return f" (line {found})"
        return ""

    def buffer(self, index: int) -> str:
        """A buffer with its argument's name, where that is known: ``buffer 2 ('c')``."""
        region = self.dispatch.buffers.get(index)
        return f"buffer {index} ({region.name!r})" if region and region.name else f"buffer {index}"

    def _buffer_with_length(self, index: int) -> str:
        return places.describe_region(f"buffer {index}", self.dispatch.buffers.get(index))

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
            DAMAGE: self._damaged_array,
            FAILED: self._explain_failure,
            OUTSIDE_TEXTURE: self._outside_texture,
            DIVISION: self._division,
            INDEX: self._index,
            OWN_ARRAY: self._own_array,
            MISALIGNED: self._explain_misalignment,
            LANE: self._lane,
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

    def _outside_texture(self, report: Report) -> SimulationError:
        message = report.message.decode(errors="replace")
        return self.error(
            "out of bounds",
            f"{self._who(report)} {message}{self.line(report.code)}; compare the coordinates with "
            "get_width() and get_height() first",
        )

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
            return self._array_place(report)
        if found := self.unbound.find(report.address):
            index, offset = found
            return f"buffer {index} at byte offset {offset}, but nothing is bound at this index"
        if found := self.nearest(report.address):
            index, offset = found
            region = self.dispatch.buffers[index]
            if offset < region.size_bytes < offset + report.size_bytes:
                offset = region.size_bytes  # of a wide access, what is behind the end
            return places.describe_outside(f"buffer {index}", region, offset)
        if report.address < _NULL_BYTES:
            # Intel processors tell no address for one that cannot be.
            return "through a pointer that is null, or no address at all"
        return f"address {report.address:#x}, which is in no buffer"

    def _array(self, site: int) -> tuple[str, Region | None]:
        region = self.dispatch.threadgroup_arrays.get(site)
        is_declared = region is not None and site >= 0
        return "threadgroup array" if is_declared else places.array_title(site), region

    def _array_place(self, report: Report) -> str:
        title, region = self._array(report.threadgroup_site)
        offset = report.threadgroup_offset
        if region is None:
            return f"{title} at byte offset {offset}"
        if offset < region.size_bytes < offset + report.size_bytes:
            offset = region.size_bytes
        return places.describe_outside(title, region, offset)

    def _advice(self, report: Report) -> str:
        if report.is_stack:
            return "make the thread's arrays smaller"
        if report.is_threadgroup_memory:
            return _KEEP_IN_ARRAY
        if self.unbound.find(report.address):
            return "bind a buffer there, or do not use the parameter"
        return _KEEP_WITHIN

    def _index(self, report: Report) -> SimulationError:
        name = places.name_at(self.dispatch.text, report.line, report.column)
        what = places.describe_index(report.index, report.message.decode(errors="replace"), name)
        return self.error(
            "out of bounds",
            f"{self._who(report)} used {what}{self.line(report.code)}; {_KEEP_IN_ARRAY}",
        )

    def _own_array(self, report: Report) -> SimulationError:
        who, line = self._who(report), self.line(report.code)
        name = report.message.decode(errors="replace")
        if name:  # in the build that reports each access
            region = Region(0, report.size_bytes)
            where = places.describe_outside(f"the array {name!r}", region, report.index)
            did = f"{_VERBS[report.access]} {where}{line}"
        else:
            did = (
                "went beyond an array or vector of its own or a table of the text, or used a null "
                f"pointer{line}"
            )
        return self.error("out of bounds", f"{who} {did}; {_KEEP_IN_ARRAY}")

    def _explain_misalignment(self, report: Report) -> SimulationError:
        where = f"address {report.address:#x}"
        if report.is_threadgroup_memory:
            title, region = self._array(report.threadgroup_site)
            array = places.describe_region(title, region)
            where = f"{array} at byte offset {report.threadgroup_offset}"
        elif found := self.nearest(report.address):
            index, offset = found
            where = f"{self._buffer_with_length(index)} at byte offset {offset}"
        return self.error(
            "misaligned",
            f"{self._who(report)} {_VERBS[report.access]} {where} as a type whose alignment is "
            f"{report.size_bytes} bytes or more{self.line(report.code)}; count in that type from "
            "the begin on, or use a packed type",
        )

    def _lane(self, report: Report) -> SimulationError:
        group = "simdgroup" if report.size_bytes > _QUADGROUP else "quadgroup"
        return self.error(
            "out of bounds",
            f"{self._who(report)} asked for the value of lane {report.index} of its {group}, which "
            f"has lanes 0 to {report.size_bytes - 1}{self.line(report.code)}; Metal leaves the "
            "value undefined: keep the lane's index within them",
        )

    def nearest(self, address: int) -> tuple[int, int] | None:
        """The buffer index and byte offset of an address in or near a buffer."""
        best: tuple[int, int, int] | None = None
        for index, region in self.dispatch.buffers.items():
            distance = region.distance_to(address)
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

    def _damaged_array(self, report: Report) -> SimulationError:
        title, region = self._array(report.threadgroup_site)
        offset = report.threadgroup_offset
        place = f"{title} at byte offset {offset}"
        if region is not None:
            place = places.describe_byte_beside(title, region, offset)
        return self.error(
            "out of bounds",
            f"{self._who(report)} wrote {place}, which was found when the threadgroup had ended: "
            f"check_races=True tells thread and line; {_KEEP_IN_ARRAY}",
        )

    def _explain_failure(self, report: Report) -> SimulationError:
        message = report.message.decode(errors="replace")
        return self.error("failed", f"{self._who(report)}: {message}{self.line(report.code)}")

    def damage(self, index: int, offset: int) -> SimulationError:
        """The error of a write beside a buffer, found when the dispatch had ended."""
        place = places.describe_byte_beside(f"buffer {index}", self.dispatch.buffers[index], offset)
        return self.error(
            "out of bounds",
            f"a thread wrote {place}, which was found when the kernel had ended: check_races=True "
            f"tells thread and line; {_KEEP_WITHIN}",
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
                f"{self._party(race.later)}{self._meeting(race)}"
            )

    def _meeting(self, race: Race) -> str:
        """The barrier between two racing accesses, if there is one, and why it does not order
        them.
        """
        if not race.meeting:
            return ""
        is_device = self._bound_at(race.address) is not None
        wanted = "mem_device" if is_device else "mem_threadgroup"
        if race.meeting == _SIMDGROUP_FUNCTION:
            return (
                "; the simdgroup function between them orders no memory: put "
                f"simdgroup_barrier(mem_flags::{wanted}) there"
            )
        kind = "threadgroup" if race.meeting == _THREADGROUP_BARRIER else "simdgroup"
        names = [name for bit, name in _FLAGS.items() if race.flags & bit] or ["mem_none"]
        given = " | ".join(f"mem_flags::{name}" for name in names)
        return (
            f"; the {kind}_barrier between them has {given}, which does not order "
            f"{'device' if is_device else 'threadgroup'} memory: give it mem_flags::{wanted}"
        )

    def _bound_at(self, address: int) -> int | None:
        for index, region in self.dispatch.buffers.items():
            if region.has(address):
                return index
        return None

    def _race_place(self, race: Race) -> str:
        index = self._bound_at(race.address)
        if index is not None:
            offset = race.address - self.dispatch.buffers[index].address
            return f"{self.buffer(index)}, byte offset {offset} ({race.size_bytes} bytes)"
        for region in self.dispatch.textures:
            offset = race.address - region.address
            if 0 <= offset < region.size_bytes:
                return f"{region.name}, byte offset {offset} ({race.size_bytes} bytes)"
        return f"threadgroup memory ({race.size_bytes} bytes)"

    def _party(self, party: Party) -> str:
        how = " atomically" if party.is_atomic else ""
        return f"{_thread(party.position)} {_VERBS[party.access]}{how}{self.line([party.code])}"


def _thread(position: Position) -> str:
    threadgroup = _triple(position.threadgroup)
    return f"thread {_triple(position.thread)} of threadgroup {threadgroup}"


def _triple(values: Iterable[int]) -> str:
    return f"({', '.join(map(str, values))})"

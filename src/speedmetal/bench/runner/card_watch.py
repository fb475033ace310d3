"""A card beside its contenders' turns: its clock, and what held it down in whose turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from speedmetal.bench import nvml
from speedmetal.bench.record import CardState, Energy
from speedmetal.bench.runner.process import WorkerProcess
from speedmetal.bench.runner.protocol import Work, Worked

WORK_SLACK_SECONDS = 60.0


@dataclass
class CardWatch:
    """What one contender does to its card; of a device that NVML does not know, nothing.

    Args:
        card: The contender's.

    Attributes:
        frequency_mhz: After each turn that ended well.
        held: Nanoseconds of its turns in which clocks were held down, by reason.
        nanoseconds: Of its turns.
    """

    card: nvml.Card | None = None
    frequency_mhz: list[int] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    nanoseconds: int = 0
    _before: Mapping[str, int] = field(default_factory=dict)

    def begin_turn(self) -> None:
        """Look at the card before a turn."""
        if self.card is not None:
            self._before = self.card.held_down_nanoseconds()

    def end_turn(self, nanoseconds: int) -> int | None:
        """Look at it after the turn, which took so long; its clock, where it is told."""
        if self.card is None:
            return None
        self.nanoseconds += nanoseconds
        self.held.update(nvml.difference(self._before, self.card.held_down_nanoseconds()))
        return self.card.frequency_mhz()

    def forget(self) -> None:
        """Begin anew."""
        self.frequency_mhz.clear()
        self.held.clear()
        self.nanoseconds = 0

    @property
    def throttling(self) -> dict[str, float]:
        """Shares of the turns' time in which clocks were held down, by reason."""
        total = max(self.nanoseconds, 1)
        return {reason: min(1.0, held / total) for reason, held in sorted(self.held.items())}

    def state(self) -> CardState | None:
        """The card at this moment."""
        return None if self.card is None else self.card.state()

    def energy_of(self, worker: WorkerProcess, seconds: float) -> Energy | None:
        """What a worker's calls in a row take; None where the card does not tell.

        Raises:
            WorkerFailedError: The calls failed.
        """
        before = None if self.card is None else self.card.energy_joules()
        if self.card is None or before is None:
            return None
        worked = worker.ask(Work(seconds), Worked, seconds + WORK_SLACK_SECONDS)
        after = self.card.energy_joules()
        if after is None or after <= before:
            return None
        return Energy(joules=after - before, calls=worked.calls, seconds=worked.seconds)

"""What tuning has found: a table of configurations, and the same as an entry on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_MARK = "*"


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration, and what came of it.

    Args:
        configuration: As text: ``"threads=128, tile=8"``.
        seconds: Of a launch, the median of the rounds; None: it was not measured.
        reason: Why it was not measured, or not to the end.
    """

    configuration: str
    seconds: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found for one kernel, device and key; its text is a table.

    Args:
        kernel: Its name.
        device: Its name and the maker's.
        key: For which arguments: as text.
        trials: One for each configuration, in the order in which they were stated.
        chosen: The number of the fastest.
        is_from_disk: Whether an earlier process measured it.
    """

    kernel: str
    device: str
    key: str
    trials: tuple[Trial, ...]
    chosen: int
    is_from_disk: bool = False

    def ratio(self, number: int) -> float | None:
        """How many times as long as the chosen one a configuration takes; None: not measured."""
        best, seconds = self.trials[self.chosen].seconds, self.trials[number].seconds
        return None if seconds is None or best is None else seconds / best if best else 1.0

    def __str__(self) -> str:
        origin = "found on disk" if self.is_from_disk else "measured"
        lines = [f"{self.kernel} on {self.device}, for {self.key}: {origin}"]
        width = max(len(trial.configuration) for trial in self.trials)
        for number, trial in enumerate(self.trials):
            mark = _MARK if number == self.chosen else " "
            told = "  ".join(self._told(number))
            lines.append(f"{mark} {trial.configuration:{width}}  {told}".rstrip())
        return "\n".join(lines)

    def _told(self, number: int) -> Iterator[str]:
        trial, ratio = self.trials[number], self.ratio(number)
        if trial.seconds is not None:
            yield f"{trial.seconds * 1e6:10.1f} us"
            yield f"{ratio:6.2f}"
        if number == self.chosen:
            yield "chosen"
        if trial.reason:
            yield trial.reason


class Tunings(tuple[Tuning, ...]):
    """All that was found so far; shown as tables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n\n".join(map(str, self)) or "nothing was tuned yet"

    __str__ = __repr__


def packed(trials: Sequence[Trial], chosen: int) -> bytes:
    """An entry on disk; the inverse of :func:`unpacked`."""
    rows = [(trial.configuration, trial.seconds, trial.reason) for trial in trials]
    return json.dumps({"trials": rows, "chosen": chosen}).encode()


def unpacked(entry: bytes, configurations: Sequence[str]) -> tuple[tuple[Trial, ...], int] | None:
    """The trials and the number of the chosen one; None where it is no entry of these.

    Args:
        entry: The bytes.
        configurations: What was tried, as text.
    """
    try:
        found = json.loads(entry)
        trials = tuple(Trial(str(c), s, str(r)) for c, s, r in found["trials"])
        chosen = trials[found["chosen"]]
    except (ValueError, LookupError, TypeError):
        return None
    numbers_are_right = all(isinstance(t.seconds, float | None) for t in trials)
    is_ours = [trial.configuration for trial in trials] == list(configurations)
    if not (numbers_are_right and is_ours and isinstance(chosen.seconds, float)):
        return None
    return trials, int(found["chosen"])

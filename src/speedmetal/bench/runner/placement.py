"""The processors of each round: the same for every contender, other ones in the next round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from speedmetal.bench import environment


@dataclass(frozen=True)
class Placement:
    """Gives every round its processors.

    Two processes that stay on processors of their own differ by a third where other programs load
    the processors unequally. On one processor, which is another in each round, they agree.

    Args:
        processors: One of each core, of equal kind and near each other; none where the system
            lets no process choose.
        threads: How many of them a contender may use.
    """

    processors: tuple[int, ...]
    threads: int

    @classmethod
    def here(cls, threads: int) -> Self:
        """On this machine."""
        return cls(tuple(environment.equal_processors(threads)), threads)

    def clock_mhz(self, number: int) -> float | None:
        """The clock of a round's first processor; None where it is not told."""
        home = self.of_round(number, busy_threads=1)
        return environment.clock_mhz(home[0]) if home else None

    def of_round(self, number: int, busy_threads: int) -> list[int]:
        """Processors of a contender's turn.

        Args:
            number: Of the round.
            busy_threads: Of the contender: one that computes on one thread gets one processor.

        Example:
            >>> four = Placement((0, 2, 4, 6), threads=2)
            >>> four.of_round(0, busy_threads=1), four.of_round(3, busy_threads=1)
            ([0], [6])
            >>> four.of_round(3, busy_threads=2)
            [6, 0]
        """
        count = len(self.processors)
        if count == 0:
            return []
        width = min(1 if busy_threads == 1 else self.threads, count)
        return [self.processors[(number + k) % count] for k in range(width)]

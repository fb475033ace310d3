"""How much longer a run takes: from its budget, its cases' costs, and what it took so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from speedmetal.bench.record import CaseSpec
from speedmetal.bench.runner.plan import Budget, expected_seconds, shares_of

# A case that took this much of its share would have taken more.
BOUND_SHARE = 0.9
OVERDRAWN_SHARE = 1.1


@dataclass(frozen=True)
class Visit:
    """What a case took in one session, its share of the budget, and what it costs by its size."""

    taken: float
    share: float
    cost: float

    @property
    def is_bound(self) -> bool:
        """Whether its share was the limit, and not what it needed."""
        return self.taken > BOUND_SHARE * self.share

    @property
    def overdrawn(self) -> float:
        """What it takes though its share is less; 0.0 where it kept to it."""
        return self.taken if self.taken > OVERDRAWN_SHARE * self.share else 0.0


class Forecast:
    """The time that is left, told anew whenever it is asked.

    A run shares its budget out among the cases that are left (:class:`Budget`), each takes its
    share or, where it is precise before, less. A case that was there in an earlier session takes
    what it took then; one that was not, what its cost says, by a line through those that were. Of a
    case that its share cut short nobody knows what it needs: at least what it took, or what the
    line says.

    Args:
        cases: Of a session.
        sessions: How often they come.
        budget_seconds: Of the run; None for no limit.
        now: The clock, in seconds.
    """

    def __init__(
        self,
        cases: Sequence[CaseSpec],
        sessions: int = 1,
        budget_seconds: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        costs = {case.key: expected_seconds(case) for case in cases}
        self.cases = len(costs)
        self.sessions = sessions
        self.budget_seconds = budget_seconds
        self._costs = dict(sorted(costs.items(), key=lambda item: item[1]))
        self._shares = {case.key: shares_of(case) for case in cases}
        self._now = now
        self._visits: dict[str, Visit] = {}
        self._seen: set[str] = set()  # in this session
        self._session = 0
        self._left = len(costs) * sessions
        self._started = self._before = now()
        self._budget_before = inf

    @property
    def elapsed_seconds(self) -> float:
        return self._now() - self._started

    def start(self, cases_left: int) -> None:
        """The run begins, with so many cases of all sessions to do."""
        self._left = cases_left
        self._started = self._before = self._now()

    def begin_case(self) -> None:
        """A case begins: what passed since the last one was none's."""
        self._before = self._now()
        self._budget_before = self._budget_left()

    def finish_case(self, key: str, session: int) -> None:
        """A case ended."""
        if session != self._session:
            self._session, self._seen = session, set()
        taken = self._now() - self._before
        mine = self._shares.get(key, 1.0)
        share = _share(self._budget_before, mine, mine + self._shares_after([key]))
        self._visits[key] = Visit(taken, share, self._costs.get(key, 0.0))
        self._seen.add(key)
        self._left = max(0, self._left - 1)
        self._before = self._now()

    def left_seconds(self) -> float | None:
        """About how long it still takes; None where nothing is known yet."""
        if not self._visits:
            return self._budget_left() if self.budget_seconds is not None else None
        passed = self._now() - self._before  # of the case in work
        budget, total = self._budget_left() + passed, 0.0
        keys = self._coming_keys()
        shares_left = self._shares_after([])
        for place, (key, (need, least)) in enumerate(zip(keys, self._coming(keys), strict=True)):
            mine = self._shares[key]
            share = _share(budget, mine, shares_left)
            shares_left -= mine
            taken = max(min(need, share), least) if budget > 0 else 0.0
            taken = max(taken, passed) if place == 0 else taken
            total, budget = total + taken, budget - taken
        return max(0.0, total - passed)

    def _budget_left(self) -> float:
        return inf if self.budget_seconds is None else self.budget_seconds - self.elapsed_seconds

    def _coming_keys(self) -> list[str]:
        """Keys of the cases that are left, in their order."""
        order = [key for key in self._costs if key not in self._seen]
        later = -(-max(0, self._left - len(order)) // max(1, self.cases))
        return (order + list(self._costs) * later)[: self._left]

    def _shares_after(self, keys: Sequence[str]) -> float:
        """Shares of the cases that are left, without some of them."""
        coming = self._coming_keys()
        return sum(self._shares[key] for key in coming if key not in keys)

    def _coming(self, keys: Sequence[str]) -> list[tuple[float, float]]:
        """What each of these cases needs, and takes at the least."""
        line = self._line()
        coming = []
        for key in keys:
            visit = self._visits.get(key)
            if visit is None:
                coming.append((line(self._costs[key]), 0.0))
            elif visit.is_bound:
                coming.append((max(visit.taken, line(visit.cost)), visit.overdrawn))
            else:
                coming.append((visit.taken, visit.overdrawn))
        return coming

    def _line(self) -> Callable[[float], float]:
        """What a case of a cost needs, by those that took what they needed; at least the last."""
        visits = list(self._visits.values())
        last = visits[-1].taken if visits[-1].is_bound else 0.0
        free = [visit for visit in visits if not visit.is_bound]
        if not free:
            return lambda _: inf
        from scipy import optimize

        costs = np.array([visit.cost for visit in free])
        terms = np.stack([np.ones_like(costs), costs], axis=1)
        (start, slope), _ = optimize.nnls(terms, np.array([visit.taken for visit in free]))
        return lambda cost: max(float(start + slope * cost), last)


def _share(budget: float, shares: float, shares_left: float) -> float:
    """As :meth:`Budget.case_seconds` shares it out."""
    left = max(shares_left, shares) + Budget.RESERVED_SHARES
    return min(Budget.UNLIMITED_CASE_SECONDS, shares * max(0.0, budget) / left)

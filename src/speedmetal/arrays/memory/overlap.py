"""Whether a sum of bounded multiples can be a given number: the question behind shared memory.

Two arrays share a byte if and only if a linear equation in their bounded indices has a solution.
Deciding this is NP-complete in the number of axes, but real arrays have few axes, whose strides
mostly divide each other; those are decided in a handful of steps. The rest gets a budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

Term = tuple[int, int]
"""A coefficient ``c > 0`` and a bound ``n > 0``, for the values ``c * x`` with ``0 <= x <= n``."""


def may_have_solution(terms: Iterable[Term], target: int, max_steps: int) -> bool:
    """Whether ``sum(c * x) == target`` for integers ``0 <= x <= n``, one for each term ``(c, n)``.

    Args:
        terms: Coefficients and bounds, 0 or more.
        target: The sum.
        max_steps: How many partial assignments are tried at most. 10,000 take about 10 ms.

    Returns:
        False only if there is no solution. True if there is one, or if the steps ran out.

    Example:
        >>> may_have_solution([(6, 10), (10, 10)], 16, max_steps=100)
        True
        >>> may_have_solution([(6, 10), (10, 10)], 14, max_steps=100)
        False
    """
    merged = merge_terms(terms)
    if not merged:
        return target == 0
    search = _Search(merged, max_steps)
    return search.is_possible(0, target) and search.may_succeed(0, target)


def merge_terms(terms: Iterable[Term]) -> list[Term]:
    """The fewest terms with the same sums that are easily found, greatest coefficient first.

    Equal coefficients add their bounds. If ``c`` is a multiple of a smaller ``d``, and the values
    ``0, d, ..., d * n`` leave no gap below ``c`` (``c <= d * (n + 1)``), then both terms together
    give exactly the multiples of ``d`` up to their greatest sum: they are one term.

    >>> merge_terms([(1, 3), (4, 2), (100, 5), (100, 1)])
    [(100, 6), (1, 11)]
    """
    bounds: dict[int, int] = {}
    for coefficient, bound in terms:
        if coefficient and bound:
            bounds[coefficient] = bounds.get(coefficient, 0) + bound
    merged: list[Term] = []
    for coefficient, bound in sorted(bounds.items()):
        if merged:
            smaller, count = merged[-1]
            if coefficient % smaller == 0 and coefficient <= smaller * (count + 1):
                merged[-1] = smaller, count + coefficient // smaller * bound
                continue
        merged.append((coefficient, bound))
    return merged[::-1]


class _Search:
    """A depth-first search over the terms, greatest coefficient first.

    For the terms from ``k`` on, ``spans[k]`` is the greatest sum and ``divisors[k]`` the greatest
    common divisor of the coefficients: a rest beyond the one, or no multiple of the other, is none
    of their sums.
    """

    def __init__(self, terms: list[Term], max_steps: int) -> None:
        self.terms = terms
        self.steps_left = max_steps
        self.failures: set[tuple[int, int]] = set()
        self.spans = [0] * len(terms)
        self.divisors = [0] * len(terms)
        span = divisor = 0
        for k in reversed(range(len(terms))):
            coefficient, bound = terms[k]
            self.spans[k] = span = span + coefficient * bound
            self.divisors[k] = divisor = math.gcd(divisor, coefficient)

    def is_possible(self, k: int, rest: int) -> bool:
        """Whether bounds and divisibility alone leave hope for ``rest`` as a sum from ``k`` on."""
        return 0 <= rest <= self.spans[k] and rest % self.divisors[k] == 0

    def may_succeed(self, k: int, rest: int) -> bool:
        """Whether ``rest``, which is possible, is a sum of the terms from ``k`` on."""
        if k == len(self.terms) - 1:
            return True  # a multiple of the only coefficient, within its bound
        candidates = self.candidates(k, rest)
        if k == len(self.terms) - 2:
            return bool(candidates)
        coefficient = self.terms[k][0]
        for x in candidates:
            self.steps_left -= 1
            if self.steps_left < 0:
                return True
            below = k + 1, rest - coefficient * x
            if below in self.failures:
                continue
            if self.may_succeed(*below):
                return True
            self.failures.add(below)
        return False

    def candidates(self, k: int, rest: int) -> range:
        """The values of term ``k`` after which the rest is possible for the terms below.

        The rest must be within the span below, and ``c * x`` congruent to ``rest`` modulo the
        divisor ``d`` below: ``x = (rest / g) * (c / g)**-1 (mod d / g)`` with ``g = gcd(c, d)``.
        """
        coefficient, bound = self.terms[k]
        common = self.divisors[k]
        period = self.divisors[k + 1] // common
        residue = rest // common * pow(coefficient // common, -1, period)
        first = max(0, -((self.spans[k + 1] - rest) // coefficient))
        last = min(bound, rest // coefficient)
        return range(first + (residue - first) % period, last + 1, period)

"""Where a series of figures steps from one level to another, beyond what its noise does.

Source: B. Jackson et al., "An algorithm for optimal partitioning of data on an interval", IEEE
Signal Processing Letters 12 (2005).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from speedmetal.bench.measure.statistics import Floats

FALSE_STEPS = 0.05  # the probability of one or more in all series together, where nothing changed
# A normal distribution's standard deviation, over the median of its absolute deviations.
_DEVIATIONS_PER_MEDIAN = 1.4826


def noise_between(series: Sequence[ArrayLike]) -> float:
    """Standard deviation of values around the levels of their series, of all series together.

    From the differences of neighbours, whose median a few steps do not move; 0.0 where no series
    has three values.
    """
    data = [np.asarray(values, np.float64) for values in series]
    differences = [np.abs(np.diff(values)) for values in data if values.size > 2]
    if not differences:
        return 0.0
    return float(_DEVIATIONS_PER_MEDIAN * np.median(np.concatenate(differences)) / np.sqrt(2))


def penalty(values: int, series: int = 1) -> float:
    """By how much a step must lower the squared deviations (in variances) to be one.

    As many places as there are values, in so many series, could be taken for a step by chance; each
    lowers them by the square of Student's t. A series' variance is known from its differences, and
    again from what is usual among all; both are counted in the degrees of freedom.
    """
    from scipy import special

    places = max(1, values - 1) * max(1, series)
    freedom = 2 * max(1, values - 1)
    return float(special.stdtrit(freedom, 1 - FALSE_STEPS / (2 * places))) ** 2


def without_spikes(values: ArrayLike) -> Floats:
    """Each value's median with its neighbours: what is back after one value did not step.

    Example:
        >>> without_spikes([0.0, 9.0, 1.0, 5.0, 5.0]).tolist()
        [1.0, 1.0, 5.0, 5.0, 5.0]
    """
    data = np.asarray(values, np.float64)
    if data.size < 3:
        return data
    inner = np.median(np.lib.stride_tricks.sliding_window_view(data, 3), axis=1)
    return np.concatenate([inner[:1], inner, inner[-1:]])


def find_steps(values: ArrayLike, deviations: ArrayLike, penalty: float) -> list[int]:
    """The indices at which a new level begins: the partition of least cost.

    The cost of a level is the sum of squared deviations from its mean, each in its own variance;
    each level but the first costs the penalty as well.

    Args:
        values: One a run; shape ``(runs,)``.
        deviations: Their standard deviations, above zero.
        penalty: From :func:`penalty`.

    Example:
        >>> find_steps([0, 0.1, 0, 1, 1.1, 1], [0.1] * 6, penalty(6))
        [3]
    """
    data = np.asarray(values, np.float64)
    weights = 1 / np.square(np.asarray(deviations, np.float64))
    sums = [_cumulated(weights * data**power) for power in (0, 1, 2)]
    best, last = [-penalty], [0]
    for end in range(1, data.size + 1):
        costs = [best[start] + penalty + _cost(sums, start, end) for start in range(end)]
        best.append(min(costs))
        last.append(int(np.argmin(costs)))
    steps = []
    place = last[-1]
    while place > 0:
        steps.append(place)
        place = last[place]
    return steps[::-1]


def _cumulated(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def _cost(sums: Sequence[Floats], start: int, end: int) -> float:
    weight, first, second = (float(total[end] - total[start]) for total in sums)
    return second - first * first / weight


def level(values: ArrayLike, deviations: ArrayLike) -> float:
    """The mean of a level's values, each weighted by its variance."""
    weights = 1 / np.square(np.asarray(deviations, np.float64))
    return float(np.average(np.asarray(values, np.float64), weights=weights))

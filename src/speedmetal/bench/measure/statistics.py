"""Statistics of timings: robust centres, block-bootstrap intervals, paired log-ratios.

Everything is a pure function of its samples; the bootstrap is seeded, so a figure that is computed
twice from the same record is the same figure.

Sources: T. Kalibera and R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013
(processes and their rounds: the variance comes from the highest level that is repeated); G. Smyth,
"Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol. Biol. 3 (2004) (few
repetitions of many cases); A. Abedi and T. Brecht, "Conducting repeatable experiments in highly
variable cloud computing environments", ICPE 2017 (interleaved trials); L. Bulej et al., "Duet
benchmarking", ICPE 2020 (paired ratios); D. Politis and J. Romano, "A circular block-resampling
procedure for stationary data", 1992.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
RESAMPLES = 2000
# Below this many samples the bootstrap of a median only repeats the samples' own range, which
# covers less than it says; Student's t over the logarithms is used instead.
BOOTSTRAP_MINIMUM = 8
LEAST_ROUNDS = 6  # below it no test is significant, and no verdict is given
OUTLIER_FENCE = 3.0  # in interquartile ranges, Tukey's "far out"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A point estimate with its confidence interval, in the unit of the samples."""

    estimate: float
    low: float
    high: float

    @property
    def relative_half_width(self) -> float:
        """(high - low) / (2 * estimate)."""
        return (self.high - self.low) / (2 * self.estimate)


@dataclass(frozen=True)
class Summary:
    """One contender's samples of one case, in seconds per call."""

    median: float
    low: float
    high: float
    minimum: float
    p10: float
    p90: float
    mad: float
    samples: int
    outliers: int
    autocorrelation: float  # lag 1; high values mean drift


@dataclass(frozen=True)
class Ratio:
    """The ratio of two contenders' times over their common rounds (dimensionless).

    ``p_value`` is that of Wilcoxon's signed-rank test over the rounds of one session, of Student's
    test over several sessions; 1.0 where there are too few rounds.
    """

    ratio: float
    low: float
    high: float
    rounds: int
    p_value: float
    sessions: int = 1

    @property
    def log_half_width(self) -> float:
        """Half the width of the interval of the log-ratio."""
        return float(np.log(self.high / self.low) / 2)


def block_length(samples: int) -> int:
    """Length of the bootstrap's blocks: the cube root of the number of samples, at most 5.

    Example:
        >>> [block_length(n) for n in (8, 20, 100, 200)]
        [2, 3, 5, 5]
    """
    return max(1, min(5, round(float(np.cbrt(samples)))))


def bootstrap_medians(values: ArrayLike, seed: int = 0, resamples: int = RESAMPLES) -> Floats:
    """Medians of circular-block resamples of ``values``, shape ``(resamples,)``."""
    data = np.asarray(values, np.float64)
    length = block_length(data.size)
    blocks = -(-data.size // length)
    generator = np.random.Generator(np.random.PCG64(seed))
    starts = generator.integers(0, data.size, (resamples, blocks, 1))
    indices = (starts + np.arange(length)) % data.size
    return np.asarray(
        np.median(data[indices.reshape(resamples, -1)[:, : data.size]], axis=1), np.float64
    )


def median_interval(values: ArrayLike, seed: int = 0) -> Interval:
    """Median with its 95 % interval: block bootstrap, or Student's t for fewer than 8 samples.

    Args:
        values: At least one number; shape ``(samples,)``.
        seed: Of the bootstrap.

    Raises:
        ValueError: ``values`` is empty.
    """
    data = np.asarray(values, np.float64)
    if data.size == 0:
        raise ValueError("the median of no samples is not defined; give at least one")
    centre = float(np.median(data))
    if data.size < BOOTSTRAP_MINIMUM:
        half = _student_half_width(data)
        return Interval(centre, centre - half, centre + half)
    tail = bootstrap_tail(data.size)
    low, high = np.quantile(bootstrap_medians(data, seed), [tail, 1 - tail])
    return Interval(centre, min(float(low), centre), max(float(high), centre))


def bootstrap_tail(samples: int) -> float:
    """Quantile that bounds a 95 % bootstrap interval of few blocks: below 2.5 %.

    With k = samples / block length blocks, the normal quantile of a percentile interval stands
    for a Student quantile with k - 1 degrees of freedom, on a spread that is too small by
    sqrt((k - 1) / k); so the tail is Phi(-sqrt(k / (k - 1)) t(0.975, k - 1)).

    Source: T. Hesterberg, "What teachers should know about the bootstrap", The American
    Statistician 69 (2015), section 4.1 (expanded percentile intervals).
    """
    from scipy import special

    blocks = samples / block_length(samples)
    quantile = float(special.stdtrit(blocks - 1, 1 - (1 - CONFIDENCE) / 2))
    return float(special.ndtr(-np.sqrt(blocks / (blocks - 1)) * quantile))


def _student_half_width(data: Floats) -> float:
    if data.size < 2:
        return float("inf")
    return student_quantile(data.size - 1) * float(np.std(data, ddof=1)) / float(np.sqrt(data.size))


def summarise(seconds: ArrayLike, seed: int = 0) -> Summary:
    """Summarise samples, each in seconds per call; outliers are counted and kept."""
    data = np.asarray(seconds, np.float64)
    logs = median_interval(np.log(data), seed)
    p10, q1, q3, p90 = np.quantile(data, [0.1, 0.25, 0.75, 0.9])
    fence = OUTLIER_FENCE * (q3 - q1)
    outside = (data < q1 - fence) | (data > q3 + fence)
    median = float(np.median(data))
    return Summary(
        median=median,
        low=min(median, float(np.exp(logs.low))),
        high=max(median, float(np.exp(min(logs.high, 700.0)))),
        minimum=float(data.min()),
        p10=float(p10),
        p90=float(p90),
        mad=float(np.median(np.abs(data - median))),
        samples=int(data.size),
        outliers=int(outside.sum()),
        autocorrelation=autocorrelation(data),
    )


def autocorrelation(values: ArrayLike) -> float:
    """Lag-1 autocorrelation, 0.0 where it is not defined (fewer than 3 or constant samples)."""
    data = np.asarray(values, np.float64)
    centred = data - data.mean()
    variance = float(centred @ centred)
    if data.size < 3 or variance == 0.0:
        return 0.0
    return float(centred[:-1] @ centred[1:]) / variance


def paired_ratio(numerator: ArrayLike, denominator: ArrayLike, seed: int = 0) -> Ratio:
    """exp(median of log(numerator / denominator)) over rounds, with its 95 % interval.

    Args:
        numerator: Times of one contender, one a round; shape ``(rounds,)``.
        denominator: Times of the other in the same rounds.
        seed: Of the bootstrap.

    Raises:
        ValueError: The shapes differ or there is no round.
    """
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    if top.shape != bottom.shape or top.size == 0:
        raise ValueError(
            f"a paired ratio needs the same rounds of both, got {top.size} and {bottom.size}"
        )
    logs = np.log(top / bottom)
    interval = median_interval(logs, seed)
    return Ratio(
        ratio=float(np.exp(interval.estimate)),
        low=float(np.exp(max(interval.low, -700.0))),
        high=float(np.exp(min(interval.high, 700.0))),
        rounds=int(top.size),
        p_value=wilcoxon(logs),
    )


def student_quantile(freedom: float) -> float:
    """The factor of a two-sided 95 % interval by Student's t."""
    from scipy import special  # a light part of SciPy; scipy.stats takes a second to import

    return float(special.stdtrit(freedom, 1 - (1 - CONFIDENCE) / 2))


@dataclass(frozen=True)
class Centre:
    """A mean over sessions of the medians over rounds, and how far it may be off.

    ``variance`` is that of one session's median, ``freedom`` its degrees of freedom: the figures
    of several cases are taken together by :func:`moderate`.
    """

    mean: float
    variance: float
    freedom: float
    sessions: float  # the variance of the mean is variance / sessions

    @property
    def standard_error(self) -> float:
        return float(np.sqrt(self.variance / self.sessions))

    def interval(self) -> Interval:
        """95 % interval by Student's t; infinite without degrees of freedom."""
        if self.freedom <= 0:
            return Interval(self.mean, -np.inf, np.inf)
        reach = student_quantile(self.freedom) * self.standard_error
        return Interval(self.mean, self.mean - reach, self.mean + reach)

    def p_value(self) -> float:
        """Two-sided, of the mean being zero."""
        from scipy import special

        if self.freedom <= 0:
            return 1.0
        error = max(self.standard_error, 1e-12)
        return float(2 * special.stdtr(self.freedom, -abs(self.mean) / error))


def centre_of(sessions: Sequence[ArrayLike]) -> Centre:
    """Centre of values in two levels: sessions (fresh processes), and rounds in each.

    The variance is that of the sessions' medians: what the rounds scatter is in it already, and to
    add it once more, as resampling on both levels does, makes intervals a third too wide.

    Args:
        sessions: Values by session, each of shape ``(rounds,)``; at least one session with one
            round.
    """
    medians = [float(np.median(np.asarray(values, np.float64))) for values in sessions]
    count = len(medians)
    variance = float(np.var(medians, ddof=1)) if count > 1 else 0.0
    return Centre(float(np.mean(medians)), variance, count - 1, count)


def difference(first: Centre, second: Centre) -> Centre:
    """Centre of the difference of two independent ones, whose variances are taken together.

    Without a degree of freedom on either side, it has none.
    """
    freedom = first.freedom + second.freedom
    pooled = (first.freedom * first.variance + second.freedom * second.variance) / max(freedom, 1)
    sessions = 1 / (1 / first.sessions + 1 / second.sessions)
    return Centre(first.mean - second.mean, pooled, freedom, sessions)


NORMAL_QUANTILE = 1.959964  # of a two-sided 95 % interval
CAUTION = 0.2  # the spread is not underestimated in four of five tables


def spread_beyond(deviations: ArrayLike, standard_errors: ArrayLike) -> float:
    """Standard deviation of what is left of deviations from zero beyond their own errors.

    With d_i ~ N(0, s^2 + e_i^2), the s for which sum of d_i^2 / (s^2 + e_i^2) is the 20 % quantile
    of its chi-squared distribution: an upper limit, the higher the fewer deviations there are.
    0.0 where their own errors explain them.

    Source: R. Paule and J. Mandel, J. Res. Natl. Bur. Stand. 87 (1982), with a confidence limit.

    Args:
        deviations: Of equal things; shape ``(n,)``, n at least 1.
        standard_errors: Of each of them.

    Example:
        >>> spread_beyond([0.1, -0.1, 0.1, -0.1], [1.0, 1.0, 1.0, 1.0])
        0.0
        >>> 0.1 < spread_beyond([0.1, -0.1, 0.1, -0.1], [0.0, 0.0, 0.0, 0.0]) < 0.2
        True
    """
    from scipy import optimize, special

    squares = np.square(np.asarray(deviations, np.float64))
    errors = np.square(np.minimum(np.asarray(standard_errors, np.float64), 1e3)) + LEAST_VARIANCE
    wanted = float(special.chdtri(squares.size, 1 - CAUTION))

    def excess(spread: float) -> float:
        return float(np.sum(squares / (spread**2 + errors))) - wanted

    if excess(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(excess, 0.0, 2 * float(np.sqrt(squares.sum() / wanted)) + 1e-3))


LEAST_VARIANCE = 1e-8  # of a logarithm: a clock's resolution lets nobody be better than 0.01 %
MOST_PRIOR_FREEDOM = 30.0
CASES_FOR_FREEDOM = 5
USUAL_FREEDOM = 1.5  # the median over 27 runs of 20 comparisons each
EXCEPTIONAL = 0.01


def moderate(centres: Sequence[Centre]) -> list[Centre]:
    """The centres with each variance drawn towards what is usual among them.

    Three sessions tell little of one case's variance, but many cases tell what is usual, and how
    much cases differ in it. With d the degrees of freedom of a variance s^2, and d0, s0^2 those of
    the prior that fits all (the moments of log s^2), the result is
    (d s^2 + d0 s0^2) / (d + d0) with d + d0 degrees of freedom.

    A centre whose own variance would be that large in one of a hundred cases of the prior keeps it:
    its sessions disagree, and what is usual elsewhere is no excuse for that.

    Source: G. Smyth (2004), sections 3 and 6.2; for the exceptions B. Phipson et al., "Robust
    hyperparameter estimation protects against hypervariable genes", Ann. Appl. Stat. 10 (2016).
    How much cases differ cannot be told from fewer than 5: two to four get the degrees of freedom
    that larger tables show. One is left as it is.
    """
    known = [c for c in centres if c.freedom > 0]
    if len(known) < 2:
        return list(centres)
    prior, freedom = _fit_prior(known)
    return [c if _is_exceptional(c, prior, freedom) else _drawn(c, prior, freedom) for c in centres]


def _is_exceptional(centre: Centre, prior: float, freedom: float) -> bool:
    from scipy import special

    if centre.freedom <= 0:
        return True  # nothing is known of it
    tail = special.fdtrc(centre.freedom, freedom, centre.variance / prior)
    return bool(tail < EXCEPTIONAL)


def _drawn(centre: Centre, prior: float, freedom: float) -> Centre:
    together = centre.freedom + freedom
    variance = (centre.freedom * centre.variance + freedom * prior) / together
    return Centre(centre.mean, variance, together, centre.sessions)


def _fit_prior(centres: Sequence[Centre]) -> tuple[float, float]:
    """Variance and degrees of freedom of the prior that fits the centres' variances."""
    from scipy import optimize, special

    variances = np.maximum([c.variance for c in centres], LEAST_VARIANCE)
    halves = np.array([c.freedom for c in centres], np.float64) / 2
    logs = np.log(variances) - special.digamma(halves) + np.log(halves)
    if len(centres) < CASES_FOR_FREEDOM:
        return _prior_variance(logs, USUAL_FREEDOM), USUAL_FREEDOM
    excess = float(np.var(logs, ddof=1) - np.mean(special.polygamma(1, halves)))
    lowest = float(special.polygamma(1, MOST_PRIOR_FREEDOM / 2))
    if excess <= lowest:
        freedom = MOST_PRIOR_FREEDOM
    else:

        def beyond(half: float) -> float:
            return float(special.polygamma(1, half)) - excess

        freedom = 2 * float(optimize.brentq(beyond, 1e-3, MOST_PRIOR_FREEDOM / 2))
    return _prior_variance(logs, freedom), freedom


def _prior_variance(logs: Floats, freedom: float) -> float:
    from scipy import special

    half = freedom / 2
    return float(np.exp(np.mean(logs) + special.digamma(half) - np.log(half)))


def ratio_of_centre(centre: Centre, rounds: int, sessions: int) -> Ratio:
    """The ratio whose logarithm a centre is."""
    interval = centre.interval()
    return Ratio(
        ratio=float(np.exp(interval.estimate)),
        low=float(np.exp(max(interval.low, -700.0))),
        high=float(np.exp(min(interval.high, 700.0))),
        rounds=rounds,
        p_value=centre.p_value() if rounds >= LEAST_ROUNDS else 1.0,
        sessions=sessions,
    )


def wilcoxon(differences: Floats) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; 1.0 for fewer than 6 differences.

    With n differences the smallest two-sided p-value is 2 / 2^n: below 6 none is under 0.05.
    """
    if differences.size < 6 or not np.any(differences):
        return 1.0
    from scipy import stats

    # Ties that rounding split would be ranked by their last bits.
    differences = np.round(differences, 12)
    # With ties or zeros SciPy would enumerate permutations, which takes half a second.
    has_ties = np.unique(np.abs(differences)).size < differences.size or not differences.all()
    method = "asymptotic" if has_ties else "auto"
    return float(stats.wilcoxon(differences, method=method).pvalue)


def adjust_p_values(p_values: ArrayLike) -> Floats:
    """Benjamini-Hochberg adjustment over a table of tests, in the given order.

    Source: Y. Benjamini and Y. Hochberg, J. R. Stat. Soc. B 57 (1995).
    """
    values = np.asarray(p_values, np.float64)
    if values.size == 0:
        return values
    from scipy import stats

    return np.asarray(stats.false_discovery_control(values), np.float64)


def geometric_mean(ratios: ArrayLike) -> float:
    """exp(mean(log(ratios)))."""
    return float(np.exp(np.mean(np.log(np.asarray(ratios, np.float64)))))


def quick_half_width(values: ArrayLike) -> float:
    """Half-width of a distribution-free 95 % interval of the median, from order statistics.

    Cheap enough to be asked after every round; the record's figures use the bootstrap. Infinite
    for fewer than 6 values, where no order statistics bound the median at 95 %.

    Formula: ranks n/2 -+ 1.96 sqrt(n)/2 (normal approximation of the binomial; W. Conover,
    "Practical Nonparametric Statistics", section 3.2).
    """
    data = np.sort(np.asarray(values, np.float64))
    if data.size < 6:
        return float("inf")
    reach = 1.96 * np.sqrt(data.size) / 2
    low = max(0, int(np.floor(data.size / 2 - reach)))
    high = min(data.size - 1, int(np.ceil(data.size / 2 + reach)) - 1)
    return float(data[high] - data[low]) / 2

"""Statistics of timings: laws, references of NumPy and SciPy, and measured coverage."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats

from speedmetal.bench.measure import statistics
from strategies import paired_samples, samples
from tiers import examples

factors = st.floats(min_value=1e-3, max_value=1e3)


def autocorrelated(
    generator: np.random.Generator, size: int, correlation: float, spread: float = 0.1
) -> np.ndarray:
    """Logarithms of times: normal noise whose neighbours correlate (AR(1)), median 0."""
    noise = generator.normal(size=size + 50)
    for index in range(1, noise.size):
        noise[index] = correlation * noise[index - 1] + math.sqrt(1 - correlation**2) * noise[index]
    return spread * noise[50:]


# -- Medians and their intervals ---------------------------------------------------------------


@given(samples(), factors)
def test_scaling_all_samples_scales_the_median_and_its_interval(
    values: np.ndarray, factor: float
) -> None:
    """Proves that nothing depends on the unit of time."""
    plain = statistics.median_interval(values)
    scaled = statistics.median_interval(values * factor)
    expected = [factor * edge for edge in (plain.estimate, plain.low, plain.high)]
    # Student's interval is centre -+ half: cancellation may leave rounding of the larger one.
    slack = 1e-9 * factor * float(values.max())
    assert [scaled.estimate, scaled.low, scaled.high] == pytest.approx(expected, 1e-9, abs=slack)


@given(samples(), st.floats(min_value=-1e3, max_value=1e3))
def test_adding_to_all_samples_shifts_the_interval(values: np.ndarray, shift: float) -> None:
    """Proves that an interval of logarithms (a shift there is a factor of times) is consistent."""
    plain = statistics.median_interval(values)
    shifted = statistics.median_interval(values + shift)
    slack = 1e-9 * (float(values.max()) + abs(shift))
    assert shifted.low == pytest.approx(plain.low + shift, rel=1e-9, abs=slack)
    assert shifted.high == pytest.approx(plain.high + shift, rel=1e-9, abs=slack)


@given(samples())
def test_the_interval_holds_the_estimate_and_the_estimate_is_the_median(
    values: np.ndarray,
) -> None:
    """Proves low <= median <= high, for every sample."""
    interval = statistics.median_interval(values)
    assert interval.estimate == np.median(values)
    assert interval.low <= interval.estimate <= interval.high


@given(samples(min_size=8))
def test_the_bootstrap_stays_within_the_samples(values: np.ndarray) -> None:
    """Proves that no interval reaches beyond what was measured."""
    interval = statistics.median_interval(values)
    assert values.min() <= interval.low
    assert interval.high <= values.max()


@given(samples(), st.integers(min_value=0, max_value=1000))
def test_the_same_samples_give_the_same_figures(values: np.ndarray, seed: int) -> None:
    """Proves that a figure that is computed twice is the same figure, bit for bit."""
    assert statistics.median_interval(values, seed) == statistics.median_interval(
        values.copy(), seed
    )
    assert statistics.summarise(values, seed) == statistics.summarise(list(values), seed)


def test_the_seed_matters() -> None:
    """Proves that the bootstrap is drawn from its seed."""
    values = np.random.default_rng(1).lognormal(size=30)
    assert not np.array_equal(
        statistics.bootstrap_medians(values, 0), statistics.bootstrap_medians(values, 1)
    )


@given(st.integers(min_value=1, max_value=7), st.floats(min_value=1e-6, max_value=1e3))
def test_equal_samples_have_an_interval_of_no_width(count: int, value: float) -> None:
    """Proves the degenerate case, by Student (2 to 7) and by the bootstrap (8 and more)."""
    for size in (count + 1, count + 8):
        interval = statistics.median_interval([value] * size)
        assert interval.high - interval.low <= 1e-12 * value
    assert statistics.median_interval([value]).high == math.inf


@pytest.mark.parametrize("size", [2, 3, 5, 7])
def test_few_samples_get_an_interval_around_the_median_at_least_students(size: int) -> None:
    """Proves the branch for fewer than 8 samples against SciPy's t distribution."""
    values = np.random.default_rng(size).normal(10, 1, size)
    interval = statistics.median_interval(values)
    half = stats.t.ppf(0.975, size - 1) * stats.sem(values)
    assert (interval.low + interval.high) / 2 == pytest.approx(np.median(values))
    assert half * (1 - 1e-9) <= (interval.high - interval.low) / 2 <= 1.5 * half


def test_one_sample_bounds_nothing() -> None:
    """Proves that a single sample claims no precision."""
    interval = statistics.median_interval([3.0])
    assert (interval.estimate, interval.low, interval.high) == (3.0, -math.inf, math.inf)


def test_no_sample_is_an_error() -> None:
    """Proves the full text."""
    with pytest.raises(ValueError) as info:
        statistics.median_interval([])
    assert str(info.value) == "the median of no samples is not defined; give at least one"


@pytest.mark.parametrize("size", [8, 9, 20, 53])
def test_resamples_are_circular_blocks(size: int) -> None:
    """Proves the resampling against a loop that is written as the method's paper says it."""
    values = np.random.default_rng(size).normal(size=size)
    length = statistics.block_length(size)
    blocks = -(-size // length)
    generator = np.random.Generator(np.random.PCG64(5))
    starts = generator.integers(0, size, (50, blocks, 1))[:, :, 0]
    expected = []
    for row in starts:
        resample = [values[(start + step) % size] for start in row for step in range(length)]
        expected.append(np.median(resample[:size]))
    np.testing.assert_array_equal(statistics.bootstrap_medians(values, 5, 50), expected)


def test_blocks_of_one_are_the_ordinary_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves the medians against SciPy's own bootstrap, by their standard error."""
    monkeypatch.setattr(statistics, "block_length", lambda _: 1)
    values = np.random.default_rng(3).lognormal(size=40)
    reference = stats.bootstrap(
        (values,), np.median, n_resamples=4000, rng=np.random.default_rng(4), method="percentile"
    )
    assert np.std(statistics.bootstrap_medians(values, resamples=4000)) == pytest.approx(
        reference.standard_error, rel=0.1
    )


@given(st.integers(min_value=1, max_value=10_000))
def test_block_lengths_are_sane(size: int) -> None:
    """Proves 1 <= length <= 5, never longer than the series, and never falling with it."""
    length = statistics.block_length(size)
    assert 1 <= length <= min(5, size)
    assert length <= statistics.block_length(size + 1)


# -- Coverage: does "95 %" hold 95 % of the time? -----------------------------------------------

Cover = Callable[[np.random.Generator, int, float], tuple[float, float]]


def cover_median(
    generator: np.random.Generator, size: int, correlation: float
) -> tuple[float, float]:
    interval = statistics.median_interval(autocorrelated(generator, size, correlation))
    return interval.low, interval.high


def cover_ratio(
    generator: np.random.Generator, size: int, correlation: float
) -> tuple[float, float]:
    """Two contenders of equal speed on a machine that drifts: true ratio 1, log-ratio 0."""
    machine = np.exp(np.cumsum(generator.normal(0, 0.05, size)))
    top, bottom = (machine * np.exp(autocorrelated(generator, size, correlation)) for _ in "ab")
    ratio = statistics.paired_ratio(top, bottom)
    return math.log(ratio.low), math.log(ratio.high)


def coverage(cover: Cover, size: int, correlation: float, trials: int) -> float:
    generator = np.random.default_rng([size, round(100 * correlation)])
    intervals = [cover(generator, size, correlation) for _ in range(trials)]
    return sum(low <= 0 <= high for low, high in intervals) / trials


@pytest.mark.parametrize("cover", [cover_median, cover_ratio])
@pytest.mark.parametrize(
    ("size", "trials", "least"),
    [
        (20, 600, 0.92),
        pytest.param(40, 400, 0.90, marks=pytest.mark.tier("nightly")),
        (100, 250, 0.90),
    ],
)
def test_intervals_cover_the_truth(cover: Cover, size: int, trials: int, least: float) -> None:
    """Proves that 95 % intervals hold the truth in 90 to 99 % of autocorrelated series, and in 92 %
    at 20 rounds, the least that a run takes."""
    assert least <= coverage(cover, size, 0.2, trials) <= 0.99


@pytest.mark.parametrize(
    "size",
    [
        *(3, 5, 7),
        *(8, 12),
    ],
)
def test_intervals_of_few_samples_cover_the_truth(size: int) -> None:
    """Proves the same for short series of independent samples, on both sides of the branch."""
    assert 0.90 <= coverage(cover_median, size, 0.0, 1000) <= 0.99


# -- Summaries -----------------------------------------------------------------------------------


@given(samples())
def test_a_summary_agrees_with_numpy(values: np.ndarray) -> None:
    """Proves each plain figure against its NumPy definition."""
    summary = statistics.summarise(values)
    assert summary.median == np.median(values)
    assert summary.minimum == values.min()
    assert [summary.p10, summary.p90] == pytest.approx(np.percentile(values, [10, 90]))
    assert summary.mad == pytest.approx(stats.median_abs_deviation(values), rel=1e-9, abs=1e-15)
    assert summary.samples == values.size


@given(samples())
@example(np.array([0.1] * 10))  # exp(log(0.1)) is not 0.1
@example(np.array([1.0, 1000.0] * 4))  # the mean of the middle two is not their geometric mean
def test_a_summary_holds_its_median(values: np.ndarray) -> None:
    """Proves low <= median <= high of a summary, for every sample."""
    summary = statistics.summarise(values)
    assert summary.low <= summary.median <= summary.high


@given(samples(min_size=2), factors)
def test_scaling_all_samples_scales_the_summary(values: np.ndarray, factor: float) -> None:
    """Proves that a summary does not depend on the unit of time."""
    # An enormous Student interval of 2 samples is cut off at exp(700).
    assume(statistics.summarise(values).high < 1e200)
    plain, scaled = statistics.summarise(values), statistics.summarise(values * factor)
    for name in ("median", "low", "high", "minimum", "p10", "p90"):
        expected = factor * getattr(plain, name)
        assert getattr(scaled, name) == pytest.approx(expected, rel=1e-6), name


def test_far_outliers_are_counted_and_kept() -> None:
    """Proves the fence of 3 interquartile ranges; the median does not move."""
    calm = [1.0, 1.01, 1.02, 1.03, 1.04] * 4
    summary = statistics.summarise([*calm, 5.0, 0.1])
    assert (summary.outliers, summary.samples) == (2, 22)
    assert summary.minimum == 0.1
    assert summary.median == pytest.approx(1.02)
    assert statistics.summarise(calm).outliers == 0


def test_autocorrelation_tells_drift_from_noise() -> None:
    """Proves known series: alternation, a trend, noise, and the undefined cases."""
    assert statistics.autocorrelation([1, 2] * 20) == pytest.approx(-1, abs=0.05)
    assert statistics.autocorrelation(np.arange(100)) > 0.9
    assert abs(statistics.autocorrelation(np.random.default_rng(1).normal(size=4000))) < 0.05
    assert statistics.autocorrelation([1, 1, 1, 1]) == 0.0
    assert statistics.autocorrelation([1, 2]) == 0.0


@given(samples(min_size=3))
def test_autocorrelation_is_a_correlation(values: np.ndarray) -> None:
    """Proves that it stays within -1 and 1."""
    assert -1 - 1e-9 <= statistics.autocorrelation(values) <= 1 + 1e-9


# -- Ratios --------------------------------------------------------------------------------------


@given(paired_samples())
@example((np.array([0.1, *[1.0] * 7, 0.5, 1e-5]), np.array([0.001, *[1.0] * 8, 0.001])))
def test_swapping_the_contenders_inverts_the_ratio(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Proves ratio(a, b) * ratio(b, a) = 1, and the same of opposite edges of the intervals."""
    there, back = statistics.paired_ratio(*pair), statistics.paired_ratio(*reversed(pair))
    assert there.ratio * back.ratio == pytest.approx(1, rel=1e-9)
    if there.high < 1e200 and back.high < 1e200:
        assert there.low * back.high == pytest.approx(1, rel=1e-6)
        assert there.high * back.low == pytest.approx(1, rel=1e-6)
    assert there.p_value == pytest.approx(back.p_value)


@settings(max_examples=examples(25))  # SciPy takes half a second for the test of few tied rounds
@given(paired_samples(min_size=2), st.data())
def test_drift_that_both_share_does_not_change_the_ratio(
    pair: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    """Proves what pairing is for: any factor per round, common to both, drops out."""
    top, bottom = pair
    # Powers of two: the quotients, hence ranks and ties of the test, are exactly the same.
    powers = data.draw(st.lists(st.integers(-20, 20), min_size=top.size, max_size=top.size))
    drift = np.exp2(powers)
    assert statistics.paired_ratio(top * drift, bottom * drift) == statistics.paired_ratio(
        top, bottom
    )


@settings(max_examples=examples(25))  # SciPy takes half a second for the test of few tied rounds
@given(paired_samples(min_size=2), factors)
def test_a_slower_contender_has_a_larger_ratio(
    pair: tuple[np.ndarray, np.ndarray], factor: float
) -> None:
    """Proves that the first argument is the numerator: scaling it scales ratio and interval."""
    plain = statistics.paired_ratio(*pair)
    assume(plain.high < 1e200)
    scaled = statistics.paired_ratio(pair[0] * factor, pair[1])
    assert scaled.ratio == pytest.approx(plain.ratio * factor, rel=1e-9)
    assert scaled.low == pytest.approx(plain.low * factor, rel=1e-6)
    assert scaled.high == pytest.approx(plain.high * factor, rel=1e-6)


@given(paired_samples())
def test_the_interval_of_a_ratio_holds_it(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Proves low <= ratio <= high with all of them positive and finite, and the count of rounds."""
    ratio = statistics.paired_ratio(*pair)
    assert 0 < ratio.low <= ratio.ratio <= ratio.high < math.inf
    assert 0 <= ratio.p_value <= 1
    assert ratio.rounds == pair[0].size
    assert ratio.log_half_width == pytest.approx(math.log(ratio.high / ratio.low) / 2)


def test_a_constant_ratio_is_found_through_any_drift() -> None:
    """Proves a known answer: exactly half the time in every round, whatever the machine does."""
    machine = np.random.default_rng(2).lognormal(sigma=2.0, size=30)
    ratio = statistics.paired_ratio(machine, 2 * machine)
    assert (ratio.ratio, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5))
    assert ratio.p_value < 1e-5


@pytest.mark.parametrize(("top", "bottom"), [([1.0, 2.0], [1.0]), ([], [])])
def test_a_ratio_needs_common_rounds(top: list[float], bottom: list[float]) -> None:
    """Proves the full text."""
    with pytest.raises(ValueError) as info:
        statistics.paired_ratio(top, bottom)
    assert str(info.value) == (
        f"a paired ratio needs the same rounds of both, got {len(top)} and {len(bottom)}"
    )


# -- Two levels: sessions and their rounds -------------------------------------------------------


def two_levels(
    generator: np.random.Generator,
    between: float,
    within: float,
    *,
    sessions: int = 3,
    rounds: int = 7,
) -> list[np.ndarray]:
    """Logarithms of times whose true centre is 0: sessions differ, and rounds in each."""
    return [
        generator.normal(0, between) + generator.normal(0, within, rounds) for _ in range(sessions)
    ]


def moderated(
    tables: int, cases: int, make: Callable[[np.random.Generator], list[np.ndarray]]
) -> list[statistics.Centre]:
    """The moderated centres of many tables of cases."""
    found: list[statistics.Centre] = []
    for table in range(tables):
        generator = np.random.default_rng([table, cases])
        centres = [statistics.centre_of(make(generator)) for _ in range(cases)]
        found += statistics.moderate(centres)
    return found


def covering(centres: list[statistics.Centre]) -> float:
    intervals = [centre.interval() for centre in centres]
    return sum(i.low <= 0 <= i.high for i in intervals) / len(intervals)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda g: two_levels(g, 0.03, 0.05), id="processes and rounds"),
        pytest.param(lambda g: two_levels(g, 0.0, 0.05), id="rounds alone"),
        pytest.param(lambda g: two_levels(g, 0.03, 0.002), id="processes alone"),
        pytest.param(lambda g: two_levels(g, 0.03, 0.05, sessions=2), id="two sessions"),
        pytest.param(
            lambda g: two_levels(g, 0.03 * g.lognormal(sigma=1.0), 0.02), id="cases that differ"
        ),
    ],
)
def test_moderated_intervals_of_sessions_cover_the_truth(
    make: Callable[[np.random.Generator], list[np.ndarray]],
) -> None:
    """Proves that 95 % intervals over sessions hold the truth in 93 to 97 % of 1200 cases, be it
    processes or rounds that scatter, and be the cases alike or not: neither too narrow nor, as
    with the scatter of rounds counted twice, too wide."""
    assert 0.93 <= covering(moderated(60, 20, make)) <= 0.97


def test_an_unmoderated_interval_is_students() -> None:
    """Proves coverage for a single case, whose interval is several times as wide."""
    alone = moderated(800, 1, lambda g: two_levels(g, 0.03, 0.05))
    assert 0.93 <= covering(alone) <= 0.97
    together = moderated(40, 20, lambda g: two_levels(g, 0.03, 0.05))
    widths = [np.median([c.interval().high - c.mean for c in found]) for found in (alone, together)]
    assert widths[0] > 1.5 * widths[1]


def test_a_centre_by_hand() -> None:
    """Proves mean, variance and interval against a table: medians 1, 2 and 6."""
    centre = statistics.centre_of([[0.0, 1.0, 9.0], [2.0], [5.0, 7.0]])
    assert (centre.mean, centre.variance, centre.freedom, centre.sessions) == (3.0, 7.0, 2, 3)
    reach = stats.t.ppf(0.975, 2) * math.sqrt(7 / 3)
    interval = centre.interval()
    assert (interval.low, interval.high) == pytest.approx((3 - reach, 3 + reach))
    assert centre.p_value() == pytest.approx(stats.ttest_1samp([1, 2, 6], 0).pvalue)


def test_one_session_bounds_nothing() -> None:
    """Proves that a single process tells nothing of others: no width, no significance."""
    centre = statistics.centre_of([[5.0, 5.0, 5.1]])
    interval = centre.interval()
    assert (centre.freedom, interval.low, interval.high) == (0, -math.inf, math.inf)
    assert centre.p_value() == 1.0
    ratio = statistics.ratio_of_centre(centre, rounds=30, sessions=1)
    assert ratio.low < 1e-300
    assert ratio.high > 1e300


session_logs = st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=6), min_size=2, max_size=5)


@given(session_logs, factors)
def test_scaling_all_times_scales_the_centre_and_not_its_width(
    sessions: list[list[float]], factor: float
) -> None:
    """Proves the law of units: a factor of times shifts logarithms, and nothing else."""
    plain = statistics.centre_of(sessions)
    shifted = statistics.centre_of([np.add(logs, math.log(factor)) for logs in sessions])
    assert shifted.mean == pytest.approx(plain.mean + math.log(factor), abs=1e-9)
    assert shifted.variance == pytest.approx(plain.variance, rel=1e-6, abs=1e-9)


@given(session_logs, session_logs, factors)
def test_scaling_both_runs_leaves_their_ratio(
    first: list[list[float]], second: list[list[float]], factor: float
) -> None:
    """Proves that a ratio of two runs does not depend on the unit of time."""
    scale = math.log(factor)
    plain = statistics.difference(statistics.centre_of(first), statistics.centre_of(second))
    scaled = statistics.difference(
        statistics.centre_of([np.add(logs, scale) for logs in first]),
        statistics.centre_of([np.add(logs, scale) for logs in second]),
    )
    assert scaled.mean == pytest.approx(plain.mean, abs=1e-9)
    assert scaled.variance == pytest.approx(plain.variance, rel=1e-6, abs=1e-9)


@given(session_logs, session_logs)
def test_swapping_two_runs_inverts_their_ratio(
    first: list[list[float]], second: list[list[float]]
) -> None:
    """Proves ratio(a, b) * ratio(b, a) = 1, of opposite edges too, with one p-value."""
    one, other = statistics.centre_of(first), statistics.centre_of(second)
    there, back = (
        statistics.ratio_of_centre(statistics.difference(a, b), rounds=12, sessions=2)
        for a, b in ((one, other), (other, one))
    )
    assert there.ratio * back.ratio == pytest.approx(1)
    assume(there.high < 1e200 and back.high < 1e200)
    assert there.low * back.high == pytest.approx(1)
    assert there.p_value == pytest.approx(back.p_value)


def test_a_difference_is_the_t_test_of_two_samples() -> None:
    """Proves mean, standard error and p-value against SciPy's test with a common variance, for
    unequal numbers of sessions."""
    first, second = [1.0, 1.2, 1.1], [1.5, 1.4, 1.7, 1.6]
    found = statistics.difference(
        statistics.centre_of([[v] for v in first]), statistics.centre_of([[v] for v in second])
    )
    expected = stats.ttest_ind(first, second)
    assert found.freedom == expected.df == 5
    assert found.mean / found.standard_error == pytest.approx(expected.statistic)
    assert found.p_value() == pytest.approx(expected.pvalue)


def test_two_runs_of_one_session_have_no_freedom() -> None:
    """Proves that two single processes say nothing of the difference between processes."""
    one = statistics.centre_of([[1.0, 1.0]])
    assert statistics.difference(one, one).freedom == 0
    three = statistics.centre_of([[1.0], [1.1], [1.2]])
    assert statistics.difference(one, three).freedom == 2


def drawn_variances(
    generator: np.random.Generator,
    cases: int,
    freedom: float,
    *,
    prior: float,
    prior_freedom: float,
) -> list[statistics.Centre]:
    """Variances of a scaled inverse chi-squared prior, each seen with a few degrees of freedom."""
    true = prior * prior_freedom / generator.chisquare(prior_freedom, cases)
    seen = true * generator.chisquare(freedom, cases) / freedom
    return [statistics.Centre(0.0, float(v), freedom, freedom + 1) for v in seen]


@pytest.mark.parametrize(("prior_freedom", "low", "high"), [(4.0, 3.6, 4.4), (12.0, 9.5, 15.0)])
def test_moderation_recovers_the_prior(prior_freedom: float, low: float, high: float) -> None:
    """Proves that the known variance and freedom of a simulated prior are found again."""
    generator = np.random.default_rng(3)
    centres = drawn_variances(generator, 200_000, 2, prior=1e-3, prior_freedom=prior_freedom)
    variance, freedom = statistics._fit_prior(centres)
    assert variance == pytest.approx(1e-3, rel=0.05)
    assert low <= freedom <= high


def test_equal_cases_lend_each_other_most_and_different_ones_little() -> None:
    """Proves that the prior's freedom is at its limit where all cases have one variance, and small
    where they differ by orders of magnitude."""
    generator = np.random.default_rng(4)
    alike = [statistics.Centre(0.0, float(v), 2, 3) for v in 1e-3 * generator.chisquare(2, 400) / 2]
    assert statistics._fit_prior(alike)[1] > 0.5 * statistics.MOST_PRIOR_FREEDOM
    different = [
        statistics.Centre(0.0, float(v), 2, 3)
        for v in 1e-3 * generator.lognormal(sigma=3.0, size=400) * generator.chisquare(2, 400) / 2
    ]
    assert statistics._fit_prior(different)[1] < 1.0


def test_moderation_draws_variances_together_and_keeps_means() -> None:
    """Proves the formula on a table: (d s^2 + d0 s0^2) / (d + d0), with d + d0 degrees."""
    generator = np.random.default_rng(5)
    centres = drawn_variances(generator, 40, 2, prior=1e-3, prior_freedom=20)
    variance, freedom = statistics._fit_prior(centres)
    drawn = 0
    for before, after in zip(centres, statistics.moderate(centres), strict=True):
        if after != before:
            drawn += 1
            expected = (2 * before.variance + freedom * variance) / (2 + freedom)
            assert after.variance == pytest.approx(expected)
            assert after.freedom == pytest.approx(2 + freedom)
            assert (after.mean, after.sessions) == (before.mean, before.sessions)
    assert drawn >= 38


@given(session_logs.map(statistics.centre_of))
def test_one_alone_is_left_as_it_is(centre: statistics.Centre) -> None:
    """Proves that nothing is called usual that was seen once, and that centres without freedom are
    not counted."""
    nothing = statistics.Centre(1.0, 0.0, 0, 1)
    few = [centre] + [nothing] * 5
    assert statistics.moderate(few) == few
    assert statistics.moderate([]) == []
    assert statistics.moderate([centre] * 5 + [nothing])[-1] is nothing


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_few_get_the_freedom_of_larger_tables(count: int) -> None:
    """Proves that two to four cases are drawn together by as much as is usual, and no more."""
    few = [statistics.Centre(0.0, v, 2, 3) for v in (1e-4, 4e-4, 2e-4, 3e-4)[:count]]
    for before, after in zip(few, statistics.moderate(few), strict=True):
        assert after.freedom == before.freedom + statistics.USUAL_FREEDOM
        assert after.variance != before.variance


def test_a_case_whose_sessions_disagree_keeps_its_variance() -> None:
    """Proves the exception: what is usual among 30 cases does not narrow one that is far from it,
    and the largest of chance is drawn as all are."""
    generator = np.random.default_rng(6)
    usual = [statistics.Centre(0.0, float(v), 2, 3) for v in 1e-4 * generator.chisquare(2, 30) / 2]
    far = statistics.Centre(0.0, 0.1, 2, 3)
    *others, kept = statistics.moderate([*usual, far])
    assert kept == far
    assert all(centre.freedom > 2 for centre in others)


def test_what_equal_contenders_differ_by_is_bounded_from_above() -> None:
    """Proves the upper limit of a spread by simulation: with 30 deviations of a true spread of 3 %
    and errors of 2 %, it is above the truth in four of five tables, and seldom twice as large."""
    generator = np.random.default_rng(7)
    found = np.array(
        [
            statistics.spread_beyond(generator.normal(0, math.hypot(0.03, 0.02), 30), [0.02] * 30)
            for _ in range(300)
        ]
    )
    assert 0.74 <= np.mean(found >= 0.03) <= 0.86
    assert np.quantile(found, 0.99) < 0.06


# -- Tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [6, 7, 9])
def test_wilcoxon_is_the_exact_test(size: int) -> None:
    """Proves the p-value against the definition: all 2^n signs of the ranks, counted."""
    differences = np.random.default_rng(size).normal(0.5, 1, size)
    ranks = stats.rankdata(np.abs(differences))
    observed = abs(np.sum(np.sign(differences) * ranks))
    sums = [abs(np.dot(signs, ranks)) for signs in itertools.product((-1, 1), repeat=size)]
    expected = np.mean([total >= observed - 1e-9 for total in sums])
    assert statistics.wilcoxon(differences) == pytest.approx(expected)


@given(st.lists(st.floats(-1, 1), max_size=5))
def test_wilcoxon_says_nothing_of_fewer_than_six(differences: list[float]) -> None:
    """Proves 1.0 where no p-value under 0.05 is possible, and where all differences are zero."""
    assert statistics.wilcoxon(np.array(differences)) == 1.0
    assert statistics.wilcoxon(np.zeros(20)) == 1.0


def test_benjamini_hochberg_by_hand() -> None:
    """Proves a table worked out by hand: p * m / rank, made monotonic from the largest down.

    Sorted 0.005, 0.01, 0.03, 0.04, 0.5 of m = 5: 0.025, 0.025, 0.05, 0.05, 0.5.
    """
    adjusted = statistics.adjust_p_values([0.01, 0.04, 0.5, 0.03, 0.005])
    assert adjusted == pytest.approx([0.025, 0.05, 0.5, 0.05, 0.025])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjustment_only_raises_p_values_and_keeps_their_order(p_values: list[float]) -> None:
    """Proves the laws of every adjustment; an empty table stays empty."""
    adjusted = statistics.adjust_p_values(p_values)
    assert adjusted.shape == (len(p_values),)
    assert all(after >= before - 1e-12 for before, after in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= -1e-12)


@given(samples(), samples())
def test_geometric_mean_laws(values: np.ndarray, others: np.ndarray) -> None:
    """Proves it against SciPy, and that inverse ratios have the inverse mean."""
    mean = statistics.geometric_mean(values)
    assert mean == pytest.approx(stats.gmean(values))
    assert statistics.geometric_mean(1 / values) == pytest.approx(1 / mean)


# -- The quick half-width ------------------------------------------------------------------------


def ranks_of_quick_interval(size: int) -> tuple[int, int]:
    """The zero-based ranks, read off from powers of two, where every difference is unique."""
    width = 2 * statistics.quick_half_width(np.exp2(np.arange(size)))
    edges = itertools.combinations(range(size), 2)
    return next((low, high) for low, high in edges if 2.0**high - 2.0**low == width)


@pytest.mark.parametrize("size", [*range(6, 41), 50])
def test_the_quick_interval_holds_the_median_about_95_times_in_100(size: int) -> None:
    """Proves the exact coverage by the binomial distribution, for any continuous distribution.

    The normal approximation of the ranks costs up to 3 points at some sizes.
    """
    low, high = ranks_of_quick_interval(size)
    exact = stats.binom.cdf(high, size, 0.5) - stats.binom.cdf(low, size, 0.5)
    assert 0.92 <= exact <= 0.99
    # The ranks lie as far from one end as from the other, at most one apart.
    assert abs(low - (size - 1 - high)) <= 1


@given(st.lists(st.floats(0, 1), max_size=5))
def test_the_quick_interval_of_fewer_than_six_is_infinite(values: list[float]) -> None:
    """Proves that sampling never stops on fewer samples than can bound a median."""
    assert statistics.quick_half_width(values) == math.inf


@given(samples(min_size=6), factors, st.randoms())
def test_the_quick_interval_scales_and_does_not_depend_on_order(
    values: np.ndarray, factor: float, random: np.random.Generator
) -> None:
    """Proves the unit's and the order's independence, and that it is no wider than the samples."""
    width = statistics.quick_half_width(values)
    assert statistics.quick_half_width(values * factor) == pytest.approx(width * factor, rel=1e-9)
    shuffled = list(values)
    random.shuffle(shuffled)
    assert statistics.quick_half_width(shuffled) == width
    assert 0 <= 2 * width <= np.ptp(values) * (1 + 1e-12)

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

"""Calls of a sample: magnitudes, powers of two."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from speedmetal.bench.measure import calibrate

times = st.floats(min_value=1e-9, max_value=1e3)


@given(st.lists(times, max_size=12))
def test_magnitudes_hold_everybody_once_and_span_little(seconds: list[float]) -> None:
    """Proves that each time is in one group, that a group's largest is within 8 times its least,
    and that the next group begins beyond that."""
    groups = calibrate.magnitudes(seconds)
    assert sorted(i for group in groups for i in group) == list(range(len(seconds)))
    ranges = [(seconds[group[0]], max(seconds[i] for i in group)) for group in groups]
    assert all(high <= 8 * low for low, high in ranges)
    assert all(after[0] > 8 * before[0] for before, after in pairwise(ranges))


@given(st.lists(times, min_size=1, max_size=12), st.integers(-6, 6))
def test_magnitudes_do_not_depend_on_the_unit(seconds: list[float], power: int) -> None:
    """Proves that the same contenders are sampled alike on a machine of another speed."""
    scaled = [value * 2.0**power for value in seconds]
    assert calibrate.magnitudes(scaled) == calibrate.magnitudes(seconds)


@given(st.integers(1, 10**8), times)
@example(1_000_000, 1e-3)  # exactly one call
@example(1_000_000, 0.0)  # below what the clock can tell
def test_calls_are_the_least_power_of_two_that_reaches_the_target(
    target: int, seconds: float
) -> None:
    """Proves that a sample lasts at least the target and less than twice it, but for one call,
    which cannot be halved, and for the limit of 131,072 calls."""
    calls = calibrate.calls_for(target, seconds)
    assert calls.bit_count() == 1
    assert 1 <= calls <= 1 << calibrate.MOST_DOUBLINGS
    each = max(seconds * 1e9, 1.0)
    if calls < 1 << calibrate.MOST_DOUBLINGS:
        assert calls * each >= target * (1 - 1e-9)
    assert calls == 1 or calls * each < 2 * target * (1 + 1e-9)


@given(st.integers(1, 10**8), times, st.floats(1.0, 1.9))
def test_two_runs_that_differ_a_little_differ_by_one_doubling_at_most(
    target: int, seconds: float, factor: float
) -> None:
    """Proves what powers of two are for."""
    one, other = (calibrate.calls_for(target, s) for s in (seconds, seconds * factor))
    assert one in (other, 2 * other)

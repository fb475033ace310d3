"""The processors of rounds: the same for all, other ones in the next round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench import environment
from speedmetal.bench.runner.placement import Placement

placements = st.builds(
    lambda processors, threads: Placement(tuple(processors), threads),
    st.lists(st.integers(0, 500), unique=True, max_size=16),
    st.integers(1, 20),
)


@given(placements, st.integers(0, 300), st.integers(1, 40))
def test_a_turn_has_as_many_processors_as_its_contender_may_use(
    placement: Placement, number: int, busy_threads: int
) -> None:
    """Proves that one computing thread gets one processor, more get all that are allowed, each
    another one of the list, and none where there is no choice."""
    found = placement.of_round(number, busy_threads)
    allowed = 1 if busy_threads == 1 else placement.threads
    assert len(found) == len(set(found)) == min(allowed, len(placement.processors))
    assert set(found) <= set(placement.processors)


@given(placements, st.integers(0, 300), st.integers(2, 40))
def test_all_contenders_of_a_round_meet_on_its_first_processor(
    placement: Placement, number: int, busy_threads: int
) -> None:
    """Proves that the single-threaded one computes where the others do."""
    assert placement.of_round(number, 1) == placement.of_round(number, busy_threads)[:1]


@given(placements.filter(lambda p: p.processors), st.integers(0, 300), st.integers(1, 4))
def test_rounds_visit_every_processor_equally_often(
    placement: Placement, start: int, busy_threads: int
) -> None:
    """Proves the rotation: as many rounds as processors use each of them equally often."""
    count = len(placement.processors)
    used = [p for n in range(start, start + count) for p in placement.of_round(n, busy_threads)]
    assert {used.count(p) for p in placement.processors} == {len(used) // count}


def test_the_clock_is_that_of_the_rounds_first_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves which clock stands beside a round, and that none does where there is no choice."""
    monkeypatch.setattr(environment, "clock_mhz", lambda processor: 1000.0 + processor)
    assert [Placement((4, 9), 2).clock_mhz(n) for n in (0, 1, 2)] == [1004.0, 1009.0, 1004.0]
    assert Placement((), 2).clock_mhz(0) is None


def test_here_are_the_equal_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that a run's placement is asked for as many processors as it has threads."""
    monkeypatch.setattr(environment, "equal_processors", lambda count: list(range(count + 2)))
    assert Placement.here(3) == Placement((0, 1, 2, 3, 4), 3)

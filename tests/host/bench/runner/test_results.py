"""Results: their form, by what they are known again, and when they count as late or remembered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speedmetal.bench.runner import proof
from speedmetal.bench.runner.finished import Reading
from speedmetal.bench.runner.remembered import Recall
from speedmetal.bench.runner.results import ProvedOutputs, as_outputs, form_failure

X = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("result", "expected", "told"),
    [
        (X, 1, ""),
        ((X, X), 2, ""),
        (np.float32(1.0), 1, ""),
        ((X, X), 1, "2 outputs, expected 1"),
        (X, 2, "1 outputs, expected 2"),
        ((), 1, "0 outputs, expected 1"),
        ([X], 1, "the result is a list of 1, expected a tensor"),
        ([X, X], 2, "the result is a list of 2, expected a tuple of 2 tensors"),
        ({"y": X}, 1, "the result is a dict of 1, expected a tensor"),
        (None, 1, "the result is None, expected a tensor"),
        ("done", 1, "the result is a str, expected a tensor"),
        ((X, None), 2, "output 1 is None, expected a tensor"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_result_is_a_tensor_or_a_tuple_of_them(result: Any, expected: int, told: str) -> None:
    """Proves the full text for everything else."""
    assert form_failure(as_outputs(result), expected) == told


def test_another_shape_is_another_result() -> None:
    """Proves that a result of fewer elements than were looked at before does not raise."""
    proved = ProvedOutputs.of([np.arange(100.0).reshape(10, 10)])
    assert proved.matches([np.arange(100.0).reshape(10, 10)])
    assert not proved.matches([np.arange(10.0).reshape(2, 5)])
    assert not proved.matches([np.arange(100.0)])
    assert not proved.matches([])
    assert not proved.matches([np.arange(100.0).reshape(10, 10) + 1])


@pytest.mark.parametrize(
    ("call", "fresh", "twin", "is_late"),
    [
        (1e-6, 2.5e-6, 0.2e-6, True),  # computed when read
        (1e-6, 1.9e-6, 0.2e-6, False),  # below what is told from noise
        (1e-6, 15e-6, 8e-6, False),  # reading itself takes long
        (1e-6, 17e-6, 8e-6, True),
        (1e-2, 4e-3, 1e-6, False),  # a part of a long call
        (1e-2, 6e-3, 1e-6, True),
    ],
)
def test_late_results_are_told_by_a_twin(
    call: float, fresh: float, twin: float, is_late: bool
) -> None:
    """Proves the three limits, each where it is the one that counts."""
    reading = Reading(call, fresh, twin)
    assert bool(reading.failure) is is_late
    if is_late:
        assert f"reading it took {fresh:.3g} s" in reading.failure
        assert f"put on the device by hand {twin:.3g} s" in reading.failure


def test_remembered_results_are_quicker_at_least_and_in_the_middle() -> None:
    """Proves that neither one quick call nor one slow one is enough, and the full text."""
    assert Recall([10e-6, 11e-6, 12e-6], [5e-6, 11e-6, 12e-6]).failure == ""
    assert Recall([10e-6, 19e-6, 30e-6], [9e-6, 9e-6, 9e-6]).failure == ""
    assert Recall([10e-6, 11e-6, 12e-6], [5e-6, 6e-6, 12e-6]).failure == (
        "results are remembered: a call takes 1e-05 s on inputs never seen, 5e-06 s on inputs seen"
        " before"
    )


@pytest.mark.parametrize("sign", [0, -1])
def test_a_clock_that_does_not_go_forward_tells_nothing_of_results(sign: int) -> None:
    """Proves that such a clock is left to the samples, which tell of the clock itself."""
    new, seen = [sign * s for s in (3e-6, 3e-6, 3e-6)], [sign * s for s in (9e-6, 9e-6, 9e-6)]
    assert Recall(new, seen).failure == ""
    assert Recall(seen, new).failure == ""
    assert Reading(sign * 1e-3, sign * 1e-6, sign * 9e-3).failure == ""


def test_the_telling_part_of_a_large_result_has_its_nan() -> None:
    """Proves that the part that is compared is small, has the NaN, and is the same of both."""
    reference = np.zeros((1000, 1000))
    reference[990, 3] = np.nan
    output = reference.astype(np.float32)
    (out,), (ref,) = proof.telling_parts([output], [reference])
    assert out.shape == ref.shape
    assert 0 < ref.size <= proof.PART_ELEMENTS
    assert np.isnan(out).sum() == np.isnan(ref).sum() == 1
    small, wrong = np.zeros((3, 3)), np.zeros((2, 2), np.float32)
    assert proof.telling_parts([wrong], [small]) == ([wrong], [small])

"""Frameworks with planted faults, in real runs: each is caught, for the right reason."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from small_run import case_of, last_records, measure

from speedmetal.bench.record import CaseRecord, CaseSpec, Status

RELU = case_of("relu", shape=[64, 96])
BACKWARD = case_of("relu", direction="backward", shape=[64, 96])
# Large enough for the ceiling: 8 MiB are moved, which takes a hundred times a call's own time.
LARGE_RELU = case_of("relu", shape=[1024, 1024])
VERY_LARGE_RELU = case_of("relu", shape=[2048, 2048])
SUM = case_of("sum", shape=[6, 8, 10], axis=1)
ARGMAX = case_of("argmax", shape=[6, 8, 10], axis=1)
SOFTMAX = case_of("softmax", shape=[12, 16], axis=1)
SORT = case_of("sort", shape=[9, 10], axis=0)
SCATTER = case_of("scatter", shape=[16, 8], count=20)
SCATTER_SUM = case_of("scatter_sum", shape=[16, 8], count=20)
SCATTER_MAX = case_of("scatter_max", shape=[16, 8], count=20)
ATTENTION = case_of("attention", batch=2, heads=2, query_length=8, key_length=8, head_size=16)
BCE = case_of("bce", shape=[20, 30])
MATMUL = case_of("matmul", a=[16, 1000], b=[1000, 16])
LARGE_SORT = case_of("sort", shape=[128, 256], axis=0)
LAYER_NORM = case_of("layer_norm", shape=[20, 64])
CROSS_ENTROPY = case_of("cross_entropy", shape=[20, 30])
SOFTPLUS = case_of("softplus", shape=[20, 30])
CONVOLUTION = case_of("conv2d", x=[2, 10, 10, 3], weight=[8, 3, 3, 3])


class Plant(NamedTuple):
    """A fault, where it shows, and how it must be told."""

    fault: str
    case: CaseSpec
    status: Status
    reason: str


WRONG, IMPLAUSIBLE, UNFAIR = Status.WRONG, Status.IMPLAUSIBLE, Status.UNFAIR
NOT_FINISHED = "the result was not finished when its call had been forced"
IN_PLACE = "other values in the same arrays do not give their result"

PLANTS = (
    Plant("DROPPED_AXIS", SUM, WRONG, "output has shape (), expected (6, 10)"),
    Plant("DROPPED_AXIS", ARGMAX, WRONG, "output has shape (), expected (6, 10)"),
    Plant("DROPPED_AXIS", SOFTMAX, WRONG, "largest relative error"),
    Plant("DROPPED_AXIS", SORT, WRONG, "largest relative error"),
    Plant("KEPT_AXIS", SUM, WRONG, "output has shape (6, 1, 10), expected (6, 10)"),
    Plant("THROWN_AWAY", SCATTER, WRONG, "largest relative error"),
    Plant("THROWN_AWAY", SCATTER_SUM, WRONG, "largest relative error"),
    Plant("THROWN_AWAY", SCATTER_MAX, WRONG, "largest relative error"),
    Plant("UNBROADCAST_INDEX", SCATTER_SUM, WRONG, "largest relative error"),
    Plant("UNBROADCAST_INDEX", SCATTER_MAX, WRONG, "largest relative error"),
    Plant("IGNORED_MASK", ATTENTION, WRONG, "largest relative error"),
    Plant("BOOLEAN_MASK", ATTENTION, WRONG, "largest relative error"),
    Plant("LOGIT_LOSS", BCE, WRONG, "largest relative error"),
    Plant("HALF_PRECISION", MATMUL, WRONG, "root mean square error"),
    Plant("ROUNDED_OPERANDS", MATMUL, WRONG, "root mean square error"),
    Plant("MISSING_TERM", MATMUL, WRONG, "largest relative error"),
    Plant("CHANNELS_FIRST", CONVOLUTION, WRONG, "largest relative error"),
    Plant("FLOAT_INDICES", ARGMAX, WRONG, "output has dtype float32, expected the kind of int64"),
    Plant("CHANGED_INPUT", RELU, WRONG, "input x was changed in place"),
    Plant("CONSTANT", RELU, WRONG, "largest relative error"),
    Plant("ONE_ELEMENT", RELU, WRONG, "largest relative error"),
    Plant("OWN_INPUTS", RELU, WRONG, "largest relative error"),
    Plant("SWALLOWED_NAN", RELU, WRONG, "with hard inputs: NaN is not where the reference has it"),
    Plant("TWO_OUTPUTS", RELU, WRONG, "2 outputs, expected 1"),
    Plant("DOUBLE_RESULT", RELU, WRONG, "output has dtype float64, expected float32"),
    Plant("NAN_GRADIENT", BACKWARD, WRONG, "gradient of x is not finite"),
    Plant("DROPPED_GRADIENT", BACKWARD, WRONG, "gradient of x: slope differs by"),
    Plant("DOUBLE_GRADIENT", BACKWARD, WRONG, "gradient of x has dtype float64, expected float32"),
    Plant("CACHED_BY_SHAPE", SOFTMAX, WRONG, "other inputs give the same result"),
    Plant("NOT_AWAITED", RELU, WRONG, NOT_FINISHED),
    Plant("WRONG_WHEN_TIMED", RELU, WRONG, "a timed call gave another result than the proved one"),
    Plant("WRONG_LATER", RELU, WRONG, "gave another result than the proved one"),
    Plant("CACHED_BY_INPUT", VERY_LARGE_RELU, WRONG, IN_PLACE),
    Plant("CACHED_BY_INPUT", RELU, WRONG, IN_PLACE),
    Plant("CACHED_BY_CONTENT", LARGE_SORT, UNFAIR, "results are remembered: a call takes"),
    Plant("LAST_REMEMBERED", LARGE_SORT, UNFAIR, "results are remembered: a call takes"),
    Plant("WORKS_WHILE_WAKING", RELU, WRONG, "gave another result than the proved one"),
    Plant("REUSED_BUFFER", RELU, WRONG, "results of different calls share memory"),
    Plant("LAZY", LARGE_SORT, WRONG, NOT_FINISHED),
    Plant("LAZY", LARGE_RELU, WRONG, NOT_FINISHED),
    Plant("UNEVALUATED_MLX", LARGE_SORT, WRONG, NOT_FINISHED),
    Plant("UNEVALUATED_MLX", LARGE_RELU, WRONG, NOT_FINISHED),
    Plant("UNEVALUATED_SPEEDMETAL", LARGE_RELU, WRONG, NOT_FINISHED),
    Plant("NAIVE_FORMULAS", SOFTMAX, WRONG, "with hard inputs: NaN is not where"),
    Plant("NAIVE_FORMULAS", LAYER_NORM, WRONG, "with hard inputs: largest relative error"),
    Plant("NAIVE_FORMULAS", CROSS_ENTROPY, WRONG, "with hard inputs: largest relative error"),
    Plant("NAIVE_FORMULAS", SOFTPLUS, WRONG, "with hard inputs: largest relative error"),
    Plant("NAIVE_FORMULAS", BCE, WRONG, "with hard inputs: largest relative error"),
    Plant("LIST_RESULT", RELU, WRONG, "the result is a list of 1, expected a tensor"),
    Plant("NO_RESULT", RELU, WRONG, "the result is None, expected a tensor"),
    Plant("REMEMBERS_WHEN_TIMED", LARGE_RELU, IMPLAUSIBLE, "bound by bandwidth"),
)

# One run has several cases, and all faults that show in any of them: each worker starts once.
TOGETHER = (
    (SUM, ARGMAX, SOFTMAX, SORT, LAYER_NORM, CROSS_ENTROPY, SOFTPLUS, BCE),
    (SCATTER, SCATTER_SUM, SCATTER_MAX, ATTENTION, MATMUL, CONVOLUTION),
    (RELU, BACKWARD),
    (LARGE_SORT, LARGE_RELU, VERY_LARGE_RELU),
)

Measured = dict[str, CaseRecord]


def honest_in(case: CaseSpec) -> str:
    """Who does the case right: NumPy, which has no gradients, or NumPy with one by hand."""
    return "HONEST_GRADIENT" if case.direction == "backward" else "HONEST"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Callable[[CaseSpec], Measured]:
    """Records of a case by planted name: one real run of all faults that show in it, or beside."""
    runs: dict[str, dict[tuple[str, str], CaseRecord]] = {}

    def of(case: CaseSpec) -> Measured:
        (cases,) = (group for group in TOGETHER if case in group)
        run = cases[0].label
        if run not in runs:
            faults = [plant.fault for plant in PLANTS if plant.case in cases]
            out = tmp_path_factory.mktemp("planted") / "records.jsonl"
            names = list(dict.fromkeys([*map(honest_in, cases), *faults]))
            runs[run] = last_records(measure(out, cases, names, sessions=1))
        found = runs[run].items()
        return {name: record for (label, name), record in found if label == case.label}

    return of


@pytest.mark.parametrize("plant", PLANTS, ids=lambda p: f"{p.fault}-{p.case.operation}".lower())
def test_a_planted_fault_is_caught(plant: Plant, measured: Callable[[CaseSpec], Measured]) -> None:
    """Proves that a run gives the fault its status and its reason, and no time to report."""
    if plant.fault == "UNEVALUATED_MLX" and find_spec("mlx") is None:
        pytest.skip("MLX is not installed")
    record = measured(plant.case)[plant.fault]
    assert (record.status, plant.reason in record.reason) == (plant.status, True), record.reason
    assert not record.status.has_time


@pytest.mark.parametrize("case", dict.fromkeys(p.case.label for p in PLANTS))
def test_the_honest_one_passes_where_faults_are_caught(
    case: str, measured: Callable[[CaseSpec], Measured]
) -> None:
    """Proves that the traps let the same framework pass without its fault, in the same runs."""
    spec = next(plant.case for plant in PLANTS if plant.case.label == case)
    record = measured(spec)[honest_in(spec)]
    assert record.status.has_time, (record.status, record.reason)
    assert record.check is not None
    assert record.check.passed
    assert record.timing is not None
    assert len(record.timing.samples_nanoseconds) >= 3


def test_a_wrong_result_keeps_its_proof(measured: Callable[[CaseSpec], Measured]) -> None:
    """Proves that the record of a wrong result says how wrong it is, and carries no samples."""
    record = measured(MATMUL)["ROUNDED_OPERANDS"]
    assert record.timing is None
    assert record.check is not None
    assert record.check.rms_relative > record.check.tolerance_rms
    assert record.check.failure == record.reason


def test_a_time_that_does_not_grow_with_the_work_is_withdrawn(tmp_path: Path) -> None:
    """Proves that plausible times that are all the same lose the larger case, with a finding, and
    that the honest one, whose times grow, loses none."""
    small, large = case_of("relu", shape=[64, 64]), VERY_LARGE_RELU
    records = measure(
        tmp_path / "records.jsonl", [small, large], ["HONEST", "SLOW_START"], sessions=1
    )
    last = last_records(records)
    assert last[small.label, "SLOW_START"].status.has_time
    withdrawn = last[large.label, "SLOW_START"]
    assert withdrawn.status is Status.IMPLAUSIBLE
    assert "the time does not grow with the work" in withdrawn.reason
    assert [f.message for f in records.findings if f.kind == "size"] == [withdrawn.reason]
    assert last[small.label, "HONEST"].status.has_time
    assert last[large.label, "HONEST"].status.has_time


def test_who_is_not_awaited_when_it_is_timed_has_no_time(tmp_path: Path) -> None:
    """Proves that work left for later is told by its time, or by the processor that it takes from
    others between its turns."""
    records = measure(
        tmp_path / "records.jsonl", [LARGE_RELU], ["HONEST", "NOT_AWAITED_WHEN_TIMED"], sessions=1
    )
    last = last_records(records)
    assert last[LARGE_RELU.label, "NOT_AWAITED_WHEN_TIMED"].status in {IMPLAUSIBLE, UNFAIR}
    assert last[LARGE_RELU.label, "HONEST"].status.has_time


def test_ceilings_of_work_that_was_not_done_do_not_count(tmp_path: Path) -> None:
    """Proves that frameworks that do not wait, or repeat what they have, cannot raise the ceilings
    of their device, by which everybody's times are judged: each is told of in a finding, and who
    looks up its results when it is timed is found implausible all the same."""
    told = {
        "NOT_AWAITED_CEILINGS": NOT_FINISHED,
        "CACHED_CEILINGS": "its function `copy` gives a wrong result",
        "REMEMBERED_CEILINGS": "times what plain copies reach",
    }
    names = ["HONEST", *told, "REMEMBERS_WHEN_TIMED"]
    records = measure(tmp_path / "records.jsonl", [LARGE_RELU], names, sessions=1)
    last = last_records(records)
    findings = [f for f in records.findings if f.kind == "ceilings" and f.contender]
    by_fault = [(f.contender.partition(":")[2].partition(":")[0], f.message) for f in findings]
    assert {fault for fault, _ in by_fault} == set(told)
    assert all(told[fault] in message for fault, message in by_fault), findings
    assert last[LARGE_RELU.label, "REMEMBERS_WHEN_TIMED"].status is Status.IMPLAUSIBLE
    assert last[LARGE_RELU.label, "HONEST"].status.has_time

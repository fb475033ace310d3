"""What no single record says: times that do not grow with the work."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from speedmetal.bench import advice
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.record import (
    CaseRecord,
    CeilingRecord,
    Contender,
    CopyPoint,
    Status,
    Timing,
)
from speedmetal.bench.suites import SuiteEntry, make_case

MILLISECOND = 1_000_000
SMALL, LARGE = [64, 64], [2048, 2048]  # 32 KiB and 32 MiB are moved


def record(
    shape: list[int],
    nanoseconds: int,
    *,
    framework: str = "a",
    operation: str = "relu",
    dtype: str = "float32",
    status: Status = Status.OK,
) -> CaseRecord:
    entry = SuiteEntry(OPERATIONS[operation], {"shape": shape})
    return CaseRecord(
        run_id="run",
        session=1,
        time_utc="2025-03-04T05:06:07Z",
        case=make_case(entry, dtype, "forward", "ieee"),
        contender=Contender(framework=framework, device="cpu", mode="eager"),
        environment="",
        group="group",
        status=status,
        timing=Timing(
            mode="latency",
            cache="warm",
            calls_per_sample=1,
            samples_nanoseconds=[nanoseconds] * 10,
            rounds=list(range(10)),
            positions=[0] * 10,
            first_call_nanoseconds=1,
        ),
    )


def ceilings(bandwidth: float = 1e10, floor: float = 1e-5) -> dict[str, CeilingRecord]:
    """At 10 GB/s the large case takes at least 3.4 ms."""
    points = [CopyPoint(working_set_bytes=1 << 28, bytes_per_second=bandwidth)]
    found = CeilingRecord(
        run_id="run",
        session=1,
        time_utc="",
        environment="",
        device="cpu",
        copy=points,
        read=points,
        flops_per_second={},
        call_floor_seconds={"a:cpu:eager": floor},
    )
    return {"cpu": found}


def test_equal_times_of_unequal_work_are_found() -> None:
    """Proves the finding and its full text."""
    small, large = record(SMALL, 5 * MILLISECOND), record(LARGE, 6 * MILLISECOND)
    (found,) = advice.size_independent([large, small], ceilings())
    assert (found.smaller, found.larger) == (small, large)
    assert found.message == (
        "a:cpu:eager: ReLU / dim=2048x2048 takes 0.006 s, ReLU / dim=64x64 0.005 s, though it is"
        " 1024 times the bytes: the time does not grow with the work"
    )


@pytest.mark.parametrize(
    ("records", "given"),
    [
        ([record(SMALL, 5 * MILLISECOND), record(LARGE, 8 * MILLISECOND)], ceilings()),
        ([record([1024, 1024], MILLISECOND), record(LARGE, MILLISECOND)], ceilings()),
        ([record(SMALL, MILLISECOND), record(LARGE, MILLISECOND)], ceilings(floor=0.01)),
        ([record(SMALL, MILLISECOND), record(LARGE, MILLISECOND)], {}),
        ([record(SMALL, MILLISECOND, framework="b"), record(LARGE, MILLISECOND)], ceilings()),
        ([record(SMALL, MILLISECOND, operation="silu"), record(LARGE, MILLISECOND)], ceilings()),
        ([record(SMALL, MILLISECOND, dtype="float64"), record(LARGE, MILLISECOND)], ceilings()),
        (
            [record(SMALL, MILLISECOND), record(LARGE, MILLISECOND, status=Status.IMPLAUSIBLE)],
            ceilings(),
        ),
        ([record(LARGE, MILLISECOND)], ceilings()),
        ([], ceilings()),
    ],
    ids=[
        "the time grows",
        "the work hardly grows",
        "the call costs more than the work",
        "no ceilings are known",
        "another contender",
        "another operation",
        "another dtype",
        "no time to speak of",
        "one case alone",
        "nothing",
    ],
)
def test_what_may_be_equal_is_not_found(
    records: list[CaseRecord], given: dict[str, CeilingRecord]
) -> None:
    """Proves that only pairs whose times must differ are named."""
    assert advice.size_independent(records, given) == []


def test_each_step_of_a_ladder_is_looked_at() -> None:
    """Proves that of three sizes the one whose time does not grow is found, next to its
    neighbour."""
    ladder = [
        record([64, 64], MILLISECOND),
        record([1024, 1024], 10 * MILLISECOND),
        record([4096, 4096], 11 * MILLISECOND),
    ]
    (found,) = advice.size_independent(ladder, ceilings())
    assert found.larger is ladder[2]
    assert found.smaller is ladder[1]


def test_more_bytes_for_the_same_operations_prove_nothing() -> None:
    """Proves that both the bytes and the operations must grow: attention over many short rows
    moves 16 times the bytes of one over few long ones, and may take no longer."""

    def attention(batch: int, length: int, nanoseconds: int) -> CaseRecord:
        parameters = {
            "batch": batch,
            "heads": 8,
            "head_size": 64,
            "query_length": length,
            "key_length": length,
        }
        entry = SuiteEntry(OPERATIONS["attention"], parameters)
        case = make_case(entry, "float32", "forward", "ieee")
        return replace(record(SMALL, nanoseconds), case=case)

    few_long, many_short = attention(1, 512, 50 * MILLISECOND), attention(256, 32, MILLISECOND)
    assert many_short.case.bytes_minimum >= 8 * few_long.case.bytes_minimum
    assert many_short.case.flops < 8 * few_long.case.flops
    assert advice.size_independent([few_long, many_short], ceilings()) == []

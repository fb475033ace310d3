"""A deterministic record file in memory: every status, several sessions, controls, ceilings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec
import numpy as np

from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
    Check,
    Contender,
    CopyPoint,
    EnvironmentRecord,
    FindingRecord,
    Memory,
    Record,
    RunRecord,
    Status,
    Timing,
)
from speedmetal.bench.store import BadLine, Records

RUN = "20260102-030405-abcd"
TIME = "2026-01-02T03:04:05Z"

# Contender and its speed against the first: the factor on every time.
CONTENDERS: tuple[tuple[Contender, float], ...] = tuple(
    (
        Contender(framework=framework, device=device, mode=mode, version=version, device_name=name),
        factor,
    )
    for framework, device, mode, version, name, factor in (
        ("torch", "cpu", "eager", "2.14.1", "Apple M9 Pro", 1.0),
        ("mlx", "gpu", "eager", "0.32.4", "Apple M9 Pro", 0.21),
        ("mlx", "gpu", "compiled", "0.32.4", "Apple M9 Pro", 0.2),
        ("mlx", "cpu", "eager", "0.32.4", "Apple M9 Pro", 1.003),
        ("torch", "mps", "eager", "2.14.1", "Apple M9 Pro", 0.35),
        ("numpy", "cpu", "eager", "2.3.1", "Apple M9 Pro", 2.7),
    )
)

ENVIRONMENT = EnvironmentRecord(
    system="Darwin 25.1.0 arm64",
    chip="Apple M9 Pro",
    cores=14,
    core_split="10P+4E",
    memory_bytes=48 * 2**30,
    last_level_cache_bytes=32 * 2**20,
    python="3.12.8",
    threads=10,
    governor="AC power",
    packages={"mlx": "0.32.4", "numpy": "2.3.1", "torch": "2.14.1"},
    devices={"mlx:gpu": "Apple M9 Pro", "torch:cpu": "Apple M9 Pro"},
    variables={"OMP_WAIT_POLICY": "passive"},
    settings={"mlx:tf32": "off", "torch:matmul": "highest"},
)


def _case(title: str, family: str, arguments: str, elements: int, **rest: object) -> CaseSpec:
    values: dict[str, object] = {
        "operation": title.lower(),
        "title": title,
        "family": family,
        "arguments": arguments,
        "parameters": {"arguments": arguments},
        "published": True,
        "bytes_minimum": 8 * elements,
        "flops": 0,
    }
    return CaseSpec(**{**values, **rest})  # type: ignore[arg-type]


CASES: tuple[CaseSpec, ...] = (
    _case("Argmax", "reduction", "dim=64x1024x128 axi=0", 64 * 1024 * 128),
    _case("Argmax", "reduction", "dim=64x1024x128 axi=1", 64 * 1024 * 128),
    _case("MatMul", "linear algebra", "dim=64x256 dim=256x32", 24_000, flops=1_048_576),
    _case(
        "MatMul", "linear algebra", "dim=1000x64x256 dim=256x32", 18_440_192, flops=1_048_576_000
    ),
    _case("Softmax", "normalisation", "dim=64x1000000 axi=-1", 64_000_000, flops=320_000_000),
    _case("Softmax", "normalisation", "dim=1000000x64 axi=-1", 64_000_000, flops=320_000_000),
    _case("Softmax", "normalisation", "dim=1024x64x32x8 axi=-1", 16_777_216, flops=83_886_080),
    _case(
        "Softmax",
        "normalisation",
        "dim=64x16x32x1024 axi=-1",
        33_554_432,
        flops=167_772_160,
        dtype="float16",
        direction="backward",
        published=False,
    ),
)

# (case index, contender index) -> how it ended, with the reason.
ENDINGS: dict[tuple[int, int], tuple[Status, str]] = {
    (0, 5): (Status.UNFAIR, "it computed between its turns, on 1.5 cores"),
    (1, 4): (Status.WRONG, "output 0: shape () instead of (64, 128)"),
    (2, 2): (Status.IMPLAUSIBLE, "9.1 TFLOP/s is 6.2 times the measured ceiling"),
    (3, 5): (Status.OUT_OF_MEMORY, "needs 61 GiB, 40 GiB are free"),
    (4, 4): (Status.TIMEOUT, "no answer within 60 s"),
    (5, 5): (Status.CRASH, "the worker ended with signal 9"),
    (6, 3): (Status.UNSUPPORTED, "mlx:cpu has no fused softmax | see its documentation"),
    (7, 5): (Status.SKIPPED, "the time budget of 600 s was spent"),
}


def timing(seconds: float, rounds: int, seed: int, *, control: bool = False) -> Timing:
    """Samples around a time, with integer noise and one outlier, the same on every machine."""
    generator = np.random.Generator(np.random.PCG64(seed))
    calls = max(1, round(1e-3 / seconds))
    base = round(seconds * 1e9 * calls)

    def samples() -> list[int]:
        noise = generator.integers(-10, 11, rounds) + generator.integers(-5, 6, rounds)
        values = [base + base * int(n) // 1000 for n in noise]
        values[rounds // 2] += base // 3
        return values

    return Timing(
        mode="latency",
        cache="warm",
        calls_per_sample=calls,
        samples_nanoseconds=samples(),
        rounds=list(range(rounds)),
        positions=[0] * rounds,
        first_call_nanoseconds=round(seconds * 1e9 * 30),
        control_nanoseconds=samples() if control else [],
        control_rounds=list(range(rounds)) if control else [],
        converged=True,
    )


def check(*, passed: bool = True) -> Check:
    return Check(
        max_absolute=3e-6,
        max_relative=1.25e-6 if passed else 0.7,
        rms_relative=2.5e-7,
        tolerance_max=1e-4,
        tolerance_rms=1e-5,
        elements=8192,
        outputs=1,
        nan_matches=True,
        second_seed="reference",
        passed=passed,
        failure="" if passed else "shape differs",
    )


def case_record(
    case: CaseSpec,
    contender: Contender,
    seconds: float,
    *,
    session: int = 0,
    rounds: int = 24,
    seed: int = 0,
    status: Status = Status.OK,
    reason: str = "",
    control: bool = False,
    run_id: str = RUN,
) -> CaseRecord:
    """One record; a status without a time gets no samples."""
    timed = status.has_time
    return CaseRecord(
        run_id=run_id,
        session=session,
        time_utc=TIME,
        case=case,
        contender=contender,
        environment=ENVIRONMENT.key,
        group=f"{case.key}/{session}",
        status=status,
        reason=reason,
        check=check(passed=status is not Status.WRONG) if timed or status is Status.WRONG else None,
        timing=timing(seconds, rounds, seed, control=control) if timed else None,
        memory=Memory(host_resident=200 * 2**20, host_peak=300 * 2**20),
    )


def case_records(sessions: int = 2, rounds: int = 24) -> Iterator[CaseRecord]:
    """Every case on every contender in every session, with the endings of :data:`ENDINGS`."""
    contenders = range(len(CONTENDERS))
    order = itertools.product(range(sessions), range(len(CASES)), contenders)
    for seed, (session, index, number) in enumerate(order):
        case, (contender, factor) = CASES[index], CONTENDERS[number]
        status, reason = ENDINGS.get((index, number), (Status.OK, ""))
        seconds = 2e-5 + case.bytes_minimum / 40e9 + case.flops / 600e9
        # MLX loses one family, so that the tables show losses too.
        penalty = 6.0 if case.title == "Argmax" and number in (1, 2) else 1.0
        # One contender's sessions disagree on one operation, so that its verdict is open.
        penalty *= 1.05 if case.title == "MatMul" and number == 3 and session == 1 else 1.0
        yield case_record(
            case,
            contender,
            seconds * factor * penalty,
            session=session,
            rounds=rounds,
            seed=seed,
            status=status,
            reason=reason,
            control=number == 0,
        )


def ceilings(session: int, device: str) -> CeilingRecord:
    gpu = device != "cpu"
    scale = 3.0 if gpu else 1.0
    return CeilingRecord(
        run_id=RUN,
        session=session,
        time_utc=TIME,
        environment=ENVIRONMENT.key,
        device=device,
        copy=[
            CopyPoint(working_set_bytes=2**20, bytes_per_second=210e9 * scale),
            CopyPoint(working_set_bytes=2**28, bytes_per_second=90e9 * scale),
        ],
        read=[CopyPoint(working_set_bytes=2**28, bytes_per_second=95e9 * scale)],
        flops_per_second={"float32/ieee": 1.4e12 * scale, "float16/ieee": 2.6e12 * scale},
        call_floor_seconds={
            contender.key: 2e-6 * (5 if gpu else 1)
            for contender, _ in CONTENDERS
            if (contender.device != "cpu") == gpu
        },
    )


def findings() -> tuple[FindingRecord, ...]:
    return tuple(
        FindingRecord(
            run_id=RUN,
            session=0,
            time_utc=TIME,
            kind=kind,
            message=message,
            contender=contender,
            operation=operation,
        )
        for kind, message, contender, operation in (
            ("unavailable", "jax is not installed: pip install jax", "jax:cpu:eager", ""),
            (
                "size-independent",
                "time does not grow from 1 MB to 64 MB",
                "mlx:gpu:eager",
                "argmax",
            ),
        )
    )


def run_record() -> RunRecord:
    return RunRecord(
        run_id=RUN,
        time_utc=TIME,
        suite="published",
        command="speedmetal bench --suite published",
        settings={"rounds": 24, "precision": 0.02},
        speedmetal_version="0.1.0",
    )


def records(*, sessions: int = 2, rounds: int = 24, extra: tuple[Record, ...] = ()) -> Records:
    """The record file of the tests."""
    parts: list[Record] = [run_record(), ENVIRONMENT]
    parts += [ceilings(s, device) for s in range(sessions) for device in ("cpu", "gpu")]
    parts += [*case_records(sessions, rounds), *findings(), *extra]
    return Records(tuple(parts), (BadLine(99, "Input data was truncated"),), "run.jsonl")


def large_records(cases: int = 91, rounds: int = 200) -> Records:
    """As many results and samples as the published suite with six contenders gives."""
    parts: list[Record] = [run_record(), ENVIRONMENT, ceilings(0, "cpu"), ceilings(0, "gpu")]
    for index in range(cases):
        case = _case(
            f"Operation{index // 4}",
            f"family{index // 20}",
            f"dim={64 + index}x1024x128 dim=1024x{index} axi={index % 3}",
            10_000 * 2 ** (index % 9),
            flops=50_000 * 3 ** (index % 9),
        )
        for number, (contender, factor) in enumerate(CONTENDERS):
            parts.append(
                case_record(
                    case,
                    contender,
                    (2e-5 + case.bytes_minimum / 40e9) * factor,
                    rounds=rounds,
                    seed=index * 10 + number,
                    control=number == 0,
                )
            )
    return Records(tuple(parts), (), "large.jsonl")


def with_machine_state(record: CaseRecord) -> CaseRecord:
    """The record with a load that rises by one a round and a clock that falls, both by round."""
    if record.timing is None:
        return record
    rounds = record.timing.rounds
    timed = msgspec.structs.replace(
        record.timing,
        cpu_nanoseconds=[value * 3 // 2 for value in record.timing.samples_nanoseconds],
        page_faults=[2 * record.timing.calls_per_sample] * len(rounds),
        context_switches=[number % 2 for number in rounds],
        load=[float(number) for number in rounds],
        frequency_mhz=[3200.0 - 10 * number for number in rounds],
    )
    return msgspec.structs.replace(record, timing=timed)


def in_words() -> CaseRecord:
    """A result of a case whose parameters are those of a real operation."""
    case = _case(
        "GroupNorm",
        "normalisation",
        "dim=8x32x64 grp=8",
        8 * 32 * 64,
        operation="group_norm",
        parameters={"shape": [8, 32, 64], "groups": 8},
    )
    return case_record(case, CONTENDERS[0][0], 1e-4)


def with_machine(records: Records) -> Records:
    """The record file with the machine's state beside every sample."""
    changed = (
        with_machine_state(record) if isinstance(record, CaseRecord) else record
        for record in records.records
    )
    return Records(tuple(changed), records.bad_lines, records.source)


def loaded() -> FindingRecord:
    """A machine on which other processes ran."""
    return FindingRecord(
        run_id=RUN,
        session=0,
        time_utc=TIME,
        kind="machine",
        message="load 3.1 from other processes on 2 cores: ratios below 1.3 will not be decided",
    )

"""Records: what is written is what is read, and keys are identities of work and environment."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench.record import (
    SCHEMA_VERSION,
    CaseRecord,
    CaseSpec,
    Check,
    Contender,
    EnvironmentRecord,
    FindingRecord,
    Record,
    Status,
)
from speedmetal.bench.store import decode_line
from strategies import environment_records, parameters, records, specs, texts


def spec(**changes: Any) -> CaseSpec:
    values: dict[str, Any] = {
        "operation": "softmax",
        "title": "Softmax",
        "family": "reductions",
        "arguments": "dim=64x1000 axis=-1",
        "parameters": {"shape": [64, 1000], "axis": -1},
    }
    return CaseSpec(**(values | changes))


@given(records)
def test_every_kind_of_record_survives_the_round_trip(record: Record) -> None:
    """Proves decode(encode(r)) == r, of the same class, on one line, stably encoded."""
    line = msgspec.json.encode(record)
    assert b"\n" not in line
    decoded = decode_line(line)
    assert type(decoded) is type(record)
    assert decoded == record
    assert msgspec.json.encode(decoded) == line


@given(records)
def test_every_record_carries_its_kind_and_the_schema_version(record: Record) -> None:
    """Proves that other tools can tell the kinds and the schema apart without our classes."""
    plain = msgspec.json.decode(msgspec.json.encode(record))
    kinds = {"case", "ceilings", "environment", "run", "finding"}
    assert plain["type"] in kinds
    assert plain["schema_version"] == SCHEMA_VERSION


@given(specs)
def test_a_key_survives_the_round_trip(case: CaseSpec) -> None:
    """Proves that a key computed from a file equals the one computed when it was written."""
    assert msgspec.json.decode(msgspec.json.encode(case), type=CaseSpec).key == case.key


@given(parameters, st.randoms())
def test_the_order_of_parameters_does_not_change_the_key(
    given_: dict[str, Any], random: Any
) -> None:
    """Proves that the same work has one key, however its parameters were listed."""
    items = list(given_.items())
    random.shuffle(items)
    assert spec(parameters=dict(items)).key == spec(parameters=given_).key


def test_the_order_of_nested_parameters_does_not_change_the_key() -> None:
    """Proves that the same work has one key also where a parameter is itself a table."""
    first = spec(parameters={"options": {"a": 1, "b": 2}})
    second = spec(parameters={"options": {"b": 2, "a": 1}})
    assert first.key == second.key


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "sort"},
        {"dtype": "float16"},
        {"precision": "tf32"},
        {"direction": "backward"},
        {"parameters": {"shape": [64, 1000], "axis": 0}},
        {"parameters": {"shape": [1000, 64], "axis": -1}},
        {"parameters": {"shape": [64, 1000]}},
        {"parameters": {"shape": [64, 1000], "axis": -1, "mask": True}},
        {"parameters": {"shape": [64, 1000], "axis": "-1"}},
    ],
)
def test_different_work_has_a_different_key(changes: dict[str, Any]) -> None:
    """Proves that each field of the identity is in the key."""
    assert spec(**changes).key != spec().key


@given(specs, specs)
def test_keys_are_equal_exactly_where_the_work_is(first: CaseSpec, second: CaseSpec) -> None:
    """Proves that keys neither collide nor split, over many kinds of parameters."""

    def work(case: CaseSpec) -> bytes:
        identity = (case.operation, case.dtype, case.precision, case.direction, case.parameters)
        return msgspec.json.encode(identity, order="sorted")

    assert (first.key == second.key) == (work(first) == work(second))


@given(specs, texts(), texts(), st.booleans(), st.integers(0, 2**40))
def test_labels_and_counts_do_not_change_the_key(
    case: CaseSpec, title: str, arguments: str, published: bool, count: int
) -> None:
    """Proves that a better title or a corrected byte count leaves old records comparable."""
    changed = msgspec.structs.replace(
        case,
        title=title,
        arguments=arguments,
        family=title,
        published=published,
        bytes_minimum=count,
        flops=count,
    )
    assert changed.key == case.key


def test_a_key_is_the_same_in_every_process() -> None:
    """Proves that keys do not hang on the seed of Python's string hashes."""
    code = (
        "from speedmetal.bench.record import CaseSpec\n"
        "print(CaseSpec(operation='softmax', title='', family='', arguments='',"
        " parameters={'axis': -1, 'shape': [64, 1000]}).key)"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert keys == {spec().key}
    assert len(spec().key) == 12
    assert int(spec().key, 16) >= 0


def test_the_key_of_the_first_schema_is_pinned() -> None:
    """Proves that records of published runs keep matching: the key's formula is part of them."""
    assert spec().key == "9bcc3f7d7311"


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "Softmax / dim=64x1000 axis=-1"),
        ({"dtype": "float16"}, "Softmax / dim=64x1000 axis=-1 float16"),
        (
            {"dtype": "bfloat16", "precision": "tf32", "direction": "backward"},
            "Softmax / dim=64x1000 axis=-1 bfloat16 tf32 backward",
        ),
    ],
)
def test_a_label_names_what_is_not_the_default(changes: dict[str, Any], label: str) -> None:
    """Proves the label that people read in every report."""
    assert spec(**changes).label == label


def test_a_contender_is_named_by_framework_device_and_mode() -> None:
    """Proves the spelling that users type; versions are not in it."""
    contender = Contender(framework="torch", device="mps", mode="compiled", version="2.9")
    assert contender.key == "torch:mps:compiled"


@given(environment_records)
def test_the_key_of_an_environment_survives_the_round_trip(record: EnvironmentRecord) -> None:
    """Proves that a case's reference to its environment holds after reading, in any map order."""
    decoded = decode_line(msgspec.json.encode(record))
    assert isinstance(decoded, EnvironmentRecord)
    assert decoded.key == record.key
    turned = msgspec.structs.replace(record, packages=dict(reversed(record.packages.items())))
    assert turned.key == record.key


@given(environment_records, st.sampled_from(EnvironmentRecord.__struct_fields__))
def test_every_fact_of_an_environment_is_in_its_key(record: EnvironmentRecord, name: str) -> None:
    """Proves that two environments that differ in anything are never taken for one."""
    value = getattr(record, name)
    other: Any
    if isinstance(value, dict):
        other = {**value, "one more": "x"}
    else:
        other = value + 1 if isinstance(value, int) else value + "x"
    assert msgspec.structs.replace(record, **{name: other}).key != record.key


@pytest.mark.parametrize("status", list(Status))
def test_only_proved_and_timed_records_have_a_time(status: Status) -> None:
    """Proves that no other status lets a time into a report."""
    assert status.has_time == (status.value == "ok")


def test_records_are_frozen() -> None:
    """Proves that nothing rewrites a record after it was made."""
    with pytest.raises(AttributeError):
        spec().operation = "sort"  # type: ignore[misc]


def check(**changes: Any) -> Check:
    values: dict[str, Any] = {
        "max_absolute": 1.0,
        "max_relative": 1.0,
        "rms_relative": 1.0,
        "tolerance_max": 1e-5,
        "tolerance_rms": 1e-6,
        "elements": 10,
        "outputs": 1,
        "nan_matches": False,
        "second_seed": "reference",
        "passed": False,
    }
    return Check(**(values | changes))


@pytest.mark.parametrize("field", ["max_absolute", "max_relative", "rms_relative"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_check_that_failed_beyond_all_numbers_can_be_read_again(field: str, value: float) -> None:
    """Proves that a wrong result with NaN or infinity in it is not lost from the file."""
    record = CaseRecord(
        run_id="r",
        session=1,
        time_utc="2025-03-04T05:06:07Z",
        case=spec(),
        contender=Contender(framework="torch", device="cpu", mode="eager"),
        environment="e",
        group="g",
        status=Status.WRONG,
        check=check(**{field: value}),
    )
    decoded = decode_line(msgspec.json.encode(record))
    assert isinstance(decoded, CaseRecord)
    assert decoded.status is Status.WRONG


def test_fields_that_a_later_version_adds_are_ignored() -> None:
    """Proves that adding an optional field needs no new schema."""
    record = FindingRecord(run_id="r", session=1, time_utc="t", kind="k", message="m")
    plain = msgspec.json.decode(msgspec.json.encode(record)) | {"added_later": [1, 2]}
    assert decode_line(msgspec.json.encode(plain)) == record

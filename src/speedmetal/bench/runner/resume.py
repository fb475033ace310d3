"""What a run that is continued has done already, and whether it is the same run."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedmetal.bench import compare
from speedmetal.bench.record import CaseRecord, RunRecord, Status
from speedmetal.bench.store import Records, read_records
from speedmetal.errors import UserInputError

CASES = "case_keys"  # the name of a term
Step = tuple[int, str, str]  # session, case key, contender key


@dataclass(frozen=True)
class Earlier:
    """What was done of a run before.

    Args:
        run_id: The run's.
        done: What need not be done again.
        sessions: How many it had.
        unclear: Keys of the cases of which a ratio is not known as well as wanted.
    """

    run_id: str
    done: frozenset[Step] = frozenset()
    sessions: int = 0
    unclear: frozenset[str] = frozenset()

    @classmethod
    def nothing(cls) -> Earlier:
        """A new run."""
        return cls(uuid.uuid4().hex[:12])


def refuse_existing(out: Path) -> None:
    """Refuse a file that has something in it.

    Raises:
        UserInputError: It has, or it is no file.
    """
    if out.is_dir():
        raise UserInputError(f"--out {out} is a folder; give a file, {out / 'run.jsonl'}")
    if out.exists() and out.stat().st_size > 0:
        raise UserInputError(
            f"{out} exists; give another --out, --resume to continue its run, or --append to add"
            " another run to it"
        )


def last_run(records: Records) -> list[RunRecord]:
    """The start of a file's last run, and of its continuations.

    Raises:
        UserInputError: It has no run.
    """
    if not records.runs:
        raise UserInputError(f"{records.source} has no record of a run to continue")
    run_id = records.runs[-1].run_id
    return [run for run in records.runs if run.run_id == run_id]


def refuse_others(out: Path, differences: Sequence[str]) -> None:
    """Refuse to continue a run under other terms.

    Raises:
        UserInputError: There is a difference.
    """
    if differences:
        raise UserInputError(
            f"{out} holds a run of other terms: {'; '.join(differences)}. Leave such options out to"
            " continue it, give another --out to keep them apart, or --append to add a run to the"
            " file"
        )


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """What differs, by name; what was not recorded then is taken for the same.

    Example:
        >>> differences({"seed": 0, "cache": "warm"}, {"seed": 7, "cache": "warm", "new": 1})
        ['seed was 0, is 7']
    """
    return [
        difference
        for name, value in now.items()
        if name in before and before[name] != value
        for difference in _difference(name, before[name], value)
    ]


def _difference(name: str, before: object, now: object) -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        names = sorted({*before, *now})
        return [
            f"{name} of {key} was {before.get(key, 'absent')}, is {now.get(key, 'absent')}"
            for key in names
            if before.get(key) != now.get(key)
        ]
    if isinstance(before, list) and isinstance(now, list):
        gone = [item for item in before if item not in now]
        new = [item for item in now if item not in before]
        if name == CASES:
            found = f"of its {len(before)} cases {len(gone)} are gone, and {len(new)} are new"
            return [found] if gone or new else []
        return [
            f"{', '.join(map(str, items))} {what}"
            for items, what in ((gone, "took part and is not here"), (new, "did not take part"))
            if items
        ]
    return [f"{name} was {before}, is {now}"]


def find_earlier(
    out: Path, terms: Mapping[str, object], half_width: float, case_timeout_seconds: float
) -> Earlier:
    """What a file has of its last run.

    Args:
        out: The file.
        terms: What the run and its continuation must share.
        half_width: The wanted one, of a ratio's logarithm.
        case_timeout_seconds: Of the continuation: where it is longer than before, what timed out
            is tried again.

    Raises:
        UserInputError: There is no run in the file, or one of other terms.
    """
    records = read_records(out)
    runs = last_run(records)
    refuse_others(out, differences(runs[0].settings, terms))
    mine = [record for record in records.cases if record.run_id == runs[0].run_id]
    before = max(run.settings.get("case_timeout_seconds") or 0.0 for run in runs)
    return Earlier(
        runs[0].run_id,
        _done(mine, is_timeout_longer=case_timeout_seconds > before),
        max((record.session for record in mine), default=0),
        frozenset(_unclear(mine, half_width)),
    )


def _step(record: CaseRecord) -> Step:
    return record.session, record.case.key, record.contender.key


def _done(records: Sequence[CaseRecord], *, is_timeout_longer: bool) -> frozenset[Step]:
    """What has a result, or a status that another try would not change.

    A crash is tried once more: the system may have killed the worker for somebody else's memory.
    """
    crashes = Counter(_step(record) for record in records if record.status is Status.CRASH)
    again = {Status.SKIPPED} | ({Status.TIMEOUT} if is_timeout_longer else set())
    return frozenset(
        step
        for step, record in _latest(records).items()
        if record.status not in again and not (record.status is Status.CRASH and crashes[step] == 1)
    )


def _latest(records: Iterable[CaseRecord]) -> dict[Step, CaseRecord]:
    return {_step(record): record for record in records}


def _unclear(records: Sequence[CaseRecord], half_width: float) -> set[str]:
    """Keys of the cases of which a contender's ratio has a wider interval than wanted.

    Each case has its own baseline: the first contender that has a time in it.
    """
    latest = list(_latest(records).values())
    baselines: dict[str, str] = {}
    for record in latest:
        if record.status.has_time:
            baselines.setdefault(record.case.key, record.contender.key)
    return {
        found.case.case.key
        for baseline in set(baselines.values())
        for found in compare.compare_with_baseline(latest, baseline)
        if baselines[found.case.case.key] == baseline and found.ratio.log_half_width > half_width
    }

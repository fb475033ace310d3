"""The last screen of a run: its text, its size, and that nothing of it is lost."""

import shlex
from collections.abc import Callable, Sequence

import msgspec
import pytest
import synthetic
from synthetic import CASES, CONTENDERS

from speedmetal.bench.record import CaseRecord, FindingRecord, Record, Status
from speedmetal.bench.report import Options, screen
from speedmetal.bench.store import Records

EVIL = "[bold]x[/bold] \x1b[31m\nmore"
ENDINGS = [status for status in Status if status is not Status.OK]


def shown(records: Records, width: int = 80, *, ansi: bool = False) -> list[str]:
    return screen.render(records, Options(width=width, ansi=ansi)).splitlines()


def finding(kind: str, message: str) -> FindingRecord:
    return FindingRecord(
        run_id=synthetic.RUN, session=1, time_utc=synthetic.TIME, kind=kind, message=message
    )


def crowded(source: str = "runs/mlx-benchmark-20260102-030405.jsonl") -> Records:
    """A run of 91 cases and six contenders in which everything went wrong that can."""
    records: list[Record] = list(synthetic.large_records(rounds=8).records)
    for number, status in enumerate(ENDINGS):
        reason = f"what made it {status} in a sentence that is longer than a line of the screen"
        case = msgspec.structs.replace(CASES[0], parameters={"number": number})
        records.append(
            synthetic.case_record(case, CONTENDERS[5][0], 1e-3, status=status, reason=reason)
        )
    records += [
        finding("unavailable", "jax: it is not installed; install it with pip install jax"),
        finding("machine", "4.2 other processes wanted to run on its 2 processors"),
    ]
    return Records(tuple(records), (), source)


@pytest.mark.parametrize("width", [80, 60])
def test_golden(width: int, golden: Callable[[str, str], None]) -> None:
    """The whole screen of the synthetic run, and of the crowded one."""
    records = synthetic.records(extra=(finding("machine", "2.0 other processes ran"),))
    text = "\n".join([*shown(records, width), "", *shown(crowded(), width), ""])
    golden(f"screen-{width}.txt", text)


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize("records", [synthetic.records(), crowded()], ids=["usual", "crowded"])
def test_it_fits_on_a_screen(records: Records, width: int) -> None:
    """24 lines, none longer than the width, whatever the run is like."""
    lines = shown(records, width)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width
    assert "than PyTorch (cpu)" in " ".join(lines)


def test_a_crowded_screen_of_80_columns_has_everything() -> None:
    """Nine effects at least, every contender, every status, the machine."""
    lines = shown(crowded())
    text = "\n".join(lines)
    assert count_effects(lines) >= 9
    for title in ("MLX (gpu)", "MLX (gpu, compiled)", "MLX (cpu)", "PyTorch (mps)", "NumPy"):
        assert title in text
    told = " ".join(lines)
    assert all(f"1 {status}" in told for status in ENDINGS)
    assert "jax" in told
    assert "machine: 4.2 other processes" in text
    assert "latency, warm caches, memory as shipped" in text
    assert "ratios known to " in text


def count_effects(lines: Sequence[str]) -> int:
    return sum(" faster ±" in line or " slower ±" in line for line in lines)


def test_the_ten_largest_effects_of_six_contenders_fit() -> None:
    """Of 91 cases, beside a loaded machine and a framework that is not here."""
    records = [
        *synthetic.large_records(rounds=8).records,
        finding("unavailable", "jax: it is not installed; install it with pip install jax"),
        finding("machine", "4.2 other processes wanted to run on its 2 processors"),
    ]
    lines = shown(Records(tuple(records), (), "runs/mlx-benchmark-20260102-030405.jsonl"))
    assert count_effects(lines) == 10
    assert len(lines) <= 24


def test_its_commands_can_be_typed(tmp_path) -> None:
    """A command that takes two lines is one command to a shell, its file's name quoted."""
    source = str(tmp_path / ("a folder with a name of some length " * 2) / "the records.jsonl")
    lines = shown(crowded(source), 60)
    text = "\n".join(lines)
    for label, rest in (("to sharpen: ", ["--resume"]), ("page: ", ["--out", "page.html"])):
        typed = text.split(label)[1].replace("\\\n", "").split("\n")[0]
        words = shlex.split(typed)
        assert source in words
        assert words[-len(rest) :] == rest


def test_what_sharpens_a_run() -> None:
    """What the budget cut is finished first; a run that is complete gets more sessions."""
    complete = [
        record
        for record in synthetic.records().records
        if not (isinstance(record, CaseRecord) and record.status is Status.SKIPPED)
    ]
    whole = "\n".join(shown(Records(tuple(complete), (), "run.jsonl")))
    assert "to sharpen: speedmetal bench --out run.jsonl --resume --sessions 4\n" in whole
    cut = "\n".join(shown(synthetic.records()))
    assert "to sharpen: speedmetal bench --out run.jsonl --resume\n" in cut
    packed = "\n".join(shown(Records(tuple(complete), (), "run.jsonl.gz")))
    assert "to sharpen" not in packed


def test_nothing_of_a_record_reaches_the_terminal_as_it_is() -> None:
    """Neither markup nor escape sequences, from a reason, a finding or a case."""
    records = Records(
        (
            synthetic.case_record(
                msgspec.structs.replace(CASES[0], title=EVIL),
                CONTENDERS[0][0],
                1e-3,
                status=Status.CRASH,
                reason=EVIL,
            ),
            finding("machine", EVIL),
        ),
        (),
        "run.jsonl",
    )
    text = "\n".join(shown(records, 200))
    assert "\x1b" not in text
    assert "[bold]x[/bold]" in text
    assert "\x1b[" in "\n".join(shown(synthetic.records(), ansi=True))


def lines_of(parts: Sequence[Record]) -> list[str]:
    return shown(Records(tuple(parts), (), "run.jsonl"))


def test_a_run_of_one_contender_and_one_without_cases() -> None:
    """Both are a screen, not a traceback."""
    alone = lines_of([synthetic.case_record(CASES[0], CONTENDERS[0][0], 1e-3)])
    assert "PyTorch ran alone: 1 time, nothing to compare with." in alone
    assert lines_of([synthetic.run_record()]) == ["no case was measured"]

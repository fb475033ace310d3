"""Options of ``speedmetal bench``: told before anything is searched for, made or started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from speedmetal import cli
from speedmetal.bench.commands import bench
from speedmetal.bench.commands.progress import QuietProgress
from speedmetal.bench.frameworks.base import Device
from speedmetal.bench.record import Record, RunRecord
from speedmetal.bench.runner.probe import Availability, describe, probe
from speedmetal.bench.store import RecordWriter


def fail(*_: object, **__: object) -> None:
    raise AssertionError("frameworks were searched for before the options were checked")


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    """Runs ``speedmetal bench`` in an empty folder, without a search; what it says."""
    monkeypatch.setattr(bench, "probe_all", fail)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["speedmetal", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code == 2
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--budget", "soon"), "--budget: expected a duration above zero"),
        (("--case-timeout", "0"), "--case-timeout: expected a duration above zero"),
        (("--modes", "eagre"), "unknown mode 'eagre'; did you mean eager?"),
        (
            ("--frameworks", "numpy", "--modes", "compiled"),
            "--modes: numpy cannot be run compiled, only eager",
        ),
        (("--frameworks", "numpi"), "unknown framework 'numpi'; did you mean numpy?"),
        (("--frameworks", "absent:X"), "cannot load framework 'absent:X'"),
        (("--crews", 0), "--crews: expected at least 1, got 0"),
        (("--seed", 1 << 64), "--seed: expected 0 to 4294967295"),
        (("--ceilings", "old"), "unknown ceilings 'old'"),
        (("--out", "."), "--out . is a folder"),
        (("--append",), "--append needs --out FILE"),
        (("--append", "--resume", "--out", "x.jsonl"), "give one of them"),
    ],
    ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, tuple) else "",
)
def test_wrong_options_are_told_before_the_search(refusal, arguments, told: str) -> None:
    """Proves that nobody waits for frameworks to be imported to be told of a slip."""
    assert told in refusal(*arguments)
    assert not any(Path().iterdir())


def store_run(path: str, **arguments: object) -> None:
    """A record file of a run that has measured nothing yet."""
    run: Record = RunRecord(
        run_id="r",
        time_utc="2026-01-01T00:00:00+00:00",
        suite="quick",
        command="speedmetal bench",
        settings={"arguments": arguments, "contenders": ["numpy:cpu:eager"]},
        speedmetal_version="0",
    )
    with RecordWriter(Path(path)) as writer:
        writer.append([run])


def test_another_out_is_wanted_before_the_search(refusal) -> None:
    """Proves that an existing file is told at once."""
    store_run("x.jsonl")
    told = "x.jsonl exists; give another --out, --resume to continue its run, or --append to add"
    assert told in refusal("--out", "x.jsonl")


def test_a_continuation_of_other_options_is_told_with_all_of_them(refusal) -> None:
    """Proves that a refusal names each option with both values, also where one was a default."""
    store_run("x.jsonl", suite="layers", ops="sum,sort", dtypes="float32")
    said = refusal(
        *("--out", "x.jsonl", "--resume", "--suite", "quick", "--ops", "Sort, sum"),
        *("--dtypes", "float16", "--cache", "cold", "--frameworks", "mlx", "--sessions", "9"),
    )
    assert said == (
        "speedmetal: x.jsonl holds a run of other terms: --suite was layers, is quick;"
        " --frameworks was not given, is mlx; --dtypes was float32, is float16; --cache was warm,"
        " is cold. Leave such options out to continue it, give another --out to keep them apart, or"
        " --append to add a run to the file\n"
    )


class Listening(QuietProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.phases: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def phase(self, case: str, text: str) -> None:
        self.phases.append(text)


@pytest.mark.parametrize(
    ("ops", "told"),
    [
        (None, "budget 45 s (1 contender, 51 cases); --budget changes it"),
        (
            "sum,sort,relu,softmax,matmul,sigmoid,gelu,selu,silu,softplus,prelu,rfft",
            "budget 11 s (1 contender, 12 cases); --budget changes it",
        ),
        ("sum", "budget 10 s (1 contender, 1 case); --budget changes it"),
    ],
    ids=["all", "twelve", "one"],
)
def test_the_default_budget_is_told_and_goes_with_the_cases(ops: str | None, told: str) -> None:
    """Proves that it is said before anything is measured, and shrinks in proportion."""
    request = bench.make_request({"frameworks": "numpy", "ops": ops}, None)
    display = Listening()
    options = bench.options_of(request, display)
    assert display.messages == [told]
    assert f"budget {options.budget_seconds:.0f} s" in told


def test_a_continuation_takes_the_frameworks_of_its_run(tmp_path: Path) -> None:
    """Proves that what is installed by now does not make another run of it, nor are other
    frameworks searched for."""
    path = tmp_path / "x.jsonl"
    store_run(str(path), budget="1m")
    display = Listening()
    options = bench.options_of(bench.make_request({}, str(path), resume=True), display)
    assert display.phases == ["looking for numpy"]
    assert [contender.key for contender in options.contenders] == ["numpy:cpu:eager"]
    assert (options.budget_seconds, display.messages) == (60.0, [])


COMPILED = """
from speedmetal.bench.frameworks.base import Framework

FRAMEWORK = Framework(
    name="other",
    adapter="speedmetal.bench.frameworks.numpy.adapter:NumPyAdapter",
    packages=(),
    modes=("compiled",),
    default_modes=("compiled",),
)
"""


@pytest.mark.parametrize(
    ("wanted", "unavailable"),
    [
        ({"modes": "compiled"}, {"numpy": "has no mode compiled"}),
        ({"modes": "eager"}, {"other:FRAMEWORK": "has no mode eager"}),
        ({"modes": "eager,compiled"}, {}),
        ({}, {}),
    ],
    ids=str,
)
def test_a_framework_that_was_asked_for_and_lacks_the_mode_is_told(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wanted: dict[str, str],
    unavailable: dict[str, str],
) -> None:
    """Proves that it is not dropped in silence where another one has the mode, and that who has
    any of the wanted modes is not told of."""
    (tmp_path / "other.py").write_text(COMPILED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    given = {"frameworks": "numpy,other:FRAMEWORK", "ops": "sum", **wanted}
    options = bench.options_of(bench.make_request(given, None), Listening())
    assert options.unavailable == unavailable
    taking_part = {contender.framework for contender in options.contenders}
    assert taking_part == {"numpy", "other:FRAMEWORK"} - set(unavailable)


def test_modes_alone_tell_nothing_of_frameworks_that_nobody_named() -> None:
    """Proves that a choice of modes among all frameworks is a choice, not a complaint."""
    request = bench.make_request({"modes": "compiled", "ops": "sum"}, None)
    probed = [
        Availability(describe(name)[0], "1.0", (Device("cpu", ""),)) for name in ("numpy", "torch")
    ]
    assert bench._unavailable(request, probed) == {}


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["probe_all", "run"])
def test_an_interrupted_search_shows_no_other_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys, step: str
) -> None:
    """Proves that Ctrl-C before this run's first record does not show an earlier run's results as
    its own, nor offers to continue that."""
    monkeypatch.chdir(tmp_path)
    store_run("x.jsonl")
    monkeypatch.setattr(bench, step, interrupt)
    arguments = ["bench", "--out", "x.jsonl", "--append", "--frameworks", "numpy", "--budget", "9s"]
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    told = capsys.readouterr()
    assert stopped.value.code == 130
    assert told.out == ""
    assert told.err.endswith("stopped; nothing was measured yet\n")


def test_a_broken_package_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proves that an entry point which cannot be loaded is an unavailable framework."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[speedmetal.frameworks]\nbroken = absent_module:X\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = probe("broken", bench.Settings(1))
    assert (found.framework.name, found.is_available) == ("broken", False)
    assert found.reason.startswith("cannot load framework 'absent_module:X': ModuleNotFoundError")

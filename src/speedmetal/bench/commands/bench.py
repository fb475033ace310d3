"""``speedmetal bench``: choose cases and contenders, run, show."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speedmetal.bench import environment
from speedmetal.bench.commands import output
from speedmetal.bench.commands.arguments import names, seconds
from speedmetal.bench.commands.progress import LiveProgress, PlainProgress, QuietProgress
from speedmetal.bench.frameworks import framework_names
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.report import FORMATS, Options
from speedmetal.bench.runner.plan import choose_contenders
from speedmetal.bench.runner.probe import probe_all
from speedmetal.bench.runner.run import Observer, RunOptions, run
from speedmetal.bench.store import Records, read_records
from speedmetal.bench.suites import cases_of, load_suite
from speedmetal.errors import SpeedmetalError, UnknownNameError, UserInputError

EXIT_INTERRUPTED = 130
# Time of a whole run per contender (the default one of `quick`, with NumPy and MLX, has three); a
# suite of one's own has no limit unless one is given.
BUDGET_SECONDS = {"quick": 55.0, "mlx-benchmark": 800.0, "layers": 300.0}
DEFAULTS: Mapping[str, Any] = {
    "suite": "quick",
    "dtypes": "float32",
    "directions": "forward",
    "precision": "ieee",
    "timing": "latency",
    "cache": "warm",
    "memory": "default",
    "ceilings": "kept",
    "sessions": 3,
    "case_timeout": "8m",
    "seed": 0,
}


_CHOICES = {
    "timing": ("latency", "throughput"),
    "cache": ("warm", "cold"),
    "memory": ("default", "kept"),
    "ceilings": ("kept", "fresh"),
}


@dataclass(frozen=True)
class Request:
    """What to run, with everything that was not given filled in."""

    values: Mapping[str, Any]
    given: Mapping[str, Any]
    out: Path
    resume: bool
    stored: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def command(self, *, resume: bool) -> str:
        """The command line that repeats this, or continues it."""
        parts = ["speedmetal", "bench"]
        if resume:
            parts += ["--out", str(self.out), "--resume"]
            return shlex.join(parts)
        for name, value in self.given.items():
            parts += [f"--{name.replace('_', '-')}", str(value)]
        return shlex.join([*parts, "--out", str(self.out)])


def execute(
    *,
    given: Mapping[str, Any],
    out: str | None,
    resume: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a suite and show what came out."""
    request = make_request(given, out, resume=resume)
    records, interrupted = _run(request, quiet=quiet or as_json)
    if records is not None and (records.cases or not interrupted):
        _show(records, request, quiet=quiet, as_json=as_json)
    if interrupted:
        _print(_farewell(records, request))
        return EXIT_INTERRUPTED
    return 0


def _farewell(records: Records | None, request: Request) -> str:
    """What an interrupted run leaves, and how it is continued."""
    if records is None or not records.runs:
        return "stopped; nothing was measured yet"
    continued = f"To continue:\n  {request.command(resume=True)}"
    if not records.cases:
        return f"stopped before a case was finished. {continued}"
    return f"stopped; {request.out} is whole. {continued}"


def make_request(given: Mapping[str, Any], out: str | None, *, resume: bool) -> Request:
    """Fill in what was not given: from the run that is continued, or from the defaults.

    Raises:
        UserInputError: ``--resume`` without ``--out``, or a file that holds no run.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    stored: Mapping[str, Any] = {}
    if resume:
        if out is None:
            raise UserInputError("--resume needs --out FILE: the run to continue")
        stored = _stored_arguments(Path(out))
    values = {**DEFAULTS, **stored, **asked}
    path = Path(out) if out else _default_out(str(values["suite"]))
    return Request(values, asked, path, resume, stored)


def _stored_arguments(path: Path) -> Mapping[str, Any]:
    runs = read_records(path).runs
    if not runs:
        raise UserInputError(f"{path} has no record of a run to continue")
    arguments = runs[0].settings.get("arguments", {})
    return arguments if isinstance(arguments, dict) else {}


def _default_out(suite: str) -> Path:
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return Path("runs") / f"{Path(suite).stem}-{moment}.jsonl"


def options_of(request: Request, observer: Observer) -> RunOptions:
    """Turn the words into a run; the observer is told of the search for frameworks.

    Raises:
        UserInputError: Something is unknown, out of range, or nobody can take part.
    """
    _check_choices(request)
    threads = int(request["threads"] or environment.default_threads())
    settings = Settings(threads, request["precision"], request["memory"])
    cases = cases_of(
        load_suite(request["suite"]),
        operations=names(request["ops"]),
        dtypes=names(request["dtypes"]),
        directions=names(request["directions"]),
        precision=request["precision"],
    )
    wanted = names(request["frameworks"]) or framework_names()
    observer.phase("", f"looking for {', '.join(wanted)}")
    available = probe_all(wanted, settings)
    contenders = choose_contenders(available, names(request["devices"]), names(request["modes"]))
    budget = seconds("--budget", request["budget"]) or _default_budget(request, len(contenders))
    return RunOptions(
        suite=request["suite"],
        cases=cases,
        contenders=contenders,
        settings=settings,
        out=request.out,
        budget_seconds=budget,
        case_timeout_seconds=seconds("--case-timeout", request["case_timeout"]) or 1.0,
        timing_mode=request["timing"],
        cache=request["cache"],
        sessions=int(request["sessions"]),
        seed=int(request["seed"]),
        resume=request.resume,
        command=request.command(resume=request.resume),
        arguments={**request.stored, **request.given},
        unavailable={a.framework.name: a.reason for a in available if not a.is_available},
        fresh_ceilings=request["ceilings"] == "fresh",
    )


def _default_budget(request: Request, contenders: int) -> float | None:
    per_contender = BUDGET_SECONDS.get(request["suite"])
    if per_contender is None:
        return None
    return per_contender * contenders


def _check_choices(request: Request) -> None:
    for option, valid in _CHOICES.items():
        if request[option] not in valid:
            raise UnknownNameError(option, request[option], valid)
    cores = environment.default_threads()
    threads = request["threads"]
    if threads is not None and not 1 <= int(threads) <= cores:
        raise UserInputError(f"--threads: expected 1 to {cores} (the cores here), got {threads}")
    if int(request["sessions"]) < 1:
        raise UserInputError(f"--sessions: expected at least 1, got {request['sessions']}")
    if request["memory"] == "kept" and not environment.can_keep_memory():
        raise UserInputError(
            "--memory kept: the C library here cannot be told to keep freed memory (glibc can);"
            " leave it out"
        )
    if int(request["seed"]) < 0:
        raise UserInputError(f"--seed: expected at least 0, got {request['seed']}")


def measure(request: Request) -> Records | None:
    """Run with a progress display; what was measured, also where it was interrupted."""
    records, _ = _run(request, quiet=False)
    return records


def _run(request: Request, *, quiet: bool) -> tuple[Records | None, bool]:
    """Run to the end or to an interruption; the records are there in both cases."""
    display = _display(quiet=quiet)
    # A polite end is the same as Ctrl-C: workers are stopped, the file is whole.
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with display:
            return run(options_of(request, display), display), False
    except KeyboardInterrupt:
        return _partial(request.out), True
    finally:
        signal.signal(signal.SIGTERM, previous)


def _display(*, quiet: bool) -> QuietProgress:
    if quiet:
        return QuietProgress()
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()


def _partial(path: Path) -> Records | None:
    try:
        return read_records(path)
    except SpeedmetalError:  # stopped before the first record
        return None


def _show(records: Records, request: Request, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        output.write(request.out.read_bytes(), None)
        return
    if not quiet:
        options = Options(ansi=sys.stdout.isatty())
        output.write(FORMATS["terminal"].render(records, options), None)
        _print(
            f"records: {request.out}\n"
            f"as a page: speedmetal report {shlex.quote(str(request.out))} --out report.html"
        )
        return
    output.write(str(request.out), None)


def _print(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - a command speaks

"""``speedmetal bench``: choose cases and contenders, run, show."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedmetal.bench import environment
from speedmetal.bench.commands import output
from speedmetal.bench.commands.arguments import duration, names, seconds
from speedmetal.bench.commands.forecast import Forecast
from speedmetal.bench.commands.gate import Gate
from speedmetal.bench.commands.progress import LiveProgress, PlainProgress, QuietProgress
from speedmetal.bench.frameworks import framework_names
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.record import CaseSpec
from speedmetal.bench.report import Options, screen
from speedmetal.bench.report.figures import figures_of
from speedmetal.bench.report.summary import sentences
from speedmetal.bench.runner.cards import Cards, cards_of
from speedmetal.bench.runner.plan import check_modes, choose_contenders, why_absent
from speedmetal.bench.runner.probe import Availability, describe, probe_all
from speedmetal.bench.runner.resume import last_run, refuse_existing, refuse_others
from speedmetal.bench.runner.run import Observer, RunOptions, run
from speedmetal.bench.store import Records, read_records
from speedmetal.bench.suites import cases_of, load_suite
from speedmetal.errors import SpeedmetalError, UnknownNameError, UserInputError

EXIT_INTERRUPTED = 130
# Time of a whole run per contender (the default one of `quick`, with NumPy, MLX and speedmetal, has
# four); a suite of one's own has no limit unless one is given.
BUDGET_SECONDS = {"quick": 45.0, "mlx-benchmark": 800.0, "layers": 300.0, "fused": 105.0}
# A contender is started in each session, and proves every case, however few they are.
LEAST_BUDGET_SECONDS = 10.0
DEFAULTS: Mapping[str, Any] = {
    "suite": "quick",
    "dtypes": "float32",
    "directions": "forward",
    "precision": "ieee",
    "timing": "latency",
    "cache": "warm",
    "memory": "default",
    "l2": "warm",
    "ceilings": "kept",
    "sessions": 3,
    "case_timeout": "8m",
    "seed": 0,
}


# Options that a run and its continuation must share.
TERMS = (
    *("suite", "ops", "frameworks", "devices", "modes", "dtypes", "directions"),
    *("precision", "timing", "cache", "memory", "l2", "threads", "seed"),
)
LARGEST_SEED = (1 << 32) - 1
_CHOICES = {
    "timing": ("latency", "throughput"),
    "cache": ("warm", "cold"),
    "memory": ("default", "kept"),
    "l2": ("warm", "cold"),
    "ceilings": ("kept", "fresh"),
}


@dataclass(frozen=True)
class Request:
    """What to run, with everything that was not given filled in."""

    values: Mapping[str, Any]
    given: Mapping[str, Any]
    out: Path
    resume: bool = False
    append: bool = False
    contenders: Sequence[str] = ()  # of the run that is continued

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
    append: bool,
    quiet: bool,
    as_json: bool,
    against: Mapping[str, Any],
) -> int:
    """Run a suite and show what came out, or what changed."""
    gate = Gate.of(**against)
    before = gate.before if gate else None
    request = make_request(given, out, resume=resume, append=append, like=before)
    if gate:
        gate.check_machine(int(request["threads"] or environment.default_threads()))
    records, interrupted = _run(request, quiet=quiet or as_json)
    if records is not None and (records.cases or not interrupted):
        _show(records, request, quiet=quiet, as_json=as_json)
    if interrupted:
        _print(_farewell(records, request))
        return EXIT_INTERRUPTED
    return gate.judge(records, quiet=quiet or as_json) if gate and records else 0


def _farewell(records: Records | None, request: Request) -> str:
    """What an interrupted run leaves, and how it is continued."""
    if records is None or not records.runs:
        return "stopped; nothing was measured yet"
    continued = f"To continue:\n  {request.command(resume=True)}"
    if not records.cases:
        return f"stopped before a case was finished. {continued}"
    return f"stopped; {request.out} is whole. {continued}"


def make_request(
    given: Mapping[str, Any],
    out: str | None,
    *,
    resume: bool = False,
    append: bool = False,
    like: Records | None = None,
) -> Request:
    """Fill in what was not given: from the run that is continued, or from the defaults.

    Args:
        given: Options by name, None where one was not given.
        out: The record file.
        resume: Continue its run.
        append: Add a run to it.
        like: A run whose options hold where none are given.

    Raises:
        UserInputError: ``--resume`` without ``--out``, of a file that holds no run, or of one of
            other options; or a file that exists.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    if resume and append:
        raise UserInputError("--resume continues a run, --append adds another: give one of them")
    if (resume or append) and out is None:
        raise UserInputError(
            f"--{'resume' if resume else 'append'} needs --out FILE: the run to continue, or the"
            " file to add a run to"
        )
    if resume:
        return _continuation(asked, Path(str(out)))
    stored = _arguments_of(last_run(like)[0].settings) if like is not None else {}
    values = {**DEFAULTS, **stored, **asked}
    path = Path(out) if out else _default_out(str(values["suite"]))
    if not append:
        refuse_existing(path)
    return Request(values, asked, path, append=append)


def _continuation(asked: Mapping[str, Any], path: Path) -> Request:
    """The request that goes on with a file's last run, under its options."""
    settings = last_run(read_records(path))[0].settings
    stored = _arguments_of(settings)
    refuse_others(path, _other_options({**DEFAULTS, **stored}, asked))
    contenders = settings.get("contenders")
    return Request(
        {**DEFAULTS, **stored, **asked},
        asked,
        path,
        resume=True,
        contenders=contenders if isinstance(contenders, list) else (),
    )


def _other_options(before: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Options by which a continuation would be another run, as they were and are."""
    return [
        f"--{name} was {_said(before.get(name))}, is {_said(asked[name])}"
        for name in TERMS
        if name in asked and _words(asked[name]) != _words(before.get(name))
    ]


def _said(value: Any) -> str:
    return "not given" if value is None else str(value)


def _words(value: Any) -> list[str]:
    return sorted(names(None if value is None else str(value).lower()))


def _arguments_of(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options that a run was given, by the settings in its record."""
    arguments = settings.get("arguments")
    return arguments if isinstance(arguments, dict) else {}


def _default_out(suite: str) -> Path:
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return Path("runs") / f"{Path(suite).stem}-{moment}.jsonl"


def options_of(request: Request, observer: Observer) -> RunOptions:
    """Turn the words into a run; the observer is told of the search for frameworks.

    What can be checked is checked before the search, which takes seconds.

    Raises:
        UserInputError: Something is unknown, out of range, or nobody can take part.
    """
    _check_choices(request)
    stated_budget = seconds("--budget", request["budget"])
    case_timeout = seconds("--case-timeout", request["case_timeout"])
    energy = seconds("--energy", request["energy"])
    threads = int(request["threads"] or environment.default_threads())
    settings = Settings(threads, request["precision"], request["memory"])
    cases = _cases(request, on_repeated=observer.message)
    wanted = _frameworks(request)
    check_modes([describe(name)[0] for name in wanted], names(request["modes"]))
    observer.phase("", f"looking for {', '.join(wanted)}")
    available = probe_all(wanted, settings)
    cards = cards_of(device for one in available for device in one.devices)
    devices, modes = names(request["devices"]), names(request["modes"])
    contenders = choose_contenders(available, devices, modes, cards)
    if request.contenders:  # another one that is here by now would be another run
        contenders = [c for c in contenders if c.key in request.contenders] or contenders
    budget = stated_budget or _default_budget(request, len(contenders), len(cases))
    if budget is not None and stated_budget is None:
        observer.message(
            f"budget {duration(budget)} ({_count(contenders, 'contender')},"
            f" {_count(cases, 'case')}); --budget changes it"
        )
    return RunOptions(
        suite=request["suite"],
        cases=cases,
        contenders=contenders,
        settings=settings,
        out=request.out,
        budget_seconds=budget,
        case_timeout_seconds=case_timeout or 1.0,
        timing_mode=request["timing"],
        cache=request["cache"],
        sessions=int(request["sessions"]),
        seed=int(request["seed"]),
        resume=request.resume,
        append=request.append,
        command=request.command(resume=request.resume),
        arguments={name: value for name, value in request.values.items() if value is not None},
        unavailable=_unavailable(request, available, cards),
        cards=cards,
        fresh_ceilings=request["ceilings"] == "fresh",
        l2=request["l2"],
        energy_seconds=energy or 0.0,
        crews=None if request["crews"] is None else int(request["crews"]),
    )


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _cases(request: Request, on_repeated: Callable[[str], None]) -> list[CaseSpec]:
    return cases_of(
        load_suite(request["suite"]),
        operations=names(request["ops"]),
        dtypes=names(request["dtypes"]),
        directions=names(request["directions"]),
        precision=request["precision"],
        on_repeated=on_repeated,
    )


def _frameworks(request: Request) -> list[str]:
    """Names of the wanted frameworks; those of the run that is continued, or all.

    Raises:
        UserInputError: One is not known, or cannot be loaded.
    """
    stated = names(request["frameworks"])
    before = dict.fromkeys(key.rsplit(":", 2)[0] for key in request.contenders)
    return stated or list(before) or framework_names()


def _unavailable(
    request: Request, available: Sequence[Availability], cards: Cards | None = None
) -> dict[str, str]:
    """Framework -> why it takes no part.

    That it lacks the wanted devices or modes is told of those alone that were asked for by name.
    """
    named = request["frameworks"]
    wanted = (names(request["devices"]), names(request["modes"]), cards) if named else ()
    reasons = {one.framework.name: why_absent(one, *wanted) for one in available}
    return {framework: reason for framework, reason in reasons.items() if reason}


def _default_budget(request: Request, contenders: int, cases: int) -> float | None:
    """The suite's own, in proportion to the cases that were chosen of it."""
    per_contender = BUDGET_SECONDS.get(request["suite"])
    if per_contender is None:
        return None
    share = cases / len(cases_of(load_suite(request["suite"])))
    return contenders * max(LEAST_BUDGET_SECONDS, share * per_contender)


def _check_choices(request: Request) -> None:
    for option, valid in _CHOICES.items():
        if request[option] not in valid:
            raise UnknownNameError(option, request[option], valid)
    cores = environment.default_threads()
    threads = request["threads"]
    if threads is not None and not 1 <= int(threads) <= cores:
        raise UserInputError(f"--threads: expected 1 to {cores} (the cores here), got {threads}")
    if request["crews"] is not None and int(request["crews"]) < 1:
        raise UserInputError(f"--crews: expected at least 1, got {request['crews']}")
    if int(request["sessions"]) < 1:
        raise UserInputError(f"--sessions: expected at least 1, got {request['sessions']}")
    if request["l2"] == "cold" and request["timing"] == "throughput":
        raise UserInputError(
            "--l2 cold: of calls in flight each finds in the cache what the one before it left;"
            " measure it with --timing latency"
        )
    if request["memory"] == "kept" and not environment.can_keep_memory():
        raise UserInputError(
            "--memory kept: the C library here cannot be told to keep freed memory (glibc can);"
            " leave it out"
        )
    if not 0 <= int(request["seed"]) <= LARGEST_SEED:
        raise UserInputError(f"--seed: expected 0 to {LARGEST_SEED}, got {request['seed']}")


def measure(request: Request) -> Records | None:
    """Run with a progress display; what was measured, also where it was interrupted."""
    records, _ = _run(request, quiet=False)
    return records


def _run(request: Request, *, quiet: bool) -> tuple[Records | None, bool]:
    """Run to the end or to an interruption; the records are there in both cases."""
    display = _display(quiet=quiet)
    # A polite end is the same as Ctrl-C: workers are stopped, the file is whole.
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    before = [] if request.resume else _runs_in(request.out)
    try:
        with display:
            options = options_of(request, display)
            display.expect(Forecast(options.cases, options.sessions, options.budget_seconds))
            return run(options, display), False
    except KeyboardInterrupt:
        return _partial(request.out, before), True
    finally:
        signal.signal(signal.SIGTERM, previous)


def _display(*, quiet: bool) -> QuietProgress:
    if quiet:
        return QuietProgress()
    return LiveProgress() if output.can_redraw(sys.stderr) else PlainProgress()


def _partial(path: Path, before: Collection[str]) -> Records | None:
    """What an interrupted run wrote; None where that is nothing: others' records are not its."""
    runs = [run for run in _runs_in(path) if run not in before]
    return read_records(path).of_run(runs[-1]) if runs else None


def _runs_in(path: Path) -> list[str]:
    """Ids of the runs in a file, in order; none where it is not there or holds none."""
    try:
        return [run.run_id for run in read_records(path).runs]
    except SpeedmetalError:
        return []


def _show(records: Records, request: Request, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        output.write(request.out.read_bytes(), None)
        return
    if quiet:
        output.write(f"{request.out}: {_result(records)}", None)
        return
    output.write(screen.render(records, output.terminal_options(80)), None)


def _result(records: Records) -> str:
    """The result in one line."""
    return " ".join(sentences(run)[0] for run in figures_of(records, Options()))


def _print(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - a command speaks

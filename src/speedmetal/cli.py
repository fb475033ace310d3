"""The command line: what can be typed. The work is in :mod:`speedmetal.commands`, in
:mod:`speedmetal.bench.commands` and in :mod:`speedmetal.doctor`.

Nothing heavy is imported before a command runs, so that help is there at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from speedmetal import __version__
from speedmetal.errors import SpeedmetalError, UserInputError

EXIT_BAD_INPUT = 2
EXIT_FAILURE = 3
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="speedmetal",
    help="Compute on Apple GPUs, NVIDIA GPUs and CPUs in Python, and know how fast they are.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _run(command: str, **arguments: Any) -> None:
    """Run a command of the benchmark."""
    _execute(f"speedmetal.bench.commands.{command}", "the benchmark", "bench", arguments)


def _execute(module: str, needy: str, extra: str, arguments: dict[str, Any]) -> None:
    """Import a command's module and run it; its result is the exit status."""
    try:
        command = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("speedmetal"):
            raise
        raise UserInputError(
            f"{needy} needs {error.name}, which is not installed;"
            f' install it with: pip install "speedmetal[{extra}]"'
        ) from error
    raise typer.Exit(command.execute(**arguments))


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"speedmetal {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            is_eager=True,
            callback=lambda value: _version(wanted=value),
        ),
    ] = False,
) -> None:
    pass


@app.command()
def info(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show this machine, and every framework and device, or why it is not available.

    **Examples**

        speedmetal info

        speedmetal info --json
    """
    _run("info", as_json=json)


@app.command()
def bench(
    *,
    suite: Annotated[
        str | None,
        typer.Option(help="quick, mlx-benchmark, layers, fused, or a TOML file.  [default: quick]"),
    ] = None,
    ops: Annotated[
        str | None, typer.Option(help="Operations to run, with commas: softmax,sort.")
    ] = None,
    frameworks: Annotated[
        str | None,
        typer.Option(help="numpy, torch, mlx, jax, with commas.  [default: all that are here]"),
    ] = None,
    devices: Annotated[
        str | None, typer.Option(help="cpu, gpu, cuda, mps, with commas.  [default: all here]")
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(
            help="eager,compiled; of one framework: torch:eager.  [default: both; JAX compiled]"
        ),
    ] = None,
    dtypes: Annotated[
        str | None,
        typer.Option(help="float32,float16,bfloat16,float64.  [default: float32]"),
    ] = None,
    directions: Annotated[
        str | None, typer.Option(help="forward,backward.  [default: forward]")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="ieee, or tf32 to let matrix units round.  [default: ieee]"),
    ] = None,
    timing: Annotated[
        str | None,
        typer.Option(help="latency, or throughput (many calls in flight).  [default: latency]"),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(help="warm, or cold (inputs beyond the cache).  [default: warm]"),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="default (as each framework's allocator does), or kept (freed memory is kept)."
            "  [default: default]"
        ),
    ] = None,
    l2: Annotated[
        str | None,
        typer.Option(
            help="Cache of a GPU before each call: warm, or cold (twice its size is written)."
            "  [default: warm]"
        ),
    ] = None,
    energy: Annotated[
        str | None,
        typer.Option(
            help="Repeat each case on NVIDIA GPUs for so long, to see the energy of a call: 1s."
            "  [default: not]"
        ),
    ] = None,
    ceilings: Annotated[
        str | None,
        typer.Option(
            help="kept (what this machine reaches is measured once a day), or fresh."
            "  [default: kept]"
        ),
    ] = None,
    sessions: Annotated[
        int | None,
        typer.Option(help="Times that every framework is started anew.  [default: 3]"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads, for every framework.  [default: all cores]")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Time of the whole run: 90s, 10m, 1.5h.  [default: the suite's own]"),
    ] = None,
    case_timeout: Annotated[
        str | None,
        typer.Option(help="Time of one framework in one case.  [default: 8m]"),
    ] = None,
    crews: Annotated[
        int | None,
        typer.Option(
            help="Cases that are prepared at once, before their samples are taken one case after"
            " the other.  [default: up to 4 on GPUs, by cores and memory; else 1]"
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of inputs and orders.  [default: 0]")] = None,
    out: Annotated[
        str | None,
        typer.Option(help="Record file.  [default: runs/SUITE-TIME.jsonl]"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the last run in --out, with its options; a finished one gets more"
            " samples where ratios are not known well.",
        ),
    ] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Add another run to the file of --out.")
    ] = False,
    compare_to: Annotated[
        str | None,
        typer.Option(help="Measure what these records hold, and compare: status 1 if slower."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="With --compare-to: percents that are a regression.  [default: 5]"),
    ] = None,
    summary: Annotated[
        str | None, typer.Option(help="With --compare-to: Markdown file of the comparison.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print one line: file and result.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the records, one JSON object a line.")
    ] = False,
) -> None:
    """Measure frameworks side by side; every result is proved before it is timed.

    **Examples**

        speedmetal bench

        speedmetal bench --suite mlx-benchmark --frameworks numpy,mlx,torch

        speedmetal bench --ops softmax,matmul --dtypes float32,float16 --budget 5m

        speedmetal bench --suite my-shapes.toml --out runs/mine.jsonl

        speedmetal bench --out runs/mine.jsonl --resume

        speedmetal bench --compare-to runs/mine.jsonl --threshold 10
    """
    _run(
        "bench",
        given={
            "suite": suite,
            "ops": ops,
            "frameworks": frameworks,
            "devices": devices,
            "modes": modes,
            "dtypes": dtypes,
            "directions": directions,
            "precision": precision,
            "timing": timing,
            "cache": cache,
            "memory": memory,
            "l2": l2,
            "energy": energy,
            "ceilings": ceilings,
            "sessions": sessions,
            "threads": threads,
            "budget": budget,
            "case_timeout": case_timeout,
            "crews": crews,
            "seed": seed,
        },
        out=out,
        resume=resume,
        append=append,
        quiet=quiet,
        as_json=json,
        against={"compare_to": compare_to, "threshold": threshold, "summary": summary},
    )


@app.command()
def report(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Record files.")],
    *,
    format: Annotated[  # noqa: A002 - the option's name
        str | None,
        typer.Option(
            "--format",
            help="terminal, markdown, csv, parquet, published, html.  [default: by --out's ending]",
        ),
    ] = None,
    out: Annotated[str | None, typer.Option(help="File to write.  [default: the terminal]")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Compare with this contender: numpy:cpu:eager."),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            help="latency, throughput, or device (a GPU's own time).  [default: as it was timed]"
        ),
    ] = None,
) -> None:
    """Show the records of one or more runs.

    **Examples**

        speedmetal report runs/mine.jsonl

        speedmetal report runs/mine.jsonl --out report.html

        speedmetal report runs/mine.jsonl --format published --out table.md

        speedmetal report mac.jsonl linux.jsonl --baseline mlx:cpu:eager
    """
    _run(
        "report",
        files=files,
        format_name=format,
        out=out,
        baseline=baseline,
        measure=measure,
    )


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="Records of the earlier run.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Records of the later run.")],
    *,
    threshold: Annotated[
        float, typer.Option(help="Slower by more than this many percent is a regression.")
    ] = 5.0,
    force: Annotated[
        bool, typer.Option("--force", help="Compare although the machines differ.")
    ] = False,
    measure: Annotated[
        str | None,
        typer.Option(
            help="latency, throughput, or device (a GPU's own time).  [default: as it was timed]"
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option("--format", help="terminal, markdown (for a pull request) or json.")
    ] = "terminal",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Say per case whether B is faster, slower, equivalent or undecided against A.

    Exit status: 0, or 1 where a case is significantly slower beyond the threshold.

    **Examples**

        speedmetal compare before.jsonl after.jsonl

        speedmetal compare before.jsonl after.jsonl --threshold 10

        speedmetal compare before.jsonl after.jsonl --format markdown
    """
    _run(
        "compare",
        before=before,
        after=after,
        threshold=threshold,
        force=force,
        format_name="json" if json else format,
        measure=measure,
    )


@app.command()
def history(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Record files.")],
    *,
    out: Annotated[
        str | None, typer.Option(help="Page to write: history.html.  [default: the terminal]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the same cases over several runs, by their time, and where a time changed for good.

    **Examples**

        speedmetal history runs/*.jsonl

        speedmetal history runs/*.jsonl --out history.html

        speedmetal history runs/*.jsonl --json
    """
    _run("history", files=files, out=out, as_json=json)


@app.command()
def audit(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Published numbers: CSV, or Markdown tables."),
    ],
    *,
    records: Annotated[
        str | None,
        typer.Option(help="Records of a run here; without them the shapes are run now."),
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun/--no-rerun", help="Run the published shapes here.")
    ] = True,
    ops: Annotated[
        str | None, typer.Option(help="Rerun these operations alone, with commas.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Time of the rerun.  [default: the suite's own]")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option("--format", help="terminal, markdown or json.")
    ] = "terminal",
    out: Annotated[str | None, typer.Option(help="File to write.  [default: the terminal]")] = None,
) -> None:
    """Check published numbers: which cells did not do the work, and what holds here.

    **Examples**

        speedmetal audit detailed_benchmark.md --ops softmax --budget 2m

        speedmetal audit published.csv --records runs/mine.jsonl

        speedmetal audit published.csv --no-rerun --format markdown --out audit.md
    """
    _run(
        "audit",
        file=file,
        records=records,
        rerun=rerun,
        ops=ops,
        budget=budget,
        format_name=format,
        out=out,
    )


@app.command()
def code(
    kernel: Annotated[
        str,
        typer.Argument(metavar="FILE.py:KERNEL", help="A file, which is run, and a name in it."),
    ],
    types: Annotated[
        str,
        typer.Argument(metavar="TYPES", help="Of its arguments: 'f32[:,:] f32[:]/strided i32'."),
    ],
    *,
    target: Annotated[str, typer.Option(help="cpu, cuda or metal.")] = "cpu",
    stage: Annotated[str, typer.Option(help="ir, source or assembly.")] = "source",
    debug: Annotated[int, typer.Option(min=0, max=2, help="Debug level.")] = 0,
) -> None:
    """Print what a kernel becomes on a target; needs no device.

    **Examples**

        speedmetal code add.py:add "f32[:] f32[:] f32[:]"

        speedmetal code add.py:add "f32[:] f32[:] f32[:]" --target metal

        speedmetal code add.py:add "f16[:] f16[:] f16[:]" --stage ir --debug 2
    """
    command = importlib.import_module("speedmetal.commands.code")
    raise typer.Exit(command.execute(kernel, types, target=target, stage=stage, debug=debug))


@app.command()
def doctor(
    *,
    out: Annotated[
        str | None,
        typer.Option(help="File to write.  [default: speedmetal-doctor-DATE.json]"),
    ] = None,
    budget: Annotated[str, typer.Option(help="Time of all checks: 90s, 10m.")] = "10m",
    quick: Annotated[
        bool, typer.Option("--quick", help="A sample of the tests: about a minute.")
    ] = False,
) -> None:
    """Check everything that speedmetal does, on every device here; write one file about it.

    Exit status: 0, or 1 where a check failed or could not run.

    **Examples**

        speedmetal doctor

        speedmetal doctor --quick

        speedmetal doctor --budget 5m --out my-mac.json
    """
    arguments = {"out": out, "budget": budget, "quick": quick}
    _execute("speedmetal.doctor.command", "the doctor", "doctor", arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; exits with 2 where the input is wrong, 3 where something
    else is.

    Args:
        arguments: What was typed after ``speedmetal``; by default, what this process was given.
    """
    _open_closed_streams()
    try:
        app(arguments, prog_name="speedmetal")
    except UserInputError as error:
        _fail(error, EXIT_BAD_INPUT)
    except SpeedmetalError as error:
        _fail(error, EXIT_FAILURE)
    except BrokenPipeError:  # `speedmetal report ... | head`
        sys.stderr.close()
        sys.exit(0)


def _open_closed_streams() -> None:
    """Point standard streams that were closed (``>&-``) at the null device.

    The next file to be opened, a record file perhaps, would take their descriptors, and what is
    printed would go into it.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest descriptor that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _fail(error: Exception, status: int) -> None:
    typer.echo(f"speedmetal: {error}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()

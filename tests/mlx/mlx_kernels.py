"""Runs MLX's own Metal kernels on the simulator, and compares their results with NumPy's.

Apple's compiler accepts these kernels every day, and nobody here wrote them: what the simulator
makes of them says how much of the language it knows, and whether its rules are false alarms. Prints
a table as Markdown.

    python tests/mlx/mlx_kernels.py                  # MLX's headers from PyPI's wheel, by pip
    python tests/mlx/mlx_kernels.py --sources ~/mlx  # a checkout, which has all kernels
    python tests/mlx/mlx_kernels.py --only sort softmax
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mlx_cases import CASES, COMPILED, Case
from mlx_sources import Sources, SourcesError, checkout, download, find_installed_sources

from speedmetal.errors import SimulationError, SpeedmetalError
from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.settings import ORDERS
from speedmetal.metal_simulator.simulate import simulate

RIGHT = "right"
ABSENT = "not in these sources:"
WITHOUT_NAX = "need Metal 4's MetalPerformancePrimitives, whose headers only Apple has"


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Args:
        ran: What was launched.
        result: What became of it, in one line.
        is_expected: Whether the results are right, or the kernel's own fault was found.
        counters: What the simulator counted that is worth a word.
    """

    case: Case
    ran: str
    result: str
    is_expected: bool = False
    counters: str = ""

    @property
    def is_right(self) -> bool:
        return self.result == RIGHT


def instance(function: str, name: str) -> str:
    """The instantiation of a template as MLX's macro writes it."""
    if "<" not in function:
        return ""
    head = f'template [[host_name("{name}")]] [[kernel]]'
    return f"{head} decltype({function}) {function};\n"


def program_text(sources: Sources, cases: Iterable[Case]) -> tuple[str, dict[str, str]]:
    """One program for cases of the same files, and the kernels' names in it, by function."""
    cases = list(cases)
    functions = dict.fromkeys(case.function for case in cases)
    names = {f: f"case_{i}" if "<" in f else f for i, f in enumerate(functions)}
    text = sources.text(*cases[0].files)
    return text + "".join(instance(function, name) for function, name in names.items()), names


def positional(function: Any, arguments: dict[int, Any]) -> list[Any]:
    """Arguments in the order of the kernel's buffers; None where a case has none."""
    indices = sorted(p.index for p in function.function.parameters if p.role == "buffer")
    return [arguments.get(index) for index in indices]


def difference(found: Any, right: Any, tolerance: float) -> str:
    """What is wrong with an array; empty: nothing."""
    same = found == right
    both_nan = (found != found) & (right != right)  # noqa: PLR0124 - NaN
    if tolerance == 0.0:
        wrong = ~(same | both_nan)
        return f"{int(wrong.sum())} of {wrong.size} elements differ" if wrong.any() else ""
    kind = np.complex128 if np.iscomplexobj(right) else np.float64
    exact, real = right.astype(kind), found.astype(kind)
    scale = float(np.max(np.abs(exact[np.isfinite(exact)]), initial=1e-30))
    error = float(np.max(np.where(same | both_nan, 0.0, np.abs(real - exact))))
    return "" if error <= tolerance * scale else f"error {error / scale:.2g} of the greatest value"


def run_case(case: Case, libraries: dict[str, Any], name: str) -> Outcome:
    """Runs a case in every order."""
    notes: set[str] = set()
    ran = f"`{case.function}`"
    for order, library in libraries.items():
        settings = replace(library.settings, strict=case.is_strict)
        function = replace(library, settings=settings).function(name)
        arguments, expected = case.make()
        try:
            execution = function(
                *positional(function, arguments), grid=case.grid, threads=case.threads
            )
        except SimulationError as error:
            if case.fault:
                found = f"{case.fault} (the simulator: {error.kind})"
                return Outcome(case, ran, f"MLX's own fault: {found}", is_expected=True)
            return Outcome(case, ran, f"{order}: {first_line(error)}")
        for index, right in expected.items():
            wrong = difference(arguments[index], right, case.tolerance)
            if wrong:
                return Outcome(case, ran, f"{order}: buffer {index}: {wrong}")
        counted = ("divergent_barriers", "mixed_collectives", "partial_collectives")
        notes |= {kind.replace("_", " ") for kind in counted if getattr(execution, kind)}
    if case.fault:
        return Outcome(case, ran, f"not found: {case.fault}")
    return Outcome(case, ran, RIGHT, is_expected=True, counters=", ".join(sorted(notes)))


def first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no text")


def run_group(sources: Sources, cases: list[Case]) -> list[Outcome]:
    """Compiles a program for several cases, one by one where they do not compile together."""
    try:
        text, names = program_text(sources, cases)
    except OSError as error:
        reason = f"{ABSENT} {Path(str(error.filename)).name}"
        return [Outcome(case, f"`{case.function}`", reason) for case in cases]
    try:
        constants = cases[0].constants
        libraries = {order: simulate(text, constants=constants, order=order) for order in ORDERS}
    except SpeedmetalError as error:
        if len(cases) > 1:
            return [outcome for case in cases for outcome in run_group(sources, [case])]
        return [
            Outcome(cases[0], f"`{cases[0].function}`", f"does not compile: {first_line(error)}")
        ]
    return [run_case(case, libraries, names[case.function]) for case in cases]


def groups(cases: Iterable[Case]) -> list[list[Case]]:
    """Cases that can share a program: the same files and constants."""
    found: dict[Any, list[Case]] = defaultdict(list)
    for case in cases:
        found[(case.files, repr(case.constants))].append(case)
    return list(found.values())


def run(sources: Sources, cases: Iterable[Case]) -> list[Outcome]:
    """Runs cases; they are in the order given."""
    outcomes = [outcome for group in groups(cases) for outcome in run_group(sources, group)]
    place = {case.name: i for i, case in enumerate(CASES)}
    return sorted(outcomes, key=lambda outcome: place[outcome.case.name])


def lint_table(sources: Sources, cases: Iterable[Case]) -> str:
    """What lint says of the programs."""
    lines = ["| files | lint |", "|---|---|"]
    for group in groups(cases):
        try:
            found = lint(program_text(sources, group)[0])
        except OSError:
            continue
        words = "; ".join(f"{one.line}: {one.message}" for one in found[:3]) or "clean"
        lines.append(f"| {' '.join(group[0].files)} | {len(found)} {cell(words)} |")
    return "\n".join(dict.fromkeys(lines))


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table in Markdown, right ones of one kernel in one line."""
    lines = ["| kernel | what ran, in three orders | result |", "|---|---|---|"]
    right: dict[str, list[Outcome]] = defaultdict(list)
    wrong: list[Outcome] = []
    for outcome in outcomes:
        if outcome.is_right:
            right[outcome.case.template].append(outcome)
        else:
            wrong.append(outcome)
    for template, same in right.items():
        ran = ", ".join(dict.fromkeys(outcome.ran for outcome in same))
        notes = sorted({outcome.counters for outcome in same} - {""})
        result = "right" + (f" ({'; '.join(notes)})" if notes else "")
        lines.append(f"| {template} | {cell(ran)} | {result} |")
    lines += [f"| {o.case.template} | {cell(o.ran)} | {cell(o.result)} |" for o in wrong]
    return "\n".join(lines)


def compile_alone(sources: Sources) -> str:
    """What becomes of kernels that are compiled alone, as a table in Markdown."""
    lines = ["| compiled, not run | result |", "|---|---|"]
    for files, function in COMPILED:
        case = Case("", tuple(files.split()), function, lambda: ({}, {}), 1, 1)
        try:
            simulate(program_text(sources, [case])[0])
            result = "compiles"
        except OSError as error:
            result = f"{ABSENT} {Path(str(error.filename)).name}"
        except SpeedmetalError as error:
            result = first_line(error)
        lines.append(f"| `{cell(function)}` | {cell(result)} |")
    nax = [f"{Path(name).name}" for name in sources.files() if "nax" in name]
    lines.append(f"| {', '.join(nax)} | {WITHOUT_NAX} |")
    return "\n".join(lines)


def find_sources(folder: Path | None, into: Path) -> Sources:
    """The checkout that was named, else an installed MLX, else the pinned wheel."""
    if folder is not None:
        return checkout(folder.expanduser())
    try:
        return find_installed_sources()
    except SourcesError:
        return download(into)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sources", type=Path, help="a checkout of MLX, or an unpacked wheel")
    parser.add_argument("--into", type=Path, help="where the wheel is kept; else nowhere")
    parser.add_argument("--only", nargs="*", default=[], help="words of the names of cases")
    parser.add_argument("--lint", action="store_true", help="say what lint finds, too")
    options = parser.parse_args(arguments)
    chosen = [
        case for case in CASES if not options.only or any(w in case.name for w in options.only)
    ]
    with tempfile.TemporaryDirectory() as folder:
        try:
            sources = find_sources(options.sources, options.into or Path(folder))
        except SourcesError as error:
            print(error, file=sys.stderr)
            return 2
        outcomes = run(sources, chosen)
        count = sum(outcome.is_right for outcome in outcomes)
        kernels = len({outcome.case.template for outcome in outcomes if outcome.is_right})
        print(f"Sources: {sources.origin}. {count} of {len(outcomes)} launches,")
        print(f"of {kernels} kernels, are right.\n")
        print(table(outcomes))
        if not options.only:
            print(f"\n{compile_alone(sources)}")
        if options.lint:
            print(f"\n{lint_table(sources, chosen)}")
    is_good = all(o.is_expected or o.result.startswith(ABSENT) for o in outcomes)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

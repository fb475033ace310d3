"""``speedmetal history``: the same cases over several runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from speedmetal.bench.commands import output
from speedmetal.bench.commands.compare import machine_differences
from speedmetal.bench.report import history
from speedmetal.bench.report.history import Run
from speedmetal.bench.store import read_records
from speedmetal.errors import UserInputError


def execute(*, files: Sequence[str], out: str | None, as_json: bool) -> int:
    """Show how the times of cases went from run to run."""
    runs = history.runs_of([read_records(file) for file in files])
    if len(runs) < 2:
        raise UserInputError(
            f"a history needs two runs at least, {', '.join(files)} has {len(runs)};"
            " give the record files of several"
        )
    for warning in _other_machines(runs):
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201 - a command speaks
    found = history.history_of(runs)
    if not any(len(one.points) > 1 for one in found.series):
        raise UserInputError(f"no two of {', '.join(files)} have a timed case in common")
    if as_json:
        output.write(history.render_json(found), out)
    elif out is not None:
        output.write(history.render_html(found), out)
    else:
        output.write(history.render_text(found, output.terminal_options(140)), None)
    return 0


def _other_machines(runs: Sequence[Run]) -> list[str]:
    """What differs between the machines of the runs and that of the first."""
    known = [(run.label, list(run.records.environments.values())) for run in runs]
    known = [(label, environments) for label, environments in known if environments]
    return [
        f"{label} ran on another machine: {'; '.join(differences)}"
        for label, environments in known[1:]
        if (differences := machine_differences(known[0][1][-1], environments[-1]))
    ]

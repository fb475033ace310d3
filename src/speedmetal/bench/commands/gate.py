"""``speedmetal bench --compare-to``: a run against an earlier one, for continuous integration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from speedmetal.bench import environment
from speedmetal.bench.commands import compare, output
from speedmetal.bench.report import comparison
from speedmetal.bench.store import Records, read_records
from speedmetal.errors import UserInputError

THRESHOLD_PERCENT = 5.0
# Where GitHub Actions shows what a step has to say.
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Gate:
    """Lets a run pass that is not slower than an earlier one.

    Args:
        before: The earlier run.
        threshold: Percents; a case that is slower by more is a regression.
        summary: Markdown file to write, if any.
    """

    before: Records
    threshold: float
    summary: str | None

    @classmethod
    def of(
        cls, compare_to: str | None, threshold: float | None, summary: str | None
    ) -> Gate | None:
        """From what was typed; None where nothing is to be compared.

        Raises:
            UserInputError: There is no such file, or an option without its use.
        """
        if compare_to is None:
            for option, value in (("--threshold", threshold), ("--summary", summary)):
                if value is not None:
                    raise UserInputError(f"{option} goes with --compare-to FILE: the earlier run")
            return None
        limit = THRESHOLD_PERCENT if threshold is None else threshold
        compare.check_threshold(limit)
        return cls(read_records(compare_to), limit, summary)

    def check_machine(self, threads: int) -> None:
        """Refuse another machine before anything is measured on it.

        Raises:
            UserInputError: The earlier run comes from another machine.
        """
        here = environment.environment_record(environment.read_machine(), threads, {}, {})
        for known in list(self.before.environments.values())[-1:]:
            differences = compare.machine_differences(known, here)
            if differences:
                raise UserInputError(
                    f"{self.before.source} comes from another machine or other settings"
                    f" ({'; '.join(differences)}); measure the earlier version here first"
                )

    def judge(self, after: Records, *, quiet: bool) -> int:
        """Tell what changed, and return the exit status: 1 where a case became slower."""
        changes = compare.find_changes(self.before, after, self.threshold)
        if not quiet:
            options = output.terminal_options(80)
            output.write(comparison.render_text(changes, options, decided_only=True), None)
        markdown = comparison.render_markdown(changes)
        if self.summary is not None:
            output.write(markdown, self.summary)
        step = os.environ.get(STEP_SUMMARY)
        if step:
            _append(Path(step), markdown)
        return compare.EXIT_REGRESSION if changes.regressions else 0


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserInputError(f"cannot write {path} (${STEP_SUMMARY}): {error}") from error

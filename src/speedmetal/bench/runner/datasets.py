"""The data of cases that are kept from one session to the next: a reference is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speedmetal.bench import environment
from speedmetal.bench.runner.protocol import Dataset

MOST_BYTES = 1 << 30
MEMORY_SHARE = 1 / 16  # of what is available: workers need it more


def remove_files(datasets: Sequence[Dataset]) -> None:
    """Remove the files of datasets."""
    for dataset in datasets:
        for file in (*dataset.inputs, *dataset.outputs, *dataset.cotangents):
            Path(file.path).unlink(missing_ok=True)


def _bytes_of(datasets: Sequence[Dataset]) -> int:
    return sum(
        Path(file.path).stat().st_size
        for dataset in datasets
        for file in (*dataset.inputs, *dataset.outputs, *dataset.cotangents)
    )


@dataclass
class KeptDatasets:
    """Datasets by case key, as long as they are small together."""

    limit_bytes: int = field(
        default_factory=lambda: min(
            MOST_BYTES, int(MEMORY_SHARE * environment.available_memory_bytes())
        )
    )
    _kept: dict[str, tuple[Dataset, ...]] = field(default_factory=dict)
    _bytes: int = 0

    def find(self, case_key: str) -> tuple[Dataset, ...] | None:
        """The datasets of a case, where they were kept."""
        return self._kept.get(case_key)

    def keep_or_remove(self, case_key: str, datasets: Sequence[Dataset]) -> None:
        """Keep a case's files where there is room, else remove them."""
        if case_key in self._kept:
            return
        size = _bytes_of(datasets)
        if self._bytes + size > self.limit_bytes:
            remove_files(datasets)
            return
        self._kept[case_key] = tuple(datasets)
        self._bytes += size

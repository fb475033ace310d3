"""Runs the proof of a case in this process, as a worker does, without the timing after it."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from speedmetal.bench.frameworks import FRAMEWORKS
from speedmetal.bench.frameworks.base import Adapter, Settings
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.record import CaseSpec, Status
from speedmetal.bench.runner.data import make_dataset
from speedmetal.bench.runner.protocol import Dataset, Prepare, Prepared
from speedmetal.bench.runner.task import Task
from speedmetal.bench.suites import SuiteEntry, make_case, reason_against


@functools.cache
def adapter_of(framework: str) -> Adapter | str:
    """The framework's adapter on the CPU, or why there is none."""
    try:
        return FRAMEWORKS[framework].load_adapter()("cpu", Settings(threads=2))
    except ImportError as error:
        return f"{framework} is not installed: {error}"


def restore_settings() -> None:
    """Undo what adapters set for the whole process: other tests must not see it."""
    if torch := sys.modules.get("torch"):
        torch.set_grad_enabled(True)
    if jax := sys.modules.get("jax"):
        jax.config.update("jax_enable_x64", False)
        jax.config.update("jax_default_matmul_precision", None)
        jax.config.update("jax_default_device", None)


def adapter_or_skip(framework: str) -> Adapter:
    adapter = adapter_of(framework)
    if isinstance(adapter, str):
        pytest.skip(adapter)
    return adapter


def case_of(
    operation: str,
    parameters: Mapping[str, Any],
    dtype: str = "",
    direction: str = "forward",
) -> CaseSpec:
    """A case in a dtype; by default float32, or the operation's first one where it has not that."""
    entry = SuiteEntry(OPERATIONS[operation], parameters)
    known = OPERATIONS[operation].dtypes
    default = "float32" if "float32" in known else known[0]
    return make_case(entry, dtype or default, direction, "ieee")


@dataclass
class Datasets:
    """Inputs and references, made once for all frameworks."""

    folder: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)
    made: dict[str, tuple[Dataset, ...]] = field(default_factory=dict)

    def of(self, case: CaseSpec) -> tuple[Dataset, ...]:
        if case.key not in self.made:
            folder = Path(self.folder.name)
            plain = [make_dataset(case, seed, folder, reference=True) for seed in (1, 2)]
            is_hard = case.direction == "forward"
            hard = [make_dataset(case, 3, folder, reference=True, stress=True)] if is_hard else []
            self.made[case.key] = (*plain, *hard)
        return self.made[case.key]


def settled(task: Task) -> Prepared:
    """The answer to the second half of the proof, where the first went well."""
    prepared = task.prepare()
    return task.settle() if prepared.status == Status.OK else prepared


def prove(datasets: Datasets, case: CaseSpec, framework: str, mode: str) -> None:
    """Fail unless the case is proved; skip where it cannot be done, with the reason."""
    adapter = adapter_or_skip(framework)
    reason = reason_against(case) or adapter.reason_against(
        case.operation, case.dtype, case.direction
    )
    if reason:
        pytest.skip(reason)
    data, second, *stress = datasets.of(case)
    request = Prepare(
        case=case,
        data=data,
        second=second,
        stress=stress[0] if stress else None,
        timing_mode="latency",
        cache="warm",
        cache_bytes=1,
    )
    settings = Settings(threads=2, scratch=datasets.folder.name)
    with mock.patch.dict(os.environ, FRAMEWORKS[framework].environment(settings)):
        prepared = settled(Task(adapter, mode, request))
    assert prepared.status == Status.OK, prepared.reason
    assert prepared.check is not None
    assert prepared.check.passed
    assert prepared.check.second_seed == "reference"

"""Ceilings of a benchmark's run that take milliseconds."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from speedmetal.bench.runner import device_ceilings, rates
from speedmetal.bench.runner import run as run_module
from speedmetal.bench.runner.protocol import MeasureCeilings

# What copies and products of this host reach, within which ceilings must be: the same in all runs
# of a process, and most of what a small run would compute.
host_bounds = functools.cache(rates.measure_host_bounds)


@contextmanager
def small_ceilings() -> Iterator[None]:
    """Ceilings of a few milliseconds: of bandwidth up to 16 MiB, and none of products."""

    def request(sizes: list[int], _: list[str], seconds: float) -> MeasureCeilings:
        return MeasureCeilings(sizes, [], seconds)

    with (
        mock.patch.multiple(
            device_ceilings,
            CEILING_SECONDS=0.003,
            MeasureCeilings=request,
            measure_host_bounds=host_bounds,
        ),
        mock.patch.object(run_module, "working_sets", return_value=[1 << 16, 1 << 20, 1 << 24]),
    ):
        yield

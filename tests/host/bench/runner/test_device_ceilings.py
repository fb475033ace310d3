"""In which order a device's rates are taken, and how many sets of them one card has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.record import Contender, CopyPoint, EnvironmentRecord
from speedmetal.bench.runner.device_ceilings import CeilingMeter
from speedmetal.bench.runner.kept_rates import KeptRates
from speedmetal.bench.runner.protocol import CeilingsMeasured, MeasureCeilings
from speedmetal.system.disk_cache import DiskCache

SIZES, CARD_SIZES = [1 << 16, 1 << 20, 1 << 28], [1 << 16, 1 << 24, 1 << 29]
ENVIRONMENT = EnvironmentRecord(
    system="",
    chip="",
    cores=1,
    core_split="",
    memory_bytes=1,
    last_level_cache_bytes=1,
    python="",
    threads=1,
    governor="",
    packages={},
    devices={},
    variables={},
    settings={},
)


class FakeWorker:
    """Reaches a rate at whatever it is asked for."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.asked: list[object] = []

    def ask(self, request: MeasureCeilings, kind: type, timeout_seconds: float) -> Any:
        assert kind is CeilingsMeasured
        assert timeout_seconds > 0
        self.asked += request.sizes_bytes or request.dtypes
        points = [
            CopyPoint(working_set_bytes=size, bytes_per_second=self.rate)
            for size in request.sizes_bytes
        ]
        return CeilingsMeasured(points, points, dict.fromkeys(request.dtypes, self.rate), 1e-5)


def contender(framework: str, device: str, card: str) -> Contender:
    return Contender(framework=framework, device=device, mode="eager", card=card)


CUDA, GPU = contender("torch", "cuda", "GPU-1"), contender("jax", "gpu", "GPU-1")
OTHER = contender("mlx", "gpu", "")  # of a device of which nothing is known


@pytest.fixture
def meter(tmp_path: Path):
    def make(limit_seconds: float, **workers: FakeWorker) -> CeilingMeter:
        given: Any = {
            c.key: workers[c.framework] for c in (CUDA, GPU, OTHER) if c.framework in workers
        }
        return CeilingMeter(
            workers=given,
            sizes=SIZES,
            dtypes=["float32"],
            settings=Settings(1),
            environment=ENVIRONMENT,
            kept=KeptRates(disk=DiskCache(tmp_path / "cache")),
            limit_seconds=limit_seconds,
            on_phase=lambda _: None,
            on_failure=lambda who, reason: pytest.fail(f"{who}: {reason}"),
            card_sizes={"GPU-1": CARD_SIZES},
        )

    return make


def test_the_largest_arrays_of_a_card_come_first(meter) -> None:
    """Proves that the one rate there is time for is not one of calls, and which order follows."""
    hurried = FakeWorker(1e12)
    meter(0.0, torch=hurried).measure([CUDA])
    assert hurried.asked == [1 << 29]
    patient = FakeWorker(1e12)
    meter(9.0, torch=patient).measure([CUDA])
    assert patient.asked == [1 << 24, "float32", 1 << 16]  # the largest was kept


def test_small_arrays_come_first_elsewhere(meter) -> None:
    """Proves the order of a device that is no known card."""
    worker = FakeWorker(1e12)
    meter(9.0, mlx=worker).measure([OTHER])
    assert worker.asked == [*SIZES, "float32"]


def test_a_card_of_two_names_has_one_set_of_ceilings(meter) -> None:
    """Proves that the best of both names is the card's, and each has its own call floor."""
    found = meter(9.0, torch=FakeWorker(1e12), jax=FakeWorker(3e12)).measure([CUDA, GPU])
    assert list(found) == ["GPU-1"]
    assert {point.bytes_per_second for point in found["GPU-1"].copy} == {3e12}
    assert found["GPU-1"].flops_per_second == {"float32/ieee": 3e12}
    assert sorted(found["GPU-1"].call_floor_seconds) == [GPU.key, CUDA.key]

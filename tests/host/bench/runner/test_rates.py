"""Ceilings of one framework: which products are worth their time."""

from __future__ import annotations

import numpy as np
import pytest

from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.frameworks.numpy.adapter import NumPyAdapter
from speedmetal.bench.measure import ceilings
from speedmetal.bench.runner import rates
from speedmetal.bench.runner.protocol import MeasureCeilings

LOOP, LIBRARY = 0.6e9, 100e9  # FLOP/s of a plain loop, and of a tuned library


class Noting(NumPyAdapter):
    """Notes the sizes of its products instead of computing them."""

    def __init__(self) -> None:
        super().__init__("cpu", Settings(1, "ieee"))
        self.sizes: list[int] = []

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.sizes.append(len(a))
        return a


@pytest.mark.parametrize(
    ("rate", "sizes"), [(LOOP, [256]), (LIBRARY, [256, 512, 1024, 2048])], ids=["loop", "library"]
)
def test_no_product_takes_seconds(
    rate: float, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a larger product is not even begun where the smaller one tells that it would take
    long: NumPy's of float16 at 1024 takes half a minute for its seven calls."""
    adapter = Noting()

    def best_seconds(call: object, _: float) -> float:
        call()
        return ceilings.product_flops(adapter.sizes[-1]) / rate if adapter.sizes else 1.0

    monkeypatch.setattr(ceilings, "best_seconds", best_seconds)
    monkeypatch.setattr(rates, "_same_product", lambda *_: True)  # none is computed
    request = MeasureCeilings([], ["float16"], 0.1)
    measured = rates.RateMeter(adapter, "eager", request.seconds).measure(request)
    assert sorted(set(adapter.sizes)) == sizes
    assert measured.flops_per_second == {"float16": pytest.approx(rate)}
    longest = max(ceilings.product_flops(size) for size in sizes) / rate
    assert longest <= rates.LONGEST_PRODUCT_SECONDS

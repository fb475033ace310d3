"""A compile that takes long says what is long; others say nothing."""

from __future__ import annotations

import re
import warnings

import pytest

import speedmetal as sm
from speedmetal.compiler import long_compiles
from speedmetal.compiler.long_compiles import LongCompileWarning


def launch_fresh_kernel() -> None:
    @sm.kernel
    def steps(x, out) -> None:
        i = sm.thread_position_in_grid().x
        total = x[i]
        for step in sm.static_range(30):
            total = total * total + float(step)
        out[i] = total

    x = sm.ones(8, device="cpu")
    steps(x, sm.zeros(8, device="cpu"), grid=8)
    sm.synchronize()


@pytest.fixture
def _without_kept_code(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))


@pytest.mark.usefixtures("_without_kept_code")
def test_long_compiles_are_told_of(monkeypatch) -> None:
    """The limit is lowered, so that any compile is long."""
    monkeypatch.setattr(long_compiles, "LONG_COMPILE_SECONDS", 0.0)
    with pytest.warns(LongCompileWarning) as caught:
        launch_fresh_kernel()
    (warning,) = caught
    assert warning.filename == __file__
    assert re.fullmatch(
        r"kernel 'steps' took \d+\.\d s to compile: it has \d+ statements and \d+ expressions "
        r"after unrolling and with the functions that it calls, and 30 of the statements are line "
        rf"21 of {re.escape(__file__)}, 'total = total \* total \+ float\(step\)'; a loop over "
        r"range\(\.\.\.\) is not unrolled where it needs no constant, and a kernel of several "
        r"smaller ones compiles faster; the code is kept on disk for the next process",
        str(warning.message),
    )


@pytest.mark.usefixtures("_without_kept_code")
def test_short_compiles_are_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", LongCompileWarning)
        launch_fresh_kernel()

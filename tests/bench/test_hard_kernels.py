"""`benchmarks/hard_kernels.py`: every kernel is right, absent peers are left out, refusals said."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import hard_kernels  # noqa: E402
from side_by_side.contender import FRAMEWORKS, contender_of, spoil  # noqa: E402
from side_by_side.hard_cases import HARD_CASES, SMALL_HARD_CASES  # noqa: E402
from side_by_side.rounds import Entry  # noqa: E402

TABLES = {record.name: record for record in FRAMEWORKS if record.name in ("speedmetal", "numpy")}


@pytest.mark.parametrize("case", SMALL_HARD_CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("framework", TABLES)
def test_every_variant_computes_its_case(framework, case):
    inputs = case.inputs(np.random.default_rng(3))
    reference = case.reference(inputs)
    variants = TABLES[framework].table()[case.name]
    assert variants
    for variant, prepare in variants.items():
        ready = prepare(inputs)
        spoil(ready.written)
        assert case.fault(ready.fetch(ready.call()), reference) == "", variant


def test_small_cases_are_the_large_ones():
    assert [case.name for case in SMALL_HARD_CASES] == [case.name for case in HARD_CASES]
    for large, small in zip(HARD_CASES, SMALL_HARD_CASES, strict=True):
        assert (large.relative, large.absolute) == (small.relative, small.absolute)


def run(*options, packages):
    """The script, in a process that finds these packages before all others."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "hard_kernels.py"), "--quick", "--small", *options],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        cwd=packages,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT / "src")])},
    )


def test_runs_with_numpy_as_the_only_peer_and_leaves_the_page(tmp_path):
    for name in ("torch", "jax"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name} here')\n")
    page = (ROOT / "docs" / "speed.md").read_text()
    found = run("--cases", "layer_norm,sums_of_8", "--earlier", str(ROOT), packages=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "Left out: `torch` (ModuleNotFoundError: no torch here)." in found.stdout
    assert "Left out: `jax` (ModuleNotFoundError: no jax here)." in found.stdout
    rows = [line for line in found.stdout.splitlines() if line.startswith("| ")]
    assert sum(row.startswith("| layer norm") for row in rows) == 2
    assert sum(row.startswith("| sums of 8") for row in rows) == 3
    assert "no result" not in found.stdout.lower()
    assert all("numpy" in row and "ms" in row for row in rows if row.startswith("| layer norm"))
    assert (ROOT / "docs" / "speed.md").read_text() == page


def test_refuses_what_it_does_not_know(tmp_path):
    found = run("--cases", "layer_norms", packages=tmp_path)
    assert found.returncode == 2
    assert "there is no case layer_norms; there are argmax_columns, " in found.stderr
    found = run("--earlier", str(tmp_path), packages=tmp_path)
    assert f"--earlier: {tmp_path} is no checkout: it has no folder src/speedmetal" in found.stderr


def entry(variant, seconds, framework="speedmetal", failure=""):
    """As measured in four rounds."""
    times = {} if failure else {number: seconds * (1 + number / 100) for number in range(4)}
    return Entry(contender_of(framework, variant), None, seconds=times, failure=failure)


def test_a_variant_that_the_earlier_checkout_refuses_is_held_against_its_best():
    now, before = hard_kernels.State(ROOT), hard_kernels.State(ROOT / "earlier")
    case = next(case for case in HARD_CASES if case.name == "sums_of_8")
    states = {
        now: [entry("shuffles", 0.004), entry("width", 0.001)],
        before: [
            entry("shuffles", 0.008),
            entry("threads", 0.003),
            entry("width", 0, failure="it takes none"),
        ],
    }
    peers = [entry("eager", 0.002, "torch"), entry("", 0.005, "numpy")]
    copy = hard_kernels.Measured(hard_kernels.COPY, {now: [entry("", 0.002)], before: []}, [])
    measured = [copy, hard_kernels.Measured(case, states, peers)]
    compilations = {
        (now, "sums_of_8", "shuffles"): [0.02, 0.04, 0.03],
        (before, "sums_of_8", "shuffles"): [0.05],
        (now, "sums_of_8", "width"): [0.025],
    }
    text = hard_kernels.report(measured, [hard_kernels.Comparison(now, before)], compilations)
    _, shuffles, width, total = [line for line in text.splitlines() if line.startswith("| ")][2:]
    cells = [cell.strip() for cell in shuffles.split("|")[2:-1]]
    assert cells[:2] == ["8.12 ms", "4.06 ms"]
    assert cells[2].startswith("2.00 [")
    assert cells[3] == "2.03 ms torch (eager)"
    assert cells[4].startswith("0.50 [")
    assert cells[6:] == ["50.0 ms", "30.0 ms"]
    cells = [cell.strip() for cell in width.split("|")[2:-1]]
    assert cells[:2] == ["3.04 ms threads", "1.02 ms"]
    assert cells[2].startswith("3.00 [")
    assert cells[6:] == ["—", "25.0 ms"]
    cells = [cell.strip() for cell in total.split("|")[1:-1]]
    assert cells[3] == "**2.45**"  # of 2 and 3
    assert cells[5] == "**1.00**"  # of 1/2 and 2
    assert cells[7:] == ["50.0 ms", "30.0 ms"]
    assert "- No result of before: sums of 8 neighbours among 2^24 (width): it takes none" in text

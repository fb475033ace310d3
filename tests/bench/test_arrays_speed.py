"""`benchmarks/arrays.py`: formulas are right in each library, the report says what was measured."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import arrays  # noqa: E402
from side_by_side import array_graph, array_report, array_sizes  # noqa: E402
from side_by_side.array_cases import (  # noqa: E402
    ARRAY_CASES,
    FAMILIES,
    FAMILY,
    SWEEP,
    sides,
    sizes_of,
)
from side_by_side.contender import ARRAY_FRAMEWORKS, contender_of  # noqa: E402
from side_by_side.results import Result  # noqa: E402
from side_by_side.rounds import Entry  # noqa: E402

from speedmetal.bench.measure.statistics import Ratio  # noqa: E402

TABLES = {record.name: record for record in ARRAY_FRAMEWORKS}
BY_NAME = {family.name: family for family in FAMILIES}
LEAST = 1 << 12


def faults(framework, family):
    """By variant, what is wrong with its result at the least size; "" where nothing is."""
    case = family.case(family.sizes[0])
    inputs = case.inputs(np.random.default_rng(3))
    reference = case.reference(inputs)
    found = {}
    for variant, prepare in TABLES[framework].table()[family.key].items():
        ready = prepare(inputs)
        found[variant] = case.fault(ready.fetch(ready.call()), reference)
    return found


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_numpy_computes_every_family_in_single_precision(family):
    if not family.is_lazy:
        assert faults("numpy", family) == {"": ""}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_speedmetal_computes_every_family(family):
    assert faults("speedmetal", family) == {"": ""}


def test_each_call_makes_a_new_result():
    inputs = SWEEP.case(LEAST).inputs(np.random.default_rng(3))
    for framework in ("numpy", "speedmetal"):
        ready = TABLES[framework].table()[SWEEP.key][""](inputs)
        first, second = ready.fetch(ready.call())[0], ready.fetch(ready.call())[0]
        assert not np.shares_memory(first, second)
        assert ready.written == ()


def test_lazy_nodes_are_not_computed_in_the_call():
    family = BY_NAME["node"]
    inputs = family.case(1000).inputs(np.random.default_rng(3))
    ready = TABLES["speedmetal"].table()[family.key][""](inputs)
    assert ready.call().pending is not None
    evaluated = TABLES["speedmetal"].table()[BY_NAME["operation"].key][""](inputs)
    assert evaluated.call().pending is None


def test_what_a_library_lacks_is_missing_in_its_own_cases_alone():
    lacking = TABLES["numpy"].table()["arrays/node"][""]
    assert lacking == "it has no lazy arrays: an operation is computed when it is written"
    numexpr = pytest.importorskip("numexpr")
    assert faults("numexpr", BY_NAME["squares_first"]) == {"": ""}
    prepare = TABLES["numexpr"].table()["arrays/logsumexp"][""]
    with pytest.raises(AttributeError, match="has no attribute 'logsumexp'"):
        prepare({"x": np.ones((2, 2), np.float32)})
    assert numexpr


def test_numexpr_computes_in_single_precision():
    pytest.importorskip("numexpr")
    family = BY_NAME["fused_10"]
    inputs = family.case(LEAST).inputs(np.random.default_rng(3))
    ready = TABLES["numexpr"].table()[family.key][""](inputs)
    assert ready.fetch(ready.call())[0].dtype == np.float32


def test_cases_have_names_of_their_own_and_families_their_keys():
    names = [case.name for case in ARRAY_CASES]
    assert len(set(names)) == len(names)
    assert all(case.key in FAMILY for case in ARRAY_CASES)
    titles = [f.case(size).title for f in FAMILIES for size in f.sizes]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("exponent", range(4, 28))
@pytest.mark.parametrize("axes", [1, 2, 3, 4])
def test_sides_multiply_to_the_elements(exponent, axes):
    shape = sides(1 << exponent, axes)
    assert len(shape) == axes
    assert np.prod(shape) == 1 << exponent
    assert max(shape) <= 2 * min(shape)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_bytes_are_those_of_inputs_and_result(family):
    size = family.sizes[0]
    case = family.case(size)
    inputs = case.inputs(np.random.default_rng(3))
    if any(np.iscomplexobj(array) for array in inputs.values()):
        return  # in Gflop/s, and left to a library
    (result,) = case.reference(inputs)
    elements = sum(array.size for array in inputs.values()) + result.size
    assert family.traffic_bytes(size) == 4 * elements


def test_quick_cases_are_among_the_default_ones_and_those_among_all():
    for family in FAMILIES:
        quick, default, full = (set(sizes_of(family, e)) for e in ("quick", "default", "full"))
        assert quick <= default <= full
        assert family.is_quick == bool(quick)


# --- the report ------------------------------------------------------------------------------


def entry(framework, variant, seconds, failure=""):
    """As measured in twelve rounds."""
    times = {} if failure else {number: seconds * (1 + number / 1000) for number in range(12)}
    return Entry(contender_of(framework, variant), None, seconds=times, failure=failure)


def measured(name, size, **seconds):
    """A family's result; names of contenders have `_` between framework and variant."""
    entries = [entry(*key.partition("_")[::2], value) for key, value in seconds.items()]
    return Result(BY_NAME[name].case(size), tuple(entries))


def cells(text, start):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_summary_has_the_best_peer_torch_compile_and_the_share_of_the_copy_of_that_size():
    size = 1 << 16
    results = [
        measured("copy", size, speedmetal_=2e-5, numpy_=1e-5),
        measured("fused_2", size, speedmetal_=2e-5, numpy_=8e-5, torch_compile=4e-5),
        measured("fused_10", size, speedmetal_=2e-5, numpy_=1e-5, torch_compile=8e-5),
        measured("fft", size, speedmetal_=1e-5, numpy_=9e-5),
    ]
    text = array_report.summary(results)
    fused = cells(text, "2*a + b, 2^16")
    assert fused[1].endswith("torch (compile)")
    assert fused[2].startswith("**2.00 [")
    assert fused[3].startswith("2.00 [")
    assert fused[4] == "75%"  # three arrays in two of the copy's times, which moves two
    ten = cells(text, "ten operations")
    assert ten[1].endswith("numpy")
    assert (ten[2][:6], ten[3][:4]) == ("**0.50", "4.00")
    mean = cells(text, "**fused, mean of 2**")
    assert (mean[2][:6], mean[3][:6]) == ("**1.00", "**2.83")
    assert cells(text, "**mean of all 2**")[2].startswith("**1.00")
    assert "2^16: 52.2 GB/s" in text or "2^16: 52.1 GB/s" in text
    slower = [line for line in text.splitlines() if line.startswith("- ")]
    assert [line[:6] for line in slower] == ["- 0.50", "- 0.50"]
    assert slower[1].endswith("ten operations with a square root, 2^16; the best is numpy")


def test_a_contender_without_a_result_is_said():
    case = BY_NAME["logsumexp"].case(1 << 16)
    entries = (entry("speedmetal", "", 0, failure="there is none"), entry("numpy", "", 1e-5))
    text = array_report.report({"kept": [Result(case, entries)]}, "Here.", ["Left out: warp."])
    assert text.startswith("Here.\n\nLeft out: warp.\n\n## Freed memory is kept")
    row = cells(text, "logsumexp of rows, 64 x 1024")
    assert row[:1] + row[2:] == ["no result", "—", "—", "—"]
    assert "- No result: logsumexp of rows, 64 x 1024: there is none" in text
    assert "| speedmetal | no result: there is none |" in text


def test_the_mean_of_one_ratio_is_that_ratio_and_more_of_them_are_better_known():
    one = Ratio(ratio=2.0, low=1.6, high=2.5, rounds=12, p_value=1.0)
    mean = array_report.mean_ratio([one])
    assert np.isclose(mean.ratio, one.ratio)
    assert np.isclose(np.log(mean.high / mean.low), np.log(one.high / one.low))
    many = array_report.mean_ratio([one] * 4 + [None])
    assert np.isclose(np.log(many.high / many.low), np.log(one.high / one.low) / 2)
    assert array_report.mean_ratio([None]) is None


def test_sizes_have_a_column_for_each_contender_and_a_figure(tmp_path):
    found = {
        1: [entry("numpy", "", 4e-6), entry("speedmetal", "", 8e-6)],
        1 << 16: [
            entry("numpy", "", 8e-5),
            entry("speedmetal", "", 2e-5),
            entry("torch", "eager", 0, failure="no"),
        ],
    }
    text = array_sizes.table(found)
    head, _, one, many = text.splitlines()
    assert head == "| elements | speedmetal | numpy | times as fast as the best peer |"
    assert one.startswith("| 1 | 8.04 us | 4.02 us | **0.50 [")
    assert many.startswith("| 2^16 | 20.1 us | 80.4 us | **4.00 [")
    pytest.importorskip("altair")
    array_sizes.draw(found, tmp_path / "sizes.svg")
    assert (tmp_path / "sizes.svg").read_text().startswith("<svg")


# --- the graph -------------------------------------------------------------------------------


def test_the_walk_keeps_values_small_and_counts_its_operations():
    seen = array_graph.walk(500, seed=1)
    assert seen[-1][0] >= 500 * (1 - 2 / array_graph.CHECKS)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    generator = np.random.default_rng(0)
    x, y = generator.uniform(-1, 1, (2, 100))
    for step in array_graph.STEPS:
        assert np.abs(step.apply(np, x, y)).max() <= 1


def test_growth_is_that_after_the_walk_has_settled():
    seen = [(0, 0), (10, 9000), (20, 10_000), (60, 10_080), (100, 10_160)]
    assert np.isclose(array_graph.growth(seen), 2.0)


def test_new_expressions_are_of_ten_operations_and_differ():
    class Counted:
        """Counts the operations that are written with it, and writes them down."""

        def __init__(self, text):
            self.text = text

        def _of(self, sign, *others):
            return Counted(
                f"({sign} {self.text} {' '.join(getattr(o, 'text', '1') for o in others)})"
            )

        __add__ = lambda self, other: self._of("+", other)  # noqa: E731
        __sub__ = lambda self, other: self._of("-", other)  # noqa: E731
        __mul__ = lambda self, other: self._of("*", other)  # noqa: E731
        __neg__ = lambda self: self._of("neg")  # noqa: E731

    class Package:
        sin = staticmethod(lambda x: x._of("sin"))
        cos = staticmethod(lambda x: x._of("cos"))

    inputs = [Counted(name) for name in "abc"]
    texts = [array_graph.expression(Package, seed, inputs).text for seed in range(20)]
    assert len(set(texts)) == 20
    assert {text.count("(") for text in texts} == {10}


# --- the script ------------------------------------------------------------------------------


def test_cases_that_the_memory_does_not_hold_are_left_out(monkeypatch):
    monkeypatch.setattr(arrays, "available_memory_bytes", lambda: 1 << 30)
    cases, notes = arrays.chosen_cases(["fused_5"], "default", processes=7)
    assert [case.name for case in cases] == ["fused_5@4096", "fused_5@65536", "fused_5@1048576"]
    assert notes == ["Left out, too large for the memory: fused_5 of 2^24."]
    monkeypatch.setattr(arrays, "available_memory_bytes", lambda: 1 << 60)
    cases, notes = arrays.chosen_cases(["sum_middle_two"], "default", processes=7)
    assert ([case.name for case in cases], notes) == (["sum_middle_two@16777216"], [])


def test_a_busy_machine_is_said():
    assert arrays.busy_notes(0.9, 2) == arrays.busy_notes(None, 2) == []
    (note,) = arrays.busy_notes(7.25, 2)
    assert note.startswith("**The machine was busy** (load 7.2 on 2 processors): ")


def run(*options, packages):
    """The script, in a process that finds these packages before all others."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "arrays.py"), "--quick", *options],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        cwd=packages,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT / "src")])},
    )


def test_an_absent_peer_is_said_and_both_policies_are_measured(tmp_path):
    (tmp_path / "numexpr.py").write_text("raise ModuleNotFoundError('no numexpr here')\n")
    page = (ROOT / "docs" / "arrays-speed.md").read_text()
    chosen = ("--cases", "operation", "--only", "speedmetal", "numpy", "numexpr")
    found = run(*chosen, "--memory", "both", packages=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "Left out: `numexpr` (ModuleNotFoundError: no numexpr here)." in found.stdout
    assert "## Memory as the allocators have it" in found.stdout
    assert "## Freed memory is kept" in found.stdout
    assert "no result" not in found.stdout.lower()
    assert (ROOT / "docs" / "arrays-speed.md").read_text() == page

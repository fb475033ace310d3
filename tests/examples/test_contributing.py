"""The steps of CONTRIBUTING.md, taken in a copy of the package, make what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [
    textwrap.dedent(block)
    for block in re.findall(
        r"^ *```python\n(.*?)^ *```$",
        (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
]


def block(mark: str) -> str:
    """The one block of code that has the mark."""
    (found,) = (text for text in CODE if mark in text)
    return found


class Copy:
    """The package in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "src"
        self.package = self.source / "speedmetal"
        shutil.copytree(
            ROOT / "src/speedmetal", self.package, ignore=shutil.ignore_patterns("__pycache__")
        )

    def change(self, name: str, old: str, new: str) -> None:
        path = self.package / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new), "utf-8")

    def append(self, name: str, text: str) -> None:
        path = self.package / name
        path.write_text(f"{path.read_text('utf-8')}\n\n{text}", "utf-8")

    def append_record(self, name: str, text: str) -> None:
        """Into the table that ends the file."""
        path = self.package / name
        table = path.read_text("utf-8")
        assert table.endswith("\n)\n")
        path.write_text(
            table[:-2] + textwrap.indent(text.rstrip() + ",\n", "    ") + ")\n", "utf-8"
        )

    def run(self, program: str) -> str:
        """What a program prints with this package."""
        path = self.source.parent / "program.py"
        path.write_text(program, "utf-8")
        environment = {**os.environ, "PYTHONPATH": str(self.source)}
        done = subprocess.run(
            [sys.executable, path], check=False, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_an_intrinsic(copy: Copy) -> None:
    numbers = "intrinsics/library/numbers.py"
    copy.append(numbers, block("def fraction("))
    copy.change(numbers, "intrinsics.exact import fabs,", "intrinsics.exact import fabs, floor,")
    copy.append_record("intrinsics/composed.py", block('"fraction",'))
    said = copy.run(block("def fractions("))
    assert said.startswith("[0.25 0.75 0.  ] [0.25 0.75 0.  ]\n")
    assert "b[i] = functions::fraction(a[i]);" in said


KERNELS = """
import speedmetal as sm

@sm.kernel
def halved(a):
    i = sm.thread_position_in_grid().x
    a[i] = a[i] / 2

@sm.kernel
def roots(a):
    a[0] = sm.sqrt(a[0])

print(sm.code(halved, "f32[:]", target="listing"))
assert "halved" in sm.code(halved, "f32[:]", target="metal")
try:
    sm.code(roots, "f32[:]", target="listing")
except sm.CompileError as error:
    print(error)
"""


def test_a_target(copy: Copy) -> None:
    folder = copy.package / "backends/listing"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A target to read."""\n')
    (folder / "target.py").write_text(block("TARGET = Target("))
    copy.change("common/target_names.py", '"metal")', '"metal", "listing")')
    said = copy.run(KERNELS)
    assert said.startswith("kernel halved(a: f32[:]):\n    i: i32 = thread_position_in_grid().x\n")
    assert "sqrt is not available on listing: its record has no spelling for it" in said
    assert "a[0] = sm.sqrt(a[0])" in said


OPERATION = """
import numpy as np

from speedmetal.bench.frameworks.numpy.cells import CELLS
from speedmetal.bench.operations import OPERATIONS

operation = OPERATIONS["logsumexp"]
(parameters,) = (case.parameters for case in operation.cases)
assert operation.problem(parameters) is None
inputs = operation.inputs(parameters, np.random.default_rng(0))
(result,) = operation.reference(parameters, inputs)
exact = np.log(np.sum(np.exp(inputs["x"].astype(float)), axis=parameters["axis"]))
np.testing.assert_allclose(result, exact, rtol=1e-5)
np.testing.assert_allclose(CELLS["logsumexp"](parameters)(inputs["x"]), exact, rtol=1e-5)
"""


def test_an_operation_of_the_benchmark(copy: Copy) -> None:
    reductions = "bench/operations/reductions.py"
    copy.change(reductions, "OPERATIONS = (\n", block("def _logsumexp(") + "\n\nOPERATIONS = (\n")
    copy.change(reductions, "    elements,\n", "    elements,\n    layer,\n")
    copy.append_record(reductions, block("Operation(\n"))
    cells = re.findall(r'^("logsumexp": lambda.*),  # (\w+)$', block("# numpy"), re.MULTILINE)
    folders = {path.parent.name for path in copy.package.glob("bench/frameworks/*/cells.py")}
    assert {name for _, name in cells} == folders
    for cell, name in cells:
        copy.change(
            f"bench/frameworks/{name}/cells.py", '    "sum_all":', f'    {cell},\n    "sum_all":'
        )
    copy.run(OPERATION)

"""What changes a kernel's meaning changes its fingerprint; every process finds the same."""

import enum
import functools
import linecache
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.compiler import fingerprint
from speedmetal.compiler.fingerprint import (
    Fingerprint,
    UnkeyableError,
    package_identity,
    source_block,
)
from speedmetal.frontend.signature import signature_of
from speedmetal.frontend.signature_text import parse_signature

SOURCE = """\
import math
import numpy as np
import helpers
from dataclasses import dataclass
scale = 2.0
dtype = np.float32
table = np.zeros(3)

@dataclass(frozen=True)
class Settings:
    steps: int
    def twice(self):
        return 2 * self.steps

settings = Settings(3)

def inner(x):
    return x * scale

def outer(x):
    y: dtype = helpers.step(inner(x))
    return math.sin(y) + settings.twice()

def other(x):
    return inner(x)
"""
HELPERS = "def step(x):\n    return x + 1\n\ndef unused(x):\n    return x\n"
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import kernels
from speedmetal.compiler.fingerprint import Fingerprint
for with_places in (False, True):
    found = Fingerprint(with_places=with_places)
    found.add(kernels.outer)
    print(found.digest())
"""


def digests(folder, kernels=SOURCE, helpers=HELPERS):
    """Without and with places, in a process of its own with another seed for hashes."""
    folder.mkdir()
    (folder / "kernels.py").write_text(kernels)
    (folder / "helpers.py").write_text(helpers)
    environment = os.environ | {"PYTHONHASHSEED": str(abs(hash(folder.name)) % 1000)}
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        capture_output=True, text=True, check=True, timeout=60, env=environment,
    )  # fmt: skip
    return answer.stdout.split()


@pytest.mark.tier("default")
def test_what_changes_it_and_what_does_not(tmp_path):
    first, first_places = digests(tmp_path / "first")
    changes = {
        "text": ("x * scale", "x / scale"),
        "global": ("scale = 2.0", "scale = 2.5"),
        "kind": ("scale = 2.0", "scale = 2"),
        "annotation": ("dtype = np.float32", "dtype = np.float64"),
        "record": ("Settings(3)", "Settings(4)"),
        "method": ("2 * self.steps", "3 * self.steps"),
    }
    for name, (old, new) in changes.items():
        assert digests(tmp_path / name, SOURCE.replace(old, new))[0] != first, name
    assert digests(tmp_path / "helper", helpers=HELPERS.replace("+ 1", "+ 2"))[0] != first
    for name, text in {
        "same": SOURCE,
        "unrelated": SOURCE.replace("return inner(x)\n", "return 7\n"),
        "unused": SOURCE.replace("np.zeros(3)", "[]"),
    }.items():
        assert digests(tmp_path / name, text)[0] == first, name
    moved, moved_places = digests(tmp_path / "moved", "\n\n" + SOURCE)
    assert (moved, moved_places != first_places) == (first, True)


def digest(function):
    found = Fingerprint(with_places=False)
    found.add(function)
    return found.digest()


def made(n, default=1):
    def function(x, y=default):
        return x * n + y

    return function


def test_closures_and_defaults_count():
    assert digest(made(2)) == digest(made(2))
    assert digest(made(2)) != digest(made(3))
    assert digest(made(2)) != digest(made(2.0))
    assert digest(made(2, 1)) != digest(made(2, 5))
    assert digest(made(made(1))) != digest(made(made(2)))


def test_lambdas_of_one_line_differ():
    pair = (lambda x: x + 1), (lambda x: x - 1)
    assert digest(pair[0]) != digest(pair[1])


def recursive(x):
    return recursive(x - 1)


def test_recursion_ends():
    assert digest(recursive)


def test_dependencies_are_what_a_launch_must_look_at():
    function = made(2)
    found = Fingerprint(with_places=False)
    found.add(function)
    assert found.dependencies == [
        *((function, name, getattr(function, name)) for name in ("__code__", "__defaults__")),
        (function.__closure__[0], "cell_contents", 2),
    ]
    found = Fingerprint(with_places=False)
    found.add(recursive)
    assert found.dependencies == [
        (recursive, "__code__", recursive.__code__),
        (globals(), "recursive", recursive),
    ]


class Point(NamedTuple):
    x: float


@dataclass(frozen=True)
class Box:
    width: float


def test_signatures_count():
    def of(arguments):
        found = Fingerprint(with_places=False)
        for argument in arguments:
            found.add_argument(argument)
        return found.digest()

    texts = ["f32[:]", "f64[:]", "f32", "f32[:,:]", "f32[:]/strided", "(f32,f32)", "f32 f32"]
    signatures = [parse_signature(text) for text in texts]
    signatures += [signature_of((v,)) for v in (1.0, 1, Point(1.0), Box(1.0), math.sin, "a", "b")]
    assert len({of(signature) for signature in signatures}) == len(signatures)


def scaled(x, factor, name="y"):
    return x * factor


class Scale(NamedTuple):
    factor: float

    def apply(self, x):
        return x * self.factor

    def other(self, x):
        return x + self.factor


def test_partials_and_methods_count_with_all_they_hold():
    partial = functools.partial
    functions = [
        partial(scaled, 2.0), partial(scaled, 3.0), partial(scaled, 2), partial(scaled, factor=2.0),
        partial(scaled, 2.0, "factor"), partial(scaled, name=2.0), partial(abs, 2.0),
        Scale(2.0).apply, Scale(3.0).apply, Scale(2.0).other, Scale._make,
    ]  # fmt: skip
    assert len(set(map(digest, functions))) == len(functions)
    assert digest(partial(scaled, factor=2.0)) == digest(partial(scaled, factor=2.0))

    def of(function):
        found = Fingerprint(with_places=False)
        found.add_argument(signature_of((function,))[0])
        return found.digest()

    assert of(partial(scaled, 2.0)) == of(partial(scaled, 3.0))  # numbers of the launch
    assert of(partial(scaled, 2.0)) != of(partial(scaled, factor=2.0))


class Settings(NamedTuple):
    function: object
    steps: int


@dataclass(frozen=True)
class Frozen:
    function: object
    steps: int


def test_records_with_a_function_are_no_kernels():
    for cls in (Settings, Frozen):
        assert digest(cls(scaled, 1)) != digest(cls(scaled, 2))
    assert digest(sm.kernel(scaled)) != digest(sm.kernel(Scale.apply))


def test_classes_count_with_fields_defaults_methods_and_members():
    def renamed(*, default=1.0, field="x", member=1, method="return x", size=3):
        namespace = {"NamedTuple": NamedTuple, "enum": enum, "__name__": "made"}
        text = (
            f"class Point(NamedTuple):\n    {field}: float = {default}\n"
            f"class Colour(enum.Enum):\n    RED = {member}\n"
            f"class Tool:\n    size = {size}\n    @staticmethod\n    def work(x):\n"
            f"        {method}\n"
        )
        name = f"<made {len(linecache.cache)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), namespace)  # noqa: S102 - our own text
        return digest((namespace["Point"], namespace["Colour"].RED, namespace["Tool"]))

    same = renamed()
    assert renamed() == same
    changes = ({"default": 2.0}, {"field": "y"}, {"member": 2}, {"method": "return 0"}, {"size": 4})
    for change in changes:
        assert renamed(**change) != same, change


def test_what_is_only_perhaps_used_is_not_taken_for_known():
    namespace = {"__name__": "made"}
    exec("def no_source(x):\n    return x", namespace)  # noqa: S102 - our own text
    found = Fingerprint(with_places=False)
    found._add_leniently(namespace, "no_source", namespace["no_source"])
    assert found.dependencies == []
    # Nor is the half of something that could be described before the fault was met.
    assert found._parts == ["function"]
    half = made((1, namespace["no_source"]), default=5)
    found._add_leniently(globals(), "half", half)
    assert (found._parts, found.dependencies) == (["function", "function"], [])
    with pytest.raises(UnkeyableError):
        found.add(namespace["no_source"])


def test_what_cannot_be_described_is_said():
    for value in (np.zeros(3), [1], {}, object()):
        with pytest.raises(UnkeyableError):
            digest(value)
    namespace = {}
    exec("def f(x):\n    return x", namespace)  # noqa: S102 - a function without source
    with pytest.raises(UnkeyableError):
        digest(namespace["f"])
    for value in (math.sin, np.sin, np.where, sm.sin, sm.float32, np.float32(1), None, 2.5):
        assert digest(value)


BLOCKS = {
    "one line": "def f(x): return x",
    "a string at the margin, and an annotation": '''def f(x):
    """text
at the margin"""
    x: int

    # a comment''',
    "closing brackets": """def f(
    x,
):
    return (
        x
    )""",
    "an annotation over lines at the margin": """def f(x):
    y: dict[
int, int]
    z: int""",
    "a line that goes on": """def f(x):
    y: \\
int
    z: int""",
    "what is never reached": """def f(x):
    return x
    x = 5

    z: int""",
    "a bracket in a string": """def f(x):
    y = "("
    z: int""",
}


@pytest.mark.parametrize("what", BLOCKS)
def test_a_block_ends_where_the_function_ends(tmp_path, what):
    text = BLOCKS[what] + "\nafter = (1)\n"
    path = tmp_path / "block.py"
    path.write_text(text)
    namespace = {}
    exec(compile(text, str(path), "exec"), namespace)  # noqa: S102 - our own text
    assert source_block(namespace["f"]).rstrip() == BLOCKS[what]


def test_a_block_of_a_usual_kernel_is_found_without_a_tokenizer(tmp_path, monkeypatch):
    text = '''def f(x):
    """What it does: (a list)."""
    y = x[0]
    if y > (1):
        y = {1: "a"}
    return (
        y
    )


after = 1
'''
    path = tmp_path / "block.py"
    path.write_text(text)
    namespace = {}
    exec(compile(text, str(path), "exec"), namespace)  # noqa: S102 - our own text
    monkeypatch.setattr(fingerprint.inspect, "getblock", None)
    assert source_block(namespace["f"]).rstrip() == text.removesuffix("after = 1\n").rstrip()


def test_the_packages_identity_looks_at_every_folder_with_compiled_code(monkeypatch, tmp_path):
    """A changed printer, pass or runtime must not meet the code that an older one made."""
    package = Path(sm.__file__).parent
    shown = set(fingerprint._files(str(package)))
    looked_at = []
    monkeypatch.setattr(fingerprint, "_files", lambda folder: looked_at.append(folder) or [])
    package_identity.__wrapped__()
    assert looked_at == [str(package)]
    monkeypatch.undo()
    for name in ("ir/nodes.py", "backends/cpu/codegen/printer.py", "backends/cpu/runtime.ll"):
        found = (package / name).stat()
        assert f"{Path(name).name} {found.st_size} {found.st_mtime_ns}" in shown
    copied = tmp_path / "package"
    (copied / "passes").mkdir(parents=True)
    (copied / "passes" / "one.py").write_text("1")
    (copied / "bench").mkdir()
    before = list(fingerprint._files(copied))
    (copied / "bench" / "two.py").write_text("2")
    (copied / "passes" / "notes.txt").write_text("3")
    assert list(fingerprint._files(copied)) == before
    (copied / "passes" / "one.py").write_text("22")
    assert list(fingerprint._files(copied)) != before


def test_the_packages_identity_is_computed_once():
    assert package_identity() is package_identity()


def test_functions_that_a_library_makes_are_told_apart(monkeypatch):
    """A name says all about a function of a library, save where a function of it made many."""
    first, second = made(2), made(3)
    for function in (first, second):
        monkeypatch.setattr(function, "__module__", "speedmetal.somewhere")
    assert digest(first) != digest(second)


def test_defaults_of_records_count():
    def record(default):
        @dataclass(frozen=True, slots=True)
        class Width:
            value: float = default

        return Width

    assert digest((record(1.0),)) == digest((record(1.0),))
    assert digest((record(1.0),)) != digest((record(2.0),))

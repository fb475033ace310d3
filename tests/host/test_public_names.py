"""The public names: that each can be had, and that type checkers and editors see the same."""

import ast
import functools
import inspect
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import speedmetal as sm
from speedmetal.arrays.elementwise.words import _OWN
from speedmetal.frontend.elements import OPERATIONS
from speedmetal.intrinsics import TABLE, constructs

PACKAGE = Path(sm.__file__).parent
STUB = PACKAGE / "__init__.pyi"
GENERATOR = Path(__file__).parents[2] / "tools" / "generate_stub.py"
LANGUAGE = {**TABLE, **constructs.TABLE}


@functools.cache
def definitions_of_the_stub():
    """The functions of the stub by their name; a name has several where it is overloaded."""
    found = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


def test_every_public_name_can_be_had():
    assert {"Array", "kernel", "sin", "threadgroup_array", "random", "float32"} <= set(sm.__all__)
    for name in sm.__all__:
        assert name in dir(sm)
        assert getattr(sm, name) is getattr(sm, name)
    with pytest.raises(AttributeError, match="no attribute 'thread_position'; did you mean thread"):
        _ = sm.thread_position
    with pytest.raises(AttributeError, match="no attribute '_private'"):
        _ = sm._private


def test_the_stub_is_what_its_generator_writes():
    written = runpy.run_path(str(GENERATOR))["stub"]()
    assert STUB.read_text(encoding="utf-8") == written, "run: python tools/generate_stub.py"


def test_the_stub_has_the_public_names():
    bound, listed = set(), []
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        match node:
            case ast.ImportFrom(module=module) if module.startswith("speedmetal"):
                bound |= {alias.asname for alias in node.names}
            case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                bound.add(name)
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                listed = ast.literal_eval(value)
    assert bound == set(sm.__all__)
    assert listed == sm.__all__


@pytest.mark.parametrize("name", sorted(LANGUAGE))
def test_the_stub_has_each_meaning(name):
    for definition in definitions_of_the_stub()[name]:
        assert ast.get_docstring(definition).split() == LANGUAGE[name].meaning.split()


@pytest.mark.parametrize("name", sorted(set(LANGUAGE) - {"static_range"}))
def test_the_stub_has_the_parameters_that_the_compiler_takes(name):
    """Told a parameter that there is not, the compiler says which there are."""
    program = f"def kernel(a):\n    sm.{name}(nonsense=a[0])\n"
    space = {"sm": sm}
    exec(program, space)  # noqa: S102 - a kernel for each name
    with pytest.raises(sm.CompileError) as caught:
        sm.code(sm.kernel(source=program)(space["kernel"]), "f32[:]")
    taken = re.search(r"expected [\w. ]+\((.*)\), found an argument", str(caught.value))[1]
    (definition,) = definitions_of_the_stub()[name]
    names = [parameter.arg for parameter in definition.args.args]
    required = len(names) - len(definition.args.defaults)
    assert taken == ", ".join(names[:required] + [f"{name}=..." for name in names[required:]])


def test_static_range_can_be_called_in_two_ways():
    ways = definitions_of_the_stub()["static_range"]
    assert [ast.unparse(way.args) for way in ways] == [
        "stop: Any, /",
        "start: Any, stop: Any, step: Any=1, /",
    ]


def test_help_of_the_language_says_how_each_is_called():
    assert inspect.getdoc(sm.fma).startswith("fma(a, b, c)\n\n``a * b + c`` with one rounding")
    assert inspect.getdoc(sm.static_range).startswith("static_range(stop, /)\nstatic_range(start")


PROGRAM = """
import speedmetal as sm

@sm.kernel
def scaled(a: sm.Array, b: sm.Array) -> None:
    tile = sm.threadgroup_array((32,), sm.float32)
    i = sm.thread_position_in_grid().x
    x, y, z = sm.thread_position_in_threadgroup()
    for k in sm.static_range(4):
        tile[x] = sm.sin(a[i + k]) + sm.random.uniform(1, i)
    sm.threadgroup_barrier(memory="device")
    sine, cosine = sm.sincos(a[i])
    b[i] = sm.where(sine > cosine, tile[x], sm.atomic_add(b, i, 1))

scaled(sm.zeros(64), sm.zeros(64), grid=64)
text: str = sm.code(scaled, "f32[:] f32[:]", target="metal")
"""
WRONG = {
    "sm.sinn(1.0)": 'Module has no attribute "sinn"',
    "sm.sin(1.0, 2.0)": 'Too many arguments for "sin"',
    "sm.threadgroup_array((32,))": 'Missing positional argument "dtype"',
    "sm.thread_position_in_grid().w": 'has no attribute "w"',
    "sm.random.uniformly(0, 0)": 'Module has no attribute "uniformly"',
    "sm.philox": 'Module has no attribute "philox"',
}


@pytest.mark.tier("default")
def test_a_type_checker_takes_right_names_and_refuses_wrong_ones(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + "\n".join(WRONG) + "\n")
    environment = dict(os.environ)
    if "site-packages" not in PACKAGE.parts:  # where mypy looks by itself
        environment["MYPYPATH"] = str(PACKAGE.parent)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    command += ["--config-file=", f"--cache-dir={tmp_path / 'cache'}", program.name]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    first = PROGRAM.count("\n") + 1
    for number, (statement, message) in enumerate(WRONG.items(), first):
        matching = [line for line in lines if line.startswith(f"program.py:{number}:")]
        assert matching, f"mypy takes {statement}"
        assert message in matching[0]
    assert len(lines) == len(WRONG), done.stdout
    assert done.returncode == 1


REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def missing_in(reference: str) -> list[str]:
    """Public functions of arrays that a reference does not have.

    A name is there by itself, by the module that defines it, or named in the text, as words of the
    language and second names are: a module does not show those.
    """
    shown = set(re.findall(r"^::: (\S+)$", reference, re.MULTILINE))
    named = set(re.findall(r"`(?:sm\.)?(\w+)(?:\(\))?`", reference))

    def is_shown(home: str, name: str) -> bool:
        is_own = getattr(getattr(sm, name), "__name__", None) == name
        return (home in shown and is_own) or f"{home}.{name}" in shown or name in named

    homes = [(home, name) for home, names in sm._HOMES.items() for name in names]
    arrays = [(home, name) for home, name in homes if home.startswith("speedmetal.arrays.")]
    found = [name for home, name in arrays if not is_shown(home, name)]
    for space in (sm.fft, sm.linalg, sm.nn, sm.random, sm.sparse):
        homes_of = {name: getattr(space, name).__module__ for name in space.__all__}
        found += [
            f"{space.__name__}.{name}"
            for name, home in homes_of.items()
            if not {home, f"{home}.{name}"} & shown
        ]
    words = {*_OWN, *(TABLE.keys() & OPERATIONS.keys())}
    return [*found, *sorted(words - named)]


def test_the_reference_has_every_function_of_arrays():
    assert missing_in(REFERENCE.read_text(encoding="utf-8")) == []


def test_what_the_reference_lacks_is_found():
    text = REFERENCE.read_text(encoding="utf-8")
    pages = ("::: speedmetal.arrays.order.sets\n", ".arrays.algebra.sparse\n")
    for gone in (*pages, "`erfinv`", "`power`"):
        assert gone in text
        text = text.replace(gone, "")
    spaces = [f"speedmetal.arrays.algebra.sparse.{name}" for name in sm.sparse.__all__]
    sets = sm._HOMES["speedmetal.arrays.order.sets"]
    assert missing_in(text) == ["power", *sets, *spaces, "erfinv"]


def test_names_of_numpys_other_namespaces_are_found_there() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'svd'; did you mean sm\.linalg\.svd\?"):
        _ = sm.svd


def test_what_numpy_alone_has_is_found_in_numpy() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'cov'; np\.cov takes arrays of speedm"):
        _ = sm.cov

"""From functions to their source: wherever Python lets a function stand."""

from __future__ import annotations

import ast
import functools
import importlib.util
import linecache
import math
import sys
import textwrap

import pytest

import speedmetal as sm
from speedmetal.errors import CompileError
from speedmetal.frontend.capture import capture, is_current
from speedmetal.frontend.infer import infer_function, infer_kernel
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.text import kernel_text

FACTOR = 2.0


class Holder:
    limit = 4

    @staticmethod
    def inside_a_class(x):
        return x + 1


def decorated_with(*names):
    def decorate(function):
        return function

    return decorate


@decorated_with(
    "first",
    "second",
)
def decorated(x):
    # a comment
    return x


def test_indented_function_keeps_its_place_in_the_file():
    captured = capture(Holder.inside_a_class)
    assert captured.name == "inside_a_class"
    returned = captured.node.body[0]
    span = captured.source.span(returned)
    assert span.text.line(span.line)[span.column : span.end_column] == "return x + 1"
    assert span.line == Holder.inside_a_class.__code__.co_firstlineno + 2


def test_decorators_do_not_matter():
    captured = capture(decorated)
    assert isinstance(captured.node, ast.FunctionDef)
    span = captured.source.span(captured.node.body[0])
    assert span.text.line(span.line).strip() == "return x"


def test_columns_count_characters():
    def greek(α):  # noqa: PLC2401 - columns of other letters are what is tested
        return α * missing  # noqa: F821

    with pytest.raises(CompileError) as caught:
        infer_function(greek, (sm.float32,))
    (diagnostic,) = caught.value.diagnostics
    span = diagnostic.span
    assert span.text.line(span.line)[span.column : span.end_column] == "missing"


LAMBDAS = {"twice": lambda x: x * 2, "sum": lambda x, y: x + y if x > y else y}
PAIR = ((lambda x: x + 1), (lambda x: x - 1))
OUTER = lambda x: lambda y: y * x  # noqa: E731


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (LAMBDAS["twice"], "x * 2"),
        (LAMBDAS["sum"], "x + y if x > y else y"),
        (PAIR[0], "x + 1"),
        (PAIR[1], "x - 1"),
        (OUTER, "lambda y: y * x"),
        (OUTER(3), "y * x"),
    ],
)
def test_lambdas_are_found_by_their_text(function, text):
    assert ast.unparse(capture(function).node.body) == text


def write_module(path, name, source):
    path.write_text(textwrap.dedent(source))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_text_at_the_margin_inside_an_indented_function(tmp_path):
    module = write_module(
        tmp_path / "margin.py",
        "margin",
        "class A:\n    @staticmethod\n    def f(x):\n# at the margin\n        return x + 1\n",
    )
    assert infer_function(module.A.f, (sm.float32,)).result is sm.float32


def test_file_changed_after_the_import_is_told(tmp_path):
    path = tmp_path / "changing.py"
    module = write_module(path, "changing", "def f(x):\n    return x\n")
    path.write_text("# a longer comment than before\n\n\ndef g(x):\n    return x\n")
    linecache.clearcache()
    with pytest.raises(CompileError, match="changed after the function"):
        capture(module.f)


def test_functions_of_notebooks_have_source():
    name = "<ipython-input-1-abc>"
    source = "def cell(x):\n    return x * 2\n"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    names: dict = {}
    exec(compile(source, name, "exec"), names)  # noqa: S102 - that is what notebooks do
    assert infer_function(names["cell"], (sm.float32,)).result is sm.float32


def uses_names(a):
    a[0] = helper(a[0]) * FACTOR * Holder.limit * math.pi


def helper(x):
    return x + OFFSET


OFFSET = 1.0


def dependencies_of(kernel):
    return infer_kernel(kernel, parse_signature("f32[:]")).dependencies


def test_dependencies_are_all_names_looked_at_callees_included():
    dependencies = dependencies_of(uses_names)
    codes = {owner: value for owner, name, value in dependencies if name == "__code__"}
    assert codes == {function: function.__code__ for function in (uses_names, helper)}
    found = {name: value for _, name, value in dependencies if name != "__code__"}
    assert found == {
        "helper": helper,
        "FACTOR": 2.0,
        "Holder": Holder,
        "limit": 4,
        "math": math,
        "OFFSET": 1.0,
    }


@pytest.mark.parametrize("name", ["FACTOR", "OFFSET", "helper"])
def test_dependency_notices_a_new_value(monkeypatch, name):
    found = dependencies_of(uses_names)
    assert all(map(is_current, found))
    monkeypatch.setitem(globals(), name, lambda x: x)
    assert not all(map(is_current, found))


def test_dependency_notices_a_new_class_constant(monkeypatch):
    found = dependencies_of(uses_names)
    monkeypatch.setattr(Holder, "limit", 5)
    assert not all(map(is_current, found))


def test_dependency_notices_a_new_value_in_a_closure():
    factor = 2.0

    def kernel(a):
        a[0] = a[0] * factor

    found = dependencies_of(kernel)
    assert all(map(is_current, found))
    factor = 3.0
    assert not all(map(is_current, found))


def test_code_compiled_later_sees_the_new_value():
    factor = 2.0

    def kernel(a):
        a[0] = factor

    assert "2.0" in kernel_text(infer_kernel(kernel, parse_signature("f32[:]")).kernel)
    factor = 3.0
    assert "3.0" in kernel_text(infer_kernel(kernel, parse_signature("f32[:]")).kernel)


def test_wrapped_functions_are_called_for_what_they_wrap():
    @functools.wraps(helper)
    def wrapper(*args):
        raise AssertionError

    callable_object = functools.partial(helper)
    callable_object.__wrapped__ = helper

    def kernel(a):
        a[0] = callable_object(a[0])

    assert "helper" in kernel_text(infer_kernel(kernel, parse_signature("f32[:]")).kernel)


def test_equal_functions_of_two_files_keep_their_files(tmp_path):
    made = []
    for name in ("first.py", "second.py"):
        path = tmp_path / name
        path.write_text("def same(a):\n    a[0] = 1.0\n")
        names = {}
        exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102 - our own text
        made.append(names["same"])
    assert made[0].__code__ == made[1].__code__
    files = [capture(function).source.text.name for function in made]
    assert files == [str(tmp_path / "first.py"), str(tmp_path / "second.py")]

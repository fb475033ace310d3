"""Functions whose source is hard to find, or not there: what is found, and what is said."""

import linecache
import types

import pytest

import speedmetal as sm
from speedmetal.errors import CompileError, InternalError
from speedmetal.frontend import fixpoint
from speedmetal.frontend.capture import Dependencies, capture, is_current, look_up
from speedmetal.frontend.infer import infer_kernel
from speedmetal.frontend.parse import parse
from speedmetal.frontend.signature_text import parse_signature


def module(tmp_path, text: str) -> dict:
    """The names of a module with this text, in a file of its own."""
    path = tmp_path / "kernels.py"
    path.write_text(text)
    names: dict = {}
    exec(compile(text, str(path), "exec"), names)  # noqa: S102 - our own text
    return names


def change(tmp_path, text: str) -> None:
    (tmp_path / "kernels.py").write_text(text)
    linecache.checkcache(str(tmp_path / "kernels.py"))


def fault(function: types.FunctionType) -> str:
    with pytest.raises(CompileError) as caught:
        parse(function)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.message


STALE = (
    "the file no longer has {!r} at this line: it was changed after the function was imported;"
    " import it again"
)


def test_comments_may_stand_further_left_than_the_function(tmp_path):
    text = 'if True:\n    def kernel(a):\n        """Text\nat the margin."""\n        a[0] = 1.0\n'
    captured = capture(module(tmp_path, text)["kernel"])
    assert captured.source.span(captured.node.body[-1]).line == 5


def test_files_that_are_no_longer_python(tmp_path):
    names = module(tmp_path, "if True:\n    def kernel(a):\n        a[0] = 1.0\n")
    change(tmp_path, "if True:\n    def kernel(a:\n        a[0] = = 1.0\n")
    assert fault(names["kernel"]) == STALE.format("kernel")


def test_files_whose_function_is_no_longer_python(tmp_path):
    names = module(tmp_path, "def kernel(a):\n    a[0] = 1.0\n")
    change(tmp_path, "def kernel(a):\n    a[0] = = 1.0\n")
    assert fault(names["kernel"]) == STALE.format("kernel")


def test_lambdas_of_changed_files(tmp_path):
    names = module(tmp_path, "double = lambda x: x * 2\n")
    change(tmp_path, "double = lambda y: y + 2\n")
    assert fault(names["double"]) == STALE.format("<lambda>")


def test_lambdas_of_files_that_are_no_longer_python(tmp_path):
    names = module(tmp_path, "double = lambda x: x * 2\n")
    change(tmp_path, "double = = lambda x: x * 2\n")
    assert fault(names["double"]) == STALE.format("<lambda>")


def test_lambdas_that_cannot_be_told_apart(tmp_path):
    names = module(tmp_path, "def f(x): return x\nboth = [lambda x: f(x), lambda x: f(x)]\n")
    # Where an interpreter runs without columns, only the line tells them apart.
    plain = [f.__code__.replace(co_linetable=b"") for f in names["both"]]
    function = types.FunctionType(plain[0], names)
    assert fault(function) == "several lambdas on this line look alike; use def, or one line each"


def test_names_without_a_value_yet():
    def make():
        def kernel(a):
            a[0] = later  # noqa: F821 - deleted below

        with pytest.raises(KeyError):
            look_up(kernel, "later", Dependencies())
        later = 2.0
        dependencies = Dependencies()
        assert look_up(kernel, "later", dependencies) == 2.0
        (dependency,) = dependencies.all()
        assert is_current(dependency)
        del later
        return kernel, dependency

    kernel, dependency = make()
    assert not is_current(dependency)
    with pytest.raises(CompileError, match="the name 'later' does not exist"):
        infer_kernel(kernel, parse_signature("f32[:]"))


def test_types_that_never_settle_are_our_fault(monkeypatch):
    """The limit on runs ends an endless loop of ours with a message, not with silence."""

    def kernel(a):
        total = 0
        for i in range(4):
            total = total + a[i]
        a[0] = total

    monkeypatch.setattr(fixpoint, "MOST_RUNS", 1)
    with pytest.raises(InternalError, match="types of 'kernel' did not settle in 1 runs of infer"):
        infer_kernel(kernel, parse_signature("f32[:]"))


def test_crashes_say_where_they_were(monkeypatch):
    """An unexpected exception becomes a message with the user's line."""

    def kernel(a):
        a[0] = 1.0

    def crash(*_):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("speedmetal.frontend.statements.locate", crash)
    with pytest.raises(InternalError) as caught:
        sm.code(kernel, "f32[:]")
    assert "a[0] = 1.0" in str(caught.value)
    assert "ZeroDivisionError: boom" in str(caught.value)


def test_names_that_no_target_can_have():
    def Größe(a):  # noqa: N802, PLC2401 - letters that C does not have
        ß = a[0]  # noqa: PLC2401
        half = ß + 1.0
        a[0] = half

    text = sm.code(Größe, "f32[:]", target="metal")
    assert text.isascii()
    assert "half half" not in text

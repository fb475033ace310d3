"""Whatever a kernel was made from may be replaced in place: the next launch sees it."""

import linecache
import sys
import types
from dataclasses import dataclass
from typing import NamedTuple

import pytest

import speedmetal as sm
from speedmetal.compiler import pipeline


def shift(x):
    return x + 1


def scale(x, factor=2, *, offset=0):
    return x * factor + offset


@dataclass(frozen=True, slots=True)
class Line:
    slope: float
    start: float = 1.0

    def at(self, x):
        return self.slope * x + self.start

    @property
    def twice(self):
        return 2 * self.slope

    @staticmethod
    def unit(x):
        return x


class Steps(NamedTuple):
    width: float = 3.0

    def ahead(self, x):
        return x + self.width


@pytest.fixture(params=["", "1"], ids=["inferred", "from disk"])
def launch(request, monkeypatch, tmp_path):
    """The result of a launch; by what inference depends on, or what is known without it."""
    monkeypatch.setenv("SPEEDMETAL_CACHE", request.param or "0")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))

    def run(kernel, *arguments):
        c = sm.zeros(1)
        kernel(c, *arguments, grid=1)
        return c[0].item()

    def warmed(body, *arguments):
        kernel = sm.kernel(body)
        with pytest.MonkeyPatch.context() as patch:
            if request.param:
                run(sm.kernel(body), *arguments)
                patch.setattr(pipeline, "lower", _unexpected)
            run(kernel, *arguments)
        return lambda *others: run(kernel, *(others or arguments))

    return warmed


def _unexpected(*_, **__):
    raise AssertionError("lowered again")


def replace_code(monkeypatch, function, by):
    monkeypatch.setattr(function, "__code__", by.__code__)


def test_the_code_of_a_helper(launch, monkeypatch):
    def body(c, x):
        c[0] = shift(x)

    again = launch(body, 5.0)
    assert again() == 6
    replace_code(monkeypatch, shift, lambda x: x - 1)
    assert again() == 4


def test_the_code_of_a_helper_of_a_helper(launch, monkeypatch):
    def outer(x):
        return 10 * shift(x)

    def body(c, x):
        c[0] = outer(x)

    again = launch(body, 5.0)
    replace_code(monkeypatch, shift, lambda x: x - 1)
    assert again() == 40


def test_the_kernels_own_code(launch):
    def body(c, x):
        c[0] = x

    def other(c, x):
        c[0] = x + 0.5

    again = launch(body, 5.0)
    body.__code__ = other.__code__
    assert again() == 5.5


def test_the_parameters_of_the_kernels_own_code(launch):
    def body(c, x):
        c[0] = x

    def other(c, x, y=2.0, z=3.0):
        c[0] = x * y + z

    again = launch(body, 5.0)
    body.__code__ = other.__code__
    with pytest.raises(sm.LaunchError) as caught:
        again()
    assert str(caught.value) == (
        "kernel 'body' takes 4 arguments (c, x, y, z), got 2; missing: y, z"
    )
    body.__defaults__ = other.__defaults__
    assert again() == 13
    assert again(5.0, 1.0, 1.0) == 6
    body.__defaults__ = (4.0,)
    assert again(5.0, 1.0) == 9


def test_defaults(launch, monkeypatch):
    def body(c, x):
        c[0] = scale(x)

    again = launch(body, 5.0)
    assert again() == 10
    monkeypatch.setattr(scale, "__defaults__", (3,))
    assert again() == 15
    monkeypatch.setattr(scale, "__kwdefaults__", {"offset": 1})
    assert again() == 16
    scale.__kwdefaults__["offset"] = 2
    assert again() == 17


def test_methods_of_records(launch, monkeypatch):
    def body(c, line, steps):
        c[0] = line.at(10.0) + steps.ahead(100.0) + Line.unit(1000.0)

    again = launch(body, Line(2.0), Steps())
    assert again() == 21 + 103 + 1000
    replace_code(monkeypatch, Line.at, lambda self, x: self.slope - x)
    assert again() == -8 + 103 + 1000
    monkeypatch.setattr(Steps, "ahead", lambda self, x: x - self.width)
    assert again() == -8 + 97 + 1000
    monkeypatch.setattr(Line, "unit", staticmethod(lambda x: 2 * x))
    assert again() == -8 + 97 + 2000


def test_properties_of_records(launch, monkeypatch):
    def body(c, line):
        c[0] = line.twice

    again = launch(body, Line(2.0))
    assert again() == 4
    replace_code(monkeypatch, Line.twice.fget, lambda self: self.start)
    assert again() == 1
    monkeypatch.setattr(Line, "twice", property(lambda self: self.slope / 4))
    assert again() == 0.5


def test_defaults_of_records_that_are_made_inside(launch, monkeypatch):
    def body(c, x):
        c[0] = Line(x).start + Steps().width

    again = launch(body, 5.0)
    assert again() == 4

    @dataclass(frozen=True, slots=True)
    class Other:
        slope: float
        start: float = 7.0

    monkeypatch.setattr(Line, "__dataclass_fields__", Other.__dataclass_fields__)
    monkeypatch.setattr(Steps, "_field_defaults", {"width": 20.0})
    assert again() == 27


def test_contents_of_cells(launch):
    factor = 2.0

    def inner(x):
        return x * factor

    def body(c, x):
        c[0] = inner(x)

    again = launch(body, 5.0)
    inner.__closure__[0].cell_contents = 3.0
    assert again() == 15
    del factor
    with pytest.raises(sm.CompileError, match="inner"):
        again()
    factor = 4.0
    assert again() == 20


def test_a_name_that_is_gone_is_noticed(launch, monkeypatch):
    monkeypatch.setitem(globals(), "passing", 3.0)

    def body(c, x):
        c[0] = x + passing  # noqa: F821 - there for a while

    again = launch(body, 5.0)
    monkeypatch.delitem(globals(), "passing")
    with pytest.raises(sm.CompileError, match="passing"):
        again()


def test_what_stays_compiles_nothing_again(launch, monkeypatch):
    def body(c, line):
        c[0] = scale(line.at(line.twice)) + Line(1.0).start + Line.unit(1.0)

    again = launch(body, Line(2.0))
    monkeypatch.setattr(pipeline, "compile_for", _unexpected)
    again()


# --- Notebooks -------------------------------------------------------------------------------


def module_of(text):
    """A module whose source is known, as a notebook or an import would make it."""
    name = f"<module {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    module = types.ModuleType("loaded")
    exec(compile(text, name, "exec"), vars(module))  # noqa: S102 - our own text
    return module


@pytest.mark.parametrize("name", ["UPDATE_RULES", "update_rules"])
def test_autoreload_brings_kernels_up_to_date(monkeypatch, name):
    rules = []
    autoreload = types.SimpleNamespace(**{name: rules})
    monkeypatch.setitem(sys.modules, "IPython.extensions.autoreload", autoreload)
    text = "import speedmetal as sm\n@sm.kernel\ndef put(c):\n    c[0] = 1\n"
    old, new = (module_of(text.replace("= 1", f"= {n}")).put for n in (1, 2))
    c = sm.zeros(1)
    old(c, grid=1)
    assert c[0].item() == 1
    ((applies, update),) = rules
    assert (applies(old, new), applies(old, 1), applies(1, new)) == (True, False, False)
    update(old, new)
    old(c, grid=1)
    assert c[0].item() == 2

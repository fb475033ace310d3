# ruff: noqa: S102 - functions without a file are what is tested
"""The source of functions that come from no file: given, on the command line, or not to be had."""

import doctest
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import speedmetal as sm

TEXT = """
import speedmetal as sm

def helper(x):
    y: sm.{kind} = x
    return y * 3

@sm.kernel(source=SOURCE)
def scale(a):
    a[0] = helper(a[0])

def plain(a):
    a[0] = helper(a[0]) + 1
"""


def executed(text, **names):
    exec(text, names)
    return names


def text_of(kernel):
    return sm.code(kernel, "f32[:]", stage="ir")


def test_equal_code_of_other_texts_stays_apart():
    """The kind of a local name's annotation leaves no trace in Python's code."""
    for kind in ("float32", "float64", "float32"):
        text = TEXT.format(kind=kind)
        names = executed(text, SOURCE=text)
        short = getattr(sm, kind).short
        assert f"function helper(x: f32) -> {short}" in text_of(names["scale"])
        plain = sm.kernel(names["plain"], source=text)
        assert f"function helper(x: f32) -> {short}" in text_of(plain)


def test_the_def_alone_is_enough_wherever_it_stood():
    alone = """
        @outer
        def add(a, b, *, c):
            # a comment
            a[0] = b + c
    """
    whole = "\n" * 7 + "def outer(f): return f\nif True:\n" + alone
    names = executed(whole)
    for text in (alone, whole, "# other lines\n" + textwrap.dedent(alone)):
        a = np.zeros(1)
        sm.kernel(source=text)(names["add"])(a, 1, c=2, grid=1)
        assert a[0] == 3


def test_messages_show_the_lines_that_were_given():
    text = "def wrong(a):\n    a[0] = missing\n"
    names = executed("\n\n" + text)
    with pytest.raises(sm.CompileError) as caught:
        text_of(sm.kernel(names["wrong"], source=text))
    assert str(caught.value) == (
        "1 error in kernel 'wrong'\n\n<string>:4:12: error: the name 'missing' does not"
        " exist\n    4 |     a[0] = missing\n      |            ^^^^^^^"
    )


def test_lambdas_need_the_whole_text():
    text = "double, triple = lambda x: x * 2, lambda x: x * 3"
    names = executed(text)

    @sm.kernel
    def apply(a, function):
        a[0] = function(a[0])

    a = np.ones(1)
    sm.kernel(names["triple"], source=text)
    apply(a, names["triple"], grid=1)
    apply(a, names["double"], grid=1)
    assert a[0] == 6
    with pytest.raises(sm.UserInputError) as caught:
        sm.kernel(executed("f = lambda x: x + 1")["f"], source="lambda x: x + 1")
    assert str(caught.value) == (
        "the source given for '<lambda>' has no def <lambda>(x); give the text that was executed,"
        " or that of the function"
    )


NOT_IN_TEXT = (
    "the source given for 'wanted' has no def wanted(a); give the text that was executed, or that"
    " of the function"
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("def other(a): pass", NOT_IN_TEXT),
        ("def wanted(b): pass", NOT_IN_TEXT),
        ("\ndef wanted((a):", "the source given for 'wanted' is no Python: {}, in line 2"),
    ],
)
def test_a_text_without_the_function_is_refused(given, message):
    names = executed("def wanted(a):\n    a[0] = 1")
    with pytest.raises(sm.UserInputError) as caught:
        sm.kernel(names["wanted"], source=given)
    start, _, end = message.partition("{}")
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith(end)


def run(*arguments, stdin=None):
    return subprocess.run(
        [sys.executable, *arguments], input=stdin, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


PROGRAM = """
import sys, numpy as np, speedmetal as sm
def helper(x): return x + 1
@sm.kernel
def k(a): a[0] = helper(a[0]) + (lambda y: 3 * y)(a[1])
a = np.ones(2)
k(a, grid=1)
print(a[0], sys.argv)
"""
INSIDE = """
import numpy as np, speedmetal as sm
text = "\\n\\n\\n@sm.kernel\\ndef k(a): a[0] = 2"
@sm.kernel
def k(a): a[0] = 1
exec(text)
k(np.zeros(1), grid=1)
"""
MISSING = (
    "the source of 'k' is not available: Python does not keep that of functions typed at its"
    " prompt, read from the standard input, given to exec or defined inside %%timeit; put it into a"
    " file or a notebook cell, or give the text: @sm.kernel(source=...)"
)


@pytest.mark.tier("default")
def test_the_command_line_has_the_source_of_its_functions():
    for options in (["-c", PROGRAM, "-c", "x"], ["-Wonce", "-X", "nocache", "-sc" + PROGRAM]):
        done = run(*options)
        words = options[2:] if len(options) == 4 and options[0] == "-c" else []
        assert done.stdout == f"5.0 {['-c', *words]}\n", done.stderr


def test_text_of_the_command_line_is_not_taken_for_that_of_exec():
    assert run("-c", INSIDE).stderr.endswith(f"<string>:4:1: error: {MISSING}\n")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python keeps the text")
def test_the_standard_input_is_gone():
    assert run("-", stdin=PROGRAM).stderr.endswith(f"<stdin>:4:1: error: {MISSING}\n")


def kernel_in_a_doctest():
    """
    >>> import numpy as np, speedmetal as sm
    >>> @sm.kernel
    ... def fill(a):
    ...     a[0] = 7
    >>> a = np.zeros(1)
    >>> fill(a, grid=1)
    >>> print(a)
    [7.]
    """


def test_doctests_have_source():
    (test,) = doctest.DocTestFinder().find(kernel_in_a_doctest, globs={})
    assert doctest.DocTestRunner().run(test).failed == 0

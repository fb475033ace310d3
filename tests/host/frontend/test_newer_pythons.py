"""Syntax and rules of Pythons newer than the oldest that is supported."""

import ast
import sys

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.frontend.capture import Captured, capture
from speedmetal.frontend.parse import check


def doubled(a):
    a[0] = sum(x * 2 for x in (1, 2))


def test_unpacking_in_a_generator_is_refused():
    """Python 3.15 reads ``sum(*x for x in t)``; older ones cannot, so the tree is made here."""
    captured = capture(doubled)
    node = ast.parse(ast.unparse(captured.node)).body[0]
    generator = next(part for part in ast.walk(node) if isinstance(part, ast.GeneratorExp))
    generator.elt = ast.copy_location(ast.Starred(generator.elt, ast.Load()), generator.elt)
    (diagnostic,) = check(Captured(captured.name, node, captured.source))
    assert diagnostic.message == "a generator cannot unpack with *; write a loop"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated at once")
def test_annotations_that_only_type_checkers_can_evaluate():
    """Since 3.14 a function may name what is imported for type checkers alone."""
    names = {"sm": sm}
    text = "def fill(a: Missing, value: absent.Type):\n    a[0] = value\n"
    exec(compile(text, "fill.py", "exec", dont_inherit=True), names)  # noqa: S102 - our own text
    a = np.zeros(1, np.float32)
    sm.kernel(names["fill"], source=text)(a, 3, grid=1)
    assert a.tolist() == [3]


def test_annotations_as_text_are_not_evaluated():
    """What ``from __future__ import annotations`` makes of them, on every Python."""
    names = {"sm": sm}
    text = 'def fill(a: "Missing", value: "absent.Type"):\n    a[0] = value\n'
    exec(compile(text, "fill.py", "exec", dont_inherit=True), names)  # noqa: S102 - our own text
    a = np.zeros(1, np.float32)
    sm.kernel(names["fill"], source=text)(a, 3, grid=1)
    assert a.tolist() == [3]

"""Patterns find what they ask for, in its order, and nothing else will do."""

import pytest

from text_patterns import assert_follows

TEXT = """\
  %t1 = load i32, ptr %a
  %t12 = load i32, ptr %b
  %t3 = add i32 %t1, %t12
  store i32 %t3, ptr %a
  ret void
"""


@pytest.mark.parametrize(
    "pattern",
    [
        "load\nadd\nret void",
        "{x} = load i32, ptr %a\n{y} = load\n{z} = add i32 {x}, {y}\nstore i32 {z}",
        "load i32, ptr %b\nnot: load\nret",
        "not: mul\nret",
        "store ... ptr %a  ;; a remark",
    ],
)
def test_text_follows(pattern):
    assert_follows(TEXT, pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("add\nload", "expected 'load' after line 3"),
        ("{x} = load i32, ptr %a\nadd i32 %t12, {x}", "expected 'add i32 %t12, {x}' after line 1"),
        ("{x} = load\nstore i32 {x}", "expected 'store i32 {x}' after line 1"),
        ("load\nnot: load\nret void", "expected no 'load', got '%t12 = load i32, ptr %b'"),
        ("load\nnot: ret", "expected no 'ret', got 'ret void'"),
        ("not: ret", "the pattern expects nothing"),
        ("  ;; only a remark", "the pattern expects nothing"),
    ],
)
def test_other_text_fails_with_the_line_that_found_nothing(pattern, message):
    with pytest.raises(AssertionError) as caught:
        assert_follows(TEXT, pattern)
    assert message in str(caught.value)

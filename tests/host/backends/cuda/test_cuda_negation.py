"""Sixteen bits are negated by a function of ours: ptxas does not cut off what neg.s16 gives."""

from __future__ import annotations

import pytest

import speedmetal as sm


@sm.kernel
def compared(a, out):
    i = sm.thread_position_in_grid().x
    out[i, 0] = a[i] < -a[i]
    out[i, 1] = 0 - a[i] == a[i]
    out[i, 2] = abs(a[i]) >= 0


@pytest.mark.parametrize("short", ["i16", "u16"])
def test_no_16_bits_are_negated_by_the_instruction(short):
    text = sm.code(compared, f"{short}[:] bool[:, :]", target="cuda")
    name = {"i16": "negated_short", "u16": "negated_uint16"}[short]
    assert f"a[i] < {name}(a[i])" in text
    assert f"= {name}(a[i]) == a[i]" in text
    assembly = sm.code(compared, f"{short}[:] bool[:, :]", target="cuda", stage="assembly")
    assert "prmt" in assembly
    assert "neg.s16" not in assembly


@pytest.mark.parametrize("other", ["i8", "i32", "i64", "u32", "f16"])
def test_other_types_have_their_minus_sign(other):
    assert "negated" not in sm.code(compared, f"{other}[:] bool[:, :]", target="cuda")

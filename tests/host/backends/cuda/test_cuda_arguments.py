"""The names of the arguments' types are defined, whatever else the kernel uses."""

from __future__ import annotations

import pytest

import speedmetal as sm


@sm.kernel
def counted(a, at):
    sm.atomic_add(a, at, 1)


@pytest.mark.parametrize("short", ["i8", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f64"])
def test_a_type_that_only_an_argument_has_is_defined(short):
    types = f"i32[:] {short}" if short[0] in "iu" else f"{short}[:] i32"
    assert "counted" in sm.code(counted, types, target="cuda", stage="assembly")

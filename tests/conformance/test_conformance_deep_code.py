"""Code that is long or deeply nested, as programs write it, compiles and means what it says."""

from __future__ import annotations

import linecache

import numpy as np
import pytest

import speedmetal as sm

pytestmark = pytest.mark.tier("default")

HELPERS = """\
def step(a, i):
    if a[i] > 3:
        return 1.0
    return a[i + 1]

def f0(x):
    return x + 1
""" + "".join(f"def f{n}(x):\n    return f{n - 1}(x) + 1\n" for n in range(1, 100))  # fmt: skip
BODIES = {
    "calls": ("o[0] = f99(x)", 100),
    "elif": ("if x == -1:\n    o[0] = 1\n"
             + "".join(f"elif x == {n}:\n    o[0] = {n}\n" for n in range(400))
             + "else:\n    o[0] = 7", 0),
    "elif_of_calls": ("if x == -1:\n    y = 1\n"
                      + "".join(f"elif step(o, {n}) == 2 and o[{n}] < x:\n    y = {n}\n"
                                for n in range(60))
                      + "else:\n    y = 7\no[0] = y", 7),
    "minimum": ("o[0] = min(" + ", ".join(f"x + {n}" for n in range(300, 0, -1)) + ")", 1),
    "signs": ("o[0] = " + "-" * 801 + "(x + 1)", -1),
    "comparisons": ("o[0] = 3 if -1 <" + " x <=" * 500 + " x else 4", 3),
    "comparisons_of_loads": ("o[0] = 3 if -1 <" + " o[1] <=" * 60 + " o[2] else 4", 3),
    "and": ("o[0] = 3 if " + " and ".join(f"x > -{n + 1}" for n in range(600)) + " else 4", 3),
    "if_and": ("if " + " and ".join(f"o[{n % 9}] > -{n + 1}" for n in range(80))
               + ":\n    o[0] = 3", 3),
    "or": ("o[0] = " + " or ".join(f"(x - {n})" for n in range(60)), -1),
    "choices": ("x += 60\no[0] = "
                + "".join(f"o[{n % 9}] + {n} if x == {n} else " for n in range(200)) + "99", 60),
    "in": ("o[0] = 3 if x + 250 in (" + ", ".join(map(str, range(300))) + ") else 4", 3),
    "sum": ("o[0] = sum((" + ", ".join(f"x + {n}" for n in range(200)) + "))", 19900),
}  # fmt: skip


def made(body):
    """A kernel of a file that has this body, and the helpers."""
    name = f"<deep code {len(linecache.cache)}>"
    lines = "".join(f"    {line}\n" for line in f"x = o[1]\n{body}".splitlines())
    text = f"{HELPERS}\ndef deep(o):\n{lines}"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names = {"sm": sm}
    exec(compile(text, name, "exec"), names)  # noqa: S102 - our own text
    return sm.kernel(names["deep"])


@pytest.mark.parametrize("name", BODIES)
def test_deep_code(launch, name):
    body, wanted = BODIES[name]
    out = np.zeros(64, np.float32)
    launch(made(body), out, grid=1)
    assert out[0] == wanted


def test_names_that_long_chains_bind_stay_bound(launch):
    terms = " and ".join(f"(y{n} := x + {n}) >= {n}" for n in range(40))
    body = f"if {terms} and y39 == 39:\n    o[0] = y0 + y20"
    out = np.zeros(64, np.float32)
    launch(made(body), out, grid=1)
    assert out[0] == 20


def test_barriers_deep_in_a_chain(launch):
    """Where all threads take the same branch, they meet in it, however deep it is."""
    tests = "".join(f"    elif n == {k}:\n        o[i] = {k}\n" for k in range(120))
    text = f"""\
def deep(o, n):
    t = sm.threadgroup_array(32, sm.float32)
    i = sm.thread_index_in_threadgroup()
    t[i] = 0
    if n == -1:
        o[i] = 5
{tests}    else:
        t[i] = i
        sm.threadgroup_barrier()
        o[i] = t[31 - i]
"""
    name = "<barriers in deep code>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names = {"sm": sm}
    exec(compile(text, name, "exec"), names)  # noqa: S102 - our own text
    out = np.zeros(32, np.float32)
    launch(sm.kernel(names["deep"]), out, 500, grid=32, threads=32)
    assert out.tolist() == [*range(31, -1, -1)]

"""Programs that nest deeply mean the same when they are taken apart, and their text is shallow."""

import linecache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.compiler import pipeline
from speedmetal.ir import nodes as ir
from speedmetal.ir import walk
from speedmetal.passes import nesting
from tiers import examples

LIMITS = (nesting.DEEPEST_BRANCH, nesting.DEEPEST_EXPRESSION)


@pytest.fixture(params=[(2, 2), (3, 3), LIMITS], ids=str)
def limits(request, monkeypatch):
    monkeypatch.setattr(nesting, "DEEPEST_BRANCH", request.param[0])
    monkeypatch.setattr(nesting, "DEEPEST_EXPRESSION", request.param[1])
    return request.param


def lowered(function, types, target="cpu"):
    kernel = sm.kernel(function)
    return pipeline.lower(kernel.specialisation(kernel.signature_for((types,))), target)[0]


def branches_of(body):
    """How deeply branches nest, a loop ending the count."""
    deepest = 0
    for statement in body:
        inner = max(map(branches_of, walk.blocks(statement)), default=0)
        deepest = max(deepest, inner + isinstance(statement, ir.If))
    return deepest


def expressions_of(body):
    """How deeply expressions nest."""

    def depth(expression):
        return 1 + max(map(depth, walk.operands(expression)), default=0)

    return max(depth(e) for s in walk.statements(body) for e in walk.operands(s))


def brackets(text):
    """How deeply brackets nest in a text."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def classify(a, out, n):  # noqa: C901, PLR0912 - nesting is what is tested
    i = 0
    while (((i + 1) * 2 - 2) // 2 + 3) * 2 - 6 < 2 * n:
        x = a[i]
        i += 1
        if x == 0:
            out[i - 1] = 10
        elif x == 1:
            if n > 100:
                out[i - 1] = 3
            elif n > 50:
                continue
            elif n > 3:
                out[i - 1] = 20
                if i > 2:
                    out[i - 1] += 1
                    if i > 3:
                        if i > 4:
                            continue
                        out[i - 1] += 1
                out[i - 1] += 100
        elif x == 2:
            out[i - 1] = ((((x + 1) * 2 - 3) * 4 + x) * 5 - x) * 6 % 97
        elif x == 3:
            for k in range(5):
                if k == 1:
                    continue
                if k == 4:
                    break
                if k == 3:
                    out[i - 1] += 7
                    if x > 1:
                        out[i - 1] += 7
                out[i - 1] += 1
        elif x == 4:
            break
        elif x == 5:
            return
        out[i - 1] += 1000


def python_of(values):
    out = [0] * len(values)
    classify(values, out, len(values))
    return out


@given(values=st.lists(st.integers(0, 6), min_size=1, max_size=8))
@settings(max_examples=examples(40))
@pytest.mark.parametrize("pair", [(2, 2), (3, 3), LIMITS], ids=str)
def test_what_is_taken_apart_means_the_same(pair, values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nesting, "DEEPEST_BRANCH", pair[0])
        patch.setattr(nesting, "DEEPEST_EXPRESSION", pair[1])
        kernel = KERNELS.setdefault(pair, sm.kernel(classify))
        out = np.zeros(len(values), np.int32)
        kernel(np.array(values, np.int32), out, len(values), grid=1)
    assert out.tolist() == python_of(values)


KERNELS = {}


def assigned(kernel):
    """The names of variables, one for each assignment."""
    found = map(walk.assigned_variable, walk.statements(kernel.body))
    return [variable.name for variable in found if variable is not None]


def test_nothing_stays_that_is_too_deep(limits):
    found = lowered(classify, "i32[:] i32[:] i32")
    # A branch that is not the last of its block starts to count anew: there are three.
    assert branches_of(found.body) <= max(limits[0] + 3, 3)
    assert expressions_of(found.body) <= limits[1]
    ladder = lowered(made(HEAD + DEEP["elif"]), "i32[:]")
    assert branches_of(ladder.body) <= limits[0] + 2
    assert any("later" in name for name in assigned(found)) == (limits != LIMITS)


def test_what_is_shallow_stays_the_same():
    def simple(a):
        a[0] = a[1] + 1 if a[2] > 0 else a[3]

    kernel = lowered(simple, "f32[:]")
    assert nesting.limit_nesting(kernel) is kernel


def made(text):
    name = f"<nesting {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names = {"sm": sm}
    exec(compile(text, name, "exec"), names)  # noqa: S102 - our own text
    return names["deep"]


HEAD = """\
def g(a, i):
    if a[i] > 3:
        return 1
    return a[i + 1]
def deep(a):
    x = a[1]
"""
DEEP = {
    "minimum": "    a[0] = min(" + ", ".join(f"x + {k}" for k in range(300)) + ")\n",
    "signs": "    a[0] = " + "-" * 300 + "x\n",
    "sum": "    a[0] = sum((" + ", ".join(f"x * {k}" for k in range(300)) + "))\n",
    "division": "    a[0] = x" + " // x % 7" * 150 + "\n",
    "choice": "    a[0] = " + "".join(f"a[{k}] if x == {k} else " for k in range(300)) + "x\n",
    "elif": "    if x == -1:\n        a[0] = 1\n"
    + "".join(f"    elif g(a, {k}) == 7 and a[{k}] > x:\n        a[0] = {k}\n" for k in range(150)),
    "and": "    if " + " and ".join(f"a[{k}] > x" for k in range(300)) + ":\n        a[0] = 1\n",
}  # fmt: skip


@pytest.mark.tier("default")
@pytest.mark.parametrize("target", ["metal", "cuda"])
@pytest.mark.parametrize("name", DEEP)
def test_texts_stay_within_the_brackets_that_clang_takes(name, target):
    text = str(sm.code(made(HEAD + DEEP[name]), "i32[:]", target=target))
    assert brackets(text) <= 200


def test_names_are_new(limits):
    def named(a):
        part = a[0]
        later = a[1]
        a[2] = ((((part + later) * 3 - part) * 5 - later) * 7 - 1) * 9

    names = assigned(lowered(named, "i32[:]"))
    assert len(names) == len(set(names))

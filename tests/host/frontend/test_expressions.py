"""Structures of expressions, what launches of them depend on, and what is refused."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.compiler import pipeline
from speedmetal.dtypes import ALL, COMPLEX, promote
from speedmetal.frontend import structure
from speedmetal.frontend.elements import OPERATIONS
from speedmetal.frontend.result_types import result_type
from speedmetal.launch.expressions import combine, of_array, placed_leaves


@sm.kernel
def evaluate(x, out):
    i = sm.thread_position_in_grid().x
    out[i] = x[i]


def chain(array, count):
    x = of_array(array)
    for _ in range(count):
        x = combine("add", x, array)
    return x


# --- Structures ----------------------------------------------------------------------------------


def test_one_form_is_one_object():
    a, b = sm.zeros(3), sm.zeros((2, 3))
    first = combine("add", combine("multiply", a, 2.5), b)
    second = combine("add", combine("multiply", a, 3.5), sm.ones((2, 3)))
    assert first.structure is second.structure
    assert first.structure is not combine("add", b, combine("multiply", a, 2.5)).structure


def test_what_is_shared_tells_structures_apart():
    a, b = sm.zeros(3), sm.zeros(3)
    assert combine("add", a, a).structure is not combine("add", a, b).structure
    assert len(combine("add", a, a).leaves) == 1
    square = combine("multiply", a, b)
    assert len(structure.ordered_nodes(combine("add", square, square).structure)) == 4


def test_the_bound_of_nodes_is_none_too_low():
    """It is exact for a tree, and counts what is shared as often as it is used."""
    a, b = sm.zeros(3), sm.zeros(3)
    tree = combine("add", combine("multiply", a, b), combine("sqrt", a)).structure
    assert tree.most_nodes == 6  # the leaf a is two of them
    expression = combine("add", a, b)
    for _ in range(200):
        expression = combine("multiply", expression, expression)
        nodes = len(structure.ordered_nodes(expression.structure))
        assert nodes <= expression.structure.most_nodes
    assert expression.structure.most_nodes < 2**32  # it stays a short number


def test_nobody_keeps_structures_alive():
    gc.collect()
    combine("negate", sm.zeros(1))  # the entries of the dead go when something is made
    before = set(structure._table)  # of which some may go while this test goes on
    x = chain(sm.zeros(3), 3000)
    assert len(structure._table.keys() - before) > 2900
    del x  # a chain of 3000 goes without recursion
    gc.collect()
    for name in ("sqrt", "negate"):
        combine(name, combine(name, sm.zeros(3)))
    assert len(structure._table.keys() - before) <= 10


def test_threads_agree_on_the_object():
    found = []
    a = sm.zeros(3)

    def make():
        found.append([chain(a, n).structure for n in range(1, 40)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(row == found[0] for row in found)


def test_the_digest_is_the_same_in_every_process():
    code = (
        "import speedmetal as sm\n"
        "from speedmetal.launch.expressions import combine\n"
        "a = sm.zeros((2, 3))\n"
        "print(combine('add', combine('multiply', a, 2), a).structure.digest)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    a = sm.zeros((2, 3))
    assert seen == {combine("add", combine("multiply", a, 2), a).structure.digest + "\n"}


def test_types_are_the_languages():
    assert result_type("add", (sm.bool_, sm.bool_)) is sm.int32
    assert result_type("divide", (sm.int8, sm.uint8)) is sm.float32
    assert result_type("isnan", (sm.float16,)) is sm.bool_
    for dtype in COMPLEX:
        assert result_type("abs", (dtype,)) is dtype.part
        assert result_type("exp", (dtype,)) is dtype
        assert result_type("where", (sm.bool_, sm.float64, dtype)) is sm.complex128
        for other in ALL:
            assert result_type("multiply", (dtype, other)) is promote(dtype, other)
    with pytest.raises(sm.UserInputError, match="no common type for int64 and uint64"):
        result_type("add", (sm.int64, sm.uint64))
    assert {"add", "where", "exp", "negate", "lt"} <= OPERATIONS.keys()


# --- Leaves --------------------------------------------------------------------------------------


def test_axes_along_which_a_leaf_repeats_itself_are_dropped():
    column, row = sm.zeros((3, 1)), sm.zeros(4)
    placed = placed_leaves(combine("add", combine("add", column, row), 1.0))
    assert [(leaf.axes, leaf.shape) for leaf in placed] == [((0,), (3,)), ((1,), (4,)), ((), ())]


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        ((np.zeros(3, np.float32), [1, 2]), "takes arrays, expressions and numbers, got list"),
        ((np.zeros(3, np.uint8), 300), "the number 300 does not fit into uint8"),
        ((np.zeros(3, np.uint8), -1), "the number -1 does not fit into uint8"),
        ((np.zeros(3), np.zeros(4)), r"the shapes \(3,\) and \(4,\) do not go together"),
    ],
)
def test_bad_operands(operands, message):
    given = [sm.array(x) if isinstance(x, np.ndarray) else x for x in operands]
    with pytest.raises(sm.UserInputError, match=message):
        combine("add", *given)


# --- Launches ------------------------------------------------------------------------------------


def test_values_sizes_and_arrays_share_one_compiled_kernel():
    fresh = sm.kernel(evaluate.function)
    for size, number in ((8, 1.5), (9, 2.5), (100, -1.0)):
        a, out = sm.ones(size), sm.zeros(size)
        fresh(combine("multiply", combine("add", a, number), a), out, grid=size)
        assert out.tolist() == [1 + number] * size
    codes = set(map(id, fresh._launcher.compiled.values()))
    assert len(codes) == 1  # for all of the CPU's variants
    assert len(fresh._launcher.plans) == 3  # one for each size


def test_what_the_code_depends_on_is_in_the_key_on_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))
    a, b, m = sm.zeros(4), sm.zeros(4), sm.zeros((4, 4))
    kinds = [
        combine("add", a, b),
        combine("add", a, a),
        combine("multiply", a, b),
        combine("add", a, 1),
        combine("add", a, m[:, 0]),
        combine("add", m, a),
        combine("add", m, m[:, :1]),
        of_array(a),
    ]
    same = combine("add", m, m[:1])  # as m + a: the leaf has no axis 0
    cpu = sm.device("cpu")
    keys = []
    for x in (*kinds, same):
        variant = evaluate.specialisation(evaluate.signature_for((x, a)))
        keys.append(pipeline._disk_key(cpu, variant)[0])
    assert "" not in keys
    assert len(set(keys)) == len(kinds)
    assert keys[-1] == keys[5]


def test_an_expression_of_a_float64_array_does_not_widen_other_numbers():
    @sm.kernel
    def scaled(x, scale, out):
        i = sm.thread_position_in_grid().x
        out[i] = x[i] * scale

    wide = sm.array(np.array([1 / 3]))
    out = sm.zeros(1, sm.float64)
    scaled(of_array(wide).astype(sm.float32), 0.1, out, grid=1)
    assert out.tolist() == [float(np.float32(1 / 3) * np.float32(0.1))]


def test_the_ir_is_one_function_for_a_structure():
    a = sm.zeros((3, 4))

    @sm.kernel
    def twice(x, y, out):
        p = sm.thread_position_in_grid()
        out[p.y, p.x] = x[p.y, p.x] + x[p.y, 0] + y[p.y, p.x]

    x, y = combine("exp", combine("add", a, 1)), combine("exp", combine("add", a, 2))
    text = sm.code(twice, x, y, "f32[:,:]", stage="ir")
    assert text.count("function element") == 1


def test_an_unknown_object_is_no_static_argument():
    class Unknown:
        dtype = sm.float32

    with pytest.raises(sm.LaunchError, match="can not take an Unknown"):
        evaluate(Unknown(), sm.zeros(3), grid=1)


def test_a_large_function_of_elements_is_not_written_twice():
    def calls(count):
        text = str(sm.code(evaluate, chain(sm.zeros(9), count), "f32[:]"))
        return len(re.findall(r"call [^\n]*@element", text))

    assert calls(2000) < calls(3)

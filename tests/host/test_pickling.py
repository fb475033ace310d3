# ruff: noqa: S301 - what is unpickled comes from here
"""Kernels in other processes and in copies: by name, by source, or not at all, which is said."""

import concurrent.futures
import copy
import functools
import math
import multiprocessing
import pickle
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.intrinsics import TABLE, constructs

pytestmark = pytest.mark.tier("default")

FACTOR = 3
square = lambda x: x * x  # noqa: E731 - lambdas have no name to be found by


def helper(x):
    return x * FACTOR


@sm.kernel
def named(a, n=2):
    a[0] = helper(a[0]) + n


def _plain(a):
    a[0] = square(a[0])


under_another_name = sm.kernel(debug=1)(_plain)


@dataclass(frozen=True)
class Limits:
    function: object
    steps: int


@dataclass(frozen=True)
class Solver:
    step_size: float

    @sm.kernel
    def step(self, a):
        a[0] = a[0] + self.step_size

    @staticmethod
    @sm.kernel
    def clear(a):
        a[0] = 0


def made(offset, function=helper, power=square):
    def add(x, also=lambda x: x + 1):
        return also(x) - 1

    @sm.kernel(debug=2, name="given")
    def inner(a, b=offset, *, c=(1, 0.5), d=Limits(helper, 4)):
        """With
    text at the margin."""  # fmt: skip
        y: sm.float32 = power(function(a[0])) + math.floor(sm.sqrt(4.0))  # a comment
        a[0] = y + offset + b + c[0] + add(d.steps)

    return inner


def outcome(kernel, *arguments):
    a = np.full(1, 2.0)
    kernel(a, *arguments, grid=1)
    return a[0]


def sent(value, protocol=pickle.HIGHEST_PROTOCOL):
    return pickle.loads(pickle.dumps(value, protocol))


@pytest.mark.parametrize("protocol", range(4, pickle.HIGHEST_PROTOCOL + 1))
def test_what_a_module_has_is_pickled_by_name(protocol):
    for kernel in (named, under_another_name, Solver.step, Solver.clear):
        assert sent(kernel, protocol) is kernel
    assert outcome(sent(Solver(0.5).step, protocol)) == 2.5
    assert outcome(sent(functools.partial(named, n=5), protocol)) == 11
    assert sent(named.compile)("f64[:] i32") == named.compile("f64[:] i32")


def test_copies_are_the_kernel_itself():
    kernel = made(5)
    for copied in (copy.copy(kernel), copy.deepcopy(kernel), copy.deepcopy([kernel])[0]):
        assert copied is kernel


def test_other_kernels_are_pickled_by_source():
    for offset in (10, 20.5):
        kernel = made(offset)
        again = sent(kernel)
        assert again is not kernel
        assert (again.name, again.options) == ("given", ("given", 2))
        assert again.function.__qualname__ == kernel.function.__qualname__
        assert outcome(again) == outcome(kernel) == 36 + 2 + 2 * offset + 1 + 4
        assert outcome(sent(again), 7) == outcome(kernel, 7)


def test_failures_of_a_pickled_kernel_show_the_users_lines():
    kernel = made(1)
    messages = []
    for each in (kernel, sent(kernel)):
        with pytest.raises(sm.CompileError) as caught:
            each(np.zeros((1, 1)), grid=1)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "test_pickling.py" in messages[0]


def test_lambdas_and_functions_given_to_exec():
    text = "def k(a):\n    a[0] = f(a[0]) + g(a[0])\nf = lambda x: x + 1\ndef g(x): return x * 10\n"
    names = {}
    exec(text, names)  # noqa: S102 - what is tested
    kernel = sm.kernel(names["k"], source=text)
    sm.kernel(names["f"], source=text)
    assert outcome(sent(kernel)) == outcome(kernel) == 23


def test_what_cannot_be_pickled_is_told():
    names = {"__name__": "somewhere"}
    exec("def k(a): a[0] = 1", names)  # noqa: S102 - what is tested
    with pytest.raises(sm.UserInputError) as caught:
        pickle.dumps(sm.kernel(names["k"]))
    assert str(caught.value) == (
        "kernel 'k' cannot be pickled: no name of module 'somewhere' is this kernel, and its source"
        " is not available; define it at the top level of a module, or give the text:"
        " @sm.kernel(source=...)"
    )


def test_words_of_the_language_keep_their_identity():
    parts = TABLE["simd_sum"].parts.values()
    for record in (*TABLE.values(), *parts, *constructs.RECORDS):
        assert sent(record) is record
        assert copy.deepcopy(record) is record


def test_code_and_errors_come_back_from_other_processes():
    text = sm.code(named, "f32[:] i32", target="metal")
    assert (sent(text), sent(text).language) == (text, text.language)
    calls = (
        lambda: named(grid=1),
        lambda: named(np.zeros((1, 1)), grid=1),
        lambda: sm.code(named, "f99"),
        lambda: named(np.zeros(0), grid=1, debug=1),
    )
    for call in calls:
        with pytest.raises(sm.SpeedmetalError) as caught:
            call()
        again = sent(caught.value)
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))
        assert vars(again) == vars(caught.value)


# --- Programs ---------------------------------------------------------------------------------

PROGRAM = """
import sys, pickle, multiprocessing, concurrent.futures
import numpy as np, speedmetal as sm
FACTOR = 3
def helper(x): return x * FACTOR
@sm.kernel
def k(a):
    a[0] = helper(a[0]) + 1
def work(kernel):
    a = np.full(1, 2.0)
    kernel(a, grid=1)
    return a[0]
if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(k))
"""
IN_A_POOL = """
    sys.stdout.flush()
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        {}
"""


def run(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_another_program_makes_the_kernel_from_its_source(tmp_path, monkeypatch):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    for arguments in ((str(path),), ("-c", PROGRAM)):
        kernel = pickle.loads(run(*arguments))
        assert outcome(kernel) == 7
        assert kernel.function.__module__ == "__main__"
    # A program that has another kernel of this name gets the one that was sent.
    monkeypatch.setattr(sys.modules["__main__"], "k", named, raising=False)
    assert outcome(pickle.loads(run("-c", PROGRAM))) == 7
    monkeypatch.setattr(sys.modules["__main__"], "k", kernel)
    assert sent(kernel) is kernel


def test_pools_of_spawned_processes(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + IN_A_POOL.format("print(pool.submit(work, k).result())"))
    assert run(str(path)).endswith(b"7.0\n")
    asked = PROGRAM + IN_A_POOL.format("print(pool.submit(k.compile, 'f32[:]').result().name)")
    assert run("-c", asked).endswith(b"k\n")
    context = multiprocessing.get_context("spawn")
    text = sm.code(made(1), "f64[:]", stage="ir")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        assert pool.submit(sm.code, made(1), "f64[:]", stage="ir").result() == text

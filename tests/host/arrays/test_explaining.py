"""What is told of an evaluation before it is done, and what is computed without fusion."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.deferred import schedule
from speedmetal.errors import UserInputError


def test_a_fused_chain_is_one_step_and_nothing_is_computed():
    a, b = sm.ones((30, 10)), sm.ones(10)
    y = 2 * (a - (b - a)) / -a + sm.where(a > b, sm.exp2(a), 0.5)
    told = sm.explain(y)
    assert y.pending is not None
    (step,) = told.steps
    assert step.text == "2.0 * (a - (b - a)) / (-a) + where(a > b, exp2(a), 0.5)"
    assert (step.bytes_read, step.bytes_written) == (1240, 1200)
    assert str(told).startswith("in memory: a (30, 10) float32, b (10,) float32\n1. elementwise: r")
    assert "1 step, 2.4 KB moved" in str(told)


def test_arrays_have_letters_in_the_order_of_the_text():
    a, b = sm.ones(3), sm.ones(3)
    (product,) = sm.explain(a * b).steps
    (total,) = sm.explain(sm.sum(b / a + b)).steps
    assert (product.text, product.reads) == ("a * b", ("a", "b"))
    assert (total.text, total.reads) == ("sum(a / b + a)", ("a", "b"))


def test_the_steps_are_those_that_run(monkeypatch):
    """Proves that what one kernel computes together is told as one step, and nothing else."""
    ran = []
    for name in ("compute", "compute_together"):
        known = getattr(schedule, name)
        monkeypatch.setattr(schedule, name, lambda x, known=known: (ran.append(x), known(x)))
    a = sm.ones(50)
    x = sm.exp(a)
    y = (x + 1) * 2
    z = x / y
    told = sm.explain(z)
    (step,) = told.steps
    assert (step.results, step.reads) == (("t1", "r"), ("a",))
    assert step.text == "exp(a); t1 / ((exp(a) + 1.0) * 2.0)"
    assert (step.bytes_read, step.bytes_written) == (200, 400)
    assert "read several times" in step.reasons[0]
    assert "asked for" in step.reasons[1]
    assert not ran
    sm.eval(z)
    assert [tuple(map(id, each)) for each in ran] == [(id(x), id(z))]
    np.testing.assert_allclose(z.numpy(), np.e / ((np.e + 1) * 2), rtol=1e-6)
    assert str(sm.explain(z)) == "nothing to compute: the memory is there"


def test_several_that_are_asked_for_are_one_step_where_they_lie_alike():
    a = sm.ones((4, 5))
    told = sm.explain(a + 1, a * 2, (a - 1).T, sm.sum(a))
    assert [step.results for step in told.steps] == [("r4",), ("t4", "r1", "r2")]
    assert str(told).startswith("in memory: a (4, 5) float32\n1. sum: r4 = sum(a)")


def test_notebooks_draw_it():
    drawn = sm.explain(sm.ones(3) < 2)._repr_html_()
    assert "a &lt; 2.0" in drawn
    assert drawn.count("<code>") == 1


def test_only_arrays_are_explained():
    with pytest.raises(UserInputError, match="explain takes arrays, got an int"):
        sm.explain(3)


def test_without_fusion_each_operation_is_computed_at_once():
    a = sm.array(np.linspace(0.1, 1, 100, dtype="f4"))

    def compute() -> sm.Array:
        y = a * a
        z = y + sm.sin(y)
        assert (y.pending is None) == (z.pending is None)
        return z

    fused = compute()
    with sm.no_fusion():
        alone = compute()
    assert alone.pending is None
    assert fused.pending is not None
    np.testing.assert_array_equal(fused.numpy(), alone.numpy())
    assert (a + 1).pending is not None

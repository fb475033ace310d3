"""Which matrices are right factors and nothing else."""

from __future__ import annotations

import pytest

import speedmetal as sm
from speedmetal.frontend.infer import infer_kernel
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.analysis import facts


def right_factors(function) -> set[str]:
    kernel = infer_kernel(function, parse_signature("f16[:,:] f16[:,:] f32[:,:]"), debug=0).kernel
    return {variable.name for variable in facts(kernel).right_factors}


def test_a_right_factor_that_is_loaded_ahead():
    """It goes from name to name, round a loop."""

    def kernel(a, b, c):
        total = sm.simdgroup_matrix(0, sm.float32)
        left, right = sm.simdgroup_load(a, (0, 0)), sm.simdgroup_load(b, (0, 0))
        for k in range(8, a.shape[1], 8):
            next_right = sm.simdgroup_load(b, (k, 0))
            total = sm.simdgroup_multiply_accumulate(left, right, total)
            right = next_right
        sm.simdgroup_store(total, c, (0, 0))

    assert right_factors(kernel) >= {"right", "next_right"}
    assert right_factors(kernel).isdisjoint({"left", "total"})


USES = {
    "a left factor": sm.simdgroup_multiply,
    "a sum": lambda right, a: sm.simdgroup_multiply_accumulate(a, a, right),
}


@pytest.mark.parametrize("use", USES)
def test_a_matrix_that_is_also_something_else(use):
    used = USES[use]

    def kernel(a, b, c):
        right = sm.simdgroup_load(b, (0, 0))
        left = sm.simdgroup_load(a, (0, 0))
        first = sm.simdgroup_multiply(left, right)
        sm.simdgroup_store(first, a, (0, 0))
        sm.simdgroup_store(used(right, left), a, (8, 0))

    assert "right" not in right_factors(kernel)


def test_a_matrix_that_is_stored_or_computed():
    def kernel(a, b, c):
        right = sm.simdgroup_load(b, (0, 0))
        sm.simdgroup_store(right, a, (0, 0))
        square = sm.simdgroup_multiply(right, right)
        sm.simdgroup_store(sm.simdgroup_multiply(right, square), a, (0, 0))

    assert right_factors(kernel) == set()


def test_a_matrix_that_becomes_a_left_factor_under_another_name():
    def kernel(a, b, c):
        left, right = sm.simdgroup_load(a, (0, 0)), sm.simdgroup_load(b, (0, 0))
        for _ in range(a.shape[1]):
            sm.simdgroup_store(sm.simdgroup_multiply(left, right), a, (0, 0))
            left = right
            right = sm.simdgroup_load(b, (8, 0))

    assert right_factors(kernel).isdisjoint({"left", "right"})

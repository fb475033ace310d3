"""Large matrices become small ones, and copies that nobody waits for become loads and stores."""

from __future__ import annotations

import pytest

import speedmetal as sm
from speedmetal.frontend.infer import infer_kernel
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir import nodes as ir
from speedmetal.ir.text import kernel_text
from speedmetal.passes.async_copies import check_groups, copy_at_once
from speedmetal.passes.matrices import split_matrices


def kernel_of(function, text: str = "f32[:,:] f32[:,:]") -> ir.Kernel:
    return infer_kernel(function, parse_signature(text), debug=0).kernel


def body_text(kernel: ir.Kernel) -> list[str]:
    return [line[4:] for line in kernel_text(kernel).splitlines() if line.startswith("    ")]


def test_a_product_is_one_of_all_parts_in_the_order_of_the_inner_axis():
    def kernel(a, b):
        left = sm.simdgroup_load(a, (0, 8), shape=(8, 16))
        right = sm.simdgroup_load(b, (0, 0), transpose=True, shape=(16, 8))
        sm.simdgroup_store(sm.simdgroup_multiply(left, right), a, (8, 0))

    assert body_text(split_matrices(kernel_of(kernel))) == [
        "left_0_0: simdgroup_matrix<f32> = a[0i32, 8i32 : 8x8]",
        "left_0_1: simdgroup_matrix<f32> = a[0i32, 16i32 : 8x8]",
        "right_0_0: simdgroup_matrix<f32> = b[0i32, 0i32 : 8x8].T",
        "right_1_0: simdgroup_matrix<f32> = b[0i32, 8i32 : 8x8].T",
        "matrix_2: simdgroup_matrix<f32> = simdgroup_multiply(left_0_0, right_0_0)",
        "matrix_2 = simdgroup_multiply_accumulate(left_0_1, right_1_0, matrix_2)",
        "a[8i32, 0i32 : 8x8] = matrix_2",
    ]


def test_a_matrix_that_is_a_factor_of_itself_is_read_to_the_end():
    def kernel(a, b):
        x = sm.simdgroup_matrix(1, sm.float32, (16, 16))
        for _ in range(a.shape[0]):
            x = sm.simdgroup_multiply(x, x)
        sm.simdgroup_store(x, b, (0, 0))

    lines = body_text(split_matrices(kernel_of(kernel)))
    product = [line.strip() for line in lines if "simdgroup_multiply" in line]
    targets = {line.partition("=")[0].partition(":")[0].strip() for line in product}
    assert targets.isdisjoint({f"x_{i}_{j}" for i in "01" for j in "01"})
    assert len(product) == 8


def test_small_matrices_are_left_as_they_are():
    def kernel(a, b):
        sm.simdgroup_store(sm.simdgroup_load(a, (0, 0)), b, (0, 0))

    whole = kernel_of(kernel)
    assert split_matrices(whole) is whole
    assert copy_at_once(whole) is whole


def test_a_copy_is_a_store_of_each_element():
    def kernel(a, b):
        tile = sm.threadgroup_array((2, 4), sm.float32)
        sm.async_copy(tile, (1, 0), a, (3, 2), 2)
        sm.async_copy_group()
        sm.async_copy_wait(0)
        b[0, 0] = tile[1, 1]

    assert body_text(copy_at_once(kernel_of(kernel))) == [
        "threadgroup tile: f32[2, 4]",
        "tile[1i32, 0i32] = a[3i32, 2i32]",
        "tile[1i32, 0i32 + 1i32] = a[3i32, 2i32 + 1i32]",
        "b[0i32, 0i32] = tile[1i32, 1i32]",
    ]


def waiting(*, groups: bool, pending: int):
    def kernel(a, b):
        tile = sm.threadgroup_array((2, 4), sm.float32)
        for k in range(4):
            sm.async_copy_wait(pending)
            b[0, 0] = tile[1, 1]
            sm.async_copy(tile, (1, 0), a, (k, 2), 2)
            if groups:
                sm.async_copy_group()

    return kernel


def test_a_wait_that_leaves_groups_needs_some():
    (fault,) = check_groups(kernel_of(waiting(groups=False, pending=2)))
    assert fault.span.excerpt().splitlines()[0].endswith("sm.async_copy_wait(pending)")
    assert fault.message == (
        "sm.async_copy_wait(2) does not wait for the latest groups of copies, and this kernel makes"
        " no group, so that it would wait for nothing; call sm.async_copy_group() behind the copies"
        " that belong together, or wait for all copies with sm.async_copy_wait()"
    )
    with pytest.raises(sm.CompileError, match="makes no group"):
        sm.code(waiting(groups=False, pending=2), "f32[:,:]", "f32[:,:]", target="cpu")


@pytest.mark.parametrize(("groups", "pending"), [(True, 2), (True, 0), (False, 0)])
def test_other_waits_are_right(groups, pending):
    assert check_groups(kernel_of(waiting(groups=groups, pending=pending))) == []

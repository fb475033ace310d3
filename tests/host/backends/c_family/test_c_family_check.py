"""What a target cannot do is said at the place in the user's source, all of it together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from c_family_kernels import atomics, collectives, complex_product, matrices, operations

from ir_builder import Builder, span
from speedmetal import dtypes as d
from speedmetal.backends.cuda.codegen import printer as cuda
from speedmetal.backends.metal.codegen import printer as metal
from speedmetal.errors import CompileError
from speedmetal.ir.types import Space


def messages(kernel, target=metal):
    return [diagnostic.message for diagnostic in target.check_kernel(kernel)]


def test_float64_on_metal_is_told_with_its_place():
    b = Builder("half_of")
    x = b.array("x", d.float64)
    b.parameters[0] = x = replace(x, span=span(3, "def half_of(x):"))
    i = b.let("i", b.position("thread_position_in_grid"))
    b.emit(replace(b.store(x, [i], b.load(x, i)), span=span(5, "x[i] = x[i]")))
    with pytest.raises(CompileError) as caught:
        metal.print_kernel(b.kernel())
    text = str(caught.value)
    assert "float64 is not available on Metal GPUs; use float32" in text
    assert "kernel.py:3:1: error:" in text
    assert "3 | def half_of(x):" in text
    assert cuda.check_kernel(b.kernel()) == []


def test_complex128_on_metal_is_told_as_what_it_is():
    refused = "complex128 is not available on Metal GPUs; use complex64"
    assert messages(complex_product(d.complex128)) == [refused]
    assert messages(complex_product(d.complex64)) == []
    assert messages(complex_product(d.complex128), cuda) == []


def test_each_place_is_told_once():
    kernel = operations(d.float64)
    found = metal.check_kernel(kernel)
    assert len({(x.span.line, x.span.column, x.message) for x in found}) == len(found)


def test_atomics_of_64_bits_on_metal():
    assert messages(atomics(d.int64, Space.DEVICE))[0] == (
        "atomic load of int64 is not available on Metal GPUs: Metal compares and exchanges at most"
        " 32 bits; use a type of 32 bits"
    )
    assert messages(atomics(d.int64, Space.DEVICE), cuda) == []


def test_atomics_on_a_threads_own_array():
    b = Builder("k")
    mine = b.memory("mine", d.int32, [4], Space.THREAD)
    b.emit(b.atomic("add", mine, [0], 1))
    for target in (metal, cuda):
        assert messages(b.kernel(), target) == [
            (
                "mine is a thread's own array, which no other thread sees; expected a device or"
                " threadgroup array, or plain accesses instead of atomic ones"
            )
        ]


def test_too_much_threadgroup_memory():
    b = Builder("k")
    b.memory("tile", d.float32, [128, 129], Space.THREADGROUP)
    assert messages(b.kernel()) == [
        (
            "the threadgroup arrays take 66048 bytes; Metal GPUs have 32768 for a threadgroup; use"
            " smaller arrays or narrower types"
        )
    ]
    b.memory("more", d.float32, [128, 384], Space.THREADGROUP)
    assert "NVIDIA GPUs have 232448" in messages(b.kernel(), cuda)[0]


def test_too_many_arrays_for_metal():
    b = Builder("k")
    for number in range(30):
        b.array(f"a{number}", d.int8)
    assert messages(b.kernel()) == [
        "the kernel has 30 array parameters; Metal GPUs take 29; pass several as one array"
    ]
    assert messages(b.kernel(), cuda) == []


def test_too_many_scalars():
    b = Builder("k")
    for number in range(1100):
        b.scalar(f"s{number}", d.float32)
    assert messages(b.kernel(), cuda) == [
        "the arguments take 4424 bytes; NVIDIA GPUs take 4096 in a launch; pass numbers in an array"
    ]


def test_matrices_from_strided_arrays_on_metal():
    b = Builder("k")
    x = b.array("x", d.float32, 2, unit_axis=None)
    b.emit(b.matrix_store(x, [0, 0], b.call("simdgroup_matrix_fill", 0.0)))
    assert messages(b.kernel()) == [
        (
            "simdgroup matrices on Metal GPUs need an array with neighbouring elements along one"
            " axis; x has strides along both; pass a contiguous copy"
        )
    ]
    assert messages(b.kernel(), cuda) == []


def test_intrinsics_and_types_that_metal_lacks():
    found = messages(matrices(d.float64))
    assert any("simdgroup_matrix_fill" in m and "float16, bfloat16 or float32" in m for m in found)
    assert (
        "simdgroup matrices of float64 are not available on Metal GPUs; their elements may be"
        " bfloat16, float16, float32"
    ) in found


def test_what_both_can_do():
    for kernel in (operations(d.bfloat16), collectives(d.int64, "simd"), matrices(d.float16)):
        assert messages(kernel) == messages(kernel, cuda) == []

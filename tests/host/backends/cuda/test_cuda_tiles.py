"""How CUDA's text loads matrices, copies ahead and uses tensor cores, and that it compiles."""

from __future__ import annotations

import re

import pytest

import speedmetal as sm
from nvrtc import needs_nvrtc
from speedmetal.backends.cuda.nvrtc import compile_ptx

ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100")


def source(function, *types: str, mode: str = "safe") -> str:
    with sm.math_mode(mode):
        return sm.code(function, *types, target="cuda", stage="source")


def body(text: str) -> str:
    return text[text.index("__global__") :]


PLACES = [
    (lambda k: 8 * k, True),
    (lambda k: 8 * k + 16, True),
    (lambda k: (k // 2) * 8, True),
    (lambda k: 8 * k + 4, False),
    (lambda k: 4 * k, False),
    (lambda k: k, False),
]


@pytest.mark.parametrize(("pitch", "is_even"), [(40, True), (36, False)])
@pytest.mark.parametrize(("place", "is_aligned"), PLACES)
def test_rows_are_loaded_whole_where_they_are_sure_to_begin_at_16_bytes(
    place, is_aligned, pitch, is_even
):
    def kernel(a):
        tile = sm.threadgroup_array((2, 64, pitch), sm.float16)
        k = sm.simdgroup_index_in_threadgroup()
        part = sm.simdgroup_load(tile[k], (k, place(k)), shape=(16, 16))
        sm.simdgroup_store(part, a, (0, 0))

    text = body(source(kernel, "f16[:,:]"))
    assert ("matrix_load_aligned<16, 16" in text) == (is_aligned and is_even)


def copying(source_index, count):
    def kernel(a, c):
        tile = sm.threadgroup_array((32, 16), a.dtype)
        t = sm.thread_index_in_threadgroup()
        if t < a.shape[0]:
            sm.async_copy(tile, (t, 0), a, (t, source_index(t)), count)
        sm.async_copy_wait()
        c[0] = tile[0, 0]

    return kernel


@pytest.mark.parametrize(
    ("types", "count", "index", "expected"),
    [
        (("f32[:,:]", "f32[:]"), 4, lambda t: 4 * t, "copy_pieces<16>(copies && a_fits_16,"),
        (("f32[:,:]", "f32[:]"), 4, lambda t: 2 * t, "copy_pieces<8>(copies && a_fits_8,"),
        (("f32[:,:]", "f32[:]"), 4, lambda t: t, "copy_pieces<4>(copies,"),
        (("f32[:,:]", "f32[:]"), 3, lambda t: 4 * t, "copy_pieces<4>(copies,"),
        (("f16[:,:]", "f16[:]"), 8, lambda t: 8 * t, "copy_pieces<16>(copies && a_fits_16,"),
        (("f16[:,:]", "f16[:]"), 8, lambda t: t, "copy_elements<8>("),
        (("f16[:,:]", "f16[:]"), 1, lambda t: t, "copy_elements<1>("),
        (("f32[:,:]/strided", "f32[:]"), 4, lambda t: 4 * t, "copy_elements<4>("),
        (("f32[:,:]/strided", "f32[:]"), 1, lambda t: t, "copy_pieces<4>(copies,"),
    ],
)  # fmt: skip
def test_copies_are_of_pieces_as_large_as_is_sure(types, count, index, expected):
    text = body(source(copying(index, count), *types))
    assert expected in text
    assert ("copy_elements" in text) == ("fits" in expected or "elements" in expected)


def test_a_value_that_is_carried_on_between_copies_is_computed_once():
    def kernel(a, c):
        tile = sm.threadgroup_array((32, 16), a.dtype)
        place = sm.thread_index_in_threadgroup() * 8
        for _ in range(a.shape[0]):
            sm.async_copy(tile, (0, 0), a, (0, place), 8)
            place = place + 8
            sm.async_copy(tile, (1, 0), a, (0, place), 8)
        c[0] = tile[0, 0]

    text = body(source(kernel, "f16[:,:]", "f16[:]"))
    assert len(re.findall(r"place\w* (\+= 8|= place\w* \+ 8);", text)) == 1
    assert text.count("? copy_pieces<16>(true,") == 2


@needs_nvrtc
@pytest.mark.parametrize("mode", ["safe", "tf32", "fast"])
def test_float32_goes_to_tensor_cores_where_it_may_be_rounded(mode):
    def kernel(a, b, c):
        left = sm.simdgroup_load(a, (0, 0), shape=(24, 16))
        right = sm.simdgroup_load(b, (0, 0), shape=(16, 16))
        total = sm.simdgroup_multiply(left, right)
        sm.simdgroup_store(sm.simdgroup_multiply_accumulate(total, right, total), c, (0, 0))

    text = source(kernel, "f32[:,:]", "f32[:,:]", "f32[:,:]", mode=mode)
    for architecture in ARCHITECTURES:
        ptx = compile_ptx(text, architecture)
        assert ("tf32" in ptx) == (mode != "safe" and architecture != "sm_75")


@needs_nvrtc
@pytest.mark.parametrize("transpose", [False, True])
def test_cards_before_turing_load_matrices_without_its_instructions(transpose):
    """Volta has no `ldmatrix`; its number stands where the compiler would say its own."""

    def kernel(a, c):
        tile = sm.threadgroup_array((32, 40), a.dtype)
        left = sm.simdgroup_load(tile, (0, 0), transpose=transpose, shape=(16, 16))
        right = sm.simdgroup_load(tile, (16, 0), transpose=transpose, shape=(16, 16))
        sm.simdgroup_store(sm.simdgroup_multiply(left, right), c, (0, 0))

    text = source(kernel, "f16[:,:]", "f16[:,:]")
    assert "matrix_load_aligned<" in body(text)
    for instruction in ("ldmatrix", "mma.sync"):
        assert instruction in compile_ptx(text, "sm_75")
    old = compile_ptx(text.replace("__CUDA_ARCH__", "700"), "sm_75")
    for instruction in ("ldmatrix", "movmatrix", "mma.sync"):
        assert instruction not in old


@needs_nvrtc
def test_large_arrays_of_several_axes_compile():
    """More threadgroup memory than a kernel may declare, which is one piece for all arrays."""

    def kernel(a, c):
        first = sm.threadgroup_array((2, 100, 40), sm.float32)
        second = sm.threadgroup_array(5000, sm.float32)
        t = sm.thread_index_in_threadgroup()
        first[1, t, 3] = second[t] = a[t]
        sm.threadgroup_barrier()
        c[t] = first[1, t + 1, 3] + second[t + 1]

    text = source(kernel, "f32[:]", "f32[:]")
    assert "float (*first)[100][40] = (float (*)[100][40])(threadgroup_memory);" in text
    assert ".entry" in compile_ptx(text, "sm_90")

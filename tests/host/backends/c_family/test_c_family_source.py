"""The printed source of kernels: kept as files, and compiled by NVIDIA's compiler."""

from __future__ import annotations

import re

import pytest
from c_family_kernels import CUDA_ALONE, EVERY_TYPE, GOLDEN

from nvrtc import needs_nvrtc
from speedmetal.backends.cuda.codegen import printer as cuda
from speedmetal.backends.cuda.nvrtc import compile_ptx
from speedmetal.backends.metal.codegen import printer as metal
from speedmetal.ir import nodes as ir
from tiers import runs_all_combinations

# The oldest architecture that NVRTC 13 compiles for, the first with bfloat16, and a newer one.
ARCHITECTURES = ("sm_75", "sm_80", "sm_90")


LACKING = {
    "complex_product_complex128",
    *(f"{name}_float64" for name in ("operations", "math", "matrices")),
    *(f"{family}_of_float64" for family in ("simd", "quad")),
    *(
        f"atomics_{dtype}_{memory}"
        for dtype in ("int64", "uint64", "float64")
        for memory in ("device", "threadgroup")
    ),
}
"""Kernels with what no Metal GPU has."""


@pytest.mark.parametrize("name", GOLDEN)
def test_the_text_for_metal_is_the_one_reviewed(name, golden):
    golden(f"{name}.metal", metal.print_kernel(GOLDEN[name]()))


@pytest.mark.parametrize("name", GOLDEN | CUDA_ALONE)
def test_the_text_for_cuda_is_the_one_reviewed(name, golden):
    golden(f"{name}.cu", cuda.print_kernel((GOLDEN | CUDA_ALONE)[name]()))


@needs_nvrtc
@pytest.mark.parametrize("name", GOLDEN | CUDA_ALONE)
def test_every_kept_kernel_compiles_for_cuda(name, pytestconfig):
    """By default for one architecture, in turn, where nothing in the text depends on it."""
    source = cuda.print_kernel((GOLDEN | CUDA_ALONE)[name]())
    turn = list(GOLDEN | CUDA_ALONE).index(name) % len(ARCHITECTURES)
    depends = runs_all_combinations(pytestconfig) or re.search("half|bfloat|__CUDA_ARCH__", source)
    for architecture in ARCHITECTURES if depends else ARCHITECTURES[turn : turn + 1]:
        assert f".target {architecture}" in compile_ptx(source, architecture)


@needs_nvrtc
@pytest.mark.parametrize("name", EVERY_TYPE)
def test_every_operation_on_every_type_compiles_for_cuda(name):
    source = cuda.print_kernel(EVERY_TYPE[name])
    # Only narrow floats are written in another way for newer architectures.
    newer = ("sm_80",) if "half" in source or "bfloat" in source else ()
    for architecture in ("sm_75", *newer):
        assert ".entry" in compile_ptx(source, architecture)


@pytest.mark.parametrize("name", sorted(LACKING))
def test_metal_refuses_what_its_gpus_lack(name):
    found = metal.check_kernel(EVERY_TYPE[name])
    assert found
    lacking = re.compile(r"(is|are) not available on Metal GPUs")
    assert all(lacking.search(diagnostic.message) for diagnostic in found)


@pytest.mark.parametrize("name", [n for n in (*GOLDEN, *EVERY_TYPE) if n not in LACKING])
def test_metal_text_keeps_to_the_easy_dialect(name):
    """Address spaces on every pointer, indices on every buffer, no templates, no double."""
    kernel = GOLDEN[name]() if name in GOLDEN else EVERY_TYPE[name]
    assert not metal.check_kernel(kernel)
    text = metal.print_kernel(kernel)
    code = re.sub(r"//.*", "", text)
    assert "template" not in code
    assert "double " not in code
    for pointer in re.finditer(r"(\w+) (?:const )?(\w+)\* \w+", code):
        assert pointer[1] in {"device", "threadgroup", "thread", "constant", "const"}, pointer[0]
    signature = code[code.index("kernel void") :]
    parameters = signature[signature.index("(") + 1 : signature.index(") {")].split(",")
    assert all("[[" in parameter for parameter in parameters)
    assert not re.search(r"^ *threadgroup \w+ \w+[^;]*=", signature, re.MULTILINE)


@pytest.mark.parametrize("module", [metal, cuda])
def test_printing_twice_gives_the_same(module):
    assert GOLDEN
    for make in GOLDEN.values():
        kernel = make()
        assert module.print_kernel(kernel) == module.print_kernel(kernel)


def test_all_nodes_of_the_ir_are_printed():
    """The kernels of these tests have every kind of expression and of statement."""
    from speedmetal.backends.c_family.layout import all_nodes, function_nodes

    kernels = [*(make() for make in (GOLDEN | CUDA_ALONE).values()), *EVERY_TYPE.values()]
    seen = {type(node) for k in kernels for node in (*all_nodes(k), *function_nodes(k))}
    assert seen == {*ir.Expression.__args__, *ir.Statement.__args__}

"""Kernels as users write them, from Python to both targets' text."""

from __future__ import annotations

import numpy as np
import pytest
from written_kernels import KERNELS, Ball, hits

from nvrtc import needs_nvrtc
from speedmetal import passes
from speedmetal.backends.cuda.codegen import printer as cuda
from speedmetal.backends.cuda.nvrtc import compile_ptx
from speedmetal.backends.metal.codegen import printer as metal
from speedmetal.backends.targets import find_target
from speedmetal.frontend.infer import infer_function, infer_kernel
from speedmetal.frontend.signature import signature_of
from speedmetal.frontend.signature_text import parse_signature

FLOATS = np.zeros(4, np.float32)
CASES = {
    **{name: (f, parse_signature(text), level) for name, (f, text, level) in KERNELS.items()},
    "hits": (hits, signature_of((Ball(1.0, 2.0, 3.0), FLOATS, FLOATS, FLOATS > 0)), 0),
}


def source(name: str, target: str) -> str:
    function, signature, debug = CASES[name]
    kernel = infer_kernel(function, signature, debug=debug).kernel
    lowered = passes.run(kernel, target=find_target(target), compile_function=infer_function)
    return (cuda if target == "cuda" else metal).print_kernel(lowered)


@pytest.mark.parametrize("name", CASES)
def test_the_text_for_metal_is_the_one_reviewed(name, golden):
    golden(f"written/{name}.metal", source(name, "metal"))


@pytest.mark.parametrize("name", CASES)
def test_the_text_for_cuda_is_the_one_reviewed(name, golden):
    golden(f"written/{name}.cu", source(name, "cuda"))


@needs_nvrtc
@pytest.mark.parametrize("name", CASES)
def test_the_text_for_cuda_compiles(name):
    text = source(name, "cuda")
    # The newest as well, for what is written in words of PTX.
    newest = ("sm_100",) if "asm volatile" in text else ()
    for architecture in ("sm_75", "sm_80", "sm_90", *newest):
        assert f".target {architecture}" in compile_ptx(text, architecture)


def test_no_assert_is_left_at_level_0():
    assert "report_failure" not in source("report_0", "metal")
    assert "report_failure" in source("report_1", "metal")
    assert "threadgroup_position_in_grid" not in source("report_1", "metal")
    assert "threadgroup_position_in_grid" in source("report_2", "metal")

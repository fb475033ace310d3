"""Where all threadgroups of a launch are whole, the text for CUDA says so; elsewhere it numbers."""

from __future__ import annotations

import pytest

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from nvrtc import needs_nvrtc
from speedmetal.backends.cuda.codegen.printer import printed, variants_served
from speedmetal.backends.cuda.codegen.threadgroups import Threadgroups, of_launch, of_variant
from speedmetal.backends.cuda.driver import build
from speedmetal.backends.cuda.nvrtc import compile_ptx
from speedmetal.compiler import pipeline
from speedmetal.compiler.source import PythonSource, Specialisation
from speedmetal.frontend.signature_text import parse_signature

WHOLE = Threadgroups(256, are_whole=True)


def sums(x, y):
    place = sm.threads_per_threadgroup().y * sm.simdgroups_per_threadgroup()
    total = sm.simd_sum(x[sm.thread_position_in_grid().x])
    y[sm.thread_position_in_threadgroup().x] = total + place


def doubles(x, y):
    i = sm.thread_position_in_grid().x
    y[i] = 2 * x[i]


def lowered(function):
    source = PythonSource(function)
    signature = parse_signature("f32[:] f32[:]")
    return pipeline.lower(Specialisation(source, signature, 0), "cuda")[0]


@pytest.mark.parametrize(
    ("grid", "threads", "variant"),
    [
        ((1024, 1, 1), None, "256"),
        ((1024, 1, 1), (128, 1, 1), "256 whole"),
        ((1000, 1, 1), (128, 1, 1), "256"),
        ((64, 6, 2), (16, 2, 1), "256 whole"),
        ((64, 5, 2), (16, 2, 1), "256"),
        ((1024, 1, 1), (16, 1, 1), "256"),
        ((2048, 1, 1), (512, 1, 1), "1024 whole"),
        ((2047, 1, 1), (512, 1, 1), "1024"),
        ((0, 4, 4), (32, 4, 1), "256 whole"),
    ],
)
def test_what_launches_are(grid, threads, variant):
    assert str(of_launch(grid, threads)) == variant
    assert str(of_variant(variant)) == variant


def test_whole_threadgroups_are_not_numbered_anew():
    lines = printed(lowered(sums), WHOLE).text.splitlines()
    first = next(n for n, line in enumerate(lines) if "All threads of all" in line)
    assert [line.strip() for line in lines[first - 1 : first + 5]] == [
        "int threads_per_threadgroup_y = int(blockDim.y);",
        "// All threads of all threadgroups are in the grid.",
        "int threads = int(blockDim.x * blockDim.y * blockDim.z);",
        (
            "int thread_index_in_threadgroup ="
            " int(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));"
        ),
        "const uint32 simdgroup_mask = 0xffffffff;",
        "int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);",
    ]
    assert not any("uint3 place" in line for line in lines)


def test_a_kernel_that_numbers_nothing_is_one_for_both():
    kernel = lowered(doubles)
    assert printed(kernel, WHOLE).text == printed(kernel, Threadgroups()).text
    assert variants_served(kernel, "256") == ("256", "256 whole")
    assert variants_served(kernel, "1024 whole") == ("1024", "1024 whole")
    assert variants_served(lowered(sums), "256 whole") == ("256 whole",)


@needs_nvrtc
def test_shuffles_of_whole_simdgroups_wait_for_nobody():
    """With a mask that only the running program knows, each brings threads together first."""
    kernel = lowered(sums)
    whole, cut = (compile_ptx(printed(kernel, t).text, "sm_90") for t in (WHOLE, Threadgroups()))
    assert "shfl.sync" in whole
    assert "-1;" in whole  # the mask, a constant
    assert whole.count("shfl.sync") < cut.count("shfl.sync")


def test_each_launch_gets_what_it_may(monkeypatch, tmp_path):
    """Code for whole threadgroups is for no other launch, and is kept beside the other."""
    texts = []
    compile_cubin = build.compile_cubin
    monkeypatch.setattr(
        build, "compile_cubin", lambda text, of: (texts.append(text), compile_cubin(text, of))[1]
    )
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))
    driver = DryDriver()
    device = dry_device(driver)
    x, y = (sm.zeros(512, device=device) for _ in range(2))
    kernel = sm.kernel(sums)
    for sizes in (
        {"grid": 512, "threads": 64},
        {"groups": 4, "threads": 64},
        {"grid": 500, "threads": 64},
        {"grid": 512},
    ):
        kernel(x, y, **sizes)
    device.synchronize()
    own = [text for text in texts if " sums(" in text]
    assert ["All threads of all threadgroups" in text for text in own] == [True, False]

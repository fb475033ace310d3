"""Kernels of CUDA C++ that are written by hand run on an NVIDIA GPU."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

SOURCE = """
struct Point { float x, y; };

extern "C" __global__ void axpy(const float* __restrict__ x, float a, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += a * x[i];
}

__global__ void mirrored(double* x, long long n) {
    extern __shared__ double kept[];
    kept[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = kept[n - 1 - threadIdx.x];
}

__global__ void numbers(
    float* out, Point p, bool is_on, unsigned char small, double wide, float* none
) {
    out[0] = p.x; out[1] = p.y; out[2] = is_on;
    out[3] = small; out[4] = wide; out[5] = none == nullptr;
}
"""


@pytest.fixture
def library(device):
    if device.kind != "cuda":
        pytest.skip("CUDA C++ runs on NVIDIA GPUs")
    return sm.cuda.library(SOURCE, device=device)


def test_arrays_and_numbers(device, library):
    x, y = sm.arange(1000, dtype=sm.float32, device=device), sm.ones(1000, device=device)
    waiting = y * 2
    library.function("axpy")(x + 1, 0.5, y, 1000, grid=1000)
    np.testing.assert_array_equal(y.numpy(), 1 + 0.5 * (np.arange(1000, dtype="f4") + 1))
    np.testing.assert_array_equal(waiting.numpy(), 2)


def test_threadgroup_memory(device, library):
    x = sm.arange(64, dtype=sm.float64, device=device)
    library.function("mirrored")(x, 64, groups=1, threads=64, threadgroup_bytes=512)
    assert x.tolist() == list(range(63, -1, -1))


def test_structures_and_small_numbers(device, library):
    out = sm.zeros(6, device=device)
    point = np.array((1.5, -2.5), [("x", "f4"), ("y", "f4")])[()]
    library.function("numbers")(out, point, True, 200, 0.25, None, grid=1)
    assert out.tolist() == [1.5, -2.5, 1.0, 200.0, 0.25, 1.0]


def test_a_graph_has_launches(device, library):
    x, y = sm.ones(10, device=device), sm.zeros(10, device=device)
    with sm.capture(device) as graph:
        library.function("axpy")(x, 1.0, y, 10, grid=10)
    for _ in range(3):
        graph.replay()
    assert y.tolist() == [3.0] * 10

"""Metal.jl's way from arrays to a kernel and a profile, line by line, in Python.

Each line of Julia stands above what it is here. Julia counts from 1, and its first axis is
contiguous; here the last one is.

    python examples/metal_jl_tour.py --size 1000000
"""

import argparse
import operator
from collections.abc import Sequence

import numpy as np

import speedmetal as sm


def arrays(size: int) -> tuple[sm.Array, sm.Array]:
    """Arrays on the device, and back."""
    # a = MtlArray(collect(Float32, 1:n))
    a = sm.array(np.arange(1, size + 1, dtype=np.float32))
    # b = Metal.ones(Float32, n)
    b = sm.ones(size)
    # Array(b) == ones(Float32, n)
    assert np.array_equal(b.numpy(), np.ones(size, np.float32))
    # similar(a), size(a), eltype(a)
    assert sm.empty_like(a).shape == a.shape == (size,)
    assert sm.float32 == a.dtype
    return a, b


def broadcasts(a: sm.Array, b: sm.Array) -> sm.Array:
    """Elementwise expressions: each is one kernel."""
    # c = sqrt.(a) .+ 2 .* b
    c = sm.sqrt(a) + 2 * b
    # d = copy(b); d .= c .- 1; d[1:2] .= 0
    d = b.copy()
    d[...] = c - 1
    d[:2] = 0
    np.testing.assert_allclose(d.numpy()[2:], np.sqrt(a.numpy())[2:] + 1, rtol=1e-6)
    assert not d[:2].any()
    return c


def higher_order(a: sm.Array) -> None:
    """Plain functions over arrays, compiled."""
    host = a.numpy().astype(np.float64)
    # map(x -> x > 3 ? x : 0f0, a)
    kept = sm.map(lambda x: x if x > 3 else 0.0, a)
    np.testing.assert_array_equal(kept.numpy(), np.where(host > 3, host, 0))
    # reduce(max, a)
    assert float(sm.reduce(max, a)) == host.max()
    # mapreduce(x -> 1 / x^2, +, a)
    inverse = sm.mapreduce(lambda x: 1 / x**2, operator.add, a)
    np.testing.assert_allclose(float(inverse), (1 / host**2).sum(), rtol=1e-5)
    # sum(reshape(a[1:4], 2, 2); dims=2): Julia fills columns first, so its axes are exchanged here
    np.testing.assert_array_equal(a[:4].reshape(2, 2).sum(axis=0).numpy(), [4, 6])
    # accumulate(max, a) == a; count(x -> x > 3, a); findall(x -> x == 2, a)
    assert bool((sm.accumulate(max, a) == a).all())
    assert int(sm.count(lambda x: x > 3, a)) == len(a) - 3
    assert sm.findall(lambda x: x == 2, a).tolist() == [1]


# function vadd(a, b, c)
#     i = thread_position_in_grid_1d()
#     if i <= length(c)
#         c[i] = a[i] + b[i]
#     end
#     return
# end
@sm.kernel
def vadd(a, b, c):
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def kernel(a: sm.Array, b: sm.Array) -> None:
    """A kernel of one's own, its source for the GPU, and its time."""
    # c = similar(a)
    c = sm.empty_like(a)
    # @metal threads=256 groups=cld(n, 256) vadd(a, b, c)
    vadd(a, b, c, grid=len(c))
    # Metal.synchronize()
    sm.synchronize()
    # Array(c) == Array(a) .+ Array(b)
    np.testing.assert_array_equal(c.numpy(), a.numpy() + b.numpy())
    # @device_code_metal @metal vadd(a, b, c)
    assert "kernel void" in sm.code(vadd, a, b, c, target="metal")
    # Metal.@profile @metal vadd(a, b, c)
    with sm.profile.gpu_time() as measured:
        vadd(a, b, c, grid=len(c))
    assert measured.seconds > 0
    names = [name for span in measured.spans for name in span.kernels]
    print(f"{', '.join(names)}: {1e6 * measured.seconds:.0f} us on {a.device.name}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000)
    options = parser.parse_args(argv)

    a, b = arrays(options.size)
    c = broadcasts(a, b)
    higher_order(a)
    kernel(a, b)
    print(f"arrays, broadcasts, map and reduce, a kernel: as NumPy, on {c.size} elements")


if __name__ == "__main__":
    main()

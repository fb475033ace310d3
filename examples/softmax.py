"""Softmax of every row of a matrix, one threadgroup a row: simdgroup reductions, and a function
that is handed to a function.

softmax(x)_i = exp(x_i - m) / sum over j of exp(x_j - m), with m = max x, so that nothing overflows.

    python examples/softmax.py --rows 512 --columns 4096
"""

import argparse
import math
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

THREADS = 256
SIMDGROUP = 32


def over_threadgroup(value, reduce, neutral, shared):
    """Reduce one value per thread to one for the whole threadgroup: in simdgroups, then of them.

    ``shared`` is threadgroup memory for one value per simdgroup.
    """
    part = reduce(value)
    lane = sm.thread_index_in_simdgroup()
    if lane == 0:
        shared[sm.simdgroup_index_in_threadgroup()] = part
    sm.threadgroup_barrier()
    parts = shared[lane] if lane < sm.simdgroups_per_threadgroup() else neutral
    result = reduce(parts)
    sm.threadgroup_barrier()  # `shared` may be used again
    return result


@sm.kernel
def softmax(x, y):
    """Each threadgroup does one row of ``(rows, columns)``."""
    row = sm.threadgroup_position_in_grid().x
    local = sm.thread_index_in_threadgroup()
    columns = x.shape[1]
    shared = sm.threadgroup_array(THREADS // SIMDGROUP, sm.float32)

    largest = -math.inf
    for i in range(local, columns, THREADS):
        largest = max(largest, x[row, i])
    largest = over_threadgroup(largest, sm.simd_max, -math.inf, shared)

    total = 0.0
    for i in range(local, columns, THREADS):
        exponential = math.exp(x[row, i] - largest)
        y[row, i] = exponential
        total += exponential
    total = over_threadgroup(total, sm.simd_sum, 0.0, shared)

    for i in range(local, columns, THREADS):
        y[row, i] /= total


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--columns", type=int, default=4096)
    options = parser.parse_args(argv)

    generator = np.random.default_rng(3)
    x = sm.array(100 * generator.standard_normal((options.rows, options.columns), np.float32))
    y = sm.empty(x.shape)
    softmax(x, y, groups=options.rows, threads=THREADS)

    wide = x.numpy().astype(np.float64)
    exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(y.numpy(), expected, rtol=2e-5, atol=1e-30)
    print(f"{options.rows} rows of {options.columns} agree with NumPy's float64")


if __name__ == "__main__":
    main()

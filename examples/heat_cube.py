"""Heat that flows through a cube: a stencil of seven points, in which a thread goes down a column
and keeps what it has read.

Explicit Euler steps of u_t = u_xx + u_yy + u_zz; the sides keep their value. With r = dt / dx**2
the scheme is stable up to r = 1/6.

    python examples/heat_cube.py --size 128 --steps 200
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

RATIO = 0.12
"""r = dt / dx**2."""
PLANES = 8
"""Cells of a thread, one below the other."""


@sm.kernel
def diffuse(before, after):
    """Each thread moves PLANES cells of ``(depth, height, width)`` on by one step."""
    x, y, slab = sm.thread_position_in_grid()
    depth, height, width = before.shape
    inside = 0 < x < width - 1 and 0 < y < height - 1
    first = PLANES * slab
    above, here = before[max(first - 1, 0), y, x], before[first, y, x]
    for z in range(first, min(first + PLANES, depth)):
        below = before[min(z + 1, depth - 1), y, x]
        result = here
        if inside and 0 < z < depth - 1:
            around = before[z, y, x - 1] + before[z, y, x + 1]
            around += before[z, y - 1, x] + before[z, y + 1, x]
            result += RATIO * (around + above + below - 6 * here)
        after[z, y, x] = result
        above, here = here, below


def step(before: sm.Array, after: sm.Array) -> None:
    """Move a cube on by one step."""
    depth, height, width = before.shape
    diffuse(before, after, grid=(width, height, sm.cdiv(depth, PLANES)))


def step_numpy(before: np.ndarray) -> np.ndarray:
    """The same step with NumPy."""
    after = before.copy()
    inner = slice(1, -1)
    around = sum(
        np.roll(before, shift, axis)[inner, inner, inner] for axis in range(3) for shift in (-1, 1)
    )
    after[inner, inner, inner] += RATIO * (around - 6 * before[inner, inner, inner])
    return after


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args(argv)

    expected = np.random.default_rng(9).uniform(0, 1, (options.size,) * 3)
    before = sm.array(expected.astype(np.float32))
    after = sm.empty(before.shape)
    for _ in range(options.steps):
        step(before, after)
        before, after = after, before
        expected = step_numpy(expected)
    error = np.max(np.abs(before.numpy() - expected))
    print(f"{options.size} cubed, {options.steps} steps: largest difference from NumPy {error:.1e}")
    assert error < 1e-5


if __name__ == "__main__":
    main()

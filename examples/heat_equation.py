"""Heat that flows through a plate: a stencil, run again and again on two arrays in turn.

Explicit Euler steps of u_t = u_xx + u_yy on a square grid; edges stay at 0 degrees. With
r = dt / dx**2 the scheme is stable up to r = 1/4.

    python examples/heat_equation.py --size 256 --frames 60 --out heat_equation.png
"""

import argparse
from collections.abc import Sequence

import numpy as np
from picture import colours, write_animation

import speedmetal as sm

RATIO = 0.24
"""r = dt / dx**2."""
HOT = 100.0
ROWS = 4
"""Cells of a thread: one below the other, so that most are read once."""


@sm.kernel
def diffuse(before, after):
    """Each thread moves ROWS cells on by one step; cells at the edge keep their value."""
    column, strip, _ = sm.thread_position_in_grid()
    height, width = before.shape
    first = ROWS * strip
    cells = sm.thread_array(ROWS + 2, before.dtype)
    for k in sm.static_range(ROWS + 2):
        cells[k] = before[min(max(first + k - 1, 0), height - 1), column]
    for k in sm.static_range(ROWS):
        row = first + k
        here = cells[k + 1]
        if 0 < row < height - 1 and 0 < column < width - 1:
            sideways = before[row, column - 1] + before[row, column + 1]
            here += RATIO * (sideways + (cells[k] + cells[k + 2]) - 4 * here)
        if row < height:
            after[row, column] = here


def step(before: sm.Array, after: sm.Array) -> None:
    """Move a plate on by one step."""
    height, width = before.shape
    diffuse(before, after, grid=(width, sm.cdiv(height, ROWS)))


def diffuse_numpy(before: np.ndarray) -> np.ndarray:
    """The same step with NumPy."""
    after = before.copy()
    here = before[1:-1, 1:-1]
    sideways = before[1:-1, :-2] + before[1:-1, 2:]
    upright = before[:-2, 1:-1] + before[2:, 1:-1]
    after[1:-1, 1:-1] = here + RATIO * (sideways + upright - 4 * here)
    return after


def plate(size: int) -> np.ndarray:
    """A cold plate with a hot ring and a hot bar, float32 ``(size, size)``."""
    row, column = np.indices((size, size)) / size
    radius = np.hypot(row - 0.45, column - 0.4)
    bar = (abs(row - 0.8) < 0.03) & (abs(column - 0.6) < 0.25)
    ring = (radius > 0.18) & (radius < 0.26)
    return np.where(ring | bar, np.float32(HOT), np.float32(0))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--steps", type=int, default=20, help="steps between two frames")
    parser.add_argument("--out", default="heat_equation.png")
    options = parser.parse_args(argv)

    expected = plate(options.size)
    before, after = sm.array(expected), sm.zeros((options.size, options.size))
    frames = []
    for _ in range(options.frames):
        frames.append(colours(before.numpy(), 0.0, HOT))
        for _ in range(options.steps):
            step(before, after)
            before, after = after, before
            expected = diffuse_numpy(expected)
    write_animation(options.out, frames)
    print(f"{options.out}: {len(frames)} frames, {options.steps} steps between two")

    error = np.max(np.abs(before.numpy() - expected))
    print(f"largest difference from NumPy: {error:.1e} degrees of {HOT:.0f}")
    assert error < 1e-2


if __name__ == "__main__":
    main()

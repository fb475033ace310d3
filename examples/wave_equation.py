"""Waves on a pond: a stencil that is one plain function of a cell's neighbourhood.

Leapfrog steps of u_tt = c**2 (u_xx + u_yy) on a square grid, with banks that reflect. With
r = (c dt / dx)**2 the scheme is stable up to r = 1/2.

    python examples/wave_equation.py --size 256 --frames 60 --out wave_equation.png
"""

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from picture import colours, write_animation

import speedmetal as sm

RATIO = 0.4
"""r = (c dt / dx)**2."""


class Pond(NamedTuple):
    """The heights of the water, now and a step before: arrays, or those of one cell."""

    now: Any
    before: Any


def move(at):
    """A cell one step later; ``at(dy, dx)`` are the cells around it."""
    here = at(0, 0)
    around = at(-1, 0).now + at(1, 0).now + at(0, -1).now + at(0, 1).now
    return Pond(2 * here.now - here.before + RATIO * (around - 4 * here.now), here.now)


def move_numpy(pond: Pond) -> Pond:
    """The same step with NumPy."""
    wide = np.pad(pond.now, 1, "reflect")
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    return Pond(2 * pond.now - pond.before + RATIO * (around - 4 * pond.now), pond.now)


def drops(size: int) -> np.ndarray:
    """The water where two drops have just fallen, float32 ``(size, size)``."""
    row, column = np.indices((size, size)) / size
    heights = np.zeros((size, size))
    for y, x, height in ((0.3, 0.35, 1.0), (0.6, 0.7, 0.6)):
        heights += height * np.exp(-((row - y) ** 2 + (column - x) ** 2) / 0.03**2)
    return heights.astype(np.float32)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--steps", type=int, default=5, help="steps between two frames")
    parser.add_argument("--out", default="wave_equation.png")
    options = parser.parse_args(argv)

    still = drops(options.size)
    expected = Pond(still, still)
    pond = Pond(sm.array(still), sm.array(still))
    frames = []
    for _ in range(options.frames):
        frames.append(colours(pond.now.numpy(), -0.3, 0.3))
        for _ in range(options.steps):
            pond = sm.stencil(move, pond, boundary="reflect")
            expected = move_numpy(expected)
    write_animation(options.out, frames)
    print(f"{options.out}: {len(frames)} frames, {options.steps} steps between two")

    highest = sm.reduce(max, pond.now)
    print(f"highest wave: {float(highest):.3f}")
    error = np.max(np.abs(pond.now.numpy() - expected.now))
    print(f"largest difference from NumPy: {error:.1e}")
    assert error < 1e-3


if __name__ == "__main__":
    main()

"""Conway's Game of Life in three lines of arrays: shifted copies, a sum, a comparison.

python examples/life_in_arrays.py --size 128 --frames 100 --out life_in_arrays.png
"""

import argparse
from collections.abc import Sequence

import numpy as np
from game_of_life import PIXELS_PER_CELL, live_numpy
from picture import write_animation

import speedmetal as sm

SHIFTS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]


def next_generation(cells: sm.Array) -> sm.Array:
    """The cells that live after one step, on a torus."""
    padded = sm.pad(cells, 1, mode="wrap")
    height, width = cells.shape
    around = [padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in SHIFTS]
    neighbours = sum(around[1:], start=around[0])
    return ((neighbours == 3) | ((neighbours == 2) & (cells == 1))).astype(sm.uint8)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--out", default="life_in_arrays.png")
    options = parser.parse_args(argv)

    expected = (np.random.default_rng(6).uniform(size=(options.size,) * 2) < 0.3).astype(np.uint8)
    cells = sm.array(expected)
    frames = []
    for _ in range(options.frames):
        frames.append(255 * np.kron(cells.numpy(), np.ones((PIXELS_PER_CELL,) * 2, np.uint8)))
        cells = next_generation(cells)
        expected = live_numpy(expected)
    write_animation(options.out, frames)

    np.testing.assert_array_equal(cells.numpy(), expected)
    print(f"{options.out}: {options.frames} generations, each cell of the last equal to NumPy's")
    print(f"{int(cells.sum())} cells are alive")


if __name__ == "__main__":
    main()

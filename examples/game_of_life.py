"""Conway's Game of Life on a torus: bytes, and Python's % that never gives a negative index.

python examples/game_of_life.py --size 128 --frames 100 --out game_of_life.png
"""

import argparse
from collections.abc import Sequence

import numpy as np
from picture import write_animation

import speedmetal as sm

PIXELS_PER_CELL = 3


@sm.kernel
def live(before, after):
    """Each thread decides about one cell: 1 is alive, 0 is dead."""
    column, row, _ = sm.thread_position_in_grid()
    height, width = before.shape
    neighbours = 0
    for down in sm.static_range(-1, 2):
        for right in sm.static_range(-1, 2):
            if (down, right) != (0, 0):
                neighbours += before[(row + down) % height, (column + right) % width]
    is_alive = neighbours == 3 or (neighbours == 2 and before[row, column] == 1)
    after[row, column] = 1 if is_alive else 0


def live_numpy(before: np.ndarray) -> np.ndarray:
    """The same generation with NumPy."""
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    neighbours = sum(np.roll(before, shift, axis=(0, 1)) for shift in shifts)
    return ((neighbours == 3) | ((neighbours == 2) & (before == 1))).astype(np.uint8)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--out", default="game_of_life.png")
    options = parser.parse_args(argv)

    expected = (np.random.default_rng(6).uniform(size=(options.size,) * 2) < 0.3).astype(np.uint8)
    before, after = sm.array(expected), sm.zeros(expected.shape, sm.uint8)
    frames = []
    for _ in range(options.frames):
        enlarged = np.kron(before.numpy(), np.ones((PIXELS_PER_CELL,) * 2, np.uint8))
        frames.append(255 * enlarged)
        live(before, after, grid=before.shape)
        before, after = after, before
        expected = live_numpy(expected)
    write_animation(options.out, frames)

    np.testing.assert_array_equal(before.numpy(), expected)
    print(f"{options.out}: {options.frames} generations, each cell of the last equal to NumPy's")
    print(f"{int(before.numpy().sum())} cells are alive")


if __name__ == "__main__":
    main()

"""Random walks in the plane: random numbers inside a kernel, and a picture of where walkers were.

The numbers come from a counter: the same seed and counter give the same number on every device and
in every run, whichever thread asks, and no state is kept anywhere.

    python examples/random_walks.py --walkers 20000 --steps 500 --out random_walks.png
"""

import argparse
from collections.abc import Sequence

import numpy as np
from picture import colours, write_png

import speedmetal as sm


@sm.kernel
def walk(ends, visits, steps, seed, scale):
    """Each thread walks on its own, and counts its visits to the cells of a map.

    ``ends`` is float32 ``(2, walkers)``, ``visits`` int32 ``(height, width)``, ``scale`` the size
    of a cell.
    """
    walker = sm.thread_position_in_grid().x
    height, width = visits.shape
    x = y = 0.0
    for step in range(steps):
        counter = 2 * (walker * steps + step)
        x += sm.random.normal(seed, counter)
        y += sm.random.normal(seed, counter + 1)
        column = round(x / scale) + width // 2
        row = round(y / scale) + height // 2
        if 0 <= row < height and 0 <= column < width:
            sm.atomic_add(visits, (row, column), 1)
    ends[0, walker] = x
    ends[1, walker] = y


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--walkers", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--size", type=int, default=400, help="width of the picture in cells")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="random_walks.png")
    options = parser.parse_args(argv)

    ends = sm.zeros((2, options.walkers))
    visits = sm.zeros((options.size, options.size), sm.int32)
    reach = 6 * np.sqrt(options.steps)  # six standard deviations of the last position
    walk(
        *(ends, visits, options.steps, options.seed, float(reach) / options.size),
        grid=options.walkers,
    )
    brightness = np.log1p(visits.numpy())
    write_png(options.out, colours(brightness, 0.0, float(brightness.max())))
    print(f"{options.out}: {visits.numpy().sum()} visits")

    # After n steps each coordinate has mean 0 and variance n, and the two are independent. Each
    # estimate is given with its distance from that in standard errors.
    x, y = ends.numpy().astype(np.float64) / np.sqrt(options.steps)
    for name, estimate, expected, error in (
        ("mean of x", x.mean(), 0, np.sqrt(1 / x.size)),
        ("mean of y", y.mean(), 0, np.sqrt(1 / y.size)),
        ("variance of x", x.var(), 1, np.sqrt(2 / x.size)),
        ("variance of y", y.var(), 1, np.sqrt(2 / y.size)),
        ("mean of x * y", np.mean(x * y), 0, np.sqrt(1 / x.size)),
    ):
        distance = (estimate - expected) / error
        print(f"{name}: {estimate:+.4f}, {distance:+.1f} standard errors from {expected}")
        assert abs(distance) < 5


if __name__ == "__main__":
    main()

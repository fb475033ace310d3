"""Paints the Mandelbrot set: a grid of two dimensions, a loop of its own length in every thread,
and a plain function that the kernel calls.

    python examples/mandelbrot.py --width 900 --out mandelbrot.png
"""

import argparse
import math
from collections.abc import Sequence

import numpy as np
from picture import write_png

import speedmetal as sm

LEFT, RIGHT, BOTTOM, TOP = -2.2, 0.8, -1.25, 1.25
ESCAPED = 256.0
"""Squared distance from 0 beyond which a point is told to escape: large, for smooth colours."""
PHASES = (0.0, 0.1, 0.2)
"""Of red, green and blue, in turns."""


def escape(real, imaginary, limit):
    """How many steps of z = z**2 + c from 0 stay small, as a smooth number; ``limit`` for ever.

    The fraction makes the count continuous: n + 1 - log2(log |z|), see
    https://en.wikipedia.org/wiki/Plotting_algorithms_for_the_Mandelbrot_set
    """
    x = y = 0.0
    for step in range(limit):
        x, y = x * x - y * y + real, 2 * x * y + imaginary
        if x * x + y * y > ESCAPED:
            return step + 1 - math.log2(0.5 * math.log(x * x + y * y))
    return float(limit)


@sm.kernel
def mandelbrot(steps, pixels, limit):
    """Each thread computes one pixel: its number of steps, and a colour for them."""
    column, row, _ = sm.thread_position_in_grid()
    height, width = steps.shape
    real = LEFT + (RIGHT - LEFT) * (column + 0.5) / width
    imaginary = TOP - (TOP - BOTTOM) * (row + 0.5) / height
    count = escape(real, imaginary, limit)
    steps[row, column] = count
    brightness = 0.0 if count >= limit else 1.0
    turns = 0.06 * count + 0.55
    for channel in sm.static_range(3):
        wave = 0.5 + 0.5 * math.cos(2 * math.pi * (turns + PHASES[channel]))
        pixels[row, column, channel] = int(255 * brightness * wave)


def numpy_steps(height: int, width: int, limit: int) -> np.ndarray:
    """Whole steps before the escape, with NumPy in float32."""
    row, column = np.indices((height, width), dtype=np.float32)
    real = np.float32(LEFT) + np.float32(RIGHT - LEFT) * (column + np.float32(0.5)) / width
    imaginary = np.float32(TOP) - np.float32(TOP - BOTTOM) * (row + np.float32(0.5)) / height
    x, y = np.zeros_like(real), np.zeros_like(real)
    steps = np.full(real.shape, limit)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(limit):
            x, y = x * x - y * y + real, 2 * x * y + imaginary
            steps[(steps == limit) & (x * x + y * y > ESCAPED)] = step
    return steps


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=900)
    parser.add_argument("--limit", type=int, default=200, help="most steps of a point")
    parser.add_argument("--out", default="mandelbrot.png")
    options = parser.parse_args(argv)

    width, height = options.width, round(options.width * (TOP - BOTTOM) / (RIGHT - LEFT))
    steps = sm.zeros((height, width))
    pixels = sm.zeros((height, width, 3), sm.uint8)
    mandelbrot(steps, pixels, options.limit, grid=(width, height))
    write_png(options.out, pixels.numpy())
    print(f"{options.out}: {width} x {height} pixels")

    # At the border of the set the last bit decides; fused multiply-adds round once, NumPy twice.
    inside = steps.numpy() >= options.limit
    expected = numpy_steps(height, width, options.limit) >= options.limit
    different = np.mean(inside != expected)
    print(f"{np.mean(inside):.1%} of them in the set; NumPy disagrees about {different:.3%}")
    assert different < 0.005


if __name__ == "__main__":
    main()

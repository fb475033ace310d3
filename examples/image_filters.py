"""Filters of a picture: blurred, sharpened, and its edges. Each is a plain function of a
neighbourhood, which `sm.stencil` calls for every pixel inside one kernel.

python examples/image_filters.py --size 256 --out image_filters.png
"""

import argparse
import math
from collections.abc import Sequence

import numpy as np
from picture import write_png

import speedmetal as sm

OFFSETS = (-2, -1, 0, 1, 2)
BELL = tuple(math.comb(4, k) / 16 for k in range(5))
"""A binomial distribution, close to a normal one with a standard deviation of 1."""
SLOPE = (-1, 0, 1)
SMOOTH = (1, 2, 1)
"""Sobel's filter is the product of these two: a slope along one axis, smoothed along the other."""
SHARPENED_BY = 1.5


def blur(at):
    """The mean around a pixel, of each colour; ``at(channel, dy, dx)`` are its neighbours."""
    return sum(BELL[y + 2] * BELL[x + 2] * at(0, y, x) for y in OFFSETS for x in OFFSETS)


def edge(at):
    """How steeply a grey picture rises at a pixel, in any direction (Sobel, 1968)."""
    down = sum(SLOPE[y + 1] * SMOOTH[x + 1] * at(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
    right = sum(SMOOTH[y + 1] * SLOPE[x + 1] * at(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
    return math.sqrt(down * down + right * right)


def filtered(image: sm.Array) -> dict[str, sm.Array]:
    """The filters' results for ``(3, height, width)``, from 0 to 1."""
    blurred = sm.stencil(blur, image, (0, 2, 2), boundary="reflect")
    sharp = sm.clip(image + SHARPENED_BY * (image - blurred), 0.0, 1.0)
    grey = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    edges = sm.minimum(sm.stencil(edge, grey, boundary="edge"), 1.0)
    return {"blurred": blurred, "sharpened": sharp, "edges": edges}


def filtered_numpy(image: np.ndarray) -> dict[str, np.ndarray]:
    """The same with NumPy, from padded copies that are shifted."""
    height, width = image.shape[1:]
    wide = np.pad(image, ((0, 0), (2, 2), (2, 2)), "reflect")
    blurred = sum(
        BELL[y] * BELL[x] * wide[:, y : y + height, x : x + width]
        for y in range(5)
        for x in range(5)
    )
    grey = np.pad(np.tensordot((0.299, 0.587, 0.114), image, 1), 1, "edge")
    parts = {(y, x): grey[y : y + height, x : x + width] for y in range(3) for x in range(3)}
    down = sum(SLOPE[y] * SMOOTH[x] * part for (y, x), part in parts.items())
    right = sum(SMOOTH[y] * SLOPE[x] * part for (y, x), part in parts.items())
    return {
        "blurred": blurred,
        "sharpened": np.clip(image + SHARPENED_BY * (image - blurred), 0, 1),
        "edges": np.minimum(np.hypot(down, right), 1),
    }


def scene(size: int) -> np.ndarray:
    """A sun above hills with a lake, float32 ``(3, size, size)``."""
    y, x = np.indices((size, size)) / size
    picture = np.stack([0.35 + 0.4 * y, 0.55 + 0.2 * y, 0.9 - 0.2 * y])
    picture[:, (y - 0.25) ** 2 + (x - 0.72) ** 2 < 0.01] = [[1.0], [0.85], [0.4]]
    for height, depth, colour in ((0.5, 0.09, (0.4, 0.5, 0.55)), (0.62, 0.06, (0.2, 0.38, 0.25))):
        ridge = height + depth * np.sin(9 * x + 20 * depth) + depth / 3 * np.sin(41 * x)
        picture[:, y > ridge] = np.array(colour)[:, None]
    waves = 0.05 * np.sin(300 * np.sqrt(np.maximum(y - 0.75, 0)))
    lake = y > 0.78 + 0.02 * np.sin(7 * x)
    picture[:, lake] = np.array((0.15, 0.3, 0.5))[:, None] + waves[lake]
    grain = np.random.default_rng(2).normal(0, 0.015, picture.shape)
    return np.clip(picture + grain, 0, 1).astype(np.float32)


def panels(images: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side, grey ones in three equal colours: uint8 ``(height, width, 3)``."""
    colour = [np.broadcast_to(image, (3, *image.shape[-2:])) for image in images]
    return (255 * np.concatenate(colour, axis=2).transpose(1, 2, 0)).round().astype(np.uint8)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--out", default="image_filters.png")
    options = parser.parse_args(argv)

    image = scene(options.size)
    results = filtered(sm.array(image))
    expected = filtered_numpy(image.astype(np.float64))
    for name, result in results.items():
        np.testing.assert_allclose(result.numpy(), expected[name], atol=1e-5)
        print(f"{name}: mean {float(sm.mean(result)):.3f}, as NumPy's in float64")
    write_png(options.out, panels([image, *(result.numpy() for result in results.values())]))
    print(f"{options.out}: the picture, then each filter's")


if __name__ == "__main__":
    main()

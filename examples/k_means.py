"""Finds clusters with Lloyd's algorithm, in arrays alone: distances, the nearest centre, means.

The distances of all points to all centres are never stored: argmin reads them as an expression.
(S. Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 1982.)

    python examples/k_means.py --points 100000 --clusters 8
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm


def assign(points: sm.Array, centres: sm.Array) -> sm.Array:
    """The number of the nearest centre, for each point."""
    across = points[:, None, 0] - centres[None, :, 0]
    along = points[:, None, 1] - centres[None, :, 1]
    return sm.argmin(across**2 + along**2, axis=1)


def means(points: sm.Array, nearest: sm.Array, clusters: int) -> sm.Array:
    """The middle of the points of each cluster."""
    belongs = nearest[:, None] == sm.arange(clusters)[None, :]
    count = sm.maximum(belongs.sum(axis=0), 1)
    sums = [sm.where(belongs, points[:, None, axis], 0.0).sum(axis=0) for axis in (0, 1)]
    return sm.stack([total / count for total in sums], axis=1)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--clusters", type=int, default=8)
    options = parser.parse_args(argv)

    random = np.random.default_rng(3)
    angles = 2 * np.pi * np.arange(options.clusters) / options.clusters
    hidden = 10 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    chosen = random.integers(options.clusters, size=options.points)
    points = sm.array((hidden[chosen] + random.standard_normal((options.points, 2))).astype("f4"))

    centres = sm.array((hidden + random.uniform(-2, 2, hidden.shape)).astype("f4"))
    steps, distance = 0, 1.0
    while distance > 1e-4 and steps < 100:
        moved = means(points, assign(points, centres), options.clusters)
        distance = float(sm.max(sm.abs(moved - centres)))
        centres, steps = moved, steps + 1

    error = float(np.abs(centres.numpy() - hidden).max())
    print(f"{options.clusters} centres found after {steps} steps, within {error:.3f}")
    assert error < 20 / np.sqrt(options.points / options.clusters)


if __name__ == "__main__":
    main()

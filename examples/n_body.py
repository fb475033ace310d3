"""Stars that attract each other: every thread reads all bodies, a tile at a time, which its
threadgroup first copies into threadgroup memory.

Leapfrog steps (kick, drift, kick) conserve energy well; its drift is printed. Softened gravity:
a_i = sum over j of m_j (x_j - x_i) / (|x_j - x_i|**2 + e**2)**1.5, with G = 1.

    python examples/n_body.py --bodies 2000 --steps 50
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

TILE = 128
"""Threads of a threadgroup, and bodies that it reads at once."""
UNROLLED = 32
"""Bodies whose pulls are in the making at once."""
SOFTENING = 0.05


@sm.kernel
def accelerate(positions, masses, accelerations):
    """Each thread sums the pull of all bodies on its own; ``positions`` is ``(3, bodies)``."""
    count = masses.size
    i = sm.thread_position_in_grid().x
    local = sm.thread_index_in_threadgroup()
    tile = sm.threadgroup_array((TILE, 4), sm.float32)  # a body's place and mass, side by side
    mine = min(i, count - 1)  # threads beyond the last body help to copy, too
    x, y, z = positions[0, mine], positions[1, mine], positions[2, mine]
    pull_x = pull_y = pull_z = 0.0
    for first in range(0, count, TILE):
        j = min(first + local, count - 1)
        for axis in sm.static_range(3):
            tile[local, axis] = positions[axis, j]
        tile[local, 3] = masses[j] if first + local < count else 0.0
        sm.threadgroup_barrier()
        for start in range(0, TILE, UNROLLED):
            for k in sm.static_range(UNROLLED):
                body = tile[start + k]
                dx, dy, dz = body[0] - x, body[1] - y, body[2] - z
                inverse = sm.rsqrt(dx * dx + dy * dy + dz * dz + SOFTENING * SOFTENING)
                strength = body[3] * inverse * inverse * inverse
                pull_x += strength * dx
                pull_y += strength * dy
                pull_z += strength * dz
        sm.threadgroup_barrier()  # nobody overwrites a tile that another still reads
    if i < count:
        accelerations[0, i] = pull_x
        accelerations[1, i] = pull_y
        accelerations[2, i] = pull_z


@sm.kernel
def move(target, change, factor):
    """Add factor * change to target: the kick and the drift."""
    i, axis, _ = sm.thread_position_in_grid()
    target[axis, i] += factor * change[axis, i]


def differences(positions: np.ndarray) -> np.ndarray:
    """x_j - x_i for all pairs in float64: ``(3, bodies, bodies)``."""
    wide = positions.astype(np.float64)
    return wide[:, None, :] - wide[:, :, None]


def energy(positions: np.ndarray, velocities: np.ndarray, masses: np.ndarray) -> float:
    """Kinetic and potential energy together, with NumPy in float64."""
    distance = np.sqrt(np.sum(differences(positions) ** 2, axis=0) + SOFTENING**2)
    pairs = masses[:, None] * masses / distance
    kinetic = 0.5 * np.sum(masses * np.sum(velocities.astype(np.float64) ** 2, axis=0))
    return float(kinetic - 0.5 * (np.sum(pairs) - np.trace(pairs)))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--dt", type=float, default=0.005)
    options = parser.parse_args(argv)
    count = options.bodies

    generator = np.random.default_rng(7)
    positions = sm.array(generator.standard_normal((3, count), np.float32))
    velocities = sm.array(0.5 * generator.standard_normal((3, count), np.float32))
    masses = sm.full(count, 1.0 / count)
    accelerations = sm.zeros((3, count))

    def pull() -> None:
        groups = sm.cdiv(count, TILE)
        accelerate(positions, masses, accelerations, groups=groups, threads=TILE)

    pull()
    gap = differences(positions.numpy())
    weight = masses.numpy() / (np.sum(gap**2, axis=0) + SOFTENING**2) ** 1.5
    np.testing.assert_allclose(
        accelerations.numpy(), np.sum(weight * gap, axis=2), rtol=1e-4, atol=1e-5
    )
    print(f"{count} accelerations agree with NumPy's in float64")

    start = energy(positions.numpy(), velocities.numpy(), masses.numpy())
    for _ in range(options.steps):
        move(velocities, accelerations, 0.5 * options.dt, grid=(count, 3))
        move(positions, velocities, options.dt, grid=(count, 3))
        pull()
        move(velocities, accelerations, 0.5 * options.dt, grid=(count, 3))
    drift = energy(positions.numpy(), velocities.numpy(), masses.numpy()) / start - 1
    print(f"{options.steps} steps of {options.dt}: energy {start:.4f}, drift {drift:+.1e}")
    assert abs(drift) < 1e-3


if __name__ == "__main__":
    main()

"""Gravity among bodies: plainly, and with tiles of bodies in threadgroup memory."""

from __future__ import annotations

from typing import Any

from side_by_side.cases import SOFTENING

import speedmetal as sm

TILE = 256  # bodies in threadgroup memory, and threads of a threadgroup


@sm.kernel
def plain(x: Any, y: Any, z: Any, mass: Any, ax: Any, ay: Any, az: Any) -> None:
    i = sm.thread_position_in_grid().x
    pull_x, pull_y, pull_z = 0.0, 0.0, 0.0
    for j in range(x.size):
        dx, dy, dz = x[j] - x[i], y[j] - y[i], z[j] - z[i]
        inverse = sm.rsqrt(dx * dx + dy * dy + dz * dz + SOFTENING)
        pull = mass[j] * inverse * inverse * inverse
        pull_x += dx * pull
        pull_y += dy * pull
        pull_z += dz * pull
    ax[i], ay[i], az[i] = pull_x, pull_y, pull_z


@sm.kernel
def tiled(x: Any, y: Any, z: Any, mass: Any, ax: Any, ay: Any, az: Any) -> None:
    i = sm.thread_position_in_grid().x
    thread = sm.thread_index_in_threadgroup()
    tile_x = sm.threadgroup_array(TILE, sm.float32)
    tile_y = sm.threadgroup_array(TILE, sm.float32)
    tile_z = sm.threadgroup_array(TILE, sm.float32)
    tile_mass = sm.threadgroup_array(TILE, sm.float32)
    own_x, own_y, own_z = x[i], y[i], z[i]
    pull_x, pull_y, pull_z = 0.0, 0.0, 0.0
    for start in range(0, x.size, TILE):  # the number of bodies is a multiple of TILE
        sm.threadgroup_barrier()
        tile_x[thread], tile_y[thread] = x[start + thread], y[start + thread]
        tile_z[thread], tile_mass[thread] = z[start + thread], mass[start + thread]
        sm.threadgroup_barrier()
        for j in range(TILE):
            dx, dy, dz = tile_x[j] - own_x, tile_y[j] - own_y, tile_z[j] - own_z
            inverse = sm.rsqrt(dx * dx + dy * dy + dz * dz + SOFTENING)
            pull = tile_mass[j] * inverse * inverse * inverse
            pull_x += dx * pull
            pull_y += dy * pull
            pull_z += dz * pull
    ax[i], ay[i], az[i] = pull_x, pull_y, pull_z

"""Where elements are not 0, found by our kernels where the elements are.

How many there are is the size of the result: for that number, 8 bytes, the host waits.
"""

from __future__ import annotations

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.dtypes import int32, int64

_SHORTEST, _LONGEST = 256, 4096
"""Elements of a part."""
_PARTS = 16384
"""So many keep a GPU busy; from there on parts are longer."""


def finds(x: Array) -> bool:
    """Whether elements are looked for here: where the host does not see them."""
    return x.device.routines is not None and not x.layout.dtype.is_complex


def places_on_device(x: Array) -> Array:
    """The indices of what is not 0, int64: ``(x.ndim, count)``."""
    from speedmetal.arrays.kernels import find as kernels  # with its first use

    if not x.size:
        return Array.allocate((x.ndim, 0), int64, x.device)
    x.buffer  # noqa: B018 - it is read twice
    source = peeked(x)
    length = max(_SHORTEST, min(-(-x.size // _PARTS), _LONGEST))
    length += -length % kernels.LANES
    parts = -(-x.size // length)
    counts = Array.allocate((parts,), int32, x.device)
    starts = Array.allocate((parts + 1,), int64, x.device)
    grid = parts * kernels.LANES
    kernels.count_parts(counts, source, length, parts, grid=grid)
    kernels.add_up(starts, counts, groups=1, threads=kernels.THREADS)
    count = int(starts[parts].numpy())
    places = Array.allocate((x.ndim, count), int64, x.device)
    if count:
        kernels.write_places(places, source, starts, length, parts, grid=grid)
    return places

"""Elements at places that integer arrays and masks tell, read: ``x[index]``.

Where one kernel of ours reads them, it is one of :mod:`speedmetal.arrays.kernels`. What is small is
left to NumPy on shared memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.hosting import owned
from speedmetal.arrays.indices.choosers import (
    check_again,
    checked_positions,
    choosers_on_device,
    choosers_on_host,
    fits,
    has_mask,
    on_plain,
    only_mask,
    plain_positions,
    read_mask,
    within_view,
)
from speedmetal.arrays.indices.late_rows import late_rows
from speedmetal.arrays.indices.rows import few_rows
from speedmetal.arrays.indices.searching import places_of
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout, collapse_axes
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.memory.selection import (
    Selection,
    select,
)
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import BoundLaunch
from speedmetal.frontend.static import static
from speedmetal.launch.modes import stated_math_mode


def get_chosen(x: Array, index: Any) -> Array:
    """What ``x[index]`` is for an index with arrays in it, by NumPy's rules: a new array.

    Arrays of integers are broadcast together and take the place of the axes that they index, or
    come first where a slice, ``None`` or ``...`` stands between them. A mask is as the arrays of
    :func:`nonzero`. Where the shape does not depend on values, the result is lazy; the places are
    checked at once.

    Raises:
        IndexError: A place is outside, there are too many parts, a mask has another shape, or
            arrays do not go together.
        TypeError: A part is no index.
    """
    rows = few_rows(x, index)
    if rows is None and type(index) is Array:
        rows = late_rows(x, index)
    if rows is not None:
        return rows
    positions = plain_positions(x, index)
    if positions is not None:
        return upload(on_plain(np.ndarray.__getitem__, x, positions), x.device)
    if type(index) is Array and index.layout.dtype.is_integer and x.layout.shape:
        return _rows_at(x, index)
    mask = only_mask(index)
    rows = None if mask is None or not fits(x, mask) else _rows_of(x, mask.ndim)
    if rows is not None:
        return _where_true(rows, read_mask(mask).reshape(-1))
    chosen = select(index, x.shape, read_mask)
    result = choose(x, chosen)
    if has_mask(index) and result.pending is not None:
        result.buffer  # noqa: B018 - it is computed now, as all whose shape depends on values
    return result


def _rows_at(x: Array, index: Array) -> Array:
    """``x[index]`` for an array of integers with axes: as :func:`choose`, in less time."""
    extent, *row = x.layout.shape
    positions = checked_positions(index, 0, extent, x.device)
    check = partial(check_again, (index,), (0,), (extent,))
    return lazy_gather(peeked(x), (positions,), 0, (*index.layout.shape, *row), check)


def choose(x: Array, chosen: Selection) -> Array:
    """The elements that a selection takes, lazy but where they are few."""
    view = x.viewed(chosen.view)
    assert view is not None
    shape = chosen.shape_of(view.shape)
    few = view.pending is None and view.is_sooner_on_host(math.prod(shape) * view.itemsize)
    if few:
        index = within_view(chosen, choosers_on_host(chosen))
        return upload(view.on_host()[index], x.device)
    positions = choosers_on_device(chosen, x.device)
    extents = view.shape[chosen.lead : chosen.lead + len(positions)]
    check = partial(check_again, chosen.choosers, chosen.axes, extents)
    return lazy_gather(peeked(view), positions, chosen.lead, shape, check)


def lazy_gather(
    view: Array,
    positions: tuple[Array, ...],
    lead: int,
    shape: Shape,
    check: Callable[[], None] | None = None,
) -> Array:
    """What is chosen of a view, when it is asked for.

    Args:
        view: What is read.
        positions: On its axes from ``lead`` on, of one shape.
        lead: See above.
        shape: Of the result.
        check: Called before; may raise.
    """

    def run() -> tuple[Array]:
        if check is not None:
            check()
        target = Array.allocate(shape, view.layout.dtype, view.device)
        if target.size:
            _launch_gather(target, view, positions, lead)
        return (target,)

    check_computes("an index array", view.device, view.layout.dtype)
    node = Call("gather", (view, *positions), run, reads_of(shape, view))
    found: list[Array] = call(Array, node, [(shape, view.layout.dtype)], view.device)
    return found[0]


def reads_of(shape: Shape, view: Array) -> int:
    """How often an element is read, about."""
    return 1 if math.prod(shape) <= view.size else 2


def _launch_gather(target: Array, view: Array, positions: tuple[Array, ...], lead: int) -> None:
    from speedmetal.arrays.kernels.gather import gather  # with its first use, as in `copying`

    if view.pending is not None:
        grid = grid_of(target.shape)
        gather(target, view, positions, static(lead), static(1), static(1), grid=grid, debug=0)
        return
    layouts = tuple(array.layout for array in positions)
    key = (target.layout, view.layout, layouts, lead, stated_math_mode.get())
    run = _plans.get(key) or _plans.keep(key, _bound_gather(target, view, positions, lead))
    run([0, target.address, view.address, *(array.address for array in positions)])


_plans: Kept[BoundLaunch] = Kept(1024)
BYTES_AT_ONCE = 16
"""A thread's widest load."""
TURNS = 4
"""Such loads that a thread has on their way at once."""


def _bound_gather(
    target: Array, view: Array, positions: tuple[Array, ...], lead: int
) -> BoundLaunch:
    """What launches the kernel; no first element moves where axes are merged."""
    from speedmetal.arrays.kernels.gather import gather  # as above

    elements = [array.elements for array in positions]
    to, of, layouts, lead = _merged(target.elements, view.elements, elements, lead)
    arguments = (target.with_elements(to), view.with_elements(of))
    chosen = _with_layouts(positions, layouts)
    is_behind = lead + layouts[0].ndim < to.ndim  # the last axis is none of those chosen from
    on_gpu = is_behind and target.device.kind != "cpu"
    width = _elements_at_once(to, of) if on_gpu else 1
    across, *others = grid_of(to.shape)
    turns = math.gcd(TURNS, across // width) if width > 1 else 1
    known: tuple[Any, ...] = (static(lead), static(width), static(turns))
    grid = (across // width // turns, *others)
    return gather.prepare(*arguments, chosen, *known, grid=grid).run


def _elements_at_once(to: Layout, of: Layout) -> int:
    """How many elements along the last axis a GPU's thread copies together."""
    is_near = to.strides[-1] == to.itemsize and of.strides[-1] == of.itemsize
    return math.gcd(BYTES_AT_ONCE // to.itemsize, to.shape[-1]) if is_near else 1


def _with_layouts(arrays: tuple[Array, ...], layouts: list[Layout]) -> tuple[Array, ...]:
    pairs = zip(arrays, layouts, strict=True)
    return tuple(array.with_elements(layout) for array, layout in pairs)


def _merged(
    whole: Layout, source: Layout, choosers: list[Layout], lead: int
) -> tuple[Layout, Layout, list[Layout], int]:
    """Layouts on as few axes as possible: of what is chosen, what of, the positions; and ``lead``.

    Args:
        whole: Of the axes of the source before ``lead``, the choosers' axes, and the others.
        source: Has an axis for each chooser, from ``lead`` on.
        choosers: Of one shape.
        lead: See above.
    """
    ndim, count = choosers[0].ndim, len(choosers)
    before = collapse_axes(_axes(whole, 0, lead), _axes(source, 0, lead))
    middle = collapse_axes(_axes(whole, lead, lead + ndim), *choosers)
    if not middle[0].shape:
        middle = tuple(layout.expand_dims(0) for layout in middle)
    after = collapse_axes(
        _axes(whole, lead + ndim, whole.ndim), _axes(source, lead + count, source.ndim)
    )
    chosen_axes = _axes(source, lead, lead + count)
    return (
        _joined(whole, before[0], middle[0], after[0]),
        _joined(source, before[1], chosen_axes, after[1]),
        list(middle[1:]),
        before[0].ndim,
    )


def _axes(layout: Layout, first: int, end: int) -> Layout:
    return Layout(layout.dtype, layout.shape[first:end], layout.strides[first:end], layout.offset)


def _joined(of: Layout, *parts: Layout) -> Layout:
    shape = tuple(extent for part in parts for extent in part.shape)
    strides = tuple(stride for part in parts for stride in part.strides)
    return Layout(of.dtype, shape, strides, of.offset)


def _rows_of(x: Array, ndim: int) -> Array | None:
    """A view with one axis in the place of the first ones; None where strides do not allow it."""
    length = math.prod(x.shape[:ndim])
    return x.viewed(lambda elements: elements.reshape((length, *elements.shape[ndim:])))


def _where_true(rows: Array, flags: HostArray) -> Array:
    """The rows whose flag is True, read by a kernel where they are many."""
    (places,) = places_of(flags)
    shape = (len(places), *rows.shape[1:])
    if rows.pending is None and rows.is_sooner_on_host(math.prod(shape) * rows.itemsize):
        return upload(np.take(rows.on_host(), places, axis=0), rows.device)
    result = lazy_gather(peeked(rows), (owned(places, rows.device),), 0, shape)
    result.buffer  # noqa: B018 - it is computed now, as all whose shape depends on values
    return result

"""What the records of intrinsics say of how results vary, and of their bounds, is so."""

from __future__ import annotations

import numpy as np

import speedmetal as sm
from speedmetal import dtypes
from speedmetal.dtypes import Kind
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import IntrinsicKind, Varies
from speedmetal.ir.types import greatest_index
from thread_model import simdgroups_of, threadgroups_of

# Several threadgroups of several simdgroups, and smaller ones at the edge along each axis.
GRID, THREADS = (37, 5, 3), (16, 3, 2)
WIDTH, HEIGHT, _ = GRID
TRUTH = frozenset({Kind.BOOL})
NUMBERS = frozenset({Kind.SIGNED, Kind.UNSIGNED, Kind.FLOAT})
POSITIONS = tuple(r for r in TABLE.values() if r.kind is IntrinsicKind.POSITION)
VECTORS = tuple(r for r in POSITIONS if r.axes)
INDICES = tuple(r for r in POSITIONS if not r.axes)
PARTS = (part for r in TABLE.values() for part in r.parts.values() if part.name not in TABLE)
COLLECTIVES = (*(r for r in TABLE.values() if r.exchange is not None), *PARTS)
VOTES = tuple(r for r in COLLECTIVES if r.accepts == TRUTH and r.arity)
OF_ONE = tuple(r for r in COLLECTIVES if r.accepts != TRUTH and r.arity == 1)
OF_TWO = tuple(r for r in COLLECTIVES if r.arity == 2)
LANE = 1


def sets_of_threads():
    """The rows of a result that the threads of each threadgroup, and of each simdgroup, wrote."""
    groups, simdgroups = [], []
    for group in threadgroups_of(GRID, THREADS):
        groups.append([row_of(thread) for thread in group])
        simdgroups += [[row_of(thread) for thread in own] for own in simdgroups_of(group)]
    return {Varies.THREADGROUPS: groups, Varies.SIMDGROUPS: simdgroups}


def row_of(thread):
    x, y, z = thread.thread_position_in_grid
    return x + WIDTH * (y + HEIGHT * z)


def variation(values):
    """Between what the threads' values differ."""
    if len(np.unique(values)) == 1:
        return Varies.NOWHERE
    for within, sets in sets_of_threads().items():
        if all(len(np.unique(values[rows])) == 1 for rows in sets):
            return within
    return Varies.THREADS


@sm.kernel
def positions(vectors, indices):
    x, y, z = sm.thread_position_in_grid()
    row = x + WIDTH * (y + HEIGHT * z)
    for n in sm.static_range(len(VECTORS)):
        found = VECTORS[n]()
        vectors[row, n, 0], vectors[row, n, 1], vectors[row, n, 2] = found.x, found.y, found.z
    for n in sm.static_range(len(INDICES)):
        indices[row, n] = INDICES[n]()


@sm.kernel
def exchanges(votes, one, two):
    """On values that differ between all threads, and on the same lane for all."""
    x, y, z = sm.thread_position_in_grid()
    row = x + WIDTH * (y + HEIGHT * z)
    value = row * 7919 % 101 + 1
    for n in sm.static_range(len(VOTES)):
        votes[row, n] = VOTES[n](row % 5 == 2)
    votes[row, len(VOTES)] = sm.simd_is_first()
    for n in sm.static_range(len(OF_ONE)):
        one[row, n] = OF_ONE[n](value)
    for n in sm.static_range(len(OF_TWO)):
        two[row, n] = OF_TWO[n](value, LANE)


def test_positions_vary_as_their_records_say(device):
    threads = int(np.prod(GRID))
    vectors = sm.zeros((threads, len(VECTORS), 3), dtype=sm.int32, device=device)
    indices = sm.zeros((threads, len(INDICES)), dtype=sm.int32, device=device)
    positions(vectors, indices, grid=GRID, threads=THREADS)
    found = {r.name: np.asarray(vectors)[:, n] for n, r in enumerate(VECTORS)}
    found |= {r.name: np.asarray(indices)[:, n : n + 1] for n, r in enumerate(INDICES)}
    told = {r.name: r.varies for r in POSITIONS}
    assert {name: max(map(variation, values.T)) for name, values in found.items()} == told
    for record in POSITIONS:
        least, greatest = record.bounds(greatest_index(dtypes.int32))
        assert least <= found[record.name].min() <= found[record.name].max() <= greatest


def test_collectives_vary_as_their_records_say(device):
    threads = int(np.prod(GRID))
    sizes = (len(VOTES) + 1, len(OF_ONE), len(OF_TWO))
    results = [sm.zeros((threads, n), dtype=sm.uint32, device=device) for n in sizes]
    exchanges(*results, grid=GRID, threads=THREADS)
    records = (*VOTES, TABLE["simd_is_first"], *OF_ONE, *OF_TWO)
    assert {*records} == {*COLLECTIVES}
    for record, values in zip(records, np.hstack(list(map(np.asarray, results))).T, strict=True):
        varies = variation(values)
        assert varies <= record.varies, record
        # So it is here, but that words of few bits, and threads that ask for one lane, may agree.
        may_agree = record.accepts != NUMBERS or "lane" in record.operands
        assert varies == record.varies or may_agree, record

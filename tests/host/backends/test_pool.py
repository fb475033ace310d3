"""The rules of the caching pool, on memory that is only numbers."""

from __future__ import annotations

import gc
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.backends import forks
from speedmetal.backends.cpu.memory import capacity_of
from speedmetal.backends.pool import SMALLEST_BYTES, Block, CachingPool, size_class


class Piece(Block):
    """A stretch of an endless line of bytes."""

    __slots__ = ("end", "last_use", "start")

    def __init__(self, start, capacity_bytes):
        super().__init__(capacity_bytes, capacity_bytes)
        self.start, self.end = start, start + capacity_bytes
        self.last_use = 0


class Line(CachingPool):
    """A pool that notes what it asks of the system.

    Args:
        system_bytes: What the system has.
        limit: How many bytes may be idle.
    """

    def __init__(self, system_bytes=1 << 60, limit=1 << 60, **options):
        self.limit = limit
        super().__init__(**options)
        self.system_bytes = system_bytes
        self.next_start = 0
        self.made = 0
        self.rested = []
        self.now = 0  # how far launches have come

    def make(self, key, capacity_bytes):
        if self.held().bytes_in_use + self.held().bytes_cached + capacity_bytes > self.system_bytes:
            return None
        self.made += 1
        self.next_start += capacity_bytes
        return Piece(self.next_start - capacity_bytes, capacity_bytes)

    def idle_limit(self, peak_bytes):
        return self.limit

    def get(self, size_bytes):
        capacity = size_class(size_bytes)
        return self.take(capacity, capacity, size_bytes)

    def give(self, *pieces):
        self.returned.extend(pieces)


class LaterLine(Line):
    """As where launches run later: a piece is over when ``now`` has reached its last use."""

    runs_later = True

    def is_over(self, block):
        return block.last_use <= self.now


@pytest.mark.parametrize("smallest", [64, SMALLEST_BYTES])
@given(size=st.integers(0, 1 << 50))
def test_a_size_class_holds_what_is_asked_for_and_wastes_little(smallest, size):
    capacity = size_class(size, smallest, 64)
    assert capacity >= max(size, smallest)
    assert capacity % 64 == 0
    assert capacity <= max(size * 9 / 8, size + 64, smallest)
    assert size_class(capacity, smallest, 64) == capacity


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_size_classes_are_in_the_order_of_sizes(one, other):
    small, large = sorted((one, other))
    assert capacity_of(small) <= capacity_of(large)


# What a program does: ask for so many bytes, give the n-th back, or empty the cache.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), st.integers(0, 5000)),
        st.tuples(st.just("give"), st.integers(0, 50)),
        st.tuples(st.just("finish"), st.integers(0, 5)),
        st.tuples(st.just("trim"), st.just(0)),
    ),
    max_size=60,
)


@pytest.mark.parametrize("kind", [Line, LaterLine])
@given(steps=STEPS, limit=st.sampled_from([0, 300, 3000, 1 << 40]))
def test_the_law_of_the_pool(kind, steps, limit):
    """Live blocks never meet, hold what was asked for, and no more is idle than may be."""
    pool = kind(limit=limit)
    live, sizes, allocations, peak = [], {}, 0, 0
    for step, number in steps:
        if step == "get":
            piece = pool.get(number)
            assert piece.last_use <= pool.now, "a launch may still use it"
            sizes[piece] = number
            allocations += 1
            live.append(piece)
            peak = max(peak, sum(sizes[each] for each in live))
        elif step == "give" and live:
            piece = live.pop(number % len(live))
            piece.last_use = pool.now + number % 3 if pool.runs_later else 0
            pool.give(piece)
        elif step == "finish":
            pool.now += number
        elif step == "trim":
            pool.trim()
        spans = sorted((piece.start, piece.end) for piece in live)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        assert all(piece.capacity_bytes >= sizes[piece] for piece in live)
        info, held = pool.info(), pool.held()
        assert info.bytes_in_use == sum(sizes[piece] for piece in live)
        assert (info.allocations, info.peak_bytes) == (allocations, peak)
        assert held.bytes_in_use == sum(piece.capacity_bytes for piece in live)
        assert held.bytes_cached == info.bytes_cached
        if kind is Line:
            assert info.bytes_cached <= limit


def test_what_came_back_last_is_used_first():
    pool = Line()
    first, second = pool.get(1000), pool.get(1000)
    pool.give(first, second)
    assert pool.get(1000) is second
    assert pool.get(1000) is first
    assert pool.made == 2


def test_only_a_new_block_is_fresh():
    pool = Line()
    piece = pool.get(1000)
    assert piece.is_fresh
    pool.give(piece)
    assert pool.get(1000) is piece
    assert not piece.is_fresh, "straight from what came back"
    other = pool.get(1000)
    pool.give(piece, other)
    pool.collect()
    assert not pool.get(1000).is_fresh, "from the idle ones"


def test_classes_unused_longest_are_given_back_first():
    pool = Line(limit=3 * 4096)
    c, b, a = pool.get(512), pool.get(2 * 4096), pool.get(4096)
    for piece in (a, b, c):
        pool.give(piece)
        pool.collect()
    # 512 bytes too many: the oldest goes, which is more than enough.
    assert pool.info().bytes_cached == 2 * 4096 + 512
    assert pool.get(2 * 4096) is b
    assert pool.get(512) is c
    assert pool.get(4096) is not a


def test_a_block_beyond_the_limit_does_not_drive_the_others_out():
    pool = Line(limit=5000)
    small, large = pool.get(1000), pool.get(10_000)
    pool.give(small, large)
    assert pool.info().bytes_cached == small.capacity_bytes
    assert pool.get(1000) is small


def test_a_loop_over_changing_sizes_holds_no_more_than_the_limit():
    pool = Line(limit=1 << 20)
    for size in range(1, 1 << 19, 999):
        pool.give(pool.get(size))
        held = pool.held()
        assert held.bytes_in_use + held.bytes_cached <= 1 << 20


def test_idle_blocks_are_given_back_when_the_system_has_no_more():
    pool = Line(system_bytes=10_000)
    pool.give(pool.get(4096), pool.get(4096))
    assert pool.get(8192) is not None
    assert pool.get(4096) is None
    assert pool.info().bytes_in_use == 8192


def test_idle_blocks_are_given_back_before_the_allowance_is_passed():
    pool = Line(bytes_allowed=10_000)
    pool.give(pool.get(4096), pool.get(4096))
    assert pool.get(8192) is not None
    assert pool.get(4096) is None
    assert pool.made == 3


def test_a_pool_that_does_not_reuse_keeps_nothing():
    pool = Line(reuses=False)
    first = pool.get(1000)
    pool.give(first)
    assert pool.get(1000) is not first
    assert pool.info().bytes_cached == 0


def test_blocks_for_no_array_are_not_counted_as_arrays():
    pool = Line()
    piece = pool.take(256, 256, None)
    assert (pool.info().bytes_in_use, pool.info().allocations) == (0, 0)
    assert pool.held().bytes_in_use == 256
    pool.give(piece)
    pool.give(pool.get(200))
    pool.give(pool.take(256, 256, None))
    assert pool.info().bytes_in_use == 0


def test_large_blocks_rest_when_they_become_idle():
    pool = Line()
    pool.rests_from = 4096
    pool.rest = pool.rested.append
    small, large = pool.get(2048), pool.get(4096)
    pool.give(small, large)
    pool.collect()
    assert pool.rested == [large]


# --- In the middle of things ---------------------------------------------------------------------


class Cycle:
    """Gives pieces back, and asks for some, when the garbage collector finds it."""

    def __init__(self, pool, pieces, found):
        self.itself, self.pool, self.pieces, self.found = self, pool, pieces, found

    def __del__(self):
        self.found.append(True)
        self.pool.give(*self.pieces)
        again = self.pool.get(300)
        self.pool.give(again)
        self.pool.trim()


@pytest.mark.tier("default")
@pytest.mark.parametrize("kind", [Line, LaterLine])
@pytest.mark.parametrize("method", ["make", "rest", "waits", "poll", "is_over", "idle_limit"])
def test_a_garbage_collection_in_the_middle_of_a_method(kind, method):
    pool = kind()
    pool.rests_from = 0
    original = getattr(pool, method)
    calls, found = [], []

    def interrupted(*arguments):
        calls.append(True)
        setattr(pool, method, original)
        Cycle(pool, [pool.get(300), pool.get(700)], found)
        gc.collect(0)  # it is new; to look through all that tests have left takes long
        setattr(pool, method, interrupted)
        return original(*arguments)

    setattr(pool, method, interrupted)
    live = []
    for round_ in range(30):
        live.append(pool.get(300 + 400 * (round_ % 2)))
        if round_ % 3:
            pool.give(live.pop(0))
    assert found == calls
    spans = sorted((piece.start, piece.end) for piece in live)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    setattr(pool, method, original)
    pool.give(*live)
    pool.collect()
    pool.trim()
    info, held = pool.info(), pool.held()
    assert (info.bytes_in_use, info.bytes_cached, held.bytes_in_use) == (0, 0, 0)


def test_threads_never_hold_the_same_block():
    pool = Line(limit=20_000)
    holders = {}
    failures = []

    def work(name):
        for number in range(2000):
            piece = pool.get(300 * (number % 7))
            if holders.setdefault(piece, name) != name:
                failures.append(piece)
            del holders[piece]
            pool.give(piece)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    info = pool.info()
    assert (info.bytes_in_use, info.allocations) == (0, 8000)
    assert info.bytes_cached <= 20_000


def test_a_child_has_a_lock_of_its_own_and_right_counts():
    pool = Line()
    pool.give(pool.get(1000), pool.get(2000))
    pool.collect()
    held, release = threading.Event(), threading.Event()

    def hold():
        with pool.lock:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    pool._cached = 7  # as if a thread had been in the middle of a method
    pool.renew_in_child()
    assert pool.info().bytes_cached == size_class(1000) + size_class(2000)
    release.set()
    thread.join()


def test_every_pool_is_renewed_in_children(monkeypatch):
    # Those of the process's devices are not in a child.
    monkeypatch.setattr(forks, "_methods", {})
    monkeypatch.setattr(forks, "_functions", [])
    pools = [Line() for _ in range(3)]
    before = [pool.lock for pool in pools]
    forks._run_in_child()
    assert all(pool.lock is not lock for pool, lock in zip(pools, before, strict=True))

"""Garbage is collected rarely in blocks, and as before after them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.common.garbage import RARE_THRESHOLD, rare_collections
from speedmetal.compiler import pipeline


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The settings of the collector, put back; and nothing frozen, as the suite has it."""
    before, was_on, are_frozen = gc.get_threshold(), gc.isenabled(), gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield
    if are_frozen:
        gc.freeze()
    gc.set_threshold(*before)
    (gc.enable if was_on else gc.disable)()


def test_the_threshold_is_back_after_a_block_and_after_an_error() -> None:
    with rare_collections():
        assert gc.get_threshold() == (RARE_THRESHOLD, 10, 10)
        with rare_collections():
            pass
        assert gc.get_threshold()[0] == RARE_THRESHOLD
    assert gc.get_threshold() == (700, 10, 10)
    with pytest.raises(KeyError), rare_collections():
        raise KeyError
    assert gc.get_threshold() == (700, 10, 10)


def test_blocks_of_two_threads_may_overlap() -> None:
    first, second = rare_collections(), rare_collections()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("stated", [(0, 10, 10), (RARE_THRESHOLD * 2, 5, 5)])
def test_rarer_collections_of_the_program_stay(stated: tuple[int, int, int]) -> None:
    gc.set_threshold(*stated)
    with rare_collections():
        assert gc.get_threshold() == stated
    assert gc.get_threshold() == stated


def test_what_the_program_sets_meanwhile_stays() -> None:
    with rare_collections():
        gc.set_threshold(900, 9, 9)
        gc.disable()
    assert gc.get_threshold() == (900, 9, 9)
    assert not gc.isenabled()


class Link:
    """Refers to itself: garbage that nobody but the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_of_a_block_is_found_by_the_next_full_collection() -> None:
    links = weakref.WeakSet[Link]()
    with rare_collections():
        for _ in range(20_000):
            links.add(Link())
        assert len(links) == 20_000
    gc.collect()
    assert not links


def test_frozen_objects_stay_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with rare_collections():
            kept = [[] for _ in range(20_000)]
        assert len(kept) == 20_000
        assert gc.get_freeze_count() >= frozen - 10  # some of them are freed meanwhile
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("is_on", [True, False])
def test_a_compilation_leaves_the_collector_as_it_was(
    monkeypatch: pytest.MonkeyPatch, *, is_on: bool
) -> None:
    """Whether the kernel is right or wrong."""
    seen = []
    inner = pipeline._compile_for
    monkeypatch.setattr(
        pipeline, "_compile_for", lambda *a: (seen.append(gc.get_threshold()[0]), inner(*a))[1]
    )

    @sm.kernel
    def right(a):
        a[0] = 1

    @sm.kernel
    def wrong(a):
        a[0] = nobody_knows  # noqa: F821

    (gc.enable if is_on else gc.disable)()
    right(np.zeros(1, np.float32), grid=1)
    with pytest.raises(sm.CompileError, match="nobody_knows"):
        wrong(np.zeros(1, np.float32), grid=1)
    assert seen == [RARE_THRESHOLD] * 2
    assert gc.get_threshold() == (700, 10, 10)
    assert gc.isenabled() == is_on

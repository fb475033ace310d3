"""Which names a function may come to use, through all that it calls."""

from __future__ import annotations

from collections.abc import Sequence

from speedmetal.msl.structure import (
    Declaration,
    Sort,
    declared_names,
)
from speedmetal.msl.tokens import Tokens

_GROUPS = ("simd", "quad")
_OF_GROUPS = """
sum product min max and or xor prefix_inclusive_sum prefix_exclusive_sum prefix_inclusive_product
prefix_exclusive_product shuffle shuffle_up shuffle_down shuffle_xor shuffle_rotate_up
shuffle_rotate_down shuffle_and_fill_up shuffle_and_fill_down broadcast broadcast_first ballot
active_threads_mask all any is_first
"""
WAITING = frozenset(
    [
        *(f"{group}_{name}" for group in _GROUPS for name in _OF_GROUPS.split()),
        *(f"__metal_simd_{name}" for name in _OF_GROUPS.split()),
        "__metal_get_thread_index_in_simdgroup",
        "threadgroup_barrier",
        "simdgroup_barrier",
        "simdgroup_load",
        "simdgroup_store",
        "simdgroup_multiply",
        "simdgroup_multiply_accumulate",
        # A matrix of a number depends on the thread's place in its simdgroup.
        "simdgroup_matrix",
        "simdgroup_half8x8",
        "simdgroup_float8x8",
        "simdgroup_bfloat8x8",
        "make_diagonal_simdgroup_matrix",
    ]
)
"""Functions in which threads wait for each other."""

_OF_DATA = (Sort.RECORD, Sort.VARIABLE, Sort.ALIAS)


def _names(tokens: Tokens, declaration: Declaration) -> frozenset[str]:
    """All names that a declaration could be named by."""
    if declaration.sort in _OF_DATA:
        return declared_names(tokens, declaration) | {declaration.name}
    return frozenset({declaration.name})


def _find_words(tokens: Tokens, declaration: Declaration, kernels: set[str]) -> set[str]:
    """The words of a declaration, without kernels whose types alone it names."""
    words = tokens.words[declaration.begin : declaration.end]
    used = set(words)
    for kernel in kernels.intersection(used) - {declaration.name}:
        places = [declaration.begin + i for i, word in enumerate(words) if word == kernel]
        if not any(_is_called(tokens, place) for place in places):
            used.remove(kernel)
    return used


def _is_called(tokens: Tokens, index: int) -> bool:
    """Whether a kernel's name is followed by arguments; Metal allows no calls, it has the types."""
    if tokens.word(index + 1) == "<":
        close = tokens.angle_partner(index + 1)
        return close is not None and tokens.word(close + 1) == "("
    return tokens.word(index + 1) == "("


class Reach:
    """The names that are in the text of declarations, and of what those name in turn.

    Operators of the user's own are called without being named, so they count as always called.
    """

    def __init__(self, tokens: Tokens, found: Sequence[Declaration]) -> None:
        self._words: list[frozenset[str]] = []
        self._named: dict[str, list[int]] = {}
        self._unnamed: list[int] = []
        self._numbers: dict[int, int] = {}
        self._reached: dict[int, frozenset[str]] = {}
        self._instances: dict[tuple[int, frozenset[str]], frozenset[str]] = {}
        names = [_names(tokens, declaration) for declaration in found]
        kernels = {declaration.name for declaration in found if declaration.is_kernel}
        known = WAITING.union(*names)
        for number, declaration in enumerate(found):
            self._numbers[declaration.begin] = number
            is_instance = declaration.sort is Sort.INSTANTIATION
            used = _find_words(tokens, declaration, set() if is_instance else kernels)
            self._words.append(known & used)
            if is_instance:
                continue  # makes a function of a template that has a name of its own
            for name in names[number]:
                self._named.setdefault(name, []).append(number)
            if declaration.name.startswith("operator"):
                self._unnamed.append(number)

    def words(self, declaration: Declaration, instantiation: Declaration | None) -> frozenset[str]:
        """All names that a kernel, or an instance of its template, may come to use."""
        begin = declaration.begin
        if begin not in self._reached:
            self._reached[begin] = self._from([self._numbers[begin], *self._unnamed], frozenset())
        reached = self._reached[begin]
        if instantiation is None:
            return reached
        number = self._numbers[instantiation.begin]
        key = (begin, self._words[number])
        if key not in self._instances:
            self._instances[key] = self._from([number], reached)
        return self._instances[key]

    def _from(self, start: list[int], reached_before: frozenset[str]) -> frozenset[str]:
        waiting = list(start)
        seen: set[int] = set()
        reached = set(reached_before)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            for word in self._words[number] - reached:
                waiting += self._named.get(word, ())
            reached |= self._words[number]
        return frozenset(reached)

    def may_wait(self, declaration: Declaration) -> bool:
        """Whether threads may wait for each other in a declaration, or in what it names."""
        return self.waits(self.words(declaration, None))

    def waits(self, reached: frozenset[str]) -> bool:
        """Whether a function of these names may wait for other threads."""
        return not WAITING.isdisjoint(reached)

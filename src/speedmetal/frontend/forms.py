"""Forms: a number's place, or a tuple or record of forms, and what stands at the places.

Trees of one form stand for each other item by item: of arrays, of dtypes, of numbers. The functions
do outside kernels what they do inside; see :mod:`speedmetal.frontend.flattening`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from speedmetal.frontend.signature import field_names, is_record_class, record_items

Tree = Any
"""What stands at the places of a form."""


def flatten(value: Tree) -> tuple[Any, ...]:
    """What is in a tuple or record, and in those in it, in order; anything else alone.

    >>> flatten((1, (2, 3)))
    (1, 2, 3)
    >>> flatten(1)
    (1,)
    """
    if is_branch(value):
        return tuple(part for item in record_items(value) for part in flatten(item))
    return (value,)


def rebuild(like: Tree, parts: Sequence[Any]) -> Tree:
    """The tuple or record of the form of another, with these parts.

    >>> rebuild((1, (2, 3)), "abc")
    ('a', ('b', 'c'))
    """
    return _rebuilt(like, iter(parts))


def mapped(change: Callable[[Any], Any], tree: Tree) -> Tree:
    """A tree of the same form, each of whose items was changed."""
    return rebuild(tree, [change(item) for item in flatten(tree)])


def _rebuilt(like: Tree, parts: Iterator[Any]) -> Tree:
    if not is_branch(like):
        return next(parts)
    items = [_rebuilt(item, parts) for item in record_items(like)]
    return make_tree(type(like), items)


def is_branch(tree: Tree) -> bool:
    """Whether it is a tuple or record, and no item."""
    return type(tree) is tuple or is_record_class(type(tree))


def make_tree(cls: Any, items: Sequence[Any]) -> Tree:
    """The tuple, named tuple or dataclass with these items."""
    if cls is tuple:
        return tuple(items)
    return cls(**dict(zip(field_names(cls), items, strict=True)))


def is_within(offsets: Sequence[int], radius: Sequence[int]) -> bool:
    """Whether offsets are known to be at most as far as a radius.

    In a kernel they are known where they are constants; those that are too far are an error there.

    >>> is_within((0, -1), (1, 1))
    True
    """
    return all(abs(offset) <= most for offset, most in zip(offsets, radius, strict=True))

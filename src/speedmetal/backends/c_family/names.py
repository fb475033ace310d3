"""Names in printed source: the user's, unless they already mean something there."""

from __future__ import annotations

from collections.abc import Iterable

# Keywords of C++17, and the words that both targets give a meaning to.
_WORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
    class compl const const_cast constexpr continue decltype default delete do double dynamic_cast
    else enum explicit export extern false final float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq override private protected public
    register reinterpret_cast return short signed sizeof static static_assert static_cast struct
    switch template this thread_local throw true try typedef typeid typename union unsigned using
    virtual void volatile wchar_t while xor xor_eq
    Arguments arguments mailbox half bfloat main size_t
    """
KEYWORDS = frozenset(_WORDS.split())


class Names:
    """Gives each object a name of its own; asked again, it gives the same one."""

    def __init__(self, reserved: Iterable[str], outer: Names | None = None) -> None:
        self._outer = outer
        self._taken = set(reserved)
        self._given: dict[object, str] = {}

    def of(self, owner: object, wanted: str) -> str:
        """The name of ``owner``: ``wanted``, with a number behind it where that is taken."""
        found = self.find(owner)
        if found is None:
            found = self._given[owner] = self.fresh(wanted)
        return found

    def find(self, owner: object) -> str | None:
        """The name given to ``owner`` before, here or in the scope around."""
        found = self._given.get(owner)
        return found if found is not None or self._outer is None else self._outer.find(owner)

    def is_taken(self, name: str) -> bool:
        """Whether a name means something already, here or in the scope around."""
        return name in self._taken or (self._outer is not None and self._outer.is_taken(name))

    def fresh(self, wanted: str) -> str:
        """A name that nothing else has."""
        name, number = wanted, 0
        while self.is_taken(name):
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

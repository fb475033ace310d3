"""The lanes that are active where instructions are being written."""

from __future__ import annotations

from collections.abc import Iterator

from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.values import Lanes

_ALL = "splat (i1 true)"


class ActiveLanes:
    """Owns the mask of the active lanes; asks how many lanes there are.

    ``mask`` is None where all are active. Whoever writes control flow sets it, and sets it back;
    whoever writes what lanes do reads it. ``in_tail`` says that this is the last, partial
    vector of a row: it has a text of its own, and runs once where full ones run many times.
    """

    def __init__(self, emit: Emitter, lanes: Lanes) -> None:
        self._emit = emit
        self._lanes = lanes
        self.mask: str | None = None
        self.in_tail = False

    # --- as an operand

    def text(self) -> str:
        """The mask as a vector, also where all lanes are active."""
        return self.mask or _ALL

    def operand(self) -> tuple[str, str]:
        """Type and text of the mask, as the last operand of masked accesses."""
        return self._lanes.mask_type, self.mask or _ALL

    def bits(self) -> str:
        """The active lanes as the bits of an integer."""
        if self.mask is None:
            return "-1"
        lanes = self._lanes
        return self._emit.let(f"bitcast {lanes.mask_type} {self.mask} to {lanes.bits_type}")

    def select(self, kind: str, text: str, rest: str) -> str:
        """One value in the active lanes, another in idle ones.

        Args:
            kind: Of both, a type of LLVM's.
            text: In the active lanes.
            rest: In idle lanes, where there are any.
        """
        if self.mask is None:
            return text
        choice = f"{self._lanes.mask_type} {self.mask}, {kind} {text}, {kind} {rest}"
        return self._emit.let(f"select {choice}")

    # --- other masks

    def narrowed(self, condition: str) -> str:
        """The active lanes in which a condition (a vector) holds."""
        if self.mask is None:
            return condition
        return self._emit.let(f"and {self._lanes.mask_type} {self.mask}, {condition}")

    def opposite(self, condition: str) -> str:
        return self._emit.let(f"xor {self._lanes.mask_type} {condition}, {_ALL}")

    def take_out_of(self, slot: str) -> None:
        """Take the active lanes out of the mask in a slot."""
        kind = self._lanes.mask_type
        before = self._emit.let(f"load {kind}, ptr {slot}")
        kept = self._emit.let(f"and {kind} {before}, {self.opposite(self.text())}")
        self._emit.do(f"store {kind} {kept}, ptr {slot}")

    # --- questions

    def any(self) -> str:
        """Whether a lane is active, as i1."""
        return "true" if self.mask is None else self.any_of(self.mask)

    def any_of(self, mask: str) -> str:
        """Whether a mask has an active lane, as i1."""
        return self._emit.let(f"icmp ne {self._lanes.bits_type} {self._as_bits(mask)}, 0")

    def all_of(self, mask: str) -> str:
        """Whether every lane of a mask is active, as i1."""
        return self._emit.let(f"icmp eq {self._lanes.bits_type} {self._as_bits(mask)}, -1")

    def _as_bits(self, mask: str) -> str:
        lanes = self._lanes
        return self._emit.let(f"bitcast {lanes.mask_type} {mask} to {lanes.bits_type}")

    # --- one lane after the other

    def first(self) -> str:
        """The number of the first active lane, as i64."""
        return "0" if self.mask is None else self._count_zeros("llvm.cttz")

    def last(self) -> str:
        """The number of the last active lane, as i64."""
        if self.mask is None:
            return str(self._lanes.count - 1)
        zeros = self._count_zeros("llvm.ctlz")
        return self._emit.let(f"sub i64 {self._lanes.count - 1}, {zeros}")

    def _count_zeros(self, name: str) -> str:
        kind = self._lanes.bits_type
        bits = self.bits()
        count = self._emit.call(kind, f"{name}.{kind}", (kind, bits), ("i1", "true"))
        return self._emit.let(f"zext {kind} {count} to i64")

    def each(self) -> Iterator[str]:
        """Write a loop over the active lanes, in order, around what is written meanwhile.

        Yields the lane's number, an i64, once.
        """
        emit, kind = self._emit, self._lanes.bits_type
        left = emit.slot(kind, "left")
        emit.do(f"store {kind} {self.bits()}, ptr {left}")
        start, body, done = (emit.label(name) for name in ("lanes", "lane", "lanes.done"))
        emit.jump(start)
        emit.start(start)
        bits = emit.let(f"load {kind}, ptr {left}")
        emit.branch(emit.let(f"icmp eq {kind} {bits}, 0"), done, body)
        emit.start(body)
        lane = emit.call(kind, f"llvm.cttz.{kind}", (kind, bits), ("i1", "true"))
        yield emit.let(f"zext {kind} {lane} to i64")
        below = emit.let(f"sub {kind} {bits}, 1")
        emit.do(f"store {kind} {emit.let(f'and {kind} {bits}, {below}')}, ptr {left}")
        emit.jump(start)
        emit.start(done)

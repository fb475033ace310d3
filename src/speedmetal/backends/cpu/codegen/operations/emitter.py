"""The text of one function: instructions with fresh names, blocks, stack slots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from speedmetal.common.records import field, record


@record(frozen=False)
class Module:
    """What a module declares, each once."""

    declarations: dict[str, str] = field(default_factory=dict)

    def declare(self, result: str, name: str, arguments: tuple[str, ...]) -> str:
        """Make an outside function or an LLVM intrinsic known; returns its name."""
        if name not in self.declarations:
            self.declarations[name] = f"declare {result} @{name}({', '.join(arguments)})"
        return name

    def metadata(self, name: str, text: str) -> None:
        """Make metadata known: a name like ``!0``, and what it says."""
        self.declarations[name] = f"{name} = {text}"


class Emitter:
    """Writes the body of one function. Owns its text; asks only the module, for declarations."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._lines: list[str] = []
        self._slots: list[str] = []
        self._count = 0

    def fresh(self, hint: str = "") -> str:
        """A new local name, without its ``%``."""
        self._count += 1
        return f"{hint}.{self._count}" if hint else f"t{self._count}"

    def let(self, text: str, hint: str = "") -> str:
        """Write an instruction with a result; returns the result's name."""
        self._count += 1  # as `fresh` does; it is what a printer does most
        name = f"%{hint}.{self._count}" if hint else f"%t{self._count}"
        self._lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a result."""
        self._lines.append(f"  {text}")

    def call(self, result: str, name: str, *arguments: tuple[str, str]) -> str:
        """Call an outside function or intrinsic with (type, text) arguments."""
        self.module.declare(result, name, tuple(kind for kind, _ in arguments))
        given = ", ".join(f"{kind} {text}" for kind, text in arguments)
        if result == "void":
            self.do(f"call void @{name}({given})")
            return ""
        return self.let(f"call {result} @{name}({given})")

    def slot(self, kind: str, hint: str = "slot") -> str:
        """A place on the stack, made when the function starts."""
        name = f"%{self.fresh(hint)}"
        self._slots.append(f"  {name} = alloca {kind}, align 64")
        return name

    def room(self, kind: str, count: str, hint: str) -> str:
        """Room for several on the stack, from here on.

        Args:
            kind: LLVM's type of an item.
            count: How many, a number or an i64. A number becomes part of the type: LLVM takes apart
                no allocation that counts.
            hint: For the room's name.
        """
        several = f"{kind}, i64 {count}" if count.startswith("%") else f"[{count} x {kind}]"
        return self.let(f"alloca {several}, align 64", hint)

    def product(self, left: str, right: str) -> str:
        """The product of two i64, each a number or a name."""
        if not left.startswith("%") and not right.startswith("%"):
            return str(int(left) * int(right))
        return self.let(f"mul i64 {left}, {right}")

    # --- blocks

    def label(self, hint: str) -> str:
        """A name for a block that is started later."""
        return self.fresh(hint)

    def start(self, label: str) -> None:
        """Start a block; the one before must have ended in a jump."""
        self._lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        self.do(f"br label %{label}")

    def jump_away(self, label: str) -> None:
        """Jump; what is written next is never reached."""
        self.jump(label)
        self.start(self.label("unreached"))

    def branch(self, condition: str, when_true: str, when_false: str) -> None:
        self.do(f"br i1 {condition}, label %{when_true}, label %{when_false}")

    @contextmanager
    def counting(self, kind: str, start: str, stop: str, step: int) -> Iterator[str]:
        """Write ``for counter in range(start, stop, step)`` around what is written meanwhile."""
        slot = self.slot(kind, "counter")
        self.do(f"store {kind} {start}, ptr {slot}")
        head, body, done = (self.label(n) for n in ("count", "counted", "counted.end"))
        self.jump(head)
        self.start(head)
        counter = self.let(f"load {kind}, ptr {slot}")
        self.branch(self.let(f"icmp slt {kind} {counter}, {stop}"), body, done)
        self.start(body)
        yield counter
        following = self.let(f"add {kind} {counter}, {step}")
        self.do(f"store {kind} {following}, ptr {slot}")
        self.jump(head)
        self.start(done)

    def body(self) -> str:
        """The function's blocks."""
        return "\n".join(["entry:", *self._slots, *self._lines])

"""Small Metal kernels with one fault each, who must find it, and the same kernels put right.

Stages: "lint" (the text, with real address spaces), "compile" (the building of a program), "run" (an
error while threads run, or a launch that is refused) and "race" (the build that looks for accesses
which no barrier orders). `word` is in the message.
"""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["lint", "compile", "run", "race"]
HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"
FLOATS = "device float* o [[buffer(0)]], uint i [[thread_position_in_grid]]"
WITH_C = (
    "device float* o [[buffer(0)]], constant float* c [[buffer(1)]], "
    "uint i [[thread_position_in_grid]]"
)
WITH_N = (
    "device float* o [[buffer(0)]], constant uint& n [[buffer(1)]], "
    "uint i [[thread_position_in_grid]]"
)
INTS = "device atomic_int* a [[buffer(0)]], uint i [[thread_position_in_grid]]"
ATOMIC_FLOATS = "device atomic_float* a [[buffer(0)]], uint i [[thread_position_in_grid]]"


def kernel(body: str, parameters: str = FLOATS, before: str = "", header: str = HEADER) -> str:
    return f"{header}{before}\nkernel void k({parameters}) {{\n  {body}\n}}\n"


@dataclass(frozen=True)
class Launch:
    """How a snippet is launched.

    Args:
        arguments: By buffer index; none: a zeroed array of 4096 bytes for each index in the text.
        settings: For `simulate`.
    """

    arguments: tuple[Any, ...] = ()
    grid: Any = 64
    threads: Any = 64
    threadgroup_bytes: Mapping[int, int] = field(default_factory=dict)
    constants: Mapping[int | str, object] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A fault.

    Args:
        name: What is wrong.
        stage: Who must find it.
        word: What the message says, any letter case.
        wrong: The faulty text.
        right: The text put right; empty: none is given.
        launch: How both are launched.
        right_launch: How the right text is launched, where the launch is the fault.
        language_version: Of both.
    """

    name: str
    stage: Stage
    word: str
    wrong: str
    right: str = ""
    launch: Launch = Launch()
    right_launch: Launch | None = None
    language_version: tuple[int, int] = (3, 1)


FAULTS: list[Fault] = []


def fault(
    name: str, word: str, wrong: str, right: str = "", stage: Stage = "lint", **fields: Any
) -> None:
    """Adds a fault; a text that is no whole program is the body of a kernel."""
    shape = {key: fields.pop(key) for key in ("parameters", "before") if key in fields}
    wrong, right = (
        text if not text or "kernel" in text or "#include" in text else kernel(text, **shape)
        for text in (wrong, right)
    )
    FAULTS.append(Fault(name, stage, word, wrong, right, **fields))

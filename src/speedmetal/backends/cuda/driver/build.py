"""From typed IR to bytes that can be kept: machine code, and how to launch it."""

from __future__ import annotations

from typing import Any

from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.cuda.codegen.printer import APART, PrintedKernel, printed
from speedmetal.backends.cuda.codegen.threadgroups import Threadgroups
from speedmetal.backends.cuda.nvrtc import compile_cubin
from speedmetal.backends.kept_code import Envelope
from speedmetal.common.records import record, replace
from speedmetal.ir.nodes import Kernel

_ENVELOPE = Envelope("cuda", 4)
"""The number changes with what is kept."""


@record
class CudaCode:
    """A kernel ready to be loaded.

    Args:
        entry: Its name in the machine code.
        layout: Of the arguments.
        arrays: The kernel's parameters that are arrays, by number.
        has_mailbox: Whether the last parameter is the mailbox's address.
        dynamic_bytes: The threadgroup arrays whose memory a launch asks for: of each its size, or 0
            where only the launch knows it.
        neighbours: How many positions along x a thread takes.
        threadgroups: The name of the launches' threadgroups that it is for.
        cubin: The machine code.
        written: Where the code takes arrays to lie apart from those that are written to: the places
            of these among the arrays.
        item_bytes: Of each array the size of an element.
        text: Then, the source for arrays that do not.
        architecture: What it is compiled for.
    """

    entry: str
    layout: ArgumentLayout
    arrays: tuple[int, ...]
    has_mailbox: bool
    dynamic_bytes: tuple[int, ...]
    neighbours: int
    threadgroups: str
    cubin: bytes
    written: tuple[int, ...] = ()
    item_bytes: tuple[int, ...] = ()
    text: str = ""
    architecture: str = ""


def built(
    kernel: Kernel, architecture: str, threadgroups: Threadgroups, math_mode: str = "safe"
) -> bytes:
    """Print and compile a kernel.

    Args:
        kernel: As it comes from the passes.
        architecture: ``"sm_90"``.
        threadgroups: Of the launches that it is for.
        math_mode: Of :func:`printed`.

    Raises:
        CompileError: NVIDIA GPUs cannot do what it asks for.
        DeviceError: NVRTC is not installed, or does not know the architecture.
    """
    text = printed(kernel, threadgroups, math_mode=math_mode)
    return packed(_code(text, str(threadgroups), architecture))


def for_any_arrays(code: CudaCode) -> CudaCode:
    """The same kernel for arrays that overlap with those that are written to."""
    cubin = compile_cubin(code.text, code.architecture)
    return replace(code, cubin=cubin, written=(), text="")


def _code(text: PrintedKernel, threadgroups: str, architecture: str) -> CudaCode:
    return CudaCode(
        text.entry,
        text.layout,
        text.arrays,
        text.has_mailbox,
        text.dynamic_bytes,
        text.neighbours,
        threadgroups,
        compile_cubin(text.text, architecture),
        text.written,
        text.item_bytes,
        text.text.replace(APART, "") if text.written else "",
        architecture,
    )


def packed(code: CudaCode) -> bytes:
    """The bytes of a kernel; the inverse of :func:`unpacked`."""
    head = {
        "entry": code.entry,
        "layout": code.layout.record(),
        "arrays": code.arrays,
        "has_mailbox": code.has_mailbox,
        "dynamic_bytes": code.dynamic_bytes,
        "neighbours": code.neighbours,
        "threadgroups": code.threadgroups,
        "written": code.written,
        "item_bytes": code.item_bytes,
        "text": code.text,
        "architecture": code.architecture,
    }
    return _ENVELOPE.sealed(head, code.cubin)


def unpacked(data: bytes) -> CudaCode:
    """The kernel in bytes that :func:`packed` made.

    Raises:
        InternalError: These are others, or damaged.
    """
    return _ENVELOPE.opened(data, _code_from)


def _code_from(head: dict[str, Any], cubin: bytes) -> CudaCode:
    return CudaCode(
        head["entry"],
        ArgumentLayout.from_record(head["layout"]),
        tuple(head["arrays"]),
        head["has_mailbox"],
        tuple(head["dynamic_bytes"]),
        head["neighbours"],
        head["threadgroups"],
        cubin,
        tuple(head["written"]),
        tuple(head["item_bytes"]),
        head["text"],
        head["architecture"],
    )

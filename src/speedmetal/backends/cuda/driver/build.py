"""From typed IR to bytes that can be kept: machine code, and how to launch it."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.cuda.codegen.printer import PrintedKernel, printed
from speedmetal.backends.cuda.nvrtc import compile_cubin
from speedmetal.common.records import record
from speedmetal.errors import InternalError
from speedmetal.ir.nodes import Kernel

_MAGIC = b"speedmetal cuda 1\n"
"""Begins the bytes of a kernel; the number changes with their form."""


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
        cubin: The machine code.
    """

    entry: str
    layout: ArgumentLayout
    arrays: tuple[int, ...]
    has_mailbox: bool
    dynamic_bytes: tuple[int, ...]
    cubin: bytes


def built(kernel: Kernel, architecture: str) -> bytes:
    """Print and compile a kernel.

    Args:
        kernel: As it comes from the passes.
        architecture: ``"sm_90"``.

    Raises:
        CompileError: NVIDIA GPUs cannot do what it asks for.
        DeviceError: NVRTC is not installed, or does not know the architecture.
    """
    text = printed(kernel)
    return packed(_code(text, compile_cubin(text.text, architecture)))


def _code(text: PrintedKernel, cubin: bytes) -> CudaCode:
    return CudaCode(
        text.entry, text.layout, text.arrays, text.has_mailbox, text.dynamic_bytes, cubin
    )


def packed(code: CudaCode) -> bytes:
    """The bytes of a kernel; the inverse of :func:`unpacked`."""
    head = {
        "entry": code.entry,
        "layout": code.layout.record(),
        "arrays": code.arrays,
        "has_mailbox": code.has_mailbox,
        "dynamic_bytes": code.dynamic_bytes,
    }
    content = json.dumps(head, separators=(",", ":")).encode() + b"\n" + code.cubin
    return _MAGIC + _digest(content) + b"\n" + content


def unpacked(data: bytes) -> CudaCode:
    """The kernel in bytes that :func:`packed` made.

    Raises:
        InternalError: These are others, or damaged.
    """
    digest, _, content = data.removeprefix(_MAGIC).partition(b"\n")
    if not data.startswith(_MAGIC) or digest != _digest(content):
        raise InternalError("cuda load: the code of the kernel is damaged, or of another version")
    text, _, cubin = content.partition(b"\n")
    head: dict[str, Any] = json.loads(text)
    return CudaCode(
        head["entry"],
        ArgumentLayout.from_record(head["layout"]),
        tuple(head["arrays"]),
        head["has_mailbox"],
        tuple(head["dynamic_bytes"]),
        cubin,
    )


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).hexdigest().encode()

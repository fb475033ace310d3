"""Writes ``src/speedmetal/backends/cpu/runtime.image``: the pool's runtime, ready for x86-64 Linux.

A first call would wait longer for its compilation than for the kernel's. Run it on such a machine
after a change of ``runtime.ll`` or of how images are written. Until then a changed ``runtime.ll``
is compiled as on other machines. A test compares what is there with what would be written::

    python tools/build_runtime.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import llvmlite

from speedmetal.backends.cpu.jit import CPU_VARIABLE
from speedmetal.backends.cpu.pool import (
    READY_RUNTIME,
    compiled_runtime,
    runtime_digest,
    runtime_text,
)


def content() -> bytes:
    """What the file holds."""
    os.environ[CPU_VARIABLE] = "x86-64"  # what every processor of the kind can do
    text = runtime_text("x86_64")
    head = f"{runtime_digest(text)} llvmlite {llvmlite.__version__}\n"
    return head.encode() + compiled_runtime(text)


def main() -> None:
    """Write it, or, where another file is named, that."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else READY_RUNTIME)
    target.write_bytes(content())


if __name__ == "__main__":
    main()

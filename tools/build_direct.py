"""Writes what speedmetal loads of ``src/speedmetal/launch/direct.c``, which it compiles nowhere.

``direct.ll`` is LLVM's text of it, for every 64-bit machine: speedmetal compiles that where it
runs, with the LLVM that it has. ``direct.image`` is the machine code for x86-64 Linux.
Run it on such a machine after a change of ``direct.c``; it needs the package ``ziglang``. A test
holds the digests in their first lines against what they were made of::

    python tools/build_direct.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from speedmetal.backends.cpu.jit import CPU_VARIABLE
from speedmetal.launch.direct import IMAGE, SOURCE, TEXT, compiled, digest_of

_FLAGS = (
    *("-target", "x86_64-linux-gnu", "-O1", "-S", "-emit-llvm", "-g0", "-ffreestanding"),
    *("-fno-discard-value-names", "-fno-strict-aliasing", "-fno-stack-protector"),
    *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-fno-finite-loops"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument"),
)
# What is of the compiler or the machine that wrote the text.
_DROPPED_LINES = (
    "; ModuleID",
    "source_filename",
    "target ",
    "; Function Attrs",
    "attributes ",
    "!",
)
_DROPPED_WORDS = re.compile(
    r"(, !llvm\.loop !\d+| #\d+| captures\(none\)| local_unnamed_addr| readonly| noundef| nonnull)"
)


def content() -> str:
    """What the file holds."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "direct.ll")
        command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, str(SOURCE), "-o", str(made)]
        subprocess.run(command, check=True)
        lines = made.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(_DROPPED_LINES)]
    text = _DROPPED_WORDS.sub("", "\n".join(kept).strip())
    head = f"; {digest_of(SOURCE.read_bytes())}: of direct.c, by tools/build_direct.py\n"
    return head + re.sub(r"\n{3,}", "\n\n", text) + "\n"


def image(text: str) -> bytes:
    """What the other file holds."""
    os.environ[CPU_VARIABLE] = "x86-64"  # what every processor of the kind can do
    return digest_of(text.encode()).encode() + b"\n" + compiled(text)


def main() -> None:
    """Write both."""
    text = content()
    TEXT.write_text(text)
    IMAGE.write_bytes(image(text))


if __name__ == "__main__":
    main()

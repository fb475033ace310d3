"""``speedmetal code``: prints what a kernel of a file becomes."""

from __future__ import annotations

import contextlib
import runpy
import sys
from pathlib import Path
from typing import Any

from speedmetal.errors import UnknownNameError, UserInputError
from speedmetal.launch.kernel import Kernel
from speedmetal.launch.reflection import Code, code


def execute(place: str, types: str, *, target: str, stage: str, debug: int) -> int:
    """Print the code; the exit status is 0.

    Args:
        place: ``FILE.py:KERNEL``.
        types: Types of the kernel's arguments, with blanks between them.
        target: As :func:`speedmetal.code` takes it; so are the others.
        stage: What to print.
        debug: Debug level.

    Raises:
        UserInputError: There is no such file, kernel, target, stage or type.
        CompileError: The kernel is wrong, or the target cannot do what it asks for.
        DeviceError: CUDA's assembly needs NVRTC, which is not installed.
    """
    _show(code(_kernel(place), types, target=target, stage=stage, debug=debug))
    return 0


def _kernel(place: str) -> Any:
    """The kernel or function that ``FILE.py:NAME`` means; the file is run to define it.

    It is run as ``python FILE.py`` would run it, but for its ``__main__``, and but for what it
    prints: that goes to the error stream, so that the output is the code alone.
    """
    path, _, name = place.rpartition(":")
    if not path:
        raise UserInputError(f"expected FILE.py:KERNEL, got {place!r}")
    if not Path(path).is_file():
        raise UserInputError(f"there is no file {path!r}")
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)  # its neighbours are modules for it
    try:
        with contextlib.redirect_stdout(sys.stderr):
            defined = runpy.run_path(path)
    finally:
        sys.path.remove(folder)
    if name not in defined:
        kernels = [known for known, value in defined.items() if isinstance(value, Kernel)]
        raise UnknownNameError("kernel", name, kernels)
    return defined[name]


def _show(text: Code) -> None:
    if not sys.stdout.isatty():
        sys.stdout.write(f"{text.rstrip()}\n")
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(str(text), text.language, word_wrap=True))

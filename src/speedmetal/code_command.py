"""The command ``python -m speedmetal.code``: prints what a kernel of a file becomes."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speedmetal.backends.targets import TARGETS
from speedmetal.errors import SpeedmetalError, UnknownNameError, UserInputError
from speedmetal.launch.kernel import Kernel
from speedmetal.launch.reflection import STAGES, Code, code


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point; exits with status 2 where the input is wrong, 3 where something else is."""
    options = _parser().parse_args(arguments)
    try:
        kernel = _kernel(options.kernel)
        text = code(
            kernel,
            options.types,
            target=options.target,
            stage=options.stage,
            debug=options.debug,
        )
    except SpeedmetalError as error:
        sys.stderr.write(f"speedmetal.code: {error}\n")
        sys.exit(2 if isinstance(error, UserInputError) else 3)
    _show(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m speedmetal.code", description="Print what a kernel becomes on a target."
    )
    parser.add_argument("kernel", metavar="FILE.py:KERNEL")
    parser.add_argument("types", help='types of its arguments: "f32[:,:] f32[:]/strided i32"')
    parser.add_argument("--target", default="cpu", choices=TARGETS)
    parser.add_argument("--stage", default="source", choices=STAGES)
    parser.add_argument("--debug", type=int, default=0, choices=(0, 1, 2))
    return parser


def _kernel(place: str) -> Any:
    """The kernel or function that ``FILE.py:NAME`` means; the file is run to define it."""
    path, _, name = place.rpartition(":")
    if not path:
        raise UserInputError(f"expected FILE.py:KERNEL, got {place!r}")
    if not Path(path).is_file():
        raise UserInputError(f"there is no file {path!r}")
    defined = runpy.run_path(path)
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

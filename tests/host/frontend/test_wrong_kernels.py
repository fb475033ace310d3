"""Wrong programs, each with the whole text of its error, which is what a newcomer reads first.

Each file of ``golden/wrong_kernels`` is a program, a line of dashes, and the error that it ends
with. To add one, write the program alone and run with ``SPEEDMETAL_UPDATE_GOLDEN=1``; then judge
the message as somebody would who has never seen a kernel.
"""

import linecache
import math
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.errors import CompileError, InternalError, UserInputError

GOLDEN = Path(__file__).parents[1] / "golden" / "wrong_kernels"
PROGRAMS = sorted(GOLDEN.glob("*.txt"))
SEPARATOR = "\n" + "-" * 80 + "\n"
NEEDS = {"syntax_type_alias": (3, 12), "syntax_template_string": (3, 14)}
"""Programs that an older Python cannot even read."""


def error_of(program: str) -> UserInputError:
    """The error with which a program ends, run as a notebook's cell would be."""
    file = "kernel.py"
    linecache.cache[file] = (len(program), None, program.splitlines(keepends=True), file)
    names = {"sm": sm, "np": np, "math": math, "__name__": "kernel"}
    with pytest.raises(UserInputError) as caught:
        exec(compile(program, file, "exec", dont_inherit=True), names)  # noqa: S102 - our own files
    return caught.value


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_ends_with_this_message(path: Path) -> None:
    """The whole text, with file, line and caret."""
    if sys.version_info < NEEDS.get(path.stem, (3,)):
        pytest.skip("the program's syntax is newer than this Python")
    if "numba" in path.stem:
        pytest.importorskip("numba", reason="Numba has no wheel for the newest Pythons")
    program, _, expected = path.read_text(encoding="utf-8").partition(SEPARATOR)
    error = error_of(program)
    message = f"{type(error).__name__}: {error}\n"
    if os.environ.get("SPEEDMETAL_UPDATE_GOLDEN"):
        path.write_text(program.rstrip() + "\n" + SEPARATOR + message, encoding="utf-8")
    else:
        assert message == expected


def messages() -> list[str]:
    """Every line of the golden files that says what is wrong."""
    texts = [path.read_text(encoding="utf-8").partition(SEPARATOR)[2] for path in PROGRAMS]
    return [line for text in texts for line in text.splitlines() if "rror: " in line]


def test_there_are_messages_for_every_kind_of_slip() -> None:
    """Nothing hides: no message is of a crash, and none shows Python's own object texts."""
    assert len(PROGRAMS) >= 70
    found = messages()
    assert len(found) >= len(PROGRAMS)
    for line in found:
        assert not re.search(
            r"<\w[\w.]* object|Traceback|KeyError|AttributeError|InternalError", line
        )


def test_wrong_programs_are_the_users_fault() -> None:
    """Whatever else is wrong with a message, it does not ask the user to report a bug."""
    assert not issubclass(CompileError, InternalError)
    assert not any("please report" in line for line in messages())

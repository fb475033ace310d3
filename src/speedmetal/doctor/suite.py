"""Where the conformance suite and the printed Metal sources are: in a checkout, or in the wheel.

The wheel carries them in this package's folder ``shipped``, laid out as in a checkout's ``tests``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from speedmetal.errors import SpeedmetalError

_PACKAGE = Path(__file__).parent
PLACES = (_PACKAGE.parents[2] / "tests", _PACKAGE / "shipped")
"""Of a checkout, and of a wheel."""

_CONFORMANCE = "conformance"
_PRINTED = "host/golden/c_family"


class SuiteError(SpeedmetalError):
    """The suite is not where this package expects it."""


def suite_folder(places: Iterable[Path] | None = None) -> Path:
    """The folder that has ``conformance`` and everything that it needs.

    Args:
        places: Where to look, in this order; None: in `PLACES`.

    Raises:
        SuiteError: No place has it.
    """
    tried = list(PLACES if places is None else places)
    for place in tried:
        if (place / _CONFORMANCE / "conftest.py").is_file():
            return place
    raise SuiteError(
        "the conformance suite is not here; expected it in "
        + " or ".join(map(str, tried))
        + ". Install speedmetal from a wheel, or run from a checkout"
    )


def conformance_folder() -> Path:
    """The folder of the conformance tests."""
    return suite_folder() / _CONFORMANCE


def printed_sources() -> dict[str, str]:
    """The Metal sources that the printer's tests hold it against, by name."""
    folder = suite_folder() / _PRINTED
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*.metal"))
    }

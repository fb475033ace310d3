"""An extension of mkdocstrings' reader: our docstrings as its Markdown wants them."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^(\s*)Example:", re.MULTILINE)
_ROLE = re.compile(r":(?:mod|func|class|meth|data|exc|attr):(`[^`]+`)")


class Docstrings(griffe.Extension):
    """``Example:`` holds doctests, and roles of reStructuredText are code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = _EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            obj.docstring.value = _ROLE.sub(r"\1", text)

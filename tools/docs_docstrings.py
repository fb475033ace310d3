"""An extension of mkdocstrings' reader: public names, with docstrings as its Markdown wants."""

from __future__ import annotations

import re
from typing import Any

import griffe

import speedmetal as sm

_EXAMPLE = re.compile(r"^(\s*)Example:", re.MULTILINE)
NAMESPACES = (sm, sm.fft, sm.linalg, sm.random, sm.sparse)
PUBLIC = {name for namespace in NAMESPACES for name in namespace.__all__}
"""Functions of arrays that have another name are for other modules of ours."""
_ROLE = re.compile(r":(?:mod|func|class|meth|data|exc|attr):(`[^`]+`)")


class Docstrings(griffe.Extension):
    """``Example:`` holds doctests, and roles of reStructuredText are code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = _EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            obj.docstring.value = _ROLE.sub(r"\1", text)

    def on_module(self, *, mod: griffe.Module, **_: Any) -> None:
        """Leave out functions of arrays' modules that are not public."""
        if not mod.path.startswith("speedmetal.arrays."):
            return
        for name, member in [*mod.members.items()]:
            if not member.is_alias and member.is_function and name not in PUBLIC:
                mod.del_member(name)

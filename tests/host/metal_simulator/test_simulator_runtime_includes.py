"""The runtime's C files include each other one way: nothing knows what is above it."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from speedmetal.metal_simulator import runtime

FOLDER = Path(runtime.__file__).parent
SOURCES = sorted(path.name for path in FOLDER.glob("*.c"))
CALLED_FROM_OUTSIDE = {"checks.c", "run.c", "tsan.c"}
"""They offer to programs and to Python alone: names in abi.h, in interface.h, or the compiler's."""


def included(name: str) -> list[str]:
    return re.findall(r'^#include "(.+)"$', (FOLDER / name).read_text(), re.MULTILINE)


@pytest.mark.parametrize("source", SOURCES)
def test_each_part_has_a_header_of_what_it_offers_and_includes_it_first(source):
    header = source.replace(".c", ".h")
    if source in CALLED_FROM_OUTSIDE:
        assert not (FOLDER / header).exists()
    else:
        assert included(source)[0] == header


def test_headers_include_the_state_alone():
    """So that a part of the runtime says itself what it uses."""
    for path in FOLDER.glob("*.h"):
        if path.name not in ("abi.h", "interface.h", "state.h"):
            assert included(path.name) == ["state.h"], path.name
    assert included("state.h") == ["interface.h"]
    assert included("interface.h") == ["abi.h"]
    assert included("abi.h") == []


def test_no_part_uses_one_above_it():
    uses = {
        source.removesuffix(".c"): {name.removesuffix(".h") for name in included(source)}
        - {source.removesuffix(".c")}
        for source in SOURCES
    }
    assert {"schedule", "signals", "stacks"} <= uses.keys()
    TopologicalSorter(uses).prepare()  # raises CycleError


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_part_calls_is_in_a_header_that_it_includes(source):
    """No declarations in passing."""
    text = (FOLDER / source).read_text()
    offered = {"state.h", "interface.h", "abi.h", *included(source)}
    known = "".join((FOLDER / name).read_text() for name in offered)
    own = set(re.findall(r"^\S.*?\b(smr_\w+)\(", text, re.MULTILINE))
    for name in set(re.findall(r"\bsmr_\w+(?=\()", text)) - own:
        assert name in known, name
    assert not re.search(r"^\S.*\bsmr_\w+\([^{}]*\);$", text, re.MULTILINE)

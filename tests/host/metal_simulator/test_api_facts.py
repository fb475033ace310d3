"""The table of SDK facts is read as it is written."""

import pytest

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.facts import FLOOR, Argument, read_owners


def test_a_table_becomes_records():
    (owner,) = read_owners(
        "protocol MTLThing(MTLResource, MTLEvent) 10.11\n"
        "    + make_count_error_(MTLBuffer[1], uint, out NSError) -> MTLThing @15.0 guarded\n"
        "    name() -> string"
    )
    assert (owner.name, owner.is_class, owner.introduced) == ("MTLThing", False, (10, 11))
    assert owner.parents == ("MTLResource", "MTLEvent")
    make, name = owner.selectors
    assert make.objective_c == "make:count:error:"
    assert make.arguments == (
        Argument("MTLBuffer", length_from=1),
        Argument("uint"),
        Argument("NSError", out=True),
    )
    assert [argument.text for argument in make.arguments] == ["MTLBuffer[1]", "uint", "out NSError"]
    assert make.outputs == make.arguments[2:]
    assert make.of_class
    assert make.guarded
    assert make.introduced == (15, 0)
    assert (name.result, name.introduced, name.guarded) == ("string", (10, 11), False)


@pytest.mark.parametrize(
    "text",
    [
        "structure MTLThing 10.11",
        "class MTLThing 10.11\n    name -> string",
        "class MTLThing 10.11\n    set_(uint, uint)",
        "class MTLThing 10.11\n    set_(in out uint)",
    ],
)
def test_a_table_with_a_mistake_is_refused(text):
    with pytest.raises(ValueError, match=r"not an owner|not a selector|colons|not an argument"):
        read_owners(text)


@pytest.mark.parametrize(
    ("name", "gives"),
    [
        ("newBufferWithLength_options_", True),
        ("newEvent", True),
        ("commandBuffer", False),
        ("newLibraryWithSource_options_completionHandler_", False),
    ],
)
def test_who_owns_what_a_selector_gives(name, gives):
    ((_, selector), *_) = sdk.find_selectors(name)
    assert selector.gives_ownership is gives


def test_a_guard_marks_what_is_younger_than_the_floor():
    rows = [row for owner in sdk.OWNERS.values() for row in owner.selectors]
    assert any(row.guarded for row in rows)
    assert all(row.guarded == (row.introduced > FLOOR) for row in rows)


def test_parents_selectors_come_first():
    names = [selector.name for _, selector in sdk.selectors("MTLBuffer")]
    assert names.index("storageMode") < names.index("contents")

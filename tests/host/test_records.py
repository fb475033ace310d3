"""Records are what frozen dataclasses are."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import weakref

import pytest

from speedmetal.records import record


@record
class Point:
    """A point."""

    x: float
    y: float = 0.5

    @property
    def total(self) -> float:
        return self.x + self.y


@record(eq=False)
class Thing:
    """Equal to itself alone."""

    x: float

    def __repr__(self) -> str:
        return "a thing"


@dataclasses.dataclass(frozen=True, slots=True)
class Twin:
    """The same as a dataclass."""

    x: float
    y: float = 0.5


CALLS = [((1,), {}), ((1, 2), {}), ((), {"x": 1}), ((1,), {"y": 2}), ((), {"y": 2, "x": 1})]
WRONG_CALLS = [
    *(((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})),
    ((1, 2), {"y": 2}),
]


@pytest.mark.parametrize(("positional", "named"), CALLS)
def test_it_is_made_as_a_dataclass_is(positional, named):
    made, twin = Point(*positional, **named), Twin(*positional, **named)
    assert dataclasses.astuple(made) == dataclasses.astuple(twin)
    assert repr(made) == repr(twin).replace("Twin", "Point")


@pytest.mark.parametrize(("positional", "named"), WRONG_CALLS)
def test_it_refuses_what_a_dataclass_refuses(positional, named):
    with pytest.raises(TypeError):
        Twin(*positional, **named)
    with pytest.raises(TypeError, match=r"Point\(x, y\) got"):
        Point(*positional, **named)


def test_equal_fields_of_one_class_are_equal():
    assert Point(1, 2) == Point(1.0, 2.0)
    assert hash(Point(1, 2)) == hash(Point(1.0, 2.0))
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != Twin(1, 2)
    assert Point(1, 2) != (1, 2)
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_without_equality_each_is_itself():
    assert Thing(1) != Thing(1)
    assert len({Thing(1), Thing(1)}) == 2
    assert repr(Thing(1)) == "a thing"


@pytest.mark.parametrize("name", ["x", "y", "z"])
def test_nothing_can_be_assigned_or_deleted(name):
    point = Point(1, 2)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"field {name!r} of a Point"):
        setattr(point, name, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(point, name)
    assert point == Point(1, 2)


def test_dataclasses_functions_know_it():
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.replace(Point(1, 2), y=3) == Point(1, 3)
    assert [field.name for field in dataclasses.fields(Point)] == ["x", "y"]
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_it_can_be_copied_and_pickled():
    point = Point(1, 2)
    pickled = pickle.loads(pickle.dumps(point))  # noqa: S301 - our own bytes
    assert copy.copy(point) == copy.deepcopy(point) == pickled == point


def test_it_has_slots_alone():
    assert not hasattr(Point(1), "__dict__")
    with pytest.raises(TypeError):
        weakref.ref(Point(1))
    assert Point(1).total == 1.5

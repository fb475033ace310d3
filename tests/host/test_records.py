"""Records are what frozen dataclasses are."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import weakref

import pytest

from speedmetal.common.records import field, record, replace


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


@record(frozen=False)
class Notes:
    """What is written down."""

    title: str
    lines: list[str] = field(default_factory=list)
    marks: int = 0


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
    with pytest.raises(TypeError) as refused:
        Twin(*positional, **named)
    with pytest.raises(TypeError, match=re.escape(str(refused.value).replace("Twin", "Point"))):
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


def test_fields_of_what_is_not_frozen_change():
    notes = Notes("a")
    notes.title, notes.marks = "b", 2
    assert notes == Notes("b", marks=2)
    assert repr(notes) == "Notes(title='b', lines=[], marks=2)"
    with pytest.raises(TypeError, match="unhashable"):
        hash(notes)
    with pytest.raises(AttributeError):
        notes.other = 1


def test_a_factory_makes_a_value_for_each_instance():
    first, second = Notes("a"), Notes("a", [], 1)
    first.lines.append("x")
    assert (first.lines, second.lines, Notes("a").lines) == (["x"], [], [])
    assert (first.marks, second.marks) == (0, 1)
    assert dataclasses.replace(first, title="b") == Notes("b", ["x"])


def test_a_method_of_a_derived_class_stays():
    class Doubled(Point):
        def __init__(self, x):
            super().__init__(2 * x, 1)

        def __hash__(self):
            return 7

    for _ in range(2):
        assert (Doubled(1).x, hash(Doubled(1)), Point(3).x) == (2, 7, 3)


def test_classes_with_as_many_fields_have_their_own_names():
    @record
    class Other:
        """Fields whose names the shared code uses."""

        self_: int
        hash: int

    other = Other(1, hash=2)
    assert (other.self_, other.hash, Point(1, 2).x) == (1, 2, 1)
    assert hash(other) == hash((1, 2))
    with pytest.raises(AttributeError):
        other.x  # noqa: B018 - what is read is not there


def test_weak_references_are_there_where_asked_for():
    @record(eq=False, weakref_slot=True)
    class Referred:
        """Has weak references."""

        x: int

    referred = Referred(1)
    assert weakref.ref(referred)() is referred


def test_what_it_contains_may_be_itself():
    notes = Notes("a")
    notes.lines = notes
    assert repr(notes) == "Notes(title='a', lines=..., marks=0)"


def test_fields_without_defaults_stand_first():
    with pytest.raises(TypeError, match="stand first"):

        @record
        class Wrong:
            """A field that needs a value after one that needs none."""

            x: int = 1
            y: int


def test_parameters_are_those_of_a_dataclass():
    for made, frozen in ((Point, True), (Notes, False)):
        assert made.__dataclass_params__.frozen is frozen
        assert made.__match_args__ == tuple(field.name for field in dataclasses.fields(made))
    assert dataclasses.fields(Notes)[1].default_factory is list


def test_replace_is_that_of_dataclasses():
    assert replace(Point(1, 2), y=3) == Point(1, 3)
    assert replace(Twin(1, 2), y=3) == Twin(1, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        replace(Point(1, 2), z=3)


def test_a_field_of_dataclasses_is_refused():
    with pytest.raises(TypeError, match="expected `field` of records, got that of dataclasses"):

        @record
        class Wrong:
            x: list = dataclasses.field(default_factory=list)

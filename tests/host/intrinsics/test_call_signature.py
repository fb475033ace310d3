"""What ``inspect.signature`` says of constructs."""

import inspect

import pytest

import speedmetal as sm
from speedmetal.intrinsics import constructs
from speedmetal.intrinsics.constructs import Construct


@pytest.mark.parametrize("construct", constructs.TABLE.values(), ids=constructs.TABLE)
def test_a_construct_is_called_as_its_signature_says(construct):
    signature = inspect.signature(construct)
    if len(construct.calls) == 1:
        assert construct.name + str(signature).replace("'", '"') == construct.calls[0]
    else:  # as any callable that says nothing
        assert [p.kind.name for p in signature.parameters.values()] == [
            "VAR_POSITIONAL",
            "VAR_KEYWORD",
        ]


def test_defaults_and_names_bind():
    bound = inspect.signature(sm.simdgroup_load).bind("array", origin=(0, 0))
    bound.apply_defaults()
    assert bound.arguments == {
        "array": "array",
        "origin": (0, 0),
        "transpose": False,
        "shape": (8, 8),
    }


def test_the_class_keeps_the_signature_of_its_records():
    assert next(iter(inspect.signature(Construct).parameters)) == "name"

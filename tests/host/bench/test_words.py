"""Cases in words: every parameter is said, no two cases are said alike, nothing is abbreviated."""

import pytest

from speedmetal.bench.operations import OPERATIONS, words
from speedmetal.bench.record import CaseSpec


def spec(name: str, parameters: dict[str, object], **rest: str) -> CaseSpec:
    operation = OPERATIONS[name]
    return CaseSpec(
        operation=name,
        title=operation.title,
        family=operation.family,
        arguments=operation.label(parameters),
        parameters=parameters,
        **rest,
    )


EVERY_CASE = [
    spec(name, dict(case.parameters))
    for name, operation in OPERATIONS.items()
    for case in operation.cases
]


def test_every_parameter_of_every_operation_has_words() -> None:
    """An operation with a new parameter is not silently shown in the published spelling."""
    known = {name for operation in OPERATIONS.values() for name in operation.parameters}
    assert known == words._WORDS.keys()


def test_no_two_cases_are_said_alike() -> None:
    """Nothing that tells two cases apart is lost on the way to words."""
    said = [words.case_in_words(case) for case in EVERY_CASE]
    keys = [case.key for case in EVERY_CASE]
    assert len(set(said)) == len(set(keys))


def test_words_have_no_abbreviation() -> None:
    """No "dim=", "axi=" or "grp=" is left, and every extent of a shape is there."""
    for case in EVERY_CASE:
        said = words.case_in_words(case)
        assert "=" not in said
        for shape in (value for value in case.parameters.values() if isinstance(value, list)):
            assert words.shape_in_words(shape) in said


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("argmax", {"axis": 1, "shape": [64, 1024, 128]}, "Argmax 64 x 1024 x 128, axis 1"),
        ("softmax", {"shape": [8, 64], "axis": -1}, "Softmax 8 x 64, last axis"),
        ("group_norm", {"shape": [8, 4, 64], "groups": 8}, "GroupNorm 8 x 4 x 64, groups 8"),
        ("sum_all", {"shape": [1]}, "SumAll 1 element"),
        ("sum_all", {"shape": [1000]}, "SumAll 1000 elements"),
        ("matmul", {"a": [64, 256], "b": [256, 32]}, "MatMul 64 x 256 and 256 x 32"),
        ("gather", {"shape": [64, 256], "count": 1}, "Gather 64 x 256, 1 index"),
        ("gather", {"shape": [64, 256], "count": 10}, "Gather 64 x 256, 10 indices"),
    ],
)
def test_words(name: str, parameters: dict[str, object], said: str) -> None:
    """In the order of the words, whatever the order in the suite, with plurals."""
    assert words.case_in_words(spec(name, parameters)) == said


def test_what_is_not_the_default_is_said() -> None:
    """As is how it differs from the other cases of its operation."""
    case = spec(
        "softmax",
        {"shape": [8, 64], "axis": 0},
        dtype="float16",
        precision="tf32",
        direction="backward",
    )
    assert words.variant_in_words(case) == "8 x 64, axis 0, float16, tf32, backward"


def test_unknown_parameters_keep_the_label_of_the_record() -> None:
    """A record of another version is shown whole, not in part."""
    case = spec("softmax", {"shape": [8, 64], "axis": 0, "temperature": 2})
    assert words.case_in_words(case) == "Softmax dim=8x64 axi=0"

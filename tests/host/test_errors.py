"""What a user is told when a word or a file is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal import errors
from strategies import texts


def test_an_unknown_name_is_answered_with_the_near_ones_and_all_valid_ones() -> None:
    """Proves the full text: near names best first, then every valid name, sorted."""
    error = errors.UnknownNameError("operation", "Sofmax", ["sort", "softmax", "matmul"])
    assert str(error) == (
        "unknown operation 'Sofmax'; did you mean softmax? Valid operations: matmul, softmax, sort"
    )


def test_two_near_names_are_both_offered() -> None:
    """Proves that the guess joins several near names with "or"."""
    error = errors.UnknownNameError("operation", "conv3d", ["conv1d", "conv2d", "sort"])
    assert "; did you mean conv2d or conv1d? " in str(error)


def test_a_name_like_no_other_gets_no_guess() -> None:
    """Proves that no far-fetched guess is made; the valid names are still listed."""
    error = errors.UnknownNameError("device", "zzzz", ["cpu", "mps"])
    assert str(error) == "unknown device 'zzzz'. Valid devices: cpu, mps"


@given(given_name=texts(), valid=st.lists(texts(), max_size=5))
def test_any_name_is_answered(given_name: str, valid: list[str]) -> None:
    """Proves that no text breaks the message and that every valid name is in it."""
    message = str(errors.UnknownNameError("thing", given_name, valid))
    assert message.startswith(f"unknown thing {given_name!r}")
    assert all(name in message for name in valid)


def test_a_suite_file_error_names_file_and_line() -> None:
    """Proves the form that editors and terminals can jump to."""
    assert str(errors.SuiteFileError("my.toml", 7, "expected a list")) == (
        "my.toml:7: expected a list"
    )


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (errors.UserInputError, errors.SpeedmetalError),
        (errors.UnknownNameError, errors.UserInputError),
        (errors.SuiteFileError, errors.UserInputError),
        (errors.StoreError, errors.SpeedmetalError),
        (errors.InternalError, errors.SpeedmetalError),
    ],
)
def test_the_tree_of_exceptions(
    kind: type[errors.SpeedmetalError], parent: type[errors.SpeedmetalError]
) -> None:
    """Proves what one `except` catches: status 2 of the command line is UserInputError's alone."""
    assert issubclass(kind, parent)
    if parent is errors.SpeedmetalError and kind is not errors.UserInputError:
        assert not issubclass(kind, errors.UserInputError)

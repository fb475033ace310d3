"""Suites: what a file may say, what it is told, and which cases come out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench import suites
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.suites import Suite, SuiteEntry, cases_of, load_suite, reason_against
from speedmetal.errors import SuiteFileError, UnknownNameError, UserInputError

GOOD = """
[[case]]
operation = "softmax"
shape = [8, 16]
axis = -1
dtypes = ["float16", "float32"]

[[case]]
operation = "ReLU"
shape = [64, 128, 1024]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "suite.toml"


# -- What a file may say -----------------------------------------------------------------------


def test_a_file_names_operations_by_name_or_title(file: Path) -> None:
    """Proves that entries come in order, with their own dtypes, and that a published experiment
    is known as such."""
    file.write_text(GOOD)
    suite = load_suite(str(file))
    assert suite.name == str(file)
    assert [(e.operation.name, e.dtypes, e.published) for e in suite.entries] == [
        ("softmax", ("float16", "float32"), False),
        ("relu", None, True),
    ]


WRONG_FILES = {
    "unknown operation": (
        '[[case]]\noperation = "softmx"\nshape = [8, 16]\naxis = -1\n',
        2,
        str(UnknownNameError("operation", "softmx", OPERATIONS)),
    ),
    "no operation": ("\n[[case]]\nshape = [3]\n", 2, 'expected operation = "NAME"'),
    "operation is no text": ("[[case]]\noperation = 3\n", 1, 'expected operation = "NAME"'),
    "a size of zero": (
        '[[case]]\noperation = "softmax"\nshape = [8, 0]\naxis = -1\n',
        3,
        "shape: expected a list of 1 or more positive integers, got [8, 0]",
    ),
    "a shape that is no list": (
        '[[case]]\noperation = "relu"\nshape = 3\n',
        3,
        "shape: expected a list of 1 or more positive integers, got 3",
    ),
    "a shape of truth values": (
        '[[case]]\noperation = "relu"\nshape = [true]\n',
        3,
        "shape: expected a list of 1 or more positive integers, got [True]",
    ),
    "a shape of fractions": (
        '[[case]]\noperation = "relu"\nshape = [1.5]\n',
        3,
        "shape: expected a list of 1 or more positive integers, got [1.5]",
    ),
    "a count of zero": (
        '[[case]]\noperation = "scatter"\nshape = [2, 3]\ncount = 0\n',
        4,
        "count: expected an integer of at least 1, got 0",
    ),
    "a size that no record holds": (
        '[[case]]\noperation = "relu"\nshape = [2, 9223372036854775808]\n',
        3,
        "shape: expected integers below 2**63, got [2, 9223372036854775808]",
    ),
    "a missing parameter": (
        '# a comment\n[[case]]\noperation = "softmax"\nshape = [8, 16]\n',
        2,
        "softmax needs axis: expected an integer",
    ),
    "an unknown parameter": (
        '[[case]]\noperation = "softmax"\nshape = [8, 16]\naxis = -1\naxes = 2\n',
        5,
        "softmax has no parameter 'axes'; it has shape, axis",
    ),
    "an axis that is not there": (
        '[[case]]\noperation = "softmax"\nshape = [2, 3]\naxis = 2\n',
        4,
        "axis: expected an axis of [2, 3] (-2 to 1)",
    ),
    "shapes that do not fit, in the second case": (
        (
            '[[case]]\noperation = "relu"\nshape = [3]\n\n'
            '[[case]]\noperation = "matmul"\na = [2, 3]\nb = [4, 5]\n'
        ),
        8,
        "b: expected 3 rows, as a [2, 3] has columns, got [4, 5]",
    ),
    "a kernel larger than its input": (
        '[[case]]\noperation = "conv1d"\nx = [1, 2, 3]\nweight = [1, 5, 3]\n',
        4,
        "weight: expected a kernel no larger than x [1, 2, 3], got [1, 5, 3]",
    ),
    "an unknown dtype": (
        '[[case]]\noperation = "relu"\nshape = [3]\ndtypes = ["float8"]\n',
        4,
        "dtypes: expected a list of float32, float16, bfloat16, float64, got ['float8']",
    ),
    "no dtype": (
        '[[case]]\noperation = "relu"\nshape = [3]\ndtypes = []\n',
        4,
        "dtypes: expected a list of float32, float16, bfloat16, float64, got []",
    ),
    "dtypes that are no list": (
        '[[case]]\noperation = "relu"\nshape = [3]\ndtypes = "float32"\n',
        4,
        "dtypes: expected a list of float32, float16, bfloat16, float64, got 'float32'",
    ),
    "another key": (
        '[[case]]\noperation = "relu"\nshape = [3]\n\n[settings]\nseed = 1\n',
        5,
        "expected a list of [[case]] tables and nothing else",
    ),
    "one table": (
        '[case]\noperation = "relu"\n',
        1,
        "expected a list of [[case]] tables and nothing else",
    ),
    "nothing": ("", 1, "expected a list of [[case]] tables and nothing else"),
    "numbers": ("case = [1]\n", 1, "expected a [[case]] table"),
    "an inline table": (
        'case = [{operation = "relu", shape = [-1]}]\n',
        1,
        "shape: expected a list of 1 or more positive integers, got [-1]",
    ),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file_is_told_its_line(name: str, file: Path) -> None:
    """Proves the full text of each message: file, line, what was expected, what was found."""
    text, line, told = WRONG_FILES[name]
    file.write_text(text)
    with pytest.raises(SuiteFileError) as caught:
        load_suite(str(file))
    assert str(caught.value) == f"{file}:{line}: {told}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[[case]]\noperation = "relu"\noperation = "relu"\n', 3),
        ("[[case]]\noperation = relu\n", 2),
        ("[[case]]\nshape = [8, 16", 2),
    ],
    ids=["a key twice", "a word without quotes", "a list without end"],
)
def test_a_file_that_is_not_toml_is_told_its_line(text: str, line: int, file: Path) -> None:
    """Proves that the parser's own words follow the line, also where it only says that the text
    ends too soon."""
    file.write_text(text)
    with pytest.raises(tomllib.TOMLDecodeError) as parsed:
        tomllib.loads(text)
    with pytest.raises(SuiteFileError) as caught:
        load_suite(str(file))
    assert str(caught.value) == f"{file}:{line}: not TOML: {parsed.value}"


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_text_breaks_the_reader(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Proves that any file is a suite or is told its line."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(f"[[case]]\n{text}", encoding="utf-8", newline="")
    with pytest.raises(SuiteFileError, match=r"any\.toml:\d+: "):
        load_suite(str(path))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Proves the full text for a missing file, and that bytes which are no text are one as well."""
    missing = tmp_path / "missing.toml"
    with pytest.raises(UserInputError) as caught:
        load_suite(str(missing))
    assert str(caught.value) == (
        f"cannot read suite {missing}: [Errno 2] No such file or directory: '{missing}'"
    )
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(UserInputError, match=r"^cannot read suite .*: 'utf-8' codec can't decode"):
        load_suite(str(binary))


def test_an_unknown_suite_is_told() -> None:
    """Proves the full text."""
    with pytest.raises(UnknownNameError) as caught:
        load_suite("quik")
    assert str(caught.value) == (
        "unknown suite 'quik'; did you mean quick?"
        " Valid suites: FILE.toml, fused, layers, mlx-benchmark, quick"
    )


# -- Built-in suites ---------------------------------------------------------------------------


def test_the_published_experiments_are_all_there() -> None:
    """Proves that the 91 experiments of the published benchmark are in their suite, each once."""
    published = [e for e in load_suite("mlx-benchmark").entries if e.published]
    cases = cases_of(Suite("published", tuple(published)))
    assert len(cases) == 91
    assert len({case.key for case in cases}) == 91


@pytest.mark.parametrize("name", suites.BUILT_IN)
def test_cases_of_a_built_in_suite_are_valid_and_distinct(name: str) -> None:
    """Proves that a suite's own parameters pass the checks of a file's, and that labels and keys
    tell cases apart."""
    cases = cases_of(load_suite(name))
    assert len({case.key for case in cases}) == len({case.label for case in cases}) == len(cases)
    for case in cases:
        operation = OPERATIONS[case.operation]
        assert set(case.parameters) == set(operation.parameters)
        for key, parameter in operation.parameters.items():
            assert parameter.is_valid(case.parameters[key]), (case.label, key)
        assert operation.problem(case.parameters) is None
        assert case.bytes_minimum > 0


def test_the_quick_suite_has_every_operation() -> None:
    """Proves that no operation is left out of the suite that everybody runs."""
    assert {e.operation.name for e in load_suite("quick").entries} == set(OPERATIONS)


# -- Cases -------------------------------------------------------------------------------------


@pytest.fixture
def suite(file: Path) -> Suite:
    file.write_text(GOOD)
    return load_suite(str(file))


def test_cases_are_multiplied_by_dtypes_and_directions(suite: Suite) -> None:
    """Proves that an entry's own dtypes go before the run's, and that the label tells all apart."""
    cases = cases_of(suite, dtypes=["bfloat16"], directions=["forward", "backward"])
    assert [case.label for case in cases] == [
        "Softmax / dim=8x16 axi=-1 float16",
        "Softmax / dim=8x16 axi=-1 float16 backward",
        "Softmax / dim=8x16 axi=-1",
        "Softmax / dim=8x16 axi=-1 backward",
        "ReLU / dim=64x128x1024 bfloat16",
        "ReLU / dim=64x128x1024 bfloat16 backward",
    ]
    assert len({case.key for case in cases}) == 6
    assert cases[0].bytes_minimum == 2 * 8 * 16 * 2
    assert cases[2].bytes_minimum == 2 * 8 * 16 * 4


def test_a_case_that_is_there_twice_is_told_and_taken_once(file: Path) -> None:
    """Proves that cases are the same by what they compute, in whatever words, and where both
    stand."""
    file.write_text(
        '[[case]]\noperation = "relu"\nshape = [8]\n\n'
        '[[case]]\noperation = "sum"\nshape = [8]\naxis = 0\n\n'
        '[[case]]\noperation = "ReLU"\nshape = [8]\ndtypes = ["float32", "float16"]\n'
    )
    told: list[str] = []
    cases = cases_of(load_suite(str(file)), dtypes=["float32", "float32"], on_repeated=told.append)
    assert [case.label for case in cases] == [
        "ReLU / dim=8",
        "Sum / dim=8 axi=0",
        "ReLU / dim=8 float16",
    ]
    assert told == [f"{file}:10: ReLU / dim=8 is the same case as at {file}:1; it is measured once"]


def test_operations_filter_by_name_or_title(suite: Suite) -> None:
    """Proves that names and titles select, in any case of letters."""
    for name in ("softmax", "Softmax", "SOFTMAX"):
        assert {case.operation for case in cases_of(suite, operations=[name])} == {"softmax"}


def test_a_filter_that_leaves_nothing_is_told(suite: Suite) -> None:
    """Proves the full text."""
    with pytest.raises(UserInputError) as caught:
        cases_of(suite, operations=["sort", "matmul"])
    assert str(caught.value) == (
        f"suite {suite.name} has no case of sort, matmul; it has relu, softmax"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"dtypes": ["float8"]},
            (
                "unknown dtype 'float8'; did you mean float64 or float32 or float16?"
                " Valid dtypes: bfloat16, float16, float32, float64"
            ),
        ),
        (
            {"directions": ["forwards"]},
            (
                "unknown direction 'forwards'; did you mean forward or backward?"
                " Valid directions: backward, forward"
            ),
        ),
        (
            {"precision": "tf16"},
            "unknown precision 'tf16'; did you mean tf32? Valid precisions: ieee, tf32",
        ),
    ],
    ids=["dtype", "direction", "precision"],
)
def test_unknown_words_are_told(options: dict[str, object], told: str, suite: Suite) -> None:
    """Proves the full text for each kind of word."""
    with pytest.raises(UnknownNameError) as caught:
        cases_of(suite, **options)
    assert str(caught.value) == told


def test_numeric_modes_are_different_cases(suite: Suite) -> None:
    """Proves that a result in TF32 is never compared with one in float32 as the same work."""
    ieee = cases_of(suite, operations=["relu"])[0]
    tf32 = cases_of(suite, operations=["relu"], precision="tf32")[0]
    assert ieee.key != tf32.key
    assert tf32.label == "ReLU / dim=64x128x1024 tf32"


def test_a_case_beyond_all_bounds_can_be_recorded() -> None:
    """Proves that counts which exceed 64 bits are held at the largest that a record can have."""
    entry = SuiteEntry(OPERATIONS["relu"], {"shape": [1 << 62, 1 << 62]})
    case = suites.make_case(entry, "float32", "forward", "ieee")
    assert case.bytes_minimum == case.flops == (1 << 63) - 1
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(case), type=type(case)) == case


def test_undefined_cases_have_their_reason() -> None:
    """Proves the full texts, and that a defined case has none."""

    def reason(operation: str, dtype: str, direction: str) -> str | None:
        entry = SuiteEntry(OPERATIONS[operation], {"shape": [8, 9], "axis": 0})
        return reason_against(suites.make_case(entry, dtype, direction, "ieee"))

    assert reason("argmax", "float16", "forward") == ("argmax is defined for float32, float64 only")
    assert reason("argmax", "float32", "backward") == "argmax has no (unique) gradient"
    assert reason("softmax", "bfloat16", "backward") is None

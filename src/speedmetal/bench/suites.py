"""Suites: which cases a run consists of.

Built-in ones come from the operations' own tables; a TOML file may name any operation with any
parameters:

    [[case]]
    operation = "softmax"
    shape = [64, 1024]
    axis = -1
    dtypes = ["float32", "float16"]     # may be left out
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from speedmetal.bench.operations import OPERATIONS, find_operation
from speedmetal.bench.operations.base import Operation
from speedmetal.bench.record import CaseSpec
from speedmetal.errors import SuiteFileError, UnknownNameError, UserInputError

BUILT_IN = {
    "quick": "one case per operation; about 3 minutes on two cores with NumPy, MLX and speedmetal",
    "mlx-benchmark": "the 91 published experiments with right semantics, and their variants",
    "layers": "layers and chains that the published benchmark lacks",
    "fused": "what is written between two matrix products, from bias and GELU to Adam's update",
}
DTYPES = ("float32", "float16", "bfloat16", "float64")
DIRECTIONS = ("forward", "backward")
ITEMSIZE = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
LARGEST_COUNT = (1 << 63) - 1  # that a record can hold


@dataclass(frozen=True)
class Suite:
    """A named list of operations with parameters, before dtypes and directions are applied."""

    name: str
    entries: tuple[SuiteEntry, ...]


@dataclass(frozen=True)
class SuiteEntry:
    """One operation with parameters; ``dtypes`` overrides the run's where it is given.

    ``place`` is where it stands in a suite file, ``"FILE:LINE"``.
    """

    operation: Operation
    parameters: Mapping[str, Any]
    published: bool = False
    dtypes: tuple[str, ...] | None = None
    place: str = ""


def load_suite(name: str) -> Suite:
    """A built-in suite, or one from a file (any name that ends in ``.toml``).

    Raises:
        UnknownNameError: It is neither.
        SuiteFileError: The file is wrong; the message has its line.
    """
    if name in BUILT_IN:
        return _built_in(name)
    if name.endswith(".toml"):
        return _from_file(Path(name))
    raise UnknownNameError("suite", name, [*BUILT_IN, "FILE.toml"])


def _built_in(name: str) -> Suite:
    entries = tuple(
        SuiteEntry(operation, case.parameters, case.published, case.dtypes)
        for operation in OPERATIONS.values()
        for case in operation.cases
        if name in case.suites
    )
    return Suite(name, entries)


def _from_file(path: Path) -> Suite:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(f"cannot read suite {path}: {error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise SuiteFileError(str(path), line, f"not TOML: {error}") from error
    tables = document.get("case")
    unknown = sorted(set(document) - {"case"})
    if unknown or not isinstance(tables, list) or not tables:
        line = _line_of_key(text, 0, unknown[0]) if unknown else 1
        raise SuiteFileError(str(path), line, "expected a list of [[case]] tables and nothing else")
    reader = _FileReader(str(path), text)
    return Suite(str(path), tuple(reader.entry(i, table) for i, table in enumerate(tables)))


def _line_of_key(text: str, section_line: int, key: str) -> int:
    pattern = re.compile(rf"\s*{re.escape(key)}\s*[.=\]]|\s*\[+\s*{re.escape(key)}")
    lines = text.splitlines()
    for number in range(section_line, len(lines)):
        if pattern.match(lines[number]):
            return number + 1
    return max(section_line, 1)


class _FileReader:
    """Turns the tables of a suite file into entries; knows on which line each stands."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._starts = [
            number
            for number, line in enumerate(text.splitlines(), start=1)
            if re.match(r"\s*\[\[\s*case\s*\]\]", line)
        ]

    def _start(self, index: int) -> int:
        # An inline array of tables has no headers: the file's first line must do.
        return self._starts[index] if index < len(self._starts) else 1

    def _error(self, index: int, key: str | None, message: str) -> SuiteFileError:
        start = self._start(index)
        line = start if key is None else _line_of_key(self._text, start - 1, key)
        return SuiteFileError(self._path, line, message)

    def entry(self, index: int, table: Any) -> SuiteEntry:
        if not isinstance(table, dict):
            raise self._error(index, None, "expected a [[case]] table")
        values = dict(table)
        name = values.pop("operation", None)
        if not isinstance(name, str):
            raise self._error(index, None, 'expected operation = "NAME"')
        try:
            operation = find_operation(name)
        except UnknownNameError as error:
            raise self._error(index, "operation", str(error)) from error
        dtypes = values.pop("dtypes", None)
        if dtypes is not None and not _is_list_of(dtypes, DTYPES):
            message = f"dtypes: expected a list of {', '.join(DTYPES)}, got {dtypes!r}"
            raise self._error(index, "dtypes", message)
        self._check_parameters(index, operation, values)
        published = any(c.published and dict(c.parameters) == values for c in operation.cases)
        place = f"{self._path}:{self._start(index)}"
        return SuiteEntry(operation, values, published, tuple(dtypes) if dtypes else None, place)

    def _check_parameters(self, index: int, operation: Operation, values: dict[str, Any]) -> None:
        for key in values:
            if key not in operation.parameters:
                known = ", ".join(operation.parameters)
                message = f"{operation.name} has no parameter {key!r}; it has {known}"
                raise self._error(index, key, message)
        for key, parameter in operation.parameters.items():
            if key not in values:
                message = f"{operation.name} needs {key}: expected {parameter.expected}"
                raise self._error(index, None, message)
            if not parameter.is_valid(values[key]):
                message = f"{key}: expected {parameter.expected}, got {values[key]!r}"
                raise self._error(index, key, message)
            if not all(abs(n) <= LARGEST_COUNT for n in _integers(values[key])):
                message = f"{key}: expected integers below 2**63, got {values[key]!r}"
                raise self._error(index, key, message)
        problem = operation.problem(values)
        if problem:
            raise self._error(index, problem.partition(":")[0], problem)


def _integers(value: Any) -> list[int]:
    """The integers of a parameter's value: itself, or those of a list, however nested."""
    if isinstance(value, list):
        return [number for item in value for number in _integers(item)]
    return [value] if isinstance(value, int) else []


def _is_list_of(value: Any, allowed: Sequence[str]) -> bool:
    return isinstance(value, list) and bool(value) and all(item in allowed for item in value)


def cases_of(
    suite: Suite,
    *,
    operations: Sequence[str] = (),
    dtypes: Sequence[str] = ("float32",),
    directions: Sequence[str] = ("forward",),
    precision: str = "ieee",
    on_repeated: Callable[[str], None] = lambda _: None,
) -> list[CaseSpec]:
    """The cases of a suite, filtered and multiplied by dtypes and directions; each of them once.

    Args:
        suite: The suite.
        operations: Names or titles to keep; all where empty.
        dtypes: Of the inputs; an entry's own list goes first.
        directions: ``"forward"``, ``"backward"`` or both.
        precision: Numeric mode of float32 matrix units.
        on_repeated: Told of each case that is there more than once.

    Raises:
        UnknownNameError: An operation, dtype or direction does not exist.
        UserInputError: Nothing is left.
    """
    for kind, given, valid in (
        ("dtype", dtypes, DTYPES),
        ("direction", directions, DIRECTIONS),
        ("precision", [precision], ("ieee", "tf32")),
    ):
        for name in given:
            if name not in valid:
                raise UnknownNameError(kind, name, valid)
    wanted = {find_operation(name).name for name in operations}
    cases: dict[str, CaseSpec] = {}
    places: dict[str, str] = {}
    for entry in suite.entries:
        if wanted and entry.operation.name not in wanted:
            continue
        for dtype, direction in product(
            dict.fromkeys(entry.dtypes or dtypes), dict.fromkeys(directions)
        ):
            case = make_case(entry, dtype, direction, precision)
            if case.key in cases:
                on_repeated(
                    f"{entry.place}: {case.label} is the same case as at {places[case.key]};"
                    " it is measured once"
                )
                continue
            cases[case.key], places[case.key] = case, entry.place
    if not cases:
        raise UserInputError(
            f"suite {suite.name} has no case of {', '.join(operations) or 'any operation'};"
            f" it has {', '.join(sorted({e.operation.name for e in suite.entries}))}"
        )
    return list(cases.values())


def make_case(entry: SuiteEntry, dtype: str, direction: str, precision: str) -> CaseSpec:
    """A suite's entry with one dtype, direction and precision, as a run records it."""
    operation = entry.operation
    work = operation.work(entry.parameters, ITEMSIZE[dtype])
    return CaseSpec(
        operation=operation.name,
        title=operation.title,
        family=operation.family,
        arguments=operation.label(entry.parameters),
        parameters=dict(entry.parameters),
        dtype=dtype,
        precision=precision,
        direction=direction,
        published=entry.published,
        bytes_minimum=_clamp_count(work.bytes_minimum),
        flops=_clamp_count(work.flops),
    )


def _clamp_count(count: int) -> int:
    """A count that a record can hold; shapes beyond it exist in suite files alone."""
    return min(count, LARGEST_COUNT)


def reason_against(case: CaseSpec) -> str | None:
    """Why a case is not defined on any framework, or None."""
    operation = OPERATIONS[case.operation]
    if case.dtype not in operation.dtypes:
        return f"{operation.name} is defined for {', '.join(operation.dtypes)} only"
    if case.direction == "backward" and not operation.differentiable:
        return f"{operation.name} has no (unique) gradient"
    return None

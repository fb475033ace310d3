"""Which tests run. Nothing else chooses: not the tests, not the workflows.

========  ==================  =================================================================
tier      asked for by        what runs
========  ==================  =================================================================
quick     ``--tier quick``    a sample on the CPU, in less than a minute: while editing
default                       every test, of combinations of its parameters a sample
nightly   ``--tier nightly``  every combination, and what takes hours
========  ==================  =================================================================

``--device NAME`` runs the conformance suite and random programs on that device alone.

``SPEEDMETAL_TEST_TIER`` asks as well, for processes that are given no options. A test with the mark
``tier("nightly")`` runs in that tier and in larger ones; `BEYOND_QUICK` has whole folders that no
quick run reads.
A test that is named (``file.py::test``) runs with all its combinations, whatever the tier is.

The sample of a test has every value of every parameter, and of any two parameters every pair of
*classes* of values (`class_of`): integer types stand for each other, so that no square of types is
run in full; a type's name, and NumPy's type, are as good as the type. For ``quick`` only pairs of
types count, and of the integer types of a sign one is enough. A sample is as small as can be found
at once (`covering`), and the same on every device and in every run.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import heapq
import itertools
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Generator, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from _pytest.doctest import DoctestModule

from speedmetal.dtypes import DType, find_dtype, from_numpy
from speedmetal.errors import UserInputError

VARIABLE = "SPEEDMETAL_TEST_TIER"
ROOT = Path(__file__).parents[1]
BEYOND_QUICK = (
    *("tests/bench", "tests/examples", "tests/fuzz", "tests/mlx"),
    *("tests/host/backends/cuda", "tests/host/backends/metal", "tests/host/bench"),
    *("tests/host/doctor", "tests/host/metal_simulator", "tests/host/msl"),
    *("src/speedmetal/bench", "src/speedmetal/doctor", "src/speedmetal/metal_simulator"),
    *("src/speedmetal/backends/metal", "src/speedmetal/metal.py", "src/speedmetal/profile.py"),
)
"""What is of other devices, needs a browser or frameworks, or starts processes."""
_BEYOND_QUICK = frozenset(str(ROOT / place) for place in BEYOND_QUICK)
QUICK_DEVICES = ("cpu",)
EXAMPLES_SHARE = {"quick": 8, "default": 4, "nightly": 1}
"""Of the examples that a law of Hypothesis states, each tier tries one in so many."""


# Its `i8` is our `i64`, which is of the same class.
_NUMPYS_CODE = re.compile(r"[<>=|]?[biufc]\d")


class Tier(enum.IntEnum):
    QUICK = 0
    DEFAULT = 1
    NIGHTLY = 2

    @classmethod
    def of(cls, config: pytest.Config) -> Tier:
        return cls[config.getoption("--tier").upper()]


def pytest_addoption(parser: pytest.Parser) -> None:
    names = [tier.name.lower() for tier in Tier]
    wanted = os.environ.get(VARIABLE, "default")
    help_text = "how much runs: a sample on the CPU, every test, or every combination as well"
    group = parser.getgroup("speedmetal")
    group.addoption("--tier", choices=names, default=wanted, help=help_text)
    group.addoption("--device", help="the one device on which tests of devices run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tier(name): the least tier in which the test runs")
    os.environ[VARIABLE] = config.getoption("--tier")  # of tests that tests start
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", os.environ[VARIABLE]))


def examples(number: int) -> int:
    """How many examples of a law the tier tries, where ``number`` are tried at night.

    For ``@settings(max_examples=examples(100))`` in modules of tests.
    """
    return max(number // EXAMPLES_SHARE[os.environ[VARIABLE]], 5)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Folders that no quick run needs are not even read, unless they were asked for."""
    if Tier.of(config) is not Tier.QUICK:
        return None
    is_beyond = str(collection_path) in _BEYOND_QUICK
    return True if is_beyond and not _names(config, collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector]]:
    """No file is imported, and none of its objects looked at, for doctests that it has not."""
    found = yield
    if (
        any(isinstance(one, DoctestModule) for one in found)
        and b">>>" not in file_path.read_bytes()
    ):
        return [one for one in found if not isinstance(one, DoctestModule)]
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the tier, in their order."""
    tier = Tier.of(config)
    if _names_tests(config):
        return
    in_tier = [item for item in items if least_tier(item) <= tier]
    chosen = set(in_tier if tier is Tier.NIGHTLY else sample_items(in_tier, tier))
    left_out = [item for item in items if item not in chosen]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item in chosen]


def least_tier(item: pytest.Item) -> Tier:
    """The smallest tier that the test belongs to."""
    marks = (Tier[mark.args[0].upper()] for mark in item.iter_markers("tier"))
    device = parameters_of(item).get("device", QUICK_DEVICES[0])
    return max([*marks, Tier.QUICK if device in QUICK_DEVICES else Tier.DEFAULT])


def parameters_of(item: pytest.Item) -> Mapping[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def sample_items(items: list[pytest.Item], tier: Tier) -> Iterator[pytest.Item]:
    """Of each test as many combinations as have all facts that the tier asks for."""
    cases: dict[Hashable, list[pytest.Item]] = defaultdict(list)
    for item in items:
        test = item.nodeid.partition("[")[0]
        cases[test, parameters_of(item).get("device")].append(item)
    for (test, _), same in cases.items():
        if len(same) == 1:
            yield from same
            continue
        wanted = [facts_of(parameters_of(item), tier) for item in same]
        for number in covering(wanted, str(test)):
            yield same[number]


def covering(wanted: list[set[Hashable]], seed: str) -> list[int]:
    """Numbers of sets that together have what all sets have: the fullest of what is missing first.

    Which of equally full ones, the seed decides.
    """
    order = sorted(range(len(wanted)), key=lambda n: zlib.crc32(f"{seed} {n}".encode()))
    missing = set().union(*wanted)
    chosen = []
    # What a set has of the missing only becomes less: a number found before is an upper bound.
    fullest = [(-len(wanted[number]), place, number) for place, number in enumerate(order)]
    heapq.heapify(fullest)
    while missing:
        _, place, number = fullest[0]
        now = (-len(missing & wanted[number]), place, number)
        if now > fullest[0]:
            heapq.heapreplace(fullest, now)
            continue
        heapq.heappop(fullest)
        missing -= wanted[number]
        chosen.append(number)
    return sorted(chosen)


def facts_of(parameters: Mapping[str, Any], tier: Tier) -> set[Hashable]:
    """What a sample must have of a combination of parameters: values, and pairs of classes."""
    own = {name: value for name, value in parameters.items() if name != "device"}
    alone = class_of if tier is Tier.QUICK else id
    facts: set[Hashable] = {(name, alone(value)) for name, value in own.items()}
    for (a, x), (b, y) in itertools.combinations(own.items(), 2):
        one, other = dtype_of(x), dtype_of(y)
        if one and other:
            both = one.is_integer and other.is_integer
            widths = (one.bits > other.bits) - (one.bits < other.bits) if both else 0
            facts.add((a, class_of(x), b, class_of(y), widths))
        elif tier is not Tier.QUICK:
            facts.add((a, class_of(x), b, class_of(y)))
    return facts


def class_of(value: Any) -> Hashable:
    """What stands for a value beside others: each value for itself, integer types by their sign."""
    dtype = dtype_of(value)
    if dtype and dtype.is_integer:
        return "signed" if dtype.is_signed else "unsigned"
    return id(value)


def dtype_of(value: Any) -> DType | None:
    """The dtype that a parameter's value is, or names as we do or as NumPy does."""
    if isinstance(value, DType):
        return value
    is_numpys = isinstance(value, np.dtype) or (
        isinstance(value, type) and issubclass(value, np.generic)
    )
    return _named_dtype(value) if is_numpys or isinstance(value, str) else None


@functools.cache  # of most words an error is made that nobody sees
def _named_dtype(name: Any) -> DType | None:
    with contextlib.suppress(UserInputError, TypeError):
        is_ours = isinstance(name, str) and not _NUMPYS_CODE.fullmatch(name)
        return find_dtype(name) if is_ours else from_numpy(name)
    return None


def runs_all_combinations(config: pytest.Config) -> bool:
    """Whether tests run with all their parameters: at night, and where they were named."""
    return Tier.of(config) is Tier.NIGHTLY or _names_tests(config)


def _names_tests(config: pytest.Config) -> bool:
    return any("::" in argument for argument in config.args)


def _names(config: pytest.Config, path: Path) -> bool:
    """Whether the command line names the folder, or something in it."""
    given = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    return any(one == path or path in one.parents for one in given)

"""Each faulty kernel is found by the stage that must find it; put right, it passes all stages."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from wrong_msl import FAULTS, HEADER, Fault, Launch

from speedmetal.errors import LaunchError, SimulationError
from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.language.program import MslError, compile_source
from speedmetal.metal_simulator.simulate import simulate

LINTED = [fault for fault in FAULTS if fault.stage == "lint"]
BUILT = [fault for fault in FAULTS if fault.stage == "compile"]
RUN = [fault for fault in FAULTS if fault.stage in {"run", "race"}]
RIGHT = [fault for fault in FAULTS if fault.right]

# --- Many snippets in one program ----------------------------------------------------------------

_OWN_NAMES = re.compile(r"\b(k|f|g|set|get|at|other|table|S|R|View|Job)\b")


def renamed(text: str, number: int) -> str:
    """A snippet without its head, its names made its own."""
    return _OWN_NAMES.sub(rf"\1_{number}", text.removeprefix(HEADER))


def can_be_joined(text: str, launch: Launch) -> bool:
    return text.startswith(HEADER) and not launch.constants and "function_constant" not in text


def joined(texts: dict[str, str]) -> tuple[str, dict[str, str]]:
    """One program of many snippets, and the names that their kernels have in it, by fault."""
    numbers = {name: number for number, name in enumerate(texts)}
    source = HEADER + "".join(renamed(texts[name], number) for name, number in numbers.items())
    return source, {name: f"k_{number}" for name, number in numbers.items()}


def launch_of(fault: Fault, *, right: bool) -> Launch:
    return (fault.right_launch or fault.launch) if right else fault.launch


def program_of(fault: Fault, *, right: bool) -> tuple[Any, ...]:
    """What snippets of one program have in common."""
    launch = launch_of(fault, right=right)
    text = fault.right if right else fault.wrong
    alone = "" if can_be_joined(text, launch) else fault.name
    return alone, fault.language_version, fault.stage == "race", repr(dict(launch.settings))


GROUPS: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
for one in RUN:
    GROUPS[(False, *program_of(one, right=False))][one.name] = one.wrong
for one in RIGHT:
    GROUPS[(True, *program_of(one, right=True))][one.name] = one.right


@pytest.fixture(scope="module")
def functions():
    """Gives the kernel of a snippet, out of a program of many."""
    kept: dict[Any, Any] = {}

    def function(fault: Fault, *, right: bool) -> Any:
        key = (right, *program_of(fault, right=right))
        launch = launch_of(fault, right=right)
        if key not in kept:
            texts = GROUPS[key]
            alone = {fault.name: "k"}
            source, names = joined(texts) if not key[1] else (texts[fault.name], alone)
            library = simulate(
                source,
                language_version=fault.language_version,
                constants=launch.constants,
                check_races=fault.stage == "race",
                **launch.settings,
            )
            kept[key] = library, names
        library, names = kept[key]
        return library.function(names[fault.name])

    return function


def run(fault: Fault, functions: Any, *, right: bool) -> Any:
    launch = launch_of(fault, right=right)
    text = fault.right if right else fault.wrong
    count = len(set(re.findall(r"\bbuffer\((\d+)\)", text)))
    arguments = launch.arguments or tuple(np.zeros(4096, np.uint8) for _ in range(count))
    return functions(fault, right=right)(
        *arguments,
        grid=launch.grid,
        threads=launch.threads,
        threadgroup_bytes=dict(launch.threadgroup_bytes),
    )


# --- The tests -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def diagnostics():
    """What lint says of each faulty text; several are looked at together."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {
            fault.name: pool.submit(lint, fault.wrong, language_version=fault.language_version)
            for fault in LINTED
        }
        yield lambda fault: jobs[fault.name].result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("fault", LINTED, ids=lambda fault: fault.name)
def test_lint_finds_the_fault(fault, diagnostics):
    found = diagnostics(fault)
    errors = [one.message for one in found if one.severity == "error"]
    assert any(fault.word.lower() in message.lower() for message in errors), errors
    lines = fault.wrong.count("\n") + 1
    assert all(1 <= one.line <= lines for one in found)


@pytest.mark.parametrize("fault", BUILT, ids=lambda fault: fault.name)
def test_the_build_finds_the_fault(fault):
    program = compile_source(fault.wrong, language_version=fault.language_version)
    with pytest.raises(MslError, match=re.compile(re.escape(fault.word), re.IGNORECASE)):
        _ = program.functions["k"].entry


@pytest.mark.parametrize("fault", RUN, ids=lambda fault: fault.name)
def test_the_run_finds_the_fault(fault, functions):
    word = re.compile(re.escape(fault.word), re.IGNORECASE)
    with pytest.raises((SimulationError, LaunchError), match=word):
        run(fault, functions, right=False)


LINT_GROUPS = [texts for key, texts in GROUPS.items() if key[0]]


@pytest.mark.parametrize("texts", LINT_GROUPS, ids=lambda texts: next(iter(texts)))
def test_lint_is_silent_about_the_right_kernels(texts):
    fault = next(fault for fault in FAULTS if fault.name in texts)
    is_one = len(texts) == 1
    source = next(iter(texts.values())) if is_one else joined(texts)[0]
    assert lint(source, language_version=fault.language_version) == ()


@pytest.mark.parametrize("fault", RIGHT, ids=lambda fault: fault.name)
def test_the_right_kernel_runs(fault, functions):
    execution = run(fault, functions, right=True)
    assert execution.divergent_barriers == 0
    assert execution.races == 0

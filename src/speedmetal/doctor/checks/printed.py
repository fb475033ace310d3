"""Whether a device's Metal compiler takes what speedmetal prints, in each version of the language.

These are the sources that the printer's tests hold it against. Each function of them is compiled to
the end, to a pipeline.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import speedmetal as sm
from speedmetal.backends.metal.driver import capabilities as features
from speedmetal.backends.metal.driver import libraries, pipelines
from speedmetal.backends.metal.driver.bridge import Version
from speedmetal.doctor import suite
from speedmetal.doctor.results import Finding
from speedmetal.doctor.worker import Task

if TYPE_CHECKING:
    from speedmetal.backends.metal.driver.device import MetalDevice

SHOWN_LINES = 6
"""Of what the compiler says about a source."""

QUICK_EVERY = 4


@dataclass
class Outcome:
    """What became of the sources in one version of the language."""

    sources: int = 0
    pipelines: int = 0
    refused: list[str] = field(default_factory=list)
    seconds: float = 0.0


def examine(task: Task) -> Finding:
    """Compile all sources in all versions that this system has, from the oldest supported on."""
    device: MetalDevice = sm.device(task.subject)  # type: ignore[assignment]
    sources = list(suite.printed_sources().items())
    sources = sources[:: QUICK_EVERY if task.is_quick else 1]
    versions = versions_of(device.bridge.system_version[0])
    facts: dict[str, Any] = {}
    problems: list[str] = []
    for number, version in enumerate(versions):
        outcome = Outcome()
        start = time.perf_counter()
        for place, (name, text) in enumerate(sources):
            task.progress(number * len(sources) + place, len(versions) * len(sources))
            outcome.sources += 1
            for what, message in refusals(device, text, version, outcome):
                said = " | ".join(message.strip().splitlines()[:SHOWN_LINES])
                outcome.refused.append(f"{name}{what}: {said}")
        outcome.seconds = time.perf_counter() - start
        called = f"Metal {version[0]}.{version[1]}"
        facts[called] = vars(outcome)
        problems += [f"{called}: {text}" for text in outcome.refused]
    count = sum(fact["pipelines"] for fact in facts.values())
    return Finding(facts, tuple(problems), note=f"{count} pipelines, {', '.join(facts)}")


def versions_of(system: int) -> list[Version]:
    """The versions of the language that a macOS has, from the oldest that speedmetal asks for on.

    Example:
        >>> versions_of(15), versions_of(14)
        ([(3, 1), (3, 2)], [(3, 1)])
    """
    newest = max(
        (v for since, v in features.NEWEST_LANGUAGES.items() if since <= system), default=(0, 0)
    )
    return [
        v for v in features.NEWEST_LANGUAGES.values() if features.OLDEST_LANGUAGE <= v <= newest
    ]


def refusals(
    device: MetalDevice, text: str, version: Version, outcome: Outcome
) -> Iterator[tuple[str, str]]:
    """What of a source the compilers refuse, each with their words."""
    try:
        library = libraries.compile_library(
            device.context, text, language=version, math_mode="safe", label="speedmetal doctor"
        )
    except libraries.RefusedSourceError as error:
        yield "", str(error)
        return
    names = [str(name) for name in library.functionNames()]
    if not names:
        yield "", "its library has no function"
    for name in names:
        function = library.newFunctionWithName_(name)
        try:
            key = pipelines.source_key("doctor", text, name, version)
            pipelines.make_pipeline(device.context, function, name, key)
            outcome.pipelines += 1
        except pipelines.RefusedPipelineError as error:
            yield f", function {name}", str(error)

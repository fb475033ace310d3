"""What a kernel asks of a GPU and of Metal's language, and whether a device has it.

One record says for each feature since which language version, and since which family of GPUs it is
there. The families are those of Apple's Metal Feature Set Tables (editions of 2025 and 2026); the
versions those of the Metal Shading Language Specification. The oldest machine that speedmetal
supports (M1, macOS 14) has everything below: a device that lacks something is older, has a GPU of
another maker, or is a virtual machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from speedmetal.backends.c_family.layout import all_nodes, function_nodes
from speedmetal.backends.metal.codegen.spellings import NATIVE_ATOMICS
from speedmetal.backends.metal.driver.bridge import Version
from speedmetal.dtypes import bfloat16, float32, int64, uint64
from speedmetal.errors import Diagnostic, UserInputError
from speedmetal.intrinsics import TABLE
from speedmetal.ir.nodes import Array, Atomic, Call, Expression, Kernel, Statement
from speedmetal.ir.types import MatrixType, Space
from speedmetal.source import SourceSpan

OLDEST_LANGUAGE: Version = (3, 1)
"""The least language version that is asked for: what macOS 14 has, the oldest system supported.

A kernel without bfloat16 would do with 2.3; but no supported system stops there, and one version
for all kernels means one dialect in use, which is the one that the simulator checks.
"""

NEWEST_LANGUAGES: dict[int, Version] = {
    11: (2, 3),
    12: (2, 4),
    13: (3, 0),
    14: (3, 1),
    15: (3, 2),
    26: (4, 0),
}
"""The newest language version of each macOS (``MTLLanguageVersion`` in Apple's SDK 26.5)."""

FAMILIES_VARIABLE = "SPEEDMETAL_METAL_FAMILIES"
"""Environment variable: ``check``, or ``ignore`` to let Metal's compiler decide on features."""

_VIRTUAL = "Paravirtual"
"""In the names of virtual machines' GPUs. They run kernels, but report an old family: there Metal's
compiler decides, unless the variable says ``check``."""

_TABLES = "Metal Feature Set Tables"


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that not every GPU, or not every version of the language has.

    Args:
        name: For messages and records.
        words: What uses it in Python: names of intrinsics, or of types.
        language: The version that brought it.
        family: The first family of Apple's GPUs with it: 7 is ``Apple7``, of M1.
        on_mac: Whether the family ``Mac2``, GPUs of other makers, has it too.
        source: Where Apple says so, and what is not said there.
    """

    name: str
    words: frozenset[str]
    language: Version
    family: int
    on_mac: bool
    source: str


def _names(prefix: str, operations: str) -> frozenset[str]:
    return frozenset(f"{prefix}_{operation}" for operation in operations.split())


_PERMUTES = "shuffle shuffle_up shuffle_down shuffle_xor broadcast"
_VOTES = "ballot any all"
_REDUCTIONS = "sum product min max and or xor"
_PREFIXES = (
    "prefix_inclusive_sum prefix_exclusive_sum prefix_inclusive_product prefix_exclusive_product"
)
_FLOAT_ATOMICS = " ".join(
    operation
    for operation, dtype, space in NATIVE_ATOMICS
    if dtype is float32 and space is Space.DEVICE
)

FEATURES = (
    Feature(
        "threadgroups of different sizes",
        frozenset({"every kernel"}),
        (2, 0),
        4,
        True,
        f'{_TABLES}, "Nonuniform threadgroup size"',
    ),
    Feature(
        "64-bit integers",
        frozenset({"int64", "uint64"}),
        (2, 2),
        3,
        False,
        f'{_TABLES}, "64-bit integer math"',
    ),
    Feature(
        "bfloat16",
        frozenset({"bfloat16"}),
        (3, 1),
        6,
        True,
        f'{_TABLES}, "MTLDataType.bfloat (brain float) scalar and vector cases"',
    ),
    Feature(
        "float atomics",
        _names("atomic", _FLOAT_ATOMICS),
        (3, 0),
        7,
        True,
        f'{_TABLES}, "Floating-point atomics"; `atomic_float` in the specification, section 2.6',
    ),
    Feature(
        "quad shuffles",
        _names("quad", _PERMUTES),
        (2, 0),
        4,
        True,
        f'{_TABLES}, "Quad-scoped permute operations"',
    ),
    Feature(
        "quad votes",
        _names("quad", _VOTES),
        (2, 1),
        6,
        True,
        f'{_TABLES}, "Quad-scoped ballot operation"',
    ),
    Feature(
        "quad reductions",
        _names("quad", _REDUCTIONS),
        (2, 1),
        7,
        True,
        f'{_TABLES}, "Quad-scoped reduction operations"',
    ),
    Feature(
        "simdgroup shuffles",
        _names("simd", f"{_PERMUTES} broadcast_first"),
        (2, 1),
        6,
        True,
        f'{_TABLES}, "SIMD-scoped permute operations"',
    ),
    Feature(
        "simdgroup votes",
        _names("simd", f"{_VOTES} is_first"),
        (2, 1),
        6,
        True,
        f"{_TABLES} do not name votes; taken with the permutes, whose hardware they share",
    ),
    Feature(
        "simdgroup reductions",
        _names("simd", f"{_REDUCTIONS} {_PREFIXES}"),
        (2, 1),
        7,
        True,
        f'{_TABLES}, "SIMD-scoped reduction operations"',
    ),
    Feature(
        "simdgroup matrices",
        frozenset({"simdgroup_matrix of float16 or float32"}),
        (2, 3),
        7,
        False,
        f'{_TABLES}, "SIMD-scoped matrix multiply operations"',
    ),
    Feature(
        "simdgroup matrices of bfloat16",
        frozenset({"simdgroup_matrix of bfloat16"}),
        (3, 1),
        7,
        False,
        "the specification, section 2.4, has the type since version 3.1; that no later family"
        f" than for other matrices is needed is inferred, {_TABLES} do not say",
    ),
)
"""Every feature, from the oldest to the newest of its kind."""

_BY_NAME = {feature.name: feature for feature in FEATURES}
_BY_WORD = {word: feature for feature in FEATURES for word in feature.words}
_BY_WORD |= {
    part.name: _BY_WORD[record.name]
    for record in TABLE.values()
    for part in record.parts.values()
    if part.name not in _BY_WORD
}


# --- What a kernel uses --------------------------------------------------------------------------


def features_of(kernel: Kernel) -> dict[Feature, SourceSpan]:
    """What a kernel uses, each with the first place of its use."""
    found = {_BY_WORD["every kernel"]: kernel.span}
    for feature, span in _uses(kernel):
        found.setdefault(feature, span)
    return found


def find_feature(name: str) -> Feature:
    """The feature with this name.

    Raises:
        KeyError: There is none.

    >>> find_feature("bfloat16").language
    (3, 1)
    """
    return _BY_NAME[name]


def _uses(kernel: Kernel) -> Iterator[tuple[Feature, SourceSpan]]:
    for declared in (*kernel.parameters, *kernel.arrays):
        kind = declared.type.dtype if isinstance(declared, Array) else declared.type
        yield from ((feature, declared.span) for feature in _of_type(kind))
    for node in (*function_nodes(kernel), *all_nodes(kernel)):
        yield from ((feature, node.span) for feature in _of_node(node))


def _of_type(kind: Any) -> Iterator[Feature]:
    if isinstance(kind, MatrixType):
        is_brain_float = kind.dtype is bfloat16
        words = "bfloat16" if is_brain_float else "float16 or float32"
        yield _BY_WORD[f"simdgroup_matrix of {words}"]
        yield from _of_type(kind.dtype)
    elif kind in (bfloat16, int64, uint64):
        yield _BY_WORD[kind.name]


def _of_node(node: Statement | Expression) -> Iterator[Feature]:
    yield from _of_type(getattr(node, "type", None))
    if isinstance(node, Call) and node.intrinsic.name in _BY_WORD:
        yield _BY_WORD[node.intrinsic.name]
    elif isinstance(node, Atomic) and _is_native_float(node):
        yield _BY_WORD[f"atomic_{node.operation}"]


def _is_native_float(node: Atomic) -> bool:
    """Whether Metal's own atomic floats do it; else it is done on the bits, as an integer."""
    dtype, space = node.array.type.dtype, node.array.type.space
    return dtype is float32 and (node.operation, dtype, space) in NATIVE_ATOMICS


def language_version(features: Sequence[Feature]) -> Version:
    """The language version for a kernel with these features: the least that has them all.

    >>> language_version([])
    (3, 1)
    """
    return max((OLDEST_LANGUAGE, *(feature.language for feature in features)))


# --- What a device has ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeviceCapabilities:
    """The facts about a device and its system that decide which features it has.

    Args:
        device: Its name, for messages.
        system: Version of macOS.
        has_family: Whether the GPU is of family Apple``n``.
        is_mac: Whether it is of family Mac2.
        is_checked: Whether families are looked at; else Metal's compiler decides.
    """

    device: str
    system: tuple[int, ...]
    has_family: Callable[[int], bool]
    is_mac: Callable[[], bool]
    is_checked: bool = True

    @property
    def language(self) -> Version:
        """The newest language version that this macOS has."""
        known = [version for major, version in NEWEST_LANGUAGES.items() if (major,) <= self.system]
        return max(known, default=(0, 0))

    def lacks(self, feature: Feature) -> str | None:
        """What a feature needs that is not here, and what there is; None where it can be used."""
        if feature.language > self.language:
            least = min(
                major for major, version in NEWEST_LANGUAGES.items() if version >= feature.language
            )
            return (
                f"it needs version {_format_version(feature.language)} of Metal's language"
                f" (macOS {least}), {self.device} runs macOS {_format_version(self.system)};"
                " update macOS"
            )
        if not self.is_checked or self.has_family(feature.family):
            return None
        if feature.on_mac and self.is_mac():
            return None
        return (
            f"it needs a GPU of family Apple{feature.family} (M1 is of family Apple7),"
            f" {self.device} does not report that; if it can do it nevertheless, as virtual"
            f" machines often can, set {FAMILIES_VARIABLE}=ignore"
        )


def capabilities_of(device: str, native: Any, system: tuple[int, ...]) -> DeviceCapabilities:
    """Ask a device and its system what decides which features it has.

    Args:
        device: Its name for people.
        native: Its ``MTLDevice``.
        system: Version of macOS.

    Raises:
        UserInputError: The environment says neither ``check`` nor ``ignore``.
    """
    # The values of MTLGPUFamily: Apple1 is 1001, Mac2 is 2002 (Apple's SDK 26.5).
    return DeviceCapabilities(
        device,
        system,
        lambda number: bool(native.supportsFamily_(1000 + number)),
        lambda: bool(native.supportsFamily_(2002)),
        _is_checked(device),
    )


def _is_checked(device: str) -> bool:
    stated = os.environ.get(FAMILIES_VARIABLE, "")
    if stated not in ("", "check", "ignore"):
        raise UserInputError(f"{FAMILIES_VARIABLE} is {stated!r}; expected 'check' or 'ignore'")
    return stated == "check" or (not stated and _VIRTUAL not in device)


def diagnose_missing_features(
    uses: dict[Feature, SourceSpan], here: DeviceCapabilities
) -> list[Diagnostic]:
    """A diagnostic for each feature that a kernel uses and a device has not."""
    return [
        Diagnostic(span, f"{feature.name} cannot be used: {because}")
        for feature, span in uses.items()
        if (because := here.lacks(feature)) is not None
    ]


def _format_version(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


__all__ = [
    "FAMILIES_VARIABLE",
    "FEATURES",
    "NEWEST_LANGUAGES",
    "OLDEST_LANGUAGE",
    "DeviceCapabilities",
    "Feature",
    "capabilities_of",
    "diagnose_missing_features",
    "features_of",
    "find_feature",
    "language_version",
]

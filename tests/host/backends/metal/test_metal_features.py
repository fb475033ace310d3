"""What kernels ask of a GPU, the language version that they get, and what a device refuses."""

from __future__ import annotations

import pytest

import speedmetal as sm
from speedmetal.backends.metal.driver import capabilities as features
from speedmetal.backends.metal.driver.capabilities import (
    FEATURES,
    NEWEST_LANGUAGES,
    OLDEST_LANGUAGE,
    DeviceCapabilities,
)
from speedmetal.compiler import pipeline
from speedmetal.errors import UserInputError
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import IntrinsicKind

SHUFFLES = "simdgroup shuffles"


def lowered(function, *types):
    kernel = sm.kernel(function)
    return pipeline.lower(kernel.specialisation(kernel.signature_for(types)), "metal")[0]


def used(function, *types):
    return {f.name for f in features.features_of(lowered(function, *types))}


def plain(a):
    i = sm.thread_position_in_grid().x
    a[i] = a[i] + 1


def atomic(a):
    sm.atomic_add(a, 0, a[1])


def reduced(a):
    i = sm.thread_position_in_grid().x
    a[i] = sm.simd_sum(a[i])


def shuffled(a):
    i = sm.thread_position_in_grid().x
    a[i] = sm.simd_shuffle_xor(a[i], 1)


def voted(a):
    i = sm.thread_position_in_grid().x
    if sm.simd_any(a[i] > 0):
        a[i] = 0


def quad(a):
    i = sm.thread_position_in_grid().x
    a[i] = sm.quad_sum(a[i])


def matrix(a):
    m = sm.simdgroup_load(a, (0, 0))
    sm.simdgroup_store(sm.simdgroup_multiply(m, m), a, (0, 0))


@pytest.mark.parametrize(
    ("function", "type_", "expected"),
    [
        (plain, "f32[:]", set()),
        (plain, "bf16[:]", {"bfloat16"}),
        (plain, "i64[:]", {"64-bit integers"}),
        (atomic, "f32[:]", {"float atomics"}),
        (atomic, "i32[:]", set()),
        (reduced, "f32[:]", {"simdgroup reductions"}),
        (shuffled, "f32[:]", {SHUFFLES}),
        (voted, "f32[:]", {"simdgroup votes"}),
        (quad, "f32[:]", {"quad reductions"}),
        (matrix, "f32[:,:]", {"simdgroup matrices"}),
        (matrix, "bf16[:,:]", {"simdgroup matrices of bfloat16", "bfloat16"}),
    ],
)
def test_what_a_kernel_uses(function, type_, expected):
    assert used(function, type_) == expected | {"threadgroups of different sizes"}


def test_every_collective_and_matrix_intrinsic_is_in_the_table():
    words = {word for feature in FEATURES for word in feature.words}
    collectives = {n for n, r in TABLE.items() if r.kind is IntrinsicKind.COLLECTIVE}
    assert collectives <= words
    assert {w for w in words if w.startswith(("simd_", "quad_"))} <= collectives


def test_parts_of_a_simdgroup_need_what_the_whole_needs():
    def part(a):
        a[0] = sm.simd_sum(a[0], width=8)

    assert "simdgroup reductions" in used(part, "f32[:]")


def test_a_word_belongs_to_one_feature():
    words = [word for feature in FEATURES for word in feature.words]
    assert len(words) == len(set(words))


def test_m1_with_macos_14_has_everything():
    here = DeviceCapabilities("M1", (14, 0), lambda family: family <= 7, lambda: True)
    assert [here.lacks(feature) for feature in FEATURES] == [None] * len(FEATURES)


def test_the_language_version_is_the_least_that_has_every_feature():
    newer = features.Feature("new", frozenset({"new"}), (4, 0), 7, on_mac=False, source="")
    assert features.language_version(FEATURES) == OLDEST_LANGUAGE == NEWEST_LANGUAGES[14]
    assert features.language_version([*FEATURES, newer]) == (4, 0)


class Native:
    """An ``MTLDevice`` that answers for its families."""

    def __init__(self, *families):
        self.families = families

    def supportsFamily_(self, family):  # noqa: N802 - Metal's
        return family in self.families


APPLE_5 = Native(*range(1001, 1006))


def refused(name, native, system, function, *types):
    kernel = lowered(function, *types)
    here = features.capabilities_of(name, native, system)
    return features.diagnose_missing_features(features.features_of(kernel), here)


def test_a_family_that_is_missing_is_shown_at_the_line_that_needs_it(monkeypatch):
    monkeypatch.delenv(features.FAMILIES_VARIABLE, raising=False)
    (fault,) = refused("Old GPU", APPLE_5, (14, 0), reduced, "f32[:]")
    assert fault.message == (
        "simdgroup reductions cannot be used: it needs a GPU of family Apple7 (M1 is of family"
        " Apple7), Old GPU does not report that; if it can do it nevertheless, as virtual machines"
        " often can, set SPEEDMETAL_METAL_FAMILIES=ignore"
    )
    assert "sm.simd_sum(a[i])" in fault.span.excerpt()


def test_a_system_that_is_too_old_for_the_language():
    (fault,) = refused("M1", Native(*range(1001, 1008)), (13, 6), plain, "bf16[:]")
    assert fault.message == (
        "bfloat16 cannot be used: it needs version 3.1 of Metal's language (macOS 14), M1 runs"
        " macOS 13.6; update macOS"
    )


def test_gpus_of_other_makers_have_what_their_family_has():
    mac = Native(2002, *range(3001, 3004))
    assert refused("Radeon", mac, (14, 0), reduced, "f32[:]") == []
    assert [
        f.message.partition(" cannot")[0] for f in refused("R", mac, (14, 0), matrix, "f32[:,:]")
    ] == ["simdgroup matrices"]


def test_virtual_machines_report_an_old_family_and_are_believed_by_nobody(monkeypatch):
    name = "Apple Paravirtual device"
    monkeypatch.delenv(features.FAMILIES_VARIABLE, raising=False)
    assert refused(name, APPLE_5, (14, 0), reduced, "f32[:]") == []
    monkeypatch.setenv(features.FAMILIES_VARIABLE, "check")
    assert len(refused(name, APPLE_5, (14, 0), reduced, "f32[:]")) == 1


def test_the_check_can_be_skipped_everywhere(monkeypatch):
    monkeypatch.setenv(features.FAMILIES_VARIABLE, "ignore")
    assert refused("Old GPU", APPLE_5, (14, 0), reduced, "f32[:]") == []
    assert len(refused("Old GPU", APPLE_5, (13, 0), plain, "bf16[:]")) == 1  # the language is


def test_another_word_in_the_variable(monkeypatch):
    monkeypatch.setenv(features.FAMILIES_VARIABLE, "off")
    with pytest.raises(
        UserInputError, match="SPEEDMETAL_METAL_FAMILIES is 'off'; expected 'check'"
    ):
        features.capabilities_of("x", APPLE_5, (14, 0))

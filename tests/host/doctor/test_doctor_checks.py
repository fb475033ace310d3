"""The checks themselves, on the CPU and in the simulator; and that they find planted faults."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import numpy as np
import pytest
from doctor_world import report, task

import speedmetal as sm
from speedmetal.doctor import conformance, examination, suite
from speedmetal.doctor.checks import devices as devices_check
from speedmetal.doctor.checks import figures, kernel, leaks, machine, printed, sdk_metadata
from speedmetal.doctor.results import Finding, Status
from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.facts import Owner, read_owners


def test_the_machine_is_described():
    finding = machine.examine(task(""))
    assert finding.status is Status.OK
    assert finding.facts["packages"]["numpy"] == np.__version__
    assert finding.facts["chip"] in finding.note


def test_every_known_device_is_there_or_has_a_reason():
    finding = devices_check.examine(task(""))
    assert finding.facts["cpu"]["kind"] == "cpu"
    assert finding.facts["cpu"]["limits"]["threads_per_threadgroup"] == 1024
    assert "NVIDIA" in finding.facts["cuda"]["reason"]
    assert {"cpu", "cuda", "metal", "metal-sim"} == set(finding.facts)


def test_a_card_that_cannot_be_used_is_a_problem(monkeypatch):
    assert not devices_check.examine(task("")).problems
    monkeypatch.setattr(devices_check, "library", lambda: None)  # as if the driver found a GPU
    (problem,) = devices_check.examine(task("")).problems
    assert problem.startswith("device 'cuda' is not available: ")


def test_a_first_kernel():
    finding = kernel.examine(task())
    assert finding.status is Status.OK
    assert finding.facts["wrong"] == 0


def test_a_wrong_first_kernel_is_found(monkeypatch):
    def wrong(a, b, c):
        i = sm.thread_position_in_grid().x
        c[i] = a[i] + b[i] if i != 77 else 5

    monkeypatch.setattr(kernel, "add", wrong)
    (problem,) = kernel.examine(task()).problems
    assert problem.startswith("1 of 1000003 sums are wrong; the first is number 77:")


def test_memory_is_flat():
    finding = leaks.examine(task())
    assert finding.problems == ()
    assert set(finding.facts) == {"launches with a new array", "launches on the same arrays"}


def test_arrays_that_are_kept_are_found(monkeypatch):
    kept = []
    real = sm.empty
    monkeypatch.setattr(leaks.sm, "empty", lambda *a, **k: kept.append(real(*a, **k)) or kept[-1])
    problems = leaks.examine(task()).problems
    assert "launches with a new array: memory of arrays grew by 45.0 MiB in 60 launches" in problems


def test_memory_of_the_process_that_is_lost_is_found(monkeypatch):
    lost = []
    real = leaks.sm.synchronize
    monkeypatch.setattr(leaks.sm, "synchronize", lambda: (lost.append(np.ones(500_000)), real())[1])
    problems = leaks.examine(task()).problems
    assert any("memory of the process grew by" in problem for problem in problems)


def test_figures_have_intervals_and_ratios(monkeypatch):
    monkeypatch.setattr(figures, "QUICK_BYTES", 1 << 20)
    finding = figures.examine(task())
    assert finding.problems == ()
    assert "no measurement" in finding.facts["label"]
    case = finding.facts["vector add bandwidth"]
    low, high = case["speedmetal"]["95 %"]
    assert low <= case["speedmetal"]["seconds"] <= high
    ratio = case["time of numpy over time of speedmetal"]
    assert ratio["95 %"][0] <= ratio["ratio"] <= ratio["95 %"][1]
    assert set(finding.facts) - {"label"} == {
        "copy bandwidth", "vector add bandwidth", "launch, many in flight", "launch and wait"
    }  # fmt: skip


def test_figures_of_wrong_results_do_not_count(monkeypatch):
    def wrong(a, b):
        i = sm.thread_position_in_grid().x
        b[i] = a[i] + (1 if i == 5 else 0)

    monkeypatch.setattr(figures, "QUICK_BYTES", 1 << 20)
    monkeypatch.setattr(figures, "copy", wrong)
    finding = figures.examine(task())
    assert finding.problems == ("copy bandwidth: wrong result of speedmetal",)
    assert "copy bandwidth" not in finding.facts
    assert "vector add bandwidth" in finding.facts


def test_a_simulator_has_no_figures():
    finding = figures.examine(task("metal-sim"))
    assert finding.status is Status.SKIPPED
    assert "simulator" in finding.skipped


# --- Metal, in the simulator ----------------------------------------------------------------------


def test_the_sdks_metadata_holds_in_the_simulator(simulator):
    finding = sdk_metadata.examine(task("metal-sim"))
    assert finding.problems == ()
    held = finding.facts["held"]
    assert held["constants"] == len(sdk.ENUMERATIONS)
    assert held["selectors"] > 250
    assert held["ownership"] == 1


def planted_rows(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Adds owners to the table of the SDK, or puts others in their place."""
    planted = {owner.name: owner for owner in read_owners(textwrap.dedent(text))}
    monkeypatch.setattr(sdk, "OWNERS", {**sdk.OWNERS, **planted})
    monkeypatch.setattr(sdk, "MODULES", dict.fromkeys(planted, "Metal") | dict(sdk.MODULES))


def test_rows_that_are_not_there_are_found(simulator, monkeypatch):
    planted_rows(
        monkeypatch,
        """
        protocol MTLBuffer 10.11
            length() -> uint
            frobnicate_(uint)
            tomorrow() -> uint @99.0
        class MTLNothing 10.11
        protocol MTLLater 99.0
            anything()
        """,
    )
    monkeypatch.setattr(
        sdk,
        "ENUMERATIONS",
        {**sdk.ENUMERATIONS, "MTLMathModeFast": 7, "MTLMathModeSlow": 3},
    )
    finding = sdk_metadata.examine(task("metal-sim"))
    assert finding.problems == (
        "MTLBuffer.frobnicate_: PyObjC has no such method (respondsToSelector: False)",
        "no class MTLNothing",
        "constant MTLMathModeFast is 2, expected 7",
        "PyObjC has no constant MTLMathModeSlow",
    )
    assert {"MTLBuffer.tomorrow", "MTLLater"} <= set(finding.facts["newer than this system"])


class Described:
    """A method with metadata as PyObjC tells it."""

    def __init__(self, *types: bytes, owned: bool = True) -> None:
        self._types = types
        self._owned = owned

    def __metadata__(self) -> dict[str, Any]:
        arguments = tuple({"type": t} for t in (b"@", b":", *self._types))
        return {"arguments": arguments, "retval": {"type": b"@", "already_retained": self._owned}}


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        (Described(b"@", b"@", b"o^@"), None),
        (Described(b"@", b"o^@"), "2 arguments, expected 3"),
        (Described(b"@", b"@", b"^@"), "argument 2 does not come back"),
        (Described(b"@", b"@", b"o^@", owned=False), "not registered as owned by the caller"),
    ],
    ids=["right", "count", "out", "ownership"],
)
def test_metadata_of_the_bridge_is_held_against_the_table(method, problem):
    name = "newLibraryWithSource_options_error_"
    owner: Owner = sdk.OWNERS["MTLDevice"]
    (selector,) = (each for each in owner.selectors if each.name == name)
    subject = type("Subject", (), {name: method})()
    found = sdk_metadata._selector_problem(owner, selector, subject)
    assert problem in found if problem else found is None


def test_buffers_that_stay_are_found(simulator):
    class Keeping:
        """A device whose buffers are never freed."""

        def __init__(self) -> None:
            self.kept: list[Any] = []

        def newBufferWithLength_options_(self, *arguments: int) -> None:  # noqa: N802
            self.kept.append(simulator.native.newBufferWithLength_options_(*arguments))

        def currentAllocatedSize(self) -> int:  # noqa: N802
            return simulator.native.currentAllocatedSize()

    assert sdk_metadata._kept_memory(simulator.native, simulator.bridge) is None
    problem = sdk_metadata._kept_memory(Keeping(), simulator.bridge)
    assert problem.startswith("67108864 bytes stay allocated after 64 buffers")


def test_a_printed_source_that_is_refused_is_found(simulator, tmp_path, monkeypatch):
    folder = tmp_path / "host/golden/c_family"
    folder.mkdir(parents=True)
    (tmp_path / "conformance").mkdir()
    (tmp_path / "conformance" / "conftest.py").touch()
    right = suite.printed_sources()["vector_add"]
    (folder / "right.metal").write_text(right)
    (folder / "wrong.metal").write_text(right.replace("device const float", "device const flaot"))
    monkeypatch.setattr(suite, "PLACES", (tmp_path,))
    monkeypatch.setattr(printed, "QUICK_EVERY", 1)
    finding = printed.examine(task("metal-sim"))
    versions = printed.versions_of(simulator.bridge.system_version[0])
    assert [problem.partition(":")[0] for problem in finding.problems] == [
        f"Metal {major}.{minor}" for major, minor in versions
    ]
    assert all("wrong: " in problem and "flaot" in problem for problem in finding.problems)
    assert finding.facts["Metal 3.1"]["pipelines"] == 1


# --- Small parts ----------------------------------------------------------------------------------


def test_versions_of_the_language_by_system():
    assert printed.versions_of(14) == [(3, 1)]
    assert printed.versions_of(26) == [(3, 1), (3, 2), (4, 0)]
    assert printed.versions_of(27) == [(3, 1), (3, 2), (4, 0)]


def test_findings_cross_the_pipe():
    finding = Finding({"a": [1, None]}, ("x",), "", "note")
    assert Finding.from_json(json.loads(json.dumps(finding.as_json()))) == finding


def test_the_whole_of_it_on_the_cpu(doctor, tmp_path, monkeypatch):
    """Proves that a quick run of the real checks holds here."""
    of_all = [name for name, kinds in examination.DEVICE_CHECKS if kinds is None]
    on_cpu = tuple((name, frozenset({"cpu"})) for name in of_all)
    monkeypatch.setattr(examination, "DEVICE_CHECKS", on_cpu)
    monkeypatch.setattr(conformance, "QUICK_EVERY", 200)
    outcome = doctor("--quick", "--out", "x.json")
    content = report(tmp_path / "here")
    assert outcome.status == 0, content["overview"]
    statuses = {(each["check"], each.get("on")): each["status"] for each in content["checks"]}
    for check in ("kernel", "leaks", "figures", "conformance"):
        assert statuses[check, "cpu"] == "ok"
    assert statuses["device", "cuda"] == "skipped"

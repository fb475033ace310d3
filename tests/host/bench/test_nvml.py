"""NVIDIA cards by their management library, whose answers are recorded ones of an H200."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from speedmetal.bench import nvml
from speedmetal.bench.record import CardState

UUID = "GPU-6f1c3a52-0b1d-4e6a-9f00-112233445566"
POWER_CAP, IDLE = 0x4, 0x1


class NVMLError(Exception):
    """As the library raises it."""


class FakeNVML(SimpleNamespace):
    """NVML with one card; ``refused`` are functions that this card or driver does not have."""

    NVMLError = NVMLError
    NVML_SUCCESS, NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 0, 1, 2, 0
    nvmlClocksEventReasonSwPowerCap = POWER_CAP  # noqa: N815
    nvmlClocksEventReasonHwSlowdown = 0x8  # noqa: N815
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP = 74
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN = 269

    def __init__(self, **changes: Any) -> None:
        super().__init__(
            **{
                "refused": (),
                "reasons": POWER_CAP | IDLE,
                "held": 5_000_000,
                "millijoules": 71_250_000,
            }
            | changes
        )

    def __getattribute__(self, name: str) -> Any:
        if name in object.__getattribute__(self, "__dict__").get("refused", ()):
            raise NVMLError(f"{name}: not supported")
        return object.__getattribute__(self, name)

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.95.05"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return f"handle {index}"

    def nvmlDeviceGetUUID(self, handle: str) -> str:  # noqa: N802
        return UUID

    def nvmlDeviceGetPciInfo(self, handle: str) -> Any:  # noqa: N802
        return SimpleNamespace(busId="00000000:0A:00.0")

    def nvmlDeviceGetName(self, handle: str) -> str:  # noqa: N802
        return "NVIDIA H200"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:  # noqa: N802
        return SimpleNamespace(total=150_754_820_096)

    def nvmlDeviceGetPowerManagementLimit(self, handle: str) -> int:  # noqa: N802
        return 700_000

    def nvmlDeviceGetMaxClockInfo(self, handle: str, kind: int) -> int:  # noqa: N802
        return 1980

    def nvmlDeviceGetClockInfo(self, handle: str, kind: int) -> int:  # noqa: N802
        return {1: 1830, 2: 3201}[kind]

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:  # noqa: N802
        return 41

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:  # noqa: N802
        return 412_345

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:  # noqa: N802
        return int(self.reasons)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        return int(self.millijoules)

    def nvmlDeviceGetFieldValues(self, handle: str, fields: list[int]) -> list[Any]:  # noqa: N802
        value = {74: self.held, 269: 0}
        return [
            SimpleNamespace(fieldId=f, nvmlReturn=0, value=SimpleNamespace(ullVal=value[f]))
            for f in fields
        ]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch):
    """Makes the card of a library with changes."""

    def make(**changes: Any) -> nvml.Card:
        monkeypatch.setitem(sys.modules, "pynvml", FakeNVML(**changes))
        (found,) = nvml.cards()
        return found

    return make


def test_a_card_is_known_by_address_name_and_limits(card) -> None:
    """Proves what is told of a card that does not change."""
    found = card()
    assert (found.uuid, found.pci, found.name) == (UUID, "00000000:0A:00.0", "NVIDIA H200")
    assert found.facts == "driver 580.95.05, 140 GiB, power limit 700 W, clock up to 1980 MHz"


def test_the_state_of_a_card(card) -> None:
    """Proves units, and that being idle is no limit."""
    assert card().state() == CardState(
        frequency_mhz=1830,
        memory_frequency_mhz=3201,
        temperature_celsius=41,
        power_watts=412.345,
        limits=["power cap"],
    )
    assert card(reasons=IDLE).state().limits == []
    assert card().energy_joules() == 71_250.0


def test_counters_of_held_down_clocks(card) -> None:
    """Proves that a counter that moved is told, by how much, and that others are not."""
    before = card().held_down_nanoseconds()
    after = card(held=9_000_000).held_down_nanoseconds()
    assert before == {"power cap": 5_000_000, "thermal slowdown": 0}
    assert nvml.difference(before, after) == {"power cap": 4_000_000}


def test_what_a_card_does_not_tell_is_none(card) -> None:
    """Proves that an unsupported reading ends nothing, and leaves the others."""
    names = ("PowerUsage", "Temperature", "CurrentClocksEventReasons", "FieldValues")
    refused = tuple(f"nvmlDeviceGet{name}" for name in (*names, "TotalEnergyConsumption"))
    found = card(refused=refused)
    state = found.state()
    assert (state.power_watts, state.temperature_celsius, state.limits) == (None, None, [])
    assert state.frequency_mhz == 1830
    assert found.held_down_nanoseconds() == {}
    assert found.energy_joules() is None


@pytest.mark.parametrize("broken", [None, FakeNVML(refused=("nvmlInit",))])
def test_without_the_library_or_a_driver_there_are_no_cards(
    broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that neither a missing package nor a missing driver is an error."""
    monkeypatch.setitem(sys.modules, "pynvml", broken)
    assert nvml.cards() == []

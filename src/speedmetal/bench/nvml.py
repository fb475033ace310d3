"""NVIDIA cards as their management library (NVML) tells of them: who they are, and their state.

It is asked by the coordinator alone: it starts no work on a card and makes no context there. As in
:mod:`speedmetal.bench.environment`, nothing raises because a fact cannot be read: where the
library, a driver or a card is missing there are no cards, and what a card does not tell is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from speedmetal.bench.record import CardState

# What holds clocks down, by nvml.h. That a card is idle, or was told its clocks, is none.
_LIMITS = {
    "SwPowerCap": "power cap",
    "HwSlowdown": "hardware slowdown",
    "SyncBoost": "sync boost",
    "SwThermalSlowdown": "thermal slowdown",
    "HwThermalSlowdown": "hardware thermal slowdown",
    "HwPowerBrakeSlowdown": "power brake",
}
# Nanoseconds for which clocks were held down since the driver was loaded.
_COUNTERS = {
    "SW_POWER_CAP": "power cap",
    "SYNC_BOOST": "sync boost",
    "SW_THERM_SLOWDOWN": "thermal slowdown",
    "HW_THERM_SLOWDOWN": "hardware thermal slowdown",
    "HW_POWER_BRAKE_SLOWDOWN": "power brake",
}
_UUID_START = "GPU-"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Card:
    """One card.

    Args:
        uuid: ``"GPU-..."``.
        pci: ``"00000000:01:00.0"``.
        name: ``"NVIDIA H200"``.
        facts: What else does not change while it runs, for people.
    """

    uuid: str
    pci: str
    name: str
    facts: str
    _library: Any
    _handle: Any

    def state(self) -> CardState:
        """What it does at this moment."""
        library, handle = self._library, self._handle
        power = _told(library, lambda: library.nvmlDeviceGetPowerUsage(handle))
        return CardState(
            frequency_mhz=self.frequency_mhz(),
            memory_frequency_mhz=_told(
                library, lambda: library.nvmlDeviceGetClockInfo(handle, library.NVML_CLOCK_MEM)
            ),
            temperature_celsius=_told(library, self._temperature),
            power_watts=None if power is None else power / 1000,
            limits=self._limits(),
        )

    def frequency_mhz(self) -> int | None:
        """The clock of its multiprocessors."""
        library = self._library
        return _told(
            library, lambda: library.nvmlDeviceGetClockInfo(self._handle, library.NVML_CLOCK_SM)
        )

    def _temperature(self) -> int:
        library = self._library
        # The older name goes with NVML 14.
        ask = getattr(library, "nvmlDeviceGetTemperatureV", library.nvmlDeviceGetTemperature)
        return int(ask(self._handle, library.NVML_TEMPERATURE_GPU))

    def _limits(self) -> list[str]:
        library = self._library
        bits = _told(library, lambda: library.nvmlDeviceGetCurrentClocksEventReasons(self._handle))
        known = {
            getattr(library, f"nvmlClocksEventReason{name}", 0): text
            for name, text in _LIMITS.items()
        }
        return [text for bit, text in known.items() if bit & (bits or 0)]

    def held_down_nanoseconds(self) -> dict[str, int]:
        """For how long its clocks were held down so far, by reason; none where it does not tell."""
        library = self._library
        fields = {
            getattr(library, f"NVML_FI_DEV_CLOCKS_EVENT_REASON_{name}"): text
            for name, text in _COUNTERS.items()
            if hasattr(library, f"NVML_FI_DEV_CLOCKS_EVENT_REASON_{name}")
        }
        values = _told(
            library, lambda: library.nvmlDeviceGetFieldValues(self._handle, list(fields))
        )
        return {
            fields[value.fieldId]: int(value.value.ullVal)
            for value in values or ()
            if value.nvmlReturn == library.NVML_SUCCESS
        }

    def energy_joules(self) -> float | None:
        """What it has taken since the driver was loaded."""
        library = self._library
        millijoules = _told(
            library, lambda: library.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        )
        return None if millijoules is None else millijoules / 1000


def cards() -> list[Card]:
    """The machine's NVIDIA cards, whichever of them this process may use; none without NVML."""
    try:
        import pynvml
    except ImportError:
        return []
    return _told(pynvml, lambda: _all_cards(pynvml)) or []


def _all_cards(library: Any) -> list[Card]:
    library.nvmlInit()
    driver = _told(library, library.nvmlSystemGetDriverVersion) or ""
    handles = map(library.nvmlDeviceGetHandleByIndex, range(library.nvmlDeviceGetCount()))
    return [
        Card(
            uuid=library.nvmlDeviceGetUUID(handle),
            pci=library.nvmlDeviceGetPciInfo(handle).busId,
            name=library.nvmlDeviceGetName(handle),
            facts=", ".join(filter(None, [f"driver {driver}", *_facts(library, handle)])),
            _library=library,
            _handle=handle,
        )
        for handle in handles
    ]


def _facts(library: Any, handle: Any) -> Iterable[str]:
    memory = _told(library, lambda: library.nvmlDeviceGetMemoryInfo(handle).total)
    yield f"{memory / 2**30:.0f} GiB" if memory else ""
    limit = _told(library, lambda: library.nvmlDeviceGetPowerManagementLimit(handle))
    yield f"power limit {limit / 1000:.0f} W" if limit else ""
    clock = _told(library, lambda: library.nvmlDeviceGetMaxClockInfo(handle, library.NVML_CLOCK_SM))
    yield f"clock up to {clock} MHz" if clock else ""


def _told(library: Any, ask: Callable[[], _T]) -> _T | None:
    """What NVML answers; None where this card, driver or version of it does not tell."""
    try:
        return ask()
    except (library.NVMLError, AttributeError):
        return None


# -- Who is who --------------------------------------------------------------------------------


def plain_uuid(text: str) -> str:
    """A UUID as NVML writes it, whoever wrote it.

    Example:
        >>> plain_uuid("6F1C3A52-0B1D-4E6A-9F00-112233445566")
        'GPU-6f1c3a52-0b1d-4e6a-9f00-112233445566'
        >>> plain_uuid("GPU-6f1c3a520b1d4e6a9f00112233445566")
        'GPU-6f1c3a52-0b1d-4e6a-9f00-112233445566'
        >>> plain_uuid("")
        ''
    """
    digits = text.lower().removeprefix(_UUID_START.lower()).replace("-", "")
    if not digits.strip("0"):
        return ""
    edges = (0, 8, 12, 16, 20, len(digits))
    parts = [digits[start:end] for start, end in pairwise(edges)]
    return _UUID_START + "-".join(parts)


def plain_pci(text: str) -> str:
    """A place on the bus in one spelling, whoever wrote it.

    Example:
        >>> plain_pci("00000000:0A:00.0"), plain_pci("0000:0a:00.0"), plain_pci("")
        ('0000:0a:00.0', '0000:0a:00.0', '')
    """
    domain, *rest = text.lower().split(":")
    return ":".join([f"{int(domain, 16):04x}", *rest]) if rest else ""


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What counters have gone up by; those that did not move are left out."""
    return {name: n - before[name] for name, n in after.items() if n > before.get(name, n)}

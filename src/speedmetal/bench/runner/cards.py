"""Which devices of the frameworks are one card.

A card is called ``cuda`` by some frameworks and ``gpu`` by others, and it has one set of ceilings
all the same. Its UUID tells which it is, or its place on the bus; a framework that gives neither is
on the only card of its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from speedmetal.bench import nvml
from speedmetal.bench.frameworks.base import APPLE_GPU, Device

PROCESSOR = "cpu"
# Names of the GPU of a Mac, which has one.
_APPLE_NAMES = ("mps", "metal")
_NO_NAMES = ("", "cuda", "gpu")


@dataclass(frozen=True)
class Cards:
    """The cards behind the devices of all frameworks that take part.

    Args:
        devices: Of all frameworks.
        managed: What NVML tells of.
    """

    devices: Sequence[Device] = ()
    managed: Sequence[nvml.Card] = ()

    def of(self, device: Device) -> str:
        """The card of a device; "" for a processor."""
        if device.name == PROCESSOR:
            return ""
        own = self._by_address(device)
        if own:
            return own
        # A framework that calls it otherwise is on a Mac where others call it so.
        if any(other.name in _APPLE_NAMES for other in (device, *self.devices)):
            return APPLE_GPU
        for known in (self._told, self._managed):  # others than those in use may be there as well
            # Some frameworks have no name of their own for it: then it can be any of them.
            is_any = _plain(device) in _NO_NAMES
            possible = [card for card, name in known.items() if is_any or name == _plain(device)]
            if len(possible) == 1:
                return possible[0]
        return device.description or device.name

    def cache_bytes(self, card: str) -> int:
        """The cache of a card, as any of the frameworks tells it; 0 where none does."""
        return max((d.cache_bytes for d in self.devices if self.of(d) == card), default=0)

    def facts(self) -> dict[str, str]:
        """What is known of each card that somebody is on, for the record."""
        managed = {nvml.plain_uuid(card.uuid): card for card in self.managed}
        # Those that tell an address, which comes with the card's real name, say it last.
        speakers = sorted(self.devices, key=lambda device: bool(self._by_address(device)))
        names = {self.of(device): device.description for device in speakers}
        return {
            card: f"{managed[card].name}, {managed[card].facts}" if card in managed else name
            for card, name in names.items()
            if card
        }

    def managed_card(self, card: str) -> nvml.Card | None:
        """NVML's view of a card, where it has one."""
        return next((one for one in self.managed if nvml.plain_uuid(one.uuid) == card), None)

    def _by_address(self, device: Device) -> str:
        """The card by UUID, or by its place on the bus; "" where the device tells neither."""
        uuid, pci = nvml.plain_uuid(device.uuid), nvml.plain_pci(device.pci)
        return uuid or (self._uuid_at.get(pci, f"PCI {pci}") if pci else "")

    @cached_property
    def _uuid_at(self) -> Mapping[str, str]:
        """UUIDs by the place on the bus."""
        everybody: list[nvml.Card | Device] = [*self.managed, *self.devices]
        pairs = ((nvml.plain_pci(one.pci), nvml.plain_uuid(one.uuid)) for one in everybody)
        return {pci: uuid for pci, uuid in pairs if pci and uuid}

    @cached_property
    def _told(self) -> Mapping[str, str]:
        """Cards of which a framework gave an address, and their names."""
        told = {self._by_address(device): _plain(device) for device in self.devices}
        return {card: name for card, name in told.items() if card}

    @cached_property
    def _managed(self) -> Mapping[str, str]:
        """Cards that NVML knows, and their names."""
        return {nvml.plain_uuid(card.uuid): card.name.casefold() for card in self.managed}


def _plain(device: Device) -> str:
    return device.description.casefold()


def cards_of(devices: Iterable[Device]) -> Cards:
    """The cards behind devices, with what NVML tells of them."""
    return Cards(tuple(devices), tuple(nvml.cards()))

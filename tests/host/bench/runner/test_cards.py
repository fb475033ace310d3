"""Which devices of the frameworks are one card."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from speedmetal.bench.frameworks.base import Device
from speedmetal.bench.runner.cards import Cards

UUID, OTHER = "6f1c3a52-0b1d-4e6a-9f00-112233445566", "7f1c3a52-0b1d-4e6a-9f00-112233445566"
CARD = f"GPU-{UUID}"
H200 = "NVIDIA H200"
TORCH = Device("cuda", H200, uuid=UUID, pci="0000:0a:00.0", cache_bytes=60 << 20)
OURS = Device("cuda", H200, pci="0000:0A:00.0")
JAX = Device("gpu", H200)
DRJIT = Device("cuda", "CUDA")
HOST = Device("cpu", "x86_64")


def managed(uuid: str = UUID, pci: str = "00000000:0A:00.0", name: str = H200) -> Any:
    return SimpleNamespace(uuid=f"GPU-{uuid}", pci=pci, name=name, facts="driver 580.95.05")


def test_one_card_under_all_names_and_addresses() -> None:
    """Proves UUID, place on the bus, name, and no name of its own to be the same card."""
    cards = Cards([HOST, TORCH, OURS, JAX, DRJIT], [managed()])
    assert [cards.of(device) for device in (TORCH, OURS, JAX, DRJIT)] == [CARD] * 4
    assert cards.of(HOST) == ""
    assert cards.cache_bytes(CARD) == 60 << 20
    assert cards.facts() == {CARD: "NVIDIA H200, driver 580.95.05"}
    assert Cards([TORCH, DRJIT]).facts() == {CARD: H200}


def test_cards_of_one_name_are_told_apart_by_address() -> None:
    """Proves that a name is no proof where two known cards in use have it."""
    second = Device("cuda", H200, uuid=OTHER)
    cards = Cards([TORCH, second, JAX])
    assert {cards.of(TORCH), cards.of(second)} == {CARD, f"GPU-{OTHER}"}
    assert cards.of(JAX) == H200


def test_the_card_in_use_is_meant_where_others_stand_beside_it() -> None:
    """Proves that a framework without addresses is on the card that the others are on."""
    cards = Cards([TORCH, JAX], [managed(), managed(OTHER, "00000000:0B:00.0")])
    assert cards.of(JAX) == CARD


def test_without_any_address_a_name_is_the_card() -> None:
    """Proves that equal names are one card, and others are others."""
    cards = Cards([JAX, Device("cuda", "nvidia h200"), Device("cuda", "Another")])
    assert cards.of(JAX) == H200
    assert cards.of(Device("cuda", "Another")) == "Another"


def test_a_place_alone_is_an_address() -> None:
    """Proves the card where no UUID is known of the place."""
    assert Cards([OURS, JAX]).of(OURS) == Cards([OURS, JAX]).of(JAX) == "PCI 0000:0a:00.0"


@pytest.mark.parametrize("name", ["mps", "metal", "gpu"])
def test_the_gpu_of_a_mac_is_one(name: str) -> None:
    """Proves PyTorch's, MLX's and our own name of it to be one device."""
    devices = [Device("mps", "Apple GPU"), Device("gpu", "Apple M4"), Device("metal", "Apple M4")]
    cards = Cards(devices)
    assert cards.of(next(d for d in devices if d.name == name)) == "Apple GPU"

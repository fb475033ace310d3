"""Frameworks by name: built-in ones, entry points of other packages, and ``module:NAME``."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from speedmetal.bench import frameworks
from speedmetal.bench.frameworks import FRAMEWORKS, find_framework, framework_names
from speedmetal.bench.frameworks.base import Device
from speedmetal.errors import UserInputError

MODULE = """
from speedmetal.bench.frameworks.base import Framework

def _framework(name):
    return Framework(
        name=name, adapter="x:Y", packages=(), modes=("eager",), default_modes=("eager",)
    )

FAST, NUMPY, WRONG = _framework("Its Own Name"), _framework("numpy"), 7
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of frameworks that other packages could bring."""
    name = f"plugin_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.fixture
def install(module: str, tmp_path: Path):
    """Installs a package with one entry point."""

    def make(package: str, entry: str, value: str) -> None:
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[{frameworks.PLUGIN_GROUP}]\n{entry} = {module}{value}\n"
        )
        importlib.invalidate_caches()

    return make


@pytest.mark.parametrize("name", ["FAST", "NUMPY"])
def test_a_path_finds_a_framework_by_any_name_of_its_own(module: str, name: str) -> None:
    """Proves that a framework is called by the path that finds it again, in a worker for example,
    even where it calls itself as a built-in one."""
    path = f"{module}:{name}"
    found = find_framework(path)
    assert found.name == path
    assert find_framework(found.name) == found


def test_an_entry_point_finds_a_framework_by_any_name_of_its_own(module: str, install) -> None:
    """Proves that other packages' frameworks are called by their entry points."""
    install("fast", "fast", ":NUMPY")
    assert framework_names() == [*FRAMEWORKS, "fast"]
    assert find_framework("fast").name == "fast"
    assert find_framework("numpy") is FRAMEWORKS["numpy"]


def test_an_entry_point_named_like_a_built_in_is_told(module: str, install) -> None:
    """Proves that neither framework silently stands for the other, with the full text."""
    install("other-numpy", "numpy", ":FAST")
    for ask in (framework_names, lambda: find_framework("numpy"), lambda: find_framework("mlx")):
        with pytest.raises(UserInputError) as caught:
            ask()
        assert str(caught.value) == (
            "two frameworks are called 'numpy': speedmetal's own numpy, and"
            f" {module}:FAST of other-numpy; rename its entry point in 'speedmetal.frameworks', or"
            " uninstall other-numpy"
        )


def test_two_entry_points_of_one_name_are_told(module: str, install) -> None:
    """Proves that the first package found does not win."""
    install("a", "fast", ":FAST")
    install("b", "fast", ":NUMPY")
    with pytest.raises(UserInputError, match="two frameworks are called 'fast': "):
        framework_names()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (":WRONG", "is a int, expected a Framework"),
        (":ABSENT", "AttributeError: module "),
        ("_absent:FAST", "ModuleNotFoundError: No module named "),
        ("_broken:FAST", "ZeroDivisionError: division by zero"),
        (":", "expected package.module:NAME of a speedmetal Framework"),
    ],
)
def test_what_is_no_framework_is_told(module: str, path: str, told: str) -> None:
    """Proves that whatever another package does ends in a message of one line."""
    with pytest.raises(UserInputError) as caught:
        find_framework(module + path)
    assert told in str(caught.value)


def test_mlx_says_which_card_its_gpu_is(monkeypatch):
    """Its build for CUDA tells; what it says is one card with what others call "cuda"."""
    mx = pytest.importorskip("mlx.core")
    from speedmetal.bench.frameworks.mlx.adapter import MLXAdapter

    card = {"device_name": "NVIDIA H200", "uuid": "GPU-12", "pci_bus_id": "0000:01:00.0"}
    monkeypatch.setattr(mx, "is_available", lambda device: True)
    monkeypatch.setattr(mx, "device_info", lambda device: card)
    assert MLXAdapter.devices()[1] == Device("gpu", "NVIDIA H200", "GPU-12", "0000:01:00.0")
    monkeypatch.setattr(mx, "device_info", lambda device: {"device_name": "Apple M4"})
    assert MLXAdapter.devices()[1] == Device("gpu", "Apple M4")

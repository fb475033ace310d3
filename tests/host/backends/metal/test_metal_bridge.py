"""The way to Metal: what is imported, what is asked of it, and what it says where it is missing."""

import platform
import subprocess
import sys
import types

import pytest

from metal_machine import machine
from speedmetal.backends.metal.driver import bridge as bridges
from speedmetal.backends.metal.driver.bridge import GUARDED, OLDEST_SYSTEM, OWNED, simulated_bridge
from speedmetal.errors import DeviceError, InternalError
from speedmetal.metal_simulator.api import Configuration, sdk


@pytest.fixture
def mac(monkeypatch):
    """Makes this process look like one on a Mac with PyObjC, given a configuration."""

    def installed(**configuration):
        simulated = simulated_bridge(Configuration(**configuration))
        monkeypatch.setattr(platform, "system", lambda: "Darwin")
        for name in ("Metal", "objc", "Foundation"):
            monkeypatch.setitem(sys.modules, name, getattr(simulated, name))
        return simulated

    bridges.pyobjc_bridge.cache_clear()
    yield installed
    bridges.pyobjc_bridge.cache_clear()


def test_on_a_mac_the_modules_are_pyobjcs(mac):
    simulated = mac(os_version=(14, 5, 0))
    bridge = bridges.pyobjc_bridge()
    assert (bridge.Metal, bridge.objc, bridge.Foundation) == (
        simulated.Metal,
        simulated.objc,
        simulated.Foundation,
    )
    assert bridge.system_version == (14, 5)
    assert not bridge.is_simulated
    assert bridges.pyobjc_bridge() is bridge


def test_elsewhere_the_error_names_the_system():
    bridges.pyobjc_bridge.cache_clear()
    with pytest.raises(DeviceError, match=r"^Metal needs macOS, and this is Linux$"):
        bridges.pyobjc_bridge()


@pytest.mark.parametrize("name", ["Metal", "objc", "Foundation"])
def test_a_missing_module_is_named_with_the_way_to_install_it(mac, monkeypatch, name):
    mac()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DeviceError) as caught:
        bridges.pyobjc_bridge()
    assert f"Metal needs PyObjC, whose module {name!r} cannot be imported" in str(caught.value)
    assert "pip install 'pyobjc-framework-Metal>=11'" in str(caught.value)


@pytest.mark.parametrize("found", ["10.3.1", "9.2", "unknown"])
def test_an_old_pyobjc_is_refused(mac, monkeypatch, found):
    simulated = mac()
    old = types.SimpleNamespace(__version__=found, autorelease_pool=simulated.objc.autorelease_pool)
    monkeypatch.setitem(sys.modules, "objc", old)
    with pytest.raises(DeviceError) as caught:
        bridges.pyobjc_bridge()
    assert str(caught.value) == (
        f"Metal needs PyObjC 11 or newer, and this is {found}:"
        " pip install 'pyobjc-framework-Metal>=11'"
    )


def test_an_old_macos_is_refused(mac):
    mac(os_version=(13, 6, 0))
    with pytest.raises(DeviceError) as caught:
        bridges.pyobjc_bridge()
    assert str(caught.value) == "Metal needs macOS 14.0 or newer, and this is 13.6; update macOS"


def test_newer_calls_are_there_from_their_version_on():
    old = simulated_bridge(Configuration(os_version=(14, 7, 0)))
    new = simulated_bridge(Configuration(os_version=(15, 0, 0)))
    assert not old.has("setMathMode_")
    assert new.has("setMathMode_")
    with pytest.raises(InternalError, match="setMathsMode_ is not in the table of guarded calls"):
        new.has("setMathsMode_")


def test_the_table_of_newer_calls_agrees_with_the_sdk():
    calls = {name: GUARDED[name] for name in GUARDED if not name.startswith("MTL")}
    assert len(calls) >= 8
    for name, version in calls.items():
        rows = sdk.find_selectors(name)
        assert rows, name
        assert {selector.introduced for _, selector in rows} == {version}, name
        assert version > OLDEST_SYSTEM


def test_every_owned_selector_is_in_the_sdk_and_gives_ownership():
    assert len(OWNED) >= 10
    for selector in OWNED:
        rows = sdk.find_selectors(selector.replace(":", "_"))
        assert rows, selector
        assert all(row.gives_ownership for _, row in rows), selector
        assert {len(row.arguments) for _, row in rows} == {len(OWNED[selector])}, selector


def test_old_pyobjc_frees_buffers_with_the_patch(monkeypatch):
    def buffers_left():
        device = machine(core_version="12.2.2")
        for size in range(1000, 1010):
            device.allocate(size)
        device.pool.trim()
        return device.bridge.simulation.live_buffers

    assert buffers_left() == 0
    monkeypatch.setattr(bridges, "OWNED", {})
    assert buffers_left() == 10


def test_importing_the_backend_imports_neither_pyobjc_nor_the_simulator():
    program = (
        "import sys, speedmetal.backends.metal.driver.device\n"
        "bad = [m for m in sys.modules if m in ('objc', 'Metal') or 'metal_simulator' in m]\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

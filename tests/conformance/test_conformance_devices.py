"""The suite runs where it should."""

import pytest

import speedmetal as sm


def test_the_simulator_is_here():
    try:
        assert sm.device("metal-sim").kind == "metal"
    except sm.DeviceError as error:
        pytest.skip(str(error))

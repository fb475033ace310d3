"""What the array API's inspection says, and the names that it asks of the module and of arrays."""

from __future__ import annotations

import math

import pytest

import speedmetal as sm

INFO = sm.__array_namespace_info__()
INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def test_dtypes_have_the_names_of_the_standard():
    named = INFO.dtypes(device="cpu")
    assert named["bool"] is sm.bool_
    assert named["float64"] is sm.float64
    assert "float16" not in named
    assert all(getattr(sm, name) is dtype for name, dtype in named.items())
    assert set(INFO.dtypes(device="cpu", kind="integral")) == INTEGERS
    assert set(INFO.dtypes(device="cpu", kind=("bool", "signed integer"))) == {
        *("bool", "int8", "int16", "int32", "int64")
    }
    numeric = INFO.dtypes(device="cpu", kind="numeric")
    assert set(numeric) == set(named) - {"bool"}


def test_devices_without_float64_do_not_name_it():
    simulator = pytest.importorskip("speedmetal.metal_simulator") and sm.device("metal-sim")
    assert set(INFO.dtypes(device=simulator, kind="real floating")) == {"float32"}


def test_a_simulator_is_among_the_devices_while_it_is_the_default():
    assert list(INFO.devices()) == list(sm.devices())
    with sm.device("metal-sim") as simulator:
        assert list(INFO.devices()) == [*sm.devices(), simulator]


def test_kinds_that_there_are_not():
    with pytest.raises(sm.UserInputError, match="there is no kind of dtypes 'real'; allowed are"):
        INFO.dtypes(kind="real")


def test_defaults():
    assert INFO.default_device() is sm.default_device()
    assert INFO.default_device() in INFO.devices()
    defaults = INFO.default_dtypes()
    assert defaults["real floating"] is sm.float32
    assert defaults["integral"] is sm.int32
    assert INFO.capabilities()["data-dependent shapes"]


def test_positions_and_counts_have_the_dtype_of_indices():
    x = sm.array([3, 1, 2])
    found = (
        *(sm.argmax(x), sm.argmin(x), sm.argsort(x), sm.count_nonzero(x), sm.searchsorted(x, x)),
        *(*sm.nonzero(x), *sm.unique_all(x)[1:], sm.unique_counts(x).counts),
        sm.unique_inverse(x).inverse_indices,
    )
    assert {y.dtype for y in found} == {INFO.default_dtypes()["indexing"].numpy}


def test_constants():
    assert (sm.e, sm.pi, sm.inf, sm.newaxis) == (math.e, math.pi, math.inf, None)
    assert math.isnan(sm.nan)
    assert sm.bool is sm.bool_


def test_arrays_name_their_module():
    x = sm.zeros(2)
    assert x.__array_namespace__() is sm
    assert x.__array_namespace__(api_version="2023.12") is sm
    message = "there is no version '2099.12' of the array API here; known are 2021.12 to 2025.12"
    with pytest.raises(sm.UserInputError, match=message):
        x.__array_namespace__(api_version="2099.12")


def test_arrays_go_to_devices():
    x = sm.zeros(2)
    assert x.to_device(x.device) is x
    assert x.to_device("cpu", stream=None) is x
    with pytest.raises(sm.UserInputError, match="to_device takes no stream, got 1; leave it out"):
        x.to_device("cpu", stream=1)


def test_constants_and_bool_mean_the_same_in_kernels():
    @sm.kernel
    def values(target):
        target[0] = sm.pi
        target[1] = sm.e
        target[2] = sm.inf
        target[3] = target[0].astype(sm.bool).astype(sm.float32)

    target = sm.zeros(4)
    values(target, grid=1)
    assert target.tolist() == pytest.approx([math.pi, math.e, math.inf, 1.0], rel=1e-6)

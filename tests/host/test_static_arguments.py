"""``sm.static``: values, keys, type strings, pickling, and errors."""

import pickle

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.compiler.fingerprint import Fingerprint
from speedmetal.frontend.signature import signature_of
from speedmetal.frontend.signature_text import parse_signature


@sm.kernel
def fill(a, n: sm.static):
    a[sm.thread_position_in_grid().x] = n


class WithCall:
    def __call__(self, x):
        return x


def test_equal_values_share_a_compiled_kernel():
    @sm.kernel
    def store(a, n):
        a[sm.thread_position_in_grid().x] = n

    a = np.zeros(1, np.float32)
    counts = []
    for n in (1, np.int64(1), True, 1.0, 1):
        store(a, sm.static(n), grid=1)
        counts.append(len({key[1].signature for key in store._launcher.compiled}))
    assert counts == [1, 1, 2, 3, 3]


def test_annotations_as_text():
    def store(a, n):
        a[sm.thread_position_in_grid().x] = n

    store.__annotations__ = {"n": "sm.static"}
    assert sm.kernel(store)._parameters.static == (1,)
    store.__annotations__ = {"n": "sm.float32"}
    assert sm.kernel(store)._parameters.static == ()
    assert sm.kernel(store)._arity == 2


def test_plans_are_bounded(monkeypatch):
    monkeypatch.setattr("speedmetal.launch.launcher._PLANS_KEPT", 3)
    monkeypatch.setattr("speedmetal.launch.launcher._COMPILED_KEPT", 4)
    a = np.zeros(1, np.float32)
    for n in range(8):
        fill(a, n, grid=1)
        assert a[0] == n
    assert len(fill._launcher.plans) <= 3
    assert len(fill._launcher.compiled) <= 5


def test_keys_on_disk_tell_values_and_types_apart():
    def key(value):
        fingerprint = Fingerprint(with_places=False)
        fingerprint.add_argument(signature_of((sm.static(value),))[0])
        return fingerprint.digest()

    values = (1, 2, True, 1.0, 0.0, -0.0, (1,), (1, 2))
    assert len(set(map(key, values))) == len(values)
    assert key(1) == key(np.int8(1))


def test_type_strings_and_code():
    for value in (16, -2, 1.5, True, (2, 3)):
        (found,) = parse_signature(str(signature_of((sm.static(value),))[0]))
        assert found.value == sm.static(value)
    texts = {str(sm.code(fill, "f32[:]", n, stage="ir")) for n in (7, sm.static(7))}
    texts.add(str(sm.code(fill, "f32[:] static(7)", stage="ir")))
    assert len(texts) == 1
    assert "7" in texts.pop()
    fill.compile("f32[:] static(3)")


def test_pickling():
    assert pickle.loads(pickle.dumps(sm.static((1, True)))) == sm.static((1, True))  # noqa: S301

    @sm.kernel
    def sums(a, n: sm.static):
        for k in sm.static_range(n):
            a[k] = k

    a = np.zeros(3, np.float32)
    sums.function.__module__ = "__main__"
    pickle.loads(pickle.dumps(sums))(a, 3, grid=1)  # noqa: S301
    assert a.tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", [[1], "8", None, 1j, (1, "x"), np.zeros(2)])
def test_other_values_are_refused(value):
    with pytest.raises(sm.UserInputError, match=r"sm.static expected an int, a bool, a float"):
        sm.static(value)
    with pytest.raises(sm.LaunchError, match=r"kernel 'fill': argument n is static by its anno"):
        fill(np.zeros(1, np.float32), value, grid=1)


def test_types_are_no_values():
    with pytest.raises(sm.LaunchError, match=r"argument n is static .* got the type i32; give a"):
        sm.code(fill, "f32[:] i32")
    with pytest.raises(sm.UserInputError, match=r"expected a number, or a tuple of numbers"):
        parse_signature("static(x)")


def test_objects_with_call_are_refused():
    @sm.kernel
    def apply(a, f):
        a[0] = f(a[0])

    with pytest.raises(sm.LaunchError, match=r"argument f: a kernel can not take a WithCall"):
        apply(np.zeros(1, np.float32), WithCall(), grid=1)

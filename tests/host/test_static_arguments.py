"""``sm.static``: values, keys, type strings, pickling, and errors."""

import dataclasses
import pickle
from typing import NamedTuple

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

    a = np.zeros(1, np.float32)
    for text in ("sm.static", "sm.static[int]", "sm.static[float]"):
        store.__annotations__ = {"n": text}
        (parameter,) = sm.kernel(store)._parameters.static
        assert parameter.position == 1
    with pytest.raises(sm.LaunchError, match=r"n is static\[float\] by its annotation, got an int"):
        sm.kernel(store)(a, 2, grid=1, device="cpu")
    for text in ("sm.float32", "sm.static.value", "other[int]"):
        store.__annotations__ = {"n": text}
        assert sm.kernel(store)._parameters.static == ()
    for text in ("sm.static[str]", "sm.static[missing]", sm.static[str]):
        store.__annotations__ = {"n": text}
        with pytest.raises(sm.LaunchError, match=r"the annotation of n is .*static\[.*\[tuple\]"):
            sm.kernel(store)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (int, (3, np.int8(4), sm.static(5)), (True, 1.0, (1,), sm.static(1.0), [1], "1")),
        (bool, (True, np.False_, sm.static(True)), (1, 0.0, (True,))),
        (float, (0.0, -2.5, np.float32(0.5)), (1, True, (1.0,), None)),
        (tuple, ((1, 2.5), (True,), sm.static((3,))), (1, [1], (1, "x"))),
    ],
)
def test_typed_annotations(kind, right, wrong):
    @sm.kernel
    def store(a, n: sm.static[kind]):
        a[0] = n

    @sm.kernel
    def store_first(a, n: sm.static[kind]):
        a[0] = n[0]

    given = store_first if kind is tuple else store
    a = np.zeros(1, np.float32)
    for value in right:
        given(a, value, grid=1, device="cpu")
        number = getattr(value, "value", value)
        assert a[0] == (number[0] if kind is tuple else number)
    for value in wrong:
        expected = rf"argument n is static\[{kind.__name__}\] by its annotation, got .*; give an? "
        with pytest.raises(sm.LaunchError, match=expected):
            given(a, value, grid=1, device="cpu")
    with pytest.raises(sm.LaunchError, match=rf"is static\[{kind.__name__}\] .* got the type i32;"):
        sm.code(given, "f32[:] i32")


def test_the_whole_message_of_a_wrong_type():
    @sm.kernel
    def store(a, n: sm.static[int]):
        a[0] = n

    with pytest.raises(sm.LaunchError) as caught:
        store(np.zeros(1, np.float32), 1.5, grid=1, device="cpu")
    assert str(caught.value) == (
        "kernel 'store': argument n is static[int] by its annotation, got a float: 1.5; give an"
        " int, or write sm.static for values of any type"
    )


def test_equal_values_are_told_apart_in_launch_after_launch():
    @sm.kernel
    def tell(a, n: sm.static):
        a[0] = sm.copysign(1.0, n)
        a[1] = 1 if n is True else 2 if n is False else 3

    @sm.kernel
    def tell_first(a, n: sm.static):
        a[0] = 1.0 / n[0]
        a[1] = 1 if n[0] is True else 3

    a = np.zeros(2, np.float32)
    for _ in range(3):
        for value, kind in ((1, 3), (True, 1), (1.0, 3), (0.0, 3), (-0.0, 3), (np.int8(1), 3)):
            tell(a, value, grid=1, device="cpu")
            assert a.tolist() == [np.copysign(1, value), kind]
        for pair in ((1, 2), (True, 2), (1.0, 2)):
            tell_first(a, (*pair,), grid=1, device="cpu")
            assert a.tolist() == [1, 1 if pair[0] is True else 3]


def test_an_id_that_became_another_value_s_is_no_match():
    @sm.kernel
    def store(a, n: sm.static):
        a[0] = n[0]

    a = np.zeros(1, np.float32)
    for number in range(50):
        store(a, (number, number + 1), grid=1, device="cpu")
        assert a[0] == number
        store(a, (np.int8(number), 0), grid=1, device="cpu")
        assert a[0] == number


def test_static_values_in_nested_tuples_and_records():
    @sm.kernel
    def scale(a, given):
        count, (factor, x) = given
        for k in sm.static_range(count):
            a[k] = factor * x

    @dataclasses.dataclass(frozen=True)
    class Given:
        count: object
        inner: object

    class Pair(NamedTuple):
        factor: object
        x: object

    @sm.kernel
    def scale_by(a, given):
        for k in sm.static_range(given.count):
            a[k] = given.inner.factor * given.inner.x

    a = np.zeros(4, np.float32)
    for count, factor in ((4, 2), (2, 3), (4, 2)):
        a[:] = 0
        scale(a, (sm.static(count), (sm.static(factor), 1.5)), grid=1, device="cpu")
        assert a.tolist() == [factor * 1.5] * count + [0] * (4 - count)
        a[:] = 0
        given = Given(sm.static(count), Pair(sm.static(factor), 2.5))
        scale_by(a, given, grid=1, device="cpu")
        assert a.tolist() == [factor * 2.5] * count + [0] * (4 - count)
    assert len(scale._launcher.plans) == len(scale_by._launcher.plans) == 2


def test_plans_are_bounded(monkeypatch):
    monkeypatch.setattr("speedmetal.launch.launcher._PLANS_KEPT", 3)
    monkeypatch.setattr("speedmetal.launch.launcher._COMPILED_KEPT", 4)
    a = np.zeros(1, np.float32)
    for n in range(8):
        fill(a, n, grid=1)
        assert a[0] == n
    assert len(fill._launcher.plans) <= 3
    compiled = fill._launcher.compiled
    # One kernel stands under each of the variants that it serves, which processors differ in.
    variants = len(next(iter(compiled.values())).metadata.variants)
    assert len(compiled) < 4 + variants


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

    @sm.kernel
    def typed(a, n: sm.static[int]):
        for k in sm.static_range(n):
            a[k] = k

    for each in (sums, typed):
        a = np.zeros(3, np.float32)
        each.function.__module__ = "__main__"
        restored = pickle.loads(pickle.dumps(each))  # noqa: S301
        restored(a, 3, grid=1)
        assert a.tolist() == [0, 1, 2]
    with pytest.raises(sm.LaunchError, match=r"n is static\[int\] by its annotation, got a float"):
        restored(a, 3.0, grid=1)


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

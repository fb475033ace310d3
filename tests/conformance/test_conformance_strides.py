"""Elements that lie apart: views with steps, channels of images, transposed operands."""

from __future__ import annotations

import numpy as np
import pytest
from lacking import skip_where_lacking

import speedmetal as sm
from speedmetal import dtypes


@sm.kernel
def copy(source, target):
    i = sm.thread_position_in_grid().x
    target[i] = source[i]


@sm.kernel
def gray(image, out):
    x, y, _ = sm.thread_position_in_grid()
    out[y, x] = image[y, x, 0] + 2 * image[y, x, 1] + 4 * image[y, x, 2]


@sm.kernel
def add(a, b, out):
    x, y, _ = sm.thread_position_in_grid()
    out[y, x] = a[y, x] + b[y, x]


@sm.kernel
def every_third(source, target):
    i = sm.thread_position_in_grid().x
    target[2 * i + 1] = source[3 * i + 2]


STEPS = [1, 2, 3, 5, -1, -2, 7]
NAMES = ["float32", "uint8", "bool", "complex64", "complex128", "float16", "bfloat16", "int64"]


def filled(device, name: str, size: int) -> sm.Array:
    values = np.arange(size) % 2 if name == "bool" else np.arange(size) % 120
    return sm.array(values, dtype=getattr(sm, name if name != "bool" else "bool_"), device=device)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", STEPS)
def test_steps_are_taken_in_loads_and_stores(device, name, step):
    skip_where_lacking(device, dtypes.find_dtype(name))
    size = 75
    whole = filled(device, name, size * 7)
    found = sm.zeros(size, whole.dtype, device=device)
    view = whole[::step][:size]
    copy(view, found, grid=size)
    wanted = np.asarray(whole)[::step][:size]
    assert (np.asarray(found) == wanted).all()
    spread = sm.zeros(size * 7, whole.dtype, device=device)
    copy(found, spread[::step][:size], grid=size)
    result = np.zeros(size * 7, wanted.dtype)
    result[::step][:size] = wanted
    assert (np.asarray(spread) == result).all()


@sm.kernel
def take_part(source, target, step: sm.static[int], first: sm.static[int]):
    i = sm.thread_position_in_grid().x
    target[i] = source[step * i + first]


@pytest.mark.parametrize("step", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["float32", "int8", "float16", "int64", "complex64"])
def test_steps_that_the_text_has_read_nothing_beyond_the_last_element(device, name, step):
    size = 75
    whole = filled(device, name, size * step)
    for first in range(step):
        found = sm.zeros(size, whole.dtype, device=device)
        take_part(whole, found, step, first, grid=size)
        assert (np.asarray(found) == np.asarray(whole)[first::step]).all()


def test_channels_of_an_image(device):
    image = np.arange(19 * 37 * 3, dtype=np.int32).reshape(19, 37, 3)
    out = sm.zeros((19, 37), sm.int32, device=device)
    gray(sm.array(image, device=device), out, grid=(37, 19))
    assert (np.asarray(out) == image @ np.array([1, 2, 4])).all()


@pytest.mark.parametrize("shape", [(16, 16), (50, 70), (1, 40), (40, 1), (33, 129)])
def test_a_transposed_operand(device, shape):
    a = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    b = a.T * 1000
    out = sm.zeros(b.shape, sm.int32, device=device)
    mine = sm.array(a, device=device)
    add(mine.T, sm.array(b, device=device), out, grid=(b.shape[1], b.shape[0]))
    assert (np.asarray(out) == a.T + b).all()
    back = sm.zeros(shape, sm.int32, device=device)
    add(mine.T, mine.T, back.T, grid=(b.shape[1], b.shape[0]))
    assert (np.asarray(back) == a + a).all()


def test_indices_that_step(device):
    source = sm.array(np.arange(200, dtype=np.int32), device=device)
    target = sm.zeros(140, sm.int32, device=device)
    every_third(source, target, grid=66)
    wanted = np.zeros(140, np.int32)
    wanted[1:132:2] = np.arange(2, 200, 3)[:66]
    assert (np.asarray(target) == wanted).all()

"""Rows, columns and transposes as GPUs take them: several elements a thread, several simdgroups.

Lengths are multiples of what a thread takes, and not; views begin at any element, so that
what is loaded together lies at multiples of 16 bytes, and not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import nn

LENGTHS = (33, 64, 200, 1000, 2052, 4096, 33000)
DTYPES = (np.float32, np.float16)
Reference = Callable[..., Any]


def rows_of(length: int, dtype: Any, first: int) -> np.ndarray:
    """Rows of so many random numbers, and so many elements before them."""
    count = 5 if length < 5000 else 2
    random = np.random.default_rng(length + first)
    return random.standard_normal(count * length + first).astype(dtype)


def on_device(host: np.ndarray, device: Any, length: int, first: int) -> Any:
    """Rows of an array that begin behind its first elements."""
    return sm.array(host, device=device)[first:].reshape((-1, length))


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def layer_norm(x: np.ndarray) -> np.ndarray:
    distance = x - x.mean(axis=-1, keepdims=True)
    return distance / np.sqrt((distance**2).mean(axis=-1, keepdims=True) + 1e-5)


ROWS: dict[str, tuple[Callable[[Any], Any], Reference]] = {
    "softmax": (sm.softmax, softmax),
    "log_softmax": (sm.log_softmax, lambda x: np.log(softmax(x))),
    "logsumexp": (lambda x: sm.logsumexp(x, axis=-1), lambda x: np.log(np.exp(x).sum(axis=-1))),
    "layer_norm": (nn.layer_norm, layer_norm),
    "rms_norm": (nn.rms_norm, lambda x: x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)),
    "sum": (lambda x: x.sum(axis=-1), lambda x: x.sum(axis=-1)),
    "max": (lambda x: x.max(axis=-1), lambda x: x.max(axis=-1)),
    "argmax": (lambda x: x.argmax(axis=-1), lambda x: x.argmax(axis=-1)),
    "cumsum": (lambda x: sm.cumulative_sum(x, axis=-1), lambda x: x.cumsum(axis=-1)),
    "cummax": (lambda x: sm.cummax(x, axis=-1), lambda x: np.maximum.accumulate(x, axis=-1)),
    "sum of all": (lambda x: x.sum(), lambda x: x.sum()),
    "columns": (lambda x: x.sum(axis=0), lambda x: x.sum(axis=0)),
    "follower": (lambda x: sm.softmax(x) * x + 1, lambda x: softmax(x) * x + 1),
    "producer": (lambda x: (x * x - 1).sum(axis=-1), lambda x: (x * x - 1).sum(axis=-1)),
}


@pytest.mark.parametrize("first", [0, 1, 4])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_rows_are_numpys(device: Any, name: str, dtype: Any, first: int) -> None:
    ours, reference = ROWS[name]
    for length in LENGTHS:
        host = rows_of(length, dtype, first)
        expected = reference(host[first:].reshape((-1, length)).astype(np.float64))
        found = ours(on_device(host, device, length, first)).numpy()
        size = 1e-5 if dtype is np.float32 else 1e-2
        np.testing.assert_allclose(
            found, expected, rtol=size, atol=size * max(1, length**0.5 / 8), err_msg=str(length)
        )


@pytest.mark.parametrize("length", [40, 256, 1000, 4096, 5000])
def test_special_numbers_of_rows(device: Any, length: int) -> None:
    host = np.zeros((6, length), np.float32)
    host[0] = -np.inf
    host[1, length // 2] = np.inf
    host[2, length - 1] = np.nan
    host[3, 3] = -np.inf
    host[4, [5, length - 2]] = 7  # the first of two alike
    x = sm.array(host, device=device)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = 1e-6 if length <= 4096 else 2e-6
        np.testing.assert_allclose(sm.softmax(x).numpy(), softmax(host), rtol=size)
        logs = np.log(np.exp(host.astype(np.float64)).sum(axis=-1))
    logs[1] = np.inf
    np.testing.assert_allclose(sm.logsumexp(x, axis=-1).numpy(), logs, rtol=1e-6)
    np.testing.assert_array_equal(x.argmax(axis=-1).numpy(), host.argmax(axis=-1))
    np.testing.assert_array_equal(x.argmin(axis=-1).numpy(), host.argmin(axis=-1))
    np.testing.assert_array_equal(x.max(axis=-1).numpy(), host.max(axis=-1))


def test_places_of_the_first_of_many_alike(device: Any) -> None:
    host = np.zeros(300_000, np.float32)
    host[[70_001, 70_002, 299_999]] = 1
    assert int(sm.array(host, device=device).argmax()) == 70_001
    columns = np.zeros((3000, 40), np.int32)
    columns[[1500, 2500]] = 1
    found = sm.array(columns, device=device).argmax(axis=0).numpy()
    np.testing.assert_array_equal(found, np.full(40, 1500))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int64, np.bool_])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        *(((64, 100), (1, 0)), ((33, 65), (1, 0)), ((128, 256), (1, 0)), ((16, 17), (1, 0))),
        *(((5, 40, 33), (2, 0, 1)), ((5, 40, 36), (0, 2, 1)), ((20, 40, 33), (2, 1, 0))),
        *(((3, 20, 4, 18), (3, 0, 2, 1)), ((136, 260), (1, 0)), ((3, 36, 72), (0, 2, 1))),
    ],
)
def test_transposes(device: Any, shape: tuple[int, ...], axes: Any, dtype: Any) -> None:
    host = (np.random.default_rng(1).random(shape) * 100).astype(dtype)
    x = sm.array(host, device=device)
    turned = sm.permute_dims(x, axes)
    np.testing.assert_array_equal(turned.copy().numpy(), host.transpose(axes))
    np.testing.assert_array_equal(turned.astype(sm.float32).numpy(), host.transpose(axes))
    if len(shape) == 2:
        np.testing.assert_array_equal(x[1:, 1:].T.copy().numpy(), host[1:, 1:].T)
        np.testing.assert_array_equal(x[:, ::-1].T.copy().numpy(), host[:, ::-1].T)


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("classes", [20, 100, 1000, 4096, 5001, 33000])
def test_cross_entropy(device: Any, classes: int, smoothing: float) -> None:
    host = np.random.default_rng(2).standard_normal((7, classes)).astype(np.float32)
    labels = np.arange(7) * (classes // 8)
    logs = np.log(softmax(host.astype(np.float64)))
    own = logs[np.arange(7), labels] * (1 - smoothing) + logs.mean(axis=-1) * smoothing
    found = nn.cross_entropy(
        *(sm.array(host, device=device), sm.array(labels, device=device)),
        label_smoothing=smoothing,
        reduction="none",
    )
    np.testing.assert_allclose(found.numpy(), -own, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 300_001), (3, 100_000), (2, 65_536)])
def test_rows_in_parts(device: Any, shape: tuple[int, int]) -> None:
    host = np.random.default_rng(3).random(shape).astype(np.float32)
    x = sm.array(host, device=device)
    exact = host.astype(np.float64)
    np.testing.assert_allclose(x.sum(axis=-1).numpy(), exact.sum(axis=-1), rtol=1e-6)
    np.testing.assert_array_equal(x.max(axis=-1).numpy(), host.max(axis=-1))
    np.testing.assert_array_equal(x.argmax(axis=-1).numpy(), host.argmax(axis=-1))
    found = sm.cumulative_sum(x, axis=-1).numpy()
    np.testing.assert_allclose(found, exact.cumsum(axis=-1), rtol=1e-5)


@pytest.mark.parametrize("channels", [24, 64])
@pytest.mark.parametrize("inner", [31, 300, 4098, 5001])
def test_moments_of_channels(device: Any, inner: int, channels: int) -> None:
    host = np.random.default_rng(4).standard_normal((2, inner, channels)).astype(np.float32) + 50
    exact = host.astype(np.float64)
    x = sm.array(host, device=device)
    mean, variance = exact.mean(axis=(0, 1)), exact.var(axis=(0, 1))
    expected = (exact - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(nn.batch_norm(x).numpy(), expected, atol=1e-3)
    first = sm.array(host.transpose(0, 2, 1).copy(), device=device)
    found = nn.batch_norm(first, layout="channels_first").numpy()
    np.testing.assert_allclose(found, expected.transpose(0, 2, 1), atol=1e-3)
    groups = exact.reshape((2, inner, 8, channels // 8))
    mean, variance = (f(groups, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    expected = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(host.shape)
    np.testing.assert_allclose(nn.group_norm(x, 8).numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int64])
@pytest.mark.parametrize("columns", [3, 16, 64, 100, 256])
def test_rows_of_a_table(device: Any, columns: int, dtype: Any) -> None:
    host = (np.random.default_rng(5).random((50, columns)) * 100).astype(dtype)
    places = np.array([[3, -1, 0], [48, 7, 7]])
    x, chosen = sm.array(host, device=device), sm.array(places, device=device)
    np.testing.assert_array_equal(sm.take(x, chosen, axis=0).numpy(), host[places])
    np.testing.assert_array_equal(
        sm.take(x[1:, 1:], places[:, :1], axis=0).numpy(), host[1:, 1:][places[:, :1]]
    )
    np.testing.assert_array_equal(nn.embedding(chosen, x * 2).numpy(), (host * 2)[places])


@pytest.mark.parametrize("count", [2, 3, 8, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
def test_few_elements_side_by_side(device: Any, dtype: Any, count: int) -> None:
    host = (np.random.default_rng(6).random((5, 40)) * 100).astype(dtype)
    x = sm.array(host, device=device)
    np.testing.assert_array_equal(sm.repeat(x, count, axis=-1).numpy(), host.repeat(count, -1))
    np.testing.assert_array_equal(sm.repeat(x[1:, ::2], count).numpy(), host[1:, ::2].repeat(count))
    wide = sm.broadcast_to(x[:, :, None], (5, 40, count)).astype(sm.float32)
    np.testing.assert_array_equal(wide.copy().numpy(), host[:, :, None].repeat(count, -1))


@pytest.mark.parametrize("length", [50, 1000, 4096])
def test_the_same_bits_fused_or_not(device: Any, length: int) -> None:
    """What rows are computed from has no say in which order they are added up."""
    random = np.random.default_rng(7)
    halves = sm.array(random.standard_normal((6, length)).astype(np.float16), device=device)
    turned = sm.array(random.standard_normal((length, 6)).astype(np.float32), device=device)

    def results() -> list[Any]:
        x = halves.astype(sm.float32) * 3
        mixed = halves * turned.T
        rows = [sm.softmax(y).astype(sm.float16) for y in (x, mixed)]
        rows += [nn.layer_norm(y).astype(sm.float16) for y in (x, mixed)]
        sums = [f(y, axis=-1) for y in (x, mixed) for f in (sm.sum, sm.logsumexp)]
        running = [sm.cumulative_sum(y, axis=-1) for y in (x, mixed)]
        return [y.numpy() for y in (*rows, *sums, *running)]

    fused = results()
    with sm.no_fusion():
        for one, other in zip(fused, results(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("length", [100, 1000, 4096])
def test_a_softmax_of_halves_is_off_by_its_rounding(device: Any, length: int) -> None:
    host = np.random.default_rng(4).uniform(-25, 5, (3, length)).astype(np.float16)
    found = sm.softmax(sm.array(host, device=device)).numpy()
    expected = softmax(host.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=2**-11 * 1.01, atol=2**-25 * 1.01)


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("shape", [(40,), (3, 16), (2, 5, 7), (9, 1)])
def test_few_elements_of_several_places(device: Any, shape: tuple[int, ...], count: int) -> None:
    """A thread takes all of them, of one place or of several."""
    host = np.random.default_rng(5).random((count, *shape)).astype(np.float32)
    x = sm.array(host, device=device)
    np.testing.assert_array_equal(sm.repeat(x, count, axis=-1).numpy(), host.repeat(count, -1))
    turned = sm.moveaxis(x, 0, -1)
    np.testing.assert_array_equal(turned.copy().numpy(), np.moveaxis(host, 0, -1))

"""Small calls made again, with other arrays: what a GPU replays is what the CPU computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import speedmetal as sm

Draw = Callable[..., Any]


def x(draw: Draw) -> Any:
    return draw(6, 8)


def image(draw: Draw, *channels: int) -> Any:
    return draw(2, 9, 9, *(channels or (4,)))


def labels(draw: Draw) -> Any:
    return draw(6, below=8)


def cell(gates: int) -> Callable[[Draw], Any]:
    def arguments(draw: Draw) -> Any:
        return draw(gates * 5, 8), draw(gates * 5, 5)

    return arguments


CASES: dict[str, Callable[[Draw], Any]] = {
    **{
        name: lambda draw, name=name: getattr(sm, name)(x(draw), axis=-1)
        for name in (
            *("sum", "prod", "mean", "min", "max", "all", "any", "count_nonzero", "var", "std"),
            *("argmin", "argmax", "softmax", "log_softmax", "logsumexp"),
            *("cumulative_sum", "cumulative_prod", "cumsum", "cumprod", "cummax", "cummin"),
            *("logcumsumexp", "sort", "argsort"),
        )
    },
    "topk": lambda draw: sm.topk(x(draw), 3),
    "concat": lambda draw: sm.concat([x(draw), draw(2, 8)]),
    "stack": lambda draw: sm.stack([x(draw), x(draw).T.reshape(6, 8)], axis=1),
    "nn.scaled_dot_product_attention": lambda draw: sm.nn.scaled_dot_product_attention(
        draw(1, 2, 5, 8), draw(1, 2, 5, 8), draw(1, 2, 5, 8)
    ),
    "nn.batch_statistics": lambda draw: sm.nn.batch_statistics(x(draw)),
    "nn.batch_norm": lambda draw: sm.nn.batch_norm(x(draw), draw(8), draw(8)),
    "nn.instance_norm": lambda draw: sm.nn.instance_norm(image(draw)),
    "nn.group_norm": lambda draw: sm.nn.group_norm(image(draw), 2),
    "nn.cross_entropy": lambda draw: sm.nn.cross_entropy(x(draw), labels(draw)),
    "nn.nll_loss": lambda draw: sm.nn.nll_loss(x(draw), labels(draw)),
    "nn.conv1d": lambda draw: sm.nn.conv1d(draw(2, 9, 4), draw(3, 3, 4)),
    "nn.conv2d": lambda draw: sm.nn.conv2d(image(draw), draw(3, 3, 3, 4), padding=1),
    "nn.conv3d": lambda draw: sm.nn.conv3d(draw(1, 5, 5, 5, 2), draw(2, 3, 3, 3, 2)),
    "nn.conv_transpose1d": lambda draw: sm.nn.conv_transpose1d(draw(2, 9, 4), draw(3, 3, 4)),
    "nn.conv_transpose2d": lambda draw: sm.nn.conv_transpose2d(image(draw), draw(3, 3, 3, 4)),
    "nn.conv_transpose3d": lambda draw: sm.nn.conv_transpose3d(
        draw(1, 5, 5, 5, 2), draw(2, 3, 3, 3, 2)
    ),
    "nn.bilinear": lambda draw: sm.nn.bilinear(x(draw), draw(6, 5), draw(3, 8, 5)),
    **{
        f"nn.{name}": lambda draw, name=name: getattr(sm.nn, name)(x(draw), x(draw))
        for name in (
            *("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "kl_div"),
            *("binary_cross_entropy", "binary_cross_entropy_with_logits"),
        )
    },
    "nn.layer_norm": lambda draw: sm.nn.layer_norm(x(draw), draw(8), draw(8)),
    "nn.rms_norm": lambda draw: sm.nn.rms_norm(x(draw), draw(8)),
    **{
        f"nn.{way}_pool{rank}d": lambda draw, way=way, rank=rank: getattr(
            sm.nn, f"{way}_pool{rank}d"
        )(draw(2, *(7,) * rank, 3), 3)
        for way in ("max", "avg", "adaptive_avg", "adaptive_max")
        for rank in (1, 2, 3)
    },
    "nn.lstm_cell": lambda draw: sm.nn.lstm_cell(x(draw), (draw(6, 5), draw(6, 5)), *cell(4)(draw)),
    "nn.gru_cell": lambda draw: sm.nn.gru_cell(x(draw), draw(6, 5), *cell(3)(draw)),
    "nn.rnn_cell": lambda draw: sm.nn.rnn_cell(x(draw), draw(6, 5), *cell(1)(draw)),
    "nn.gru": lambda draw: sm.nn.gru(draw(3, 6, 8), [cell(3)(draw)], draw(1, 3, 5)),
    "nn.rope": lambda draw: sm.nn.rope(draw(1, 2, 5, 8)),
    "nn.upsample": lambda draw: sm.nn.upsample(image(draw), 18),
}


def _arrays(found: Any) -> list[Any]:
    if isinstance(found, sm.Array):
        return [found]
    return [array for part in found for array in _arrays(part)]


def _drawing(seed: int, device: Any) -> Draw:
    random = np.random.default_rng(seed)

    def draw(*shape: int, below: int = 0) -> Any:
        host = random.integers(0, below, shape) if below else random.uniform(0.1, 0.9, shape)
        return sm.array(host if below else host.astype(np.float32), device=device)

    return draw


@pytest.mark.parametrize("name", CASES)
def test_a_call_with_other_arrays(device, name):
    for seed in range(3):
        found = _arrays(CASES[name](_drawing(seed, device)))
        expected = _arrays(CASES[name](_drawing(seed, "cpu")))
        assert len(found) == len(expected)
        for ours, right in zip(found, expected, strict=True):
            assert ours.dtype == right.dtype
            np.testing.assert_allclose(ours.numpy(), right.numpy(), rtol=2e-5, atol=2e-6)


def test_no_function_is_left_out():
    marked = {
        getattr(space, name): prefix + name
        for prefix, space in (("nn.", sm.nn), ("", sm))
        for name in dir(space)
        if getattr(getattr(space, name), "is_replayed", False)
    }
    assert set(marked.values()) == set(CASES)

"""The float64 references, against libraries that compute the same by other means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import fft, special
from small_parameters import SMALL_PARAMETERS

from speedmetal.bench.operations import OPERATIONS

Arrays = dict[str, NDArray[Any]]
Independent = Callable[[dict[str, Any], Arrays], Any]


def _images(array: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(array, -1, 1)


def _correlate(_: dict[str, Any], inputs: Arrays) -> NDArray[Any]:
    """Every image with every kernel, by SciPy's correlation over all axes but the first."""
    from scipy import signal  # takes seconds, which every run of any test would wait for

    return np.stack(
        [
            np.stack(
                [signal.correlate(x, kernel, "valid")[..., 0] for kernel in inputs["weight"]], -1
            )
            for x in inputs["x"]
        ]
    )


def _turned(params: dict[str, Any], inputs: Arrays) -> NDArray[Any]:
    """Rotation as multiplication of complex numbers."""
    half = params["head_size"] // 2
    rates = 10000.0 ** (-2 * np.arange(half) / params["head_size"])
    turns = np.exp(1j * np.arange(params["length"])[:, None] * rates)
    numbers = (inputs["x"][..., :half] + 1j * inputs["x"][..., half:]) * turns
    return np.concatenate([numbers.real, numbers.imag], axis=-1)


def _cross_entropy(_: dict[str, Any], inputs: Arrays) -> Any:
    logarithms = special.log_softmax(inputs["logits"], axis=-1)
    return -np.mean(np.take_along_axis(logarithms, inputs["target"][:, None], axis=-1))


def _bce(_: dict[str, Any], inputs: Arrays) -> Any:
    p, t = inputs["probability"], inputs["target"]
    return -np.mean(special.xlogy(t, p) + special.xlog1py(1 - t, -p))


SCIPY: dict[str, Independent] = {
    "softmax": lambda p, i: special.softmax(i["x"], axis=p["axis"]),
    "sigmoid": lambda _, i: special.expit(i["x"]),
    "softplus": lambda _, i: -special.log_expit(-i["x"]),
    "gelu": lambda _, i: i["x"] * special.ndtr(i["x"]),
    "silu": lambda _, i: i["x"] * special.expit(i["x"]),
    "bce": _bce,
    "cross_entropy": _cross_entropy,
    "rfft": lambda _, i: fft.rfft(i["x"], axis=-1),
    "conv1d": _correlate,
    "conv2d": _correlate,
    "einsum": lambda _, i: np.einsum("bshd,bthd->bhst", i["query"], i["key"], optimize=False),
    "rope": _turned,
}


def _inputs(name: str, parameters: dict[str, Any]) -> Arrays:
    inputs = OPERATIONS[name].inputs(parameters, np.random.default_rng(5))
    return {
        key: array.astype(np.float64) if array.dtype.kind == "f" else array
        for key, array in inputs.items()
    }


@pytest.mark.parametrize("name", SCIPY)
def test_against_scipy(name: str) -> None:
    """References agree with SciPy (and with plain NumPy where SciPy has nothing)."""
    # The tables of RoPE are rounded to float32.
    tolerance = 1e-6 if name == "rope" else 1e-12
    assert SMALL_PARAMETERS[name]
    for parameters in SMALL_PARAMETERS[name]:
        inputs = _inputs(name, parameters)
        expected = SCIPY[name](parameters, {key: array.copy() for key, array in inputs.items()})
        (result,) = OPERATIONS[name].reference(parameters, inputs)
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


def _lstm(torch: Any, parameters: dict[str, Any], t: dict[str, Any]) -> Any:
    module = torch.nn.LSTMCell(parameters["input_size"], parameters["hidden_size"]).double()
    names = ("input_weight", "hidden_weight", "input_bias", "hidden_bias")
    state = dict(zip(module.state_dict(), (t[name] for name in names), strict=True))
    return torch.func.functional_call(module, state, (t["x"], (t["hidden"], t["cell"])))


def _batch_norm(torch: Any, parameters: dict[str, Any], t: dict[str, Any]) -> Any:
    module = torch.nn.BatchNorm2d(parameters["shape"][-1], dtype=torch.float64).train()
    state = {"weight": t["weight"], "bias": t["bias"]}
    return _last(torch.func.functional_call(module, state, (_first(t["x"]),)))


def _dropout(torch: Any, _: dict[str, Any], t: dict[str, Any]) -> Any:
    """What dropout itself does with a kept element, by the mask."""
    kept = torch.nn.functional.gelu(t["x"] + t["bias"]) / (1 - 0.1)
    return t["residual"] + kept.masked_fill(t["mask"].logical_not(), 0.0)


def _residual_layer_norm(torch: Any, parameters: dict[str, Any], t: dict[str, Any]) -> Any:
    total = t["x"] + t["residual"]
    module = torch.nn.LayerNorm(parameters["shape"][-1], dtype=torch.float64)
    return total, torch.func.functional_call(
        module, {"weight": t["weight"], "bias": t["bias"]}, (total,)
    )


def _masked_softmax(torch: Any, parameters: dict[str, Any], t: dict[str, Any]) -> Any:
    """The weights are what attention does with an identity for its values."""
    keys, size = parameters["key_length"], parameters["head_size"]
    shape = (*t["scores"].shape[:2], keys, keys)
    identity = torch.eye(keys, dtype=torch.float64).expand(shape)
    return torch.nn.functional.scaled_dot_product_attention(
        t["scores"], identity, identity, attn_mask=t["mask"], scale=size**-0.5
    )


def _adam(torch: Any, _: dict[str, Any], t: dict[str, Any]) -> Any:
    """The optimiser itself, in its tenth step."""
    parameter = t["parameter"].clone().requires_grad_()
    parameter.grad = t["gradient"]
    optimiser = torch.optim.Adam([parameter], lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    moments = {"exp_avg": t["first"].clone(), "exp_avg_sq": t["second"].clone()}
    optimiser.state[parameter] = {"step": torch.tensor(9.0), **moments}
    optimiser.step()
    state = optimiser.state[parameter]
    return parameter.detach(), state["exp_avg"], state["exp_avg_sq"]


def _first(x: Any) -> Any:
    return x.movedim(-1, 1)


def _last(x: Any) -> Any:
    return x.movedim(1, -1)


Tensors = dict[str, Any]
TORCH: dict[str, Callable[[Any, dict[str, Any], Tensors], Any]] = {
    "layer_norm_affine": lambda torch, p, t: torch.nn.functional.layer_norm(
        t["x"], t["x"].shape[-1:], t["weight"], t["bias"], 1e-5
    ),
    "rms_norm": lambda torch, p, t: torch.nn.functional.rms_norm(
        t["x"], t["x"].shape[-1:], t["weight"], 1e-5
    ),
    "group_norm": lambda torch, p, t: _last(
        torch.nn.functional.group_norm(_first(t["x"]), p["groups"], t["weight"], t["bias"], 1e-5)
    ),
    "batch_norm": _batch_norm,
    "depthwise_conv2d": lambda torch, p, t: _last(
        torch.nn.functional.conv2d(_first(t["x"]), _first(t["weight"]), groups=t["x"].shape[-1])
    ),
    "conv_transpose2d": lambda torch, p, t: _last(
        torch.nn.functional.conv_transpose2d(
            _first(t["x"]), t["weight"].permute(3, 0, 1, 2), stride=p["stride"]
        )
    ),
    "max_pool2d": lambda torch, p, t: _last(
        torch.nn.functional.max_pool2d(_first(t["x"]), p["window"], p["window"])
    ),
    "avg_pool2d": lambda torch, p, t: _last(
        torch.nn.functional.avg_pool2d(_first(t["x"]), p["window"], p["window"])
    ),
    "attention": lambda torch, p, t: torch.nn.functional.scaled_dot_product_attention(
        t["query"], t["key"], t["value"], attn_mask=t["mask"]
    ),
    "selu": lambda torch, p, t: torch.nn.functional.selu(t["x"]),
    "lstm_cell": _lstm,
    "cumsum": lambda torch, p, t: torch.cumsum(t["x"], p["axis"]),
    "top_k": lambda torch, p, t: torch.topk(t["x"], p["k"]).values,
    "bias_gelu_dropout": _dropout,
    "swiglu": lambda torch, p, t: torch.nn.functional.silu(t["gate"]) * t["up"],
    "rms_norm_half": lambda torch, p, t: torch.nn.functional.rms_norm(
        t["x"], t["x"].shape[-1:], t["weight"], 1e-5
    ),
    "residual_layer_norm": _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda torch, p, t: torch.nn.functional.cross_entropy(
        t["logits"], t["target"].long(), label_smoothing=0.1
    ),
    "adam": _adam,
}


@pytest.mark.parametrize("name", TORCH)
def test_against_torch_in_float64(name: str) -> None:
    """References agree with PyTorch's own modules and functions, fed with float64."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assert SMALL_PARAMETERS[name]
    for parameters in SMALL_PARAMETERS[name]:
        inputs = _inputs(name, parameters)
        tensors = {key: torch.from_numpy(array.copy()) for key, array in inputs.items()}
        with torch.no_grad():
            expected = TORCH[name](torch, parameters, tensors)
        results = OPERATIONS[name].reference(parameters, inputs)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for result, tensor in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, tensor.numpy(), rtol=1e-10, atol=1e-12)

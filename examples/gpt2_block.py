"""A block of GPT-2 (Radford and others, 2019): attention and a feed-forward layer, each behind a
layer norm, each added to what comes in. Checked against float64, and PyTorch where it is installed.

python examples/gpt2_block.py --length 64 --width 128 --heads 4
"""

import argparse
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

import speedmetal as sm


class Block(NamedTuple):
    """Parameters under their names in GPT-2's files; weights are ``(in, out)``, as there."""

    ln_1_weight: sm.Array
    ln_1_bias: sm.Array
    attn_c_attn_weight: sm.Array
    attn_c_attn_bias: sm.Array
    attn_c_proj_weight: sm.Array
    attn_c_proj_bias: sm.Array
    ln_2_weight: sm.Array
    ln_2_bias: sm.Array
    mlp_c_fc_weight: sm.Array
    mlp_c_fc_bias: sm.Array
    mlp_c_proj_weight: sm.Array
    mlp_c_proj_bias: sm.Array


def attention(x: sm.Array, block: Block, heads: int) -> sm.Array:
    """Each position looks at those before it, in several heads."""
    batch, length, width = x.shape
    joint = x @ block.attn_c_attn_weight + block.attn_c_attn_bias
    parts = joint.reshape(batch, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
    seen = sm.nn.scaled_dot_product_attention(parts[0], parts[1], parts[2], causal=True)
    joined = seen.transpose(0, 2, 1, 3).reshape(batch, length, width)
    return joined @ block.attn_c_proj_weight + block.attn_c_proj_bias


def feed_forward(x: sm.Array, block: Block) -> sm.Array:
    """Each position by itself, four times as wide in between."""
    hidden = sm.nn.gelu(x @ block.mlp_c_fc_weight + block.mlp_c_fc_bias, approximate="tanh")
    return hidden @ block.mlp_c_proj_weight + block.mlp_c_proj_bias


def forward(x: sm.Array, block: Block, heads: int) -> sm.Array:
    """The block: ``(batch, length, width)`` to the same."""
    x = x + attention(sm.nn.layer_norm(x, block.ln_1_weight, block.ln_1_bias), block, heads)
    return x + feed_forward(sm.nn.layer_norm(x, block.ln_2_weight, block.ln_2_bias), block)


# --- The same in float64 and in PyTorch ----------------------------------------------------------


def layer_norm_numpy(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) * weight + bias


def forward_numpy(x: np.ndarray, block: Block, heads: int) -> np.ndarray:
    batch, length, width = x.shape
    normed = layer_norm_numpy(x, block.ln_1_weight, block.ln_1_bias)
    joint = normed @ block.attn_c_attn_weight + block.attn_c_attn_bias
    parts = joint.reshape(batch, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
    scores = parts[0] @ parts[1].swapaxes(-1, -2) / math.sqrt(width // heads)
    scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
    chances = np.exp(scores - scores.max(axis=-1, keepdims=True))
    chances /= chances.sum(axis=-1, keepdims=True)
    joined = (chances @ parts[2]).transpose(0, 2, 1, 3).reshape(batch, length, width)
    x = x + joined @ block.attn_c_proj_weight + block.attn_c_proj_bias
    normed = layer_norm_numpy(x, block.ln_2_weight, block.ln_2_bias)
    hidden = normed @ block.mlp_c_fc_weight + block.mlp_c_fc_bias
    inner = math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)
    return x + 0.5 * hidden * (1 + np.tanh(inner)) @ block.mlp_c_proj_weight + block.mlp_c_proj_bias


def forward_torch(x: np.ndarray, block: Block, heads: int) -> np.ndarray | None:
    """With PyTorch's functions; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    functional = torch.nn.functional
    own = Block(*(torch.from_numpy(part) for part in block))
    given = torch.from_numpy(x)
    batch, length, width = x.shape
    normed = functional.layer_norm(given, (width,), own.ln_1_weight, own.ln_1_bias)
    joint = normed @ own.attn_c_attn_weight + own.attn_c_attn_bias
    parts = joint.reshape(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    seen = functional.scaled_dot_product_attention(*parts, is_causal=True)
    joined = seen.transpose(1, 2).reshape(batch, length, width)
    given = given + joined @ own.attn_c_proj_weight + own.attn_c_proj_bias
    normed = functional.layer_norm(given, (width,), own.ln_2_weight, own.ln_2_bias)
    hidden = functional.gelu(normed @ own.mlp_c_fc_weight + own.mlp_c_fc_bias, approximate="tanh")
    return (given + hidden @ own.mlp_c_proj_weight + own.mlp_c_proj_bias).numpy()


def random_block(width: int) -> Block:
    """Parameters as GPT-2's are before it learns, but for norms and biases that do something."""
    generator = np.random.default_rng(5)

    def normal(*shape: int, mean: float = 0.0) -> np.ndarray:
        return (mean + generator.normal(0, 0.1, shape)).astype(np.float32)

    return Block(
        *(normal(width, mean=1.0), normal(width)),
        *(normal(width, 3 * width), normal(3 * width), normal(width, width), normal(width)),
        *(normal(width, mean=1.0), normal(width)),
        *(normal(width, 4 * width), normal(4 * width), normal(4 * width, width), normal(width)),
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    options = parser.parse_args(argv)

    shape = (options.batch, options.length, options.width)
    x = np.random.default_rng(4).standard_normal(shape, np.float32)
    parameters = random_block(options.width)
    found = forward(sm.array(x), Block(*map(sm.array, parameters)), options.heads).numpy()

    wide = Block(*(part.astype(np.float64) for part in parameters))
    expected = forward_numpy(x.astype(np.float64), wide, options.heads)
    scale = np.abs(expected).max()
    error = np.abs(found - expected).max() / scale
    print(f"{shape}: largest error {error:.1e} of the largest number, against float64")
    assert error < 1e-5
    theirs = forward_torch(x, parameters, options.heads)
    if theirs is not None:
        difference = np.abs(found - theirs).max() / scale
        print(f"largest difference from PyTorch: {difference:.1e}")
        assert difference < 1e-5


if __name__ == "__main__":
    main()

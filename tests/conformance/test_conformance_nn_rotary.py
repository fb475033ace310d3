"""Rotary position embedding on every device, against the formula in double precision."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

SHAPE = (2, 3, 5, 8)
X = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype("f4")


def turned(positions, *, traditional=False):
    """As in `tests/host/nn/test_rotary.py`."""
    angles = np.asarray(positions, "f8")[..., None] * 10000.0 ** (-np.arange(0, 8, 2) / 8)
    turns = np.exp(1j * angles)
    pairs = X[..., 0::2] + 1j * X[..., 1::2] if traditional else X[..., :4] + 1j * X[..., 4:]
    found = pairs * turns
    if traditional:
        return np.stack([found.real, found.imag], axis=-1).reshape(SHAPE)
    return np.concatenate([found.real, found.imag], axis=-1)


@pytest.mark.parametrize("traditional", [False, True])
def test_pairs_turn_by_their_positions(device, traditional):
    x = sm.array(X, device=device)
    found = sm.nn.rope(x, offset=2, traditional=traditional)
    np.testing.assert_allclose(
        found.numpy(), turned(np.arange(2, 7), traditional=traditional), atol=5e-6
    )
    positions = np.arange(30).reshape(2, 3, 5) % 7
    found = sm.nn.rope(x * 2, positions=positions, traditional=traditional) - 1
    expected = 2 * turned(positions, traditional=traditional) - 1
    np.testing.assert_allclose(found.numpy(), expected, atol=5e-6)


def test_tables_are_taken(device):
    angles = np.outer(np.arange(5), 10000.0 ** (-np.arange(0, 8, 2) / 8)).astype("f4")
    tables = {
        "cosine": sm.array(np.cos(angles), device=device),
        "sine": sm.array(np.sin(angles), device=device),
    }
    found = sm.nn.rope(sm.array(X, device=device), **tables)
    np.testing.assert_allclose(found.numpy(), turned(np.arange(5)), atol=1e-6)

"""Graphs of launches: replayed, they do what the launches did."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm


@sm.kernel
def scaled(out, x, factor):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] * factor


@sm.kernel
def reversed_in_groups(out):
    own = sm.threadgroup_array(64, sm.int32)
    i = sm.thread_position_in_threadgroup().x
    own[i] = out[sm.thread_position_in_grid().x]
    sm.threadgroup_barrier()
    out[sm.thread_position_in_grid().x] = own[63 - i]


@pytest.fixture
def graphs(device):
    if device.kind != "cuda":
        pytest.skip("the device has no graphs of launches")
    return device


def test_a_replay_does_all_launches_again(graphs):
    x = sm.array(np.arange(1000, dtype=np.float32), device=graphs)
    y = sm.zeros(1000, dtype=sm.float32, device=graphs)
    groups = sm.array(np.arange(128, dtype=np.int32), device=graphs)
    with sm.capture(graphs) as graph:
        scaled(y[1:], x[:-1], 3.0, grid=999)  # compiled and loaded while it is captured
        scaled(x, y, 0.5, grid=1000)
        total = (x + 1).sum()
        sm.eval(total)
        reversed_in_groups(groups, grid=128, threads=64)
    assert x.numpy()[5] == 5
    expected = np.arange(1000, dtype=np.float32)
    for count in range(1, 4):
        graph.replay()
        expected = np.concatenate([[0], expected[:-1]]).astype(np.float32) * np.float32(1.5)
        np.testing.assert_array_equal(x.numpy(), expected)
        np.testing.assert_allclose(float(total), expected.sum() + 1000, rtol=1e-6)
        whole = np.arange(128).reshape(2, 64)
        np.testing.assert_array_equal(
            groups.numpy(), (whole[:, ::-1] if count % 2 else whole).reshape(-1)
        )


def test_temporary_arrays_live_as_long_as_the_graph(graphs):
    x = sm.array(np.ones(4096, np.float32), device=graphs)
    y = sm.zeros(4096, dtype=sm.float32, device=graphs)
    with sm.capture(graphs) as graph:
        between = sm.empty(4096, dtype=sm.float32, device=graphs)
        scaled(between, x, 2.0, grid=4096)
        scaled(y, between, 10.0, grid=4096)
        del between
    others = [sm.array(np.full(4096, 7, np.float32), device=graphs) for _ in range(8)]
    for _ in range(100):
        graph.replay()
    assert (y.numpy() == 20).all()
    assert all((other.numpy() == 7).all() for other in others)


def test_what_no_graph_can_do_is_refused(graphs):
    x = sm.array(np.ones(9, np.float32), device=graphs)
    refused = pytest.raises(sm.DeviceError, match=f"{graphs.name} cannot wait inside")
    with refused, sm.capture(graphs):
        scaled(x, x, 2.0, grid=9)
        graphs.synchronize()
    scaled(x, x, 3.0, grid=9)
    assert (x.numpy() == 3).all()


def test_positions_are_looked_at_in_each_replay(graphs):
    x = sm.array(np.arange(8, dtype=np.float32) * 10, device=graphs)
    index = sm.array(np.array([1, -1, 3]), device=graphs)
    fives = sm.array(np.full(3, 5, np.float32), device=graphs)
    with sm.capture(graphs) as graph:
        rows = x[index] + 1
        joined = x.at[index].add(fives)
        sm.eval(rows, joined)
    for chosen in ([1, -1, 3], [0, 0, 7]):
        index[:] = chosen
        graph.replay()
        expected = np.arange(8) * 10.0
        np.testing.assert_array_equal(rows.numpy(), expected[chosen] + 1)
        np.add.at(expected, chosen, 5)
        np.testing.assert_array_equal(joined.numpy(), expected)
    index[0] = 8
    graph.replay()
    with pytest.raises(IndexError, match="index 8 is out of bounds for axis 0 of extent 8"):
        graphs.synchronize()

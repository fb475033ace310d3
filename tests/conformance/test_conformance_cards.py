"""Two NVIDIA GPUs of one machine: arrays on each, copies between them, a worker of Dask's for each.

Skipped where there is one; `tests/host/backends/cuda/test_cuda_cards.py` needs none.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest

import speedmetal as sm


@sm.kernel
def steps(x, count):
    i = sm.thread_position_in_grid().x
    for _ in range(count):
        x[i] = x[i] + 1


@pytest.fixture
def pair(device):
    """Two GPUs, the test's own first."""
    others = [each for each in sm.devices() if each.kind == "cuda" and each is not device]
    if device.kind != "cuda" or not others:
        pytest.skip("there are no two NVIDIA GPUs")
    return device, others[0]


def test_both_compute_and_hold_their_arrays(pair):
    for each in pair:
        x = sm.arange(1000, dtype=sm.float32, device=each)
        y = (x * x).sum()
        steps(x, 3, grid=1000)
        assert (x.device, y.device) == (each, each)
        np.testing.assert_array_equal(x.numpy(), np.arange(1000) + 3)
        np.testing.assert_allclose(y.item(), (np.arange(1000.0) ** 2).sum(), rtol=1e-6)
        with each:
            assert sm.zeros(3).device is each


def test_libraries_and_handwritten_kernels_run_on_each(pair):
    host = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    source = 'extern "C" __global__ void scale(float* x, float f) { x[threadIdx.x] *= f; }'
    for each in pair:
        x = sm.array(host, device=each)
        np.testing.assert_allclose((x @ x).numpy(), host @ host, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(sm.fft.fft(x).numpy(), np.fft.fft(host), rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(
            sm.linalg.inv(x).numpy(), np.linalg.inv(host), rtol=1e-2, atol=1e-2
        )
        row = sm.array(host[0], device=each)
        sm.cuda.library(source, device=each).function("scale")(row, 2.0, groups=1, threads=64)
        np.testing.assert_array_equal(row.numpy(), host[0] * 2)
        with sm.capture(each) as graph:
            steps(row, 1, grid=64)
        graph.replay()
        np.testing.assert_array_equal(row.numpy(), host[0] * 2 + 1)


@pytest.mark.parametrize("count", [1, 1000, 5_000_000])
def test_copies_keep_the_order_of_both(pair, count):
    """The copy sees what was asked before, and nothing of what is asked after."""
    first, second = pair
    x = sm.zeros(count, device=first)
    found = []
    for _ in range(20):
        steps(x, 50, grid=count)
        found.append(x.to(second))
        steps(x, 50, grid=count)
        y = x * 1  # in memory that comes and goes
        del y
    for number, each in enumerate(found):
        assert each.device is second
        np.testing.assert_array_equal(each.numpy(), np.full(count, 100 * number + 50, np.float32))


def test_assignment_and_views_copy_too(pair):
    first, second = pair
    host = np.arange(24, dtype=np.float32).reshape(4, 6)
    x, y = sm.array(host, device=first), sm.zeros((4, 6), device=second)
    y[...] = x
    np.testing.assert_array_equal(y.numpy(), host)
    y[:, ::2] = x[:, 1::2]
    np.testing.assert_array_equal(y.numpy()[:, ::2], host[:, 1::2])
    np.testing.assert_array_equal(x.T.to(second).numpy(), host.T)
    np.testing.assert_array_equal(sm.asarray(x * 2, device=second).numpy(), host * 2)


def test_kernels_take_arrays_of_one(pair):
    @sm.kernel
    def add(x, y):
        x[0] += y[0]

    x, y = (sm.zeros(1, device=each) for each in pair)
    with pytest.raises(sm.LaunchError, match="move it with"):
        add(x, y, grid=1)


def test_threads_use_both_at_once(pair):
    failures = []

    def work(own, other):
        try:
            x = sm.zeros(100_000, device=own)
            for number in range(50):
                steps(x, 10, grid=100_000)
                copied = x.to(other)
                assert copied[7].item() == 10 * (number + 1)
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=work, args=order) for order in (pair, pair[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive(), "the threads wait for each other"
    if failures:
        raise failures[0]


def test_the_memory_of_both_is_told_and_given_back(pair):
    for each in pair:
        before = each.memory_info().bytes_in_use
        x = sm.zeros(1 << 20, device=each)
        assert each.memory_info().bytes_in_use == before + (4 << 20)
        del x
    sm.empty_cache()
    assert all(each.memory_info().bytes_cached == 0 for each in pair)


def test_each_worker_of_dasks_has_its_own(pair):
    """As docs/dask.md says: a process for each, which sees one GPU."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    da = pytest.importorskip("dask.array", reason="Dask is not installed")

    def named():
        import os

        import speedmetal as inner

        number = os.environ["CUDA_VISIBLE_DEVICES"]
        return number, inner.default_device().name, len(inner.devices())

    workers = {
        number: {
            "cls": distributed.Nanny,
            "options": {
                "nthreads": 1,
                "env": {"CUDA_VISIBLE_DEVICES": str(number)},
                "host": "127.0.0.1",
            },
        }
        for number in range(len(pair))
    }
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {"dashboard": False, "port": 0, "host": "127.0.0.1"},
    }
    with (
        distributed.SpecCluster(workers=workers, scheduler=scheduler) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = sorted(client.run(named).values())
        assert found == [(str(number), "cuda", 2) for number in range(len(pair))]
        host = np.arange(64.0, dtype=np.float32).reshape(8, 8)
        blocks = da.from_array(host, chunks=4).map_blocks(
            lambda block: sm.array(block) * 2, dtype=np.float32
        )
        total = (blocks @ blocks.T).map_blocks(sm.sin).sum().compute()
        expected = np.sin((host * 2) @ (host * 2).T).sum()
        np.testing.assert_allclose(float(total), expected, rtol=1e-3, atol=1e-2)

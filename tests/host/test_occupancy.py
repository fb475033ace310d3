"""What `sm.occupancy` says on each device, and what is chosen where nobody states threads."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import DryDriver, dry_device
from speedmetal.backends.cuda.driver import build


@sm.kernel
def twice(a):
    i = sm.thread_position_in_grid().x
    a[i] = 2 * a[i]


@sm.kernel
def by_thread(a, each: sm.static[int]):
    """Each thread brings threadgroup memory of its own."""
    own = sm.threadgroup_array((sm.threads_per_threadgroup().x, each), sm.float32)
    own[sm.thread_position_in_threadgroup().x, 0] = a[sm.thread_position_in_grid().x]
    sm.threadgroup_barrier()
    a[sm.thread_position_in_grid().x] = own[sm.thread_position_in_threadgroup().x, 0]


@sm.kernel
def by_number(a, n):
    own = sm.threadgroup_array(n, sm.float32)
    own[0] = a[0]
    a[0] = own[0]


@pytest.fixture
def driver():
    return DryDriver()


@pytest.fixture
def cuda(driver, monkeypatch):
    def compile_cubin(text: str, _architecture: str) -> bytes:
        entry = text.partition('extern "C" __global__')[2].partition("(\n")[0].split()[-1]
        return b"\x7fELF\0" + entry.encode() + b"\0"

    monkeypatch.setattr(build, "compile_cubin", compile_cubin)
    return dry_device(driver)


def zeros(device):
    return sm.zeros(1000, device=device)


def test_a_card_tells_what_limits_a_launch(cuda, driver):
    driver.registers["twice"] = 72
    found = sm.occupancy(twice, zeros(cuda), threads=256)
    assert (found.registers, found.spilled_bytes) == (72, 0)
    assert (found.groups_per_core, found.cores, found.threads_per_core) == (3, 132, 2048)
    assert found.fraction == 3 * 256 / 2048
    assert found.limited_by == ("registers",)
    assert found.suggested_threads == (128, 1, 1)
    assert str(found) == (
        "occupancy of twice on cuda\n"
        "threads             256 of a threadgroup; suggested 128, at most 1024\n"
        "at once             3 threadgroups, 768 of 2048 threads, on each of 132 cores: 38%\n"
        "limited by          registers\n"
        "registers           72 of a thread, 0 bytes spilled\n"
        "threadgroup memory  0 bytes of a threadgroup"
    )


def test_threads_and_threadgroups_limit_as_well(cuda, driver):
    driver.registers["twice"] = 16
    assert sm.occupancy(twice, zeros(cuda)).limited_by == ("threads",)
    few = sm.occupancy(twice, zeros(cuda), threads=32)
    assert (few.limited_by, few.fraction) == (("threadgroups",), 0.5)
    assert sm.occupancy(twice, zeros(cuda), threads=33).fraction == 1.0


def test_threadgroup_memory_decides_how_many_threads_are_chosen(cuda):
    """Of 240 bytes a thread, 233472 suffice for 3 times 256, and for 7 times 128; of 1000 not for
    256, for 128 once, for 3 times 64, and for 7 times 32."""
    chosen = {}
    for each in (4, 60, 250):
        found = sm.occupancy(by_thread, zeros(cuda), each)
        chosen[each] = found.threads[0]
        assert found.threads == found.suggested_threads
        assert found.threadgroup_memory_bytes == 4 * each * found.threads[0]
    assert chosen == {4: 256, 60: 128, 250: 32}
    assert sm.occupancy(by_thread, zeros(cuda), 250, threads=128).limited_by == (
        "threadgroup memory",
    )


def test_a_launch_takes_what_is_suggested(cuda, driver):
    x = zeros(cuda)
    for each in (4, 60, 250):
        by_thread(x, sm.static(each), grid=100_000)
        suggested = sm.occupancy(by_thread, x, each, threads=32).suggested_threads
        assert driver.launches[-1].threads == suggested
        assert driver.launches[-1].dynamic_bytes == 4 * each * suggested[0]


def test_memory_that_numbers_decide_on_is_that_of_the_call(cuda):
    found = sm.occupancy(by_number, zeros(cuda), n=50_000, groups=3, threads=64)
    assert found.threadgroup_memory_bytes == 200_000
    assert (found.groups_per_core, found.limited_by) == (1, ("threadgroup memory",))
    with pytest.raises(sm.LaunchError, match="240000 bytes of threadgroup memory"):
        sm.occupancy(by_number, zeros(cuda), n=60_000)


def test_a_large_launch_of_64_bit_positions_is_another_kernel(cuda, driver):
    driver.registers["twice"] = 32
    sm.occupancy(twice, zeros(cuda), grid=(2**16, 2**16))
    assert not driver.launches


def test_the_cpu_says_what_a_core_does():
    found = sm.occupancy(by_thread, np.zeros(9, np.float32), 4, threads=64, device="cpu")
    assert (found.groups_per_core, found.threads_per_core, found.fraction) == (1, None, None)
    assert found.limited_by == ()
    assert found.threadgroup_memory_bytes == 64 * 16
    assert f"one threadgroup on each of {found.cores} cores, one after another" in str(found)


def test_so_many_threads_are_chosen_as_their_memory_suffices_for():
    """Of 32768 bytes, for threads that bring 36 each."""
    x = sm.zeros(5000, device="cpu")
    assert sm.occupancy(by_thread, x, 9, grid=x.size).threads == (512, 1, 1)
    by_thread(x, sm.static(9), grid=x.size)
    with pytest.raises(sm.LaunchError, match="needs 36864000 bytes"):
        by_thread(x, sm.static(9000), grid=x.size)


def test_metal_says_what_the_pipeline_state_does():
    metal = sm.device("metal-sim")
    found = sm.occupancy(by_thread, zeros(metal), 5, threads=(8, 4))
    assert (found.fraction, found.cores, found.registers) == (None, None, None)
    assert (found.most_threads, found.threads_per_simdgroup) == (1024, 32)
    assert found.threads == (8, 4, 1)
    assert found.threadgroup_memory_bytes == 8 * 20
    assert "8 x 4 of a threadgroup" in str(found)
    assert "not told by Metal" in str(found)


def test_nothing_runs():
    x = sm.ones(5, device="cpu")
    sm.occupancy(twice, x, grid=5)
    assert (x.numpy() == 1).all()


def test_what_is_no_launch_is_refused():
    x = sm.ones(5, device="cpu")
    with pytest.raises(sm.UserInputError) as caught:
        sm.occupancy(lambda a: a, x)
    assert str(caught.value) == (
        "sm.occupancy expected a kernel, made by @sm.kernel, got a function"
    )
    with pytest.raises(sm.LaunchError, match="takes 1 argument"):
        sm.occupancy(twice, x, x)
    with pytest.raises(sm.LaunchError, match="2048 per threadgroup requested, cpu allows 1024"):
        sm.occupancy(twice, x, threads=2048)
    with pytest.raises(sm.LaunchError, match="both given"):
        sm.occupancy(twice, x, grid=3, groups=4)

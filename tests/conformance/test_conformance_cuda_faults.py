"""What goes wrong on an NVIDIA GPU is told, and what can go on goes on.

What ends a process's use of the GPU, or needs a process of its own, runs as a script.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.cuda.driver.build import CudaCode, packed
from speedmetal.backends.cuda.nvrtc import compile_cubin
from speedmetal.errors import InternalError

HEAD = """
import os, sys
import numpy as np
import speedmetal as sm

@sm.kernel
def scaled(out, x, factor):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] * factor

def works():
    x = sm.array(np.arange(1000, dtype=np.float32), device=NAME)
    y = sm.zeros(1000, device=NAME)
    scaled(y, x, 3.0, grid=1000)
    assert (y.numpy() == np.arange(1000) * 3).all()

def refused(use):
    try:
        use()
        sm.synchronize()
    except sm.SpeedmetalError as error:
        print(type(error).__name__, error)
    else:
        print("nothing was refused")
"""
SCRIPT_SECONDS = 120


@pytest.fixture
def card(device):
    if device.kind != "cuda":
        pytest.skip("the device is no NVIDIA GPU")
    return device


@pytest.fixture
def script(card, tmp_path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a process with a program on the same card."""

    def start(text: str, **environment: str) -> subprocess.Popen[str]:
        path = tmp_path / f"script{len(list(tmp_path.iterdir()))}.py"
        path.write_text(f"NAME = {card.name!r}\n{HEAD}\n{textwrap.dedent(text)}")
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(path)],  # Python warns of forks
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
        )

    return start


def output(process: subprocess.Popen[str], status: int | None = 0) -> str:
    """What a process has printed when it has ended; None: with whatever status."""
    try:
        text, _ = process.communicate(timeout=SCRIPT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"the process does not end: {process.communicate()[0]}")
    if status is not None:
        assert process.returncode == status, text
    return text


# --- Memory --------------------------------------------------------------------------------------


def test_too_much_memory_is_told_with_what_there_is_and_the_process_goes_on(card):
    kept = sm.zeros(1 << 20, device=card)
    with pytest.raises(sm.OutOfMemoryError) as caught:
        sm.empty(1 << 44, sm.uint8, device=card)
    found = re.fullmatch(
        rf"{card.name} has no memory for (\d+) bytes in one piece: (\d+) of its (\d+) are free,"
        r" (\d+) are in use by arrays, (\d+) kept for later ones, and (\d+) in use by others: .*",
        str(caught.value),
    )
    assert found, str(caught.value)
    asked, free, total, arrays, cached, others = map(int, found.groups())
    assert 0 <= asked - (1 << 44) < 1 << 12  # the suite's guard bytes are around it
    assert free + arrays + cached + others <= total * 1.01
    assert total > 1 << 30
    assert arrays >= 4 << 20
    assert others > 1 << 20, "a context alone takes more"
    assert not kept.numpy().any()


def test_memory_that_was_given_up_is_there_again(script):
    text = output(
        script("""
            free = 1 << 50
            while free > 1 << 20:  # what there is, in halves
                try:
                    held = sm.empty(free, sm.uint8, device=NAME)
                    break
                except sm.OutOfMemoryError:
                    free //= 2
            refused(lambda: sm.empty(2 * free, sm.uint8, device=NAME))
            works()
            del held
            held = sm.empty(free, sm.uint8, device=NAME)
            print("held", held.size)
        """)
    )
    assert text.startswith("OutOfMemoryError"), text
    assert "held" in text


# --- Code ----------------------------------------------------------------------------------------


def test_code_of_another_architecture_is_named(card):
    far = "sm_75" if card.architecture != "sm_75" else "sm_90"
    cubin = compile_cubin('extern "C" __global__ void other(float *x) { *x = 1; }', far)
    code = CudaCode(
        *("other", ArgumentLayout((), 0), (0,)),
        has_mailbox=False,
        dynamic_bytes=(),
        neighbours=1,
        threadgroups="256",
        cubin=cubin,
    )
    with pytest.raises(InternalError, match=r"kernel 'other': cuModuleLoadData: CUDA_ERROR_"):
        card.load(packed(code), "other")


@pytest.mark.parametrize("fault", ["damaged", "foreign"])
def test_bad_code_in_the_cache_is_made_again(script, tmp_path, fault):
    kept = {"SPEEDMETAL_CACHE": "1", "SPEEDMETAL_CACHE_DIR": str(tmp_path / "cache")}
    spoils = """
        from dataclasses import replace
        from speedmetal.backends.cuda.driver.build import packed, unpacked
        from speedmetal.backends.cuda.nvrtc import compile_cubin
        from speedmetal.compiler import pipeline

        pack, other = pipeline.pack_entry, compile_cubin("__global__ void other() {}", "sm_75")
        pipeline.pack_entry = lambda metadata, code: pack(
            metadata, packed(replace(unpacked(code), cubin=other))
        )
    """
    output(script((textwrap.dedent(spoils) if fault == "foreign" else "") + "\nworks()", **kept))
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files
    if fault == "damaged":
        for path in files:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(content)
    output(script("works()", **kept))


# --- Kernels that do not end, or end the context -------------------------------------------------


def test_a_kernel_that_never_ends_is_given_up(script):
    text = output(
        script("""
            @sm.kernel
            def spins(x):
                while x[0] < 1:
                    sm.atomic_add(x, 1, 1)

            card = sm.device(NAME)
            works()
            card.time_limit_seconds = 1.0
            spins(sm.zeros(2, sm.int32, device=NAME), grid=1)
            refused(lambda: None)
        """),
        None,
    )
    first = text.splitlines()[0]
    assert re.match(r"DeviceError cuda\S* has not finished after 1\.\d s \(the time limit", first)
    assert "'spins'" in first


def test_an_illegal_address_names_the_kernel_and_says_what_to_do(script):
    text = output(
        script("""
            source = 'extern "C" __global__ void breaks(float* x) { *(volatile int*)16 = 1; }'
            breaks = sm.cuda.library(source, device=NAME).function("breaks")
            x = sm.zeros(4, device=NAME)
            works()
            def use():
                breaks(x, grid=1, threads=1)
                scaled(x, x, 2.0, grid=4)
            refused(use)
            refused(works)
            refused(x.numpy)
            refused(lambda: sm.zeros(3, device=NAME) + 1)
            print(sm.ones(3, device="cpu").sum())
        """),
        None,
    )
    told, *later = text.splitlines()[:4]
    assert re.match(
        r"KernelError a kernel failed on cuda\S*: CUDA_ERROR_ILLEGAL_ADDRESS \(700", told
    )
    assert "'breaks'" in told
    assert "is lost with all of its arrays: start the process again" in told
    assert "launch with debug=1" in told
    for line in later[:2]:
        assert re.match(r"DeviceError cuda\S* failed before: CUDA_ERROR_ILLEGAL_ADDRESS", line), (
            text
        )
    assert "3" in text.splitlines()[4], "the CPU goes on"


# --- Processes and threads -----------------------------------------------------------------------


def test_two_processes_use_one_card(script):
    work = """
        for _ in range(100):
            works()
        print("done")
    """
    for process in [script(work) for _ in range(2)]:
        assert output(process) == "done\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_of_a_process_that_has_used_it_is_refused(script):
    text = output(
        script("""
            works()
            x = sm.ones(3, device=NAME)
            child = os.fork()
            if child == 0:
                refused(x.numpy)
                refused(works)
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)
            works()
            print("the parent goes on")
        """)
    )
    *refusals, last = text.splitlines()
    assert len(refusals) == 2
    for line in refusals:
        assert "cannot be used in a process that was forked" in line
        assert "multiprocessing.get_context('spawn')" in line
    assert last == "the parent goes on"


def test_a_process_that_has_used_nothing_may_fork(script):
    text = output(
        script("""
            child = os.fork()
            works()
            if child == 0:
                sys.stdout.flush()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print("both work")
        """)
    )
    assert text == "both work\n"


@sm.kernel
def steps(x, count):
    i = sm.thread_position_in_grid().x
    for _ in range(count):
        x[i] = x[i] + 1


@sm.kernel
def tripled(x):
    i = sm.thread_position_in_grid().x
    x[i] = x[i] * 3


def in_threads(work: Callable[[int], Any], count: int = 4) -> None:
    failures = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SCRIPT_SECONDS)
        assert not thread.is_alive(), "threads wait for each other"
    if failures:
        raise failures[0]


def test_threads_launch_at_once(card):
    def work(number: int) -> None:
        x = sm.array(np.full(3000, number, np.float32), device=card)
        for _ in range(100):
            steps(x, 3, grid=3000)
            y = (x * 2 + number).sum()
        tripled(x, grid=3000)
        np.testing.assert_array_equal(x.numpy(), np.full(3000, (number + 300) * 3))
        assert y.item() == 3000 * (2 * (number + 300) + number)

    in_threads(work)


def test_threads_decompose_and_multiply_at_once(card):
    def work(number: int) -> None:
        host = np.random.default_rng(number).normal(size=(40, 40)).astype(np.float32)
        host = host @ host.T + 40 * np.eye(40, dtype=np.float32)
        x = sm.array(host, device=card)
        for _ in range(10):
            lower = sm.linalg.cholesky(x)
            np.testing.assert_allclose((lower @ lower.T).numpy(), host, rtol=1e-4, atol=1e-3)
            np.testing.assert_allclose(
                sm.linalg.eigvalsh(x).numpy(), np.linalg.eigvalsh(host), rtol=1e-4
            )
            np.testing.assert_allclose(
                sm.fft.fft(x).numpy(), np.fft.fft(host), rtol=1e-3, atol=1e-2
            )

    in_threads(work)


# --- Page-locked memory --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1000, 10_000_000])
def test_page_locked_memory_is_copied_from_and_to(card, count):
    host = sm.cuda.pinned_empty(count, device=card)
    host[...] = np.arange(count)
    x = sm.array(host, device=card)
    back = sm.cuda.pinned_empty(count, device=card)
    (x * 2).copy_to(back)
    card.synchronize()
    np.testing.assert_array_equal(back, np.arange(count, dtype=np.float32) * 2)
    x[1::2].copy_to(back[: count // 2])
    card.synchronize()
    np.testing.assert_array_equal(back[: count // 2], np.arange(count, dtype=np.float32)[1::2])

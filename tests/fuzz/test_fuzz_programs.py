"""Random programs do on a device what they do in plain Python.

The programs are tried by several processes, so that all cores work and a crash is a failure like
others. ``SPEEDMETAL_FUZZ_SEED`` chooses the programs: else they are the same in each run, and at
night new ones each day. The failure tells it, with the least program that fails. A program that
crashes its process is left in a file, which the failure names.

They run on the CPU, or with ``--device NAME`` on that device.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import traceback
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path

import fuzz_model
import pytest
from fuzz_programs import Program, programs
from hypothesis import HealthCheck, Phase, given, note, seed, settings

import speedmetal as sm
from speedmetal.metal_simulator.settings import simulator_settings
from tiers import examples

SEED = int(os.environ.get("SPEEDMETAL_FUZZ_SEED", "0"))
SEED_AT_NIGHT = SEED or datetime.now(UTC).toordinal()
PROGRAMS = examples(500)
PROGRAMS_AT_NIGHT = 20_000
SIMULATED_PROGRAMS = 50
PROGRAMS_OF_A_PART = 63
ENDLESS_SECONDS = 900  # for a part, which takes 10: a program that has not ended by then never will
SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize=False,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def check(program: Program, path: Path, device: str = "cpu") -> None:
    """Run the program both ways; its text is in the file meanwhile."""
    wanted = fuzz_model.compute_expected(program)
    kernel = fuzz_model.load(program, path)
    wrong = fuzz_model.differences(fuzz_model.launch_program(kernel, program, device), wanted)
    assert not wrong, "\n".join(wrong[:10])


def tried(chosen: int, part: int, count: int, folder: str, device: str) -> str:
    """Try the programs of one part of a seed; what failed, or nothing."""

    @seed(chosen * 1_000_000 + part)
    @settings(SETTINGS, max_examples=count)
    @given(programs())
    def each(program: Program) -> None:
        note(f"threads={program.threads}, debug={program.debug}\n{program.source}")
        check(program, Path(folder) / f"part_{part}.py", device)

    try:
        each()
    except BaseException as error:  # noqa: BLE001 - the parent process reports it
        place = f"SPEEDMETAL_FUZZ_SEED={chosen}, part {part}"
        return f"{place}\n{''.join(traceback.format_exception(error))}"
    return ""


def _start_worker() -> None:
    """The processes share the cores already."""
    os.environ["SPEEDMETAL_NUM_THREADS"] = "1"


def try_programs(chosen: int, count: int, folder: Path, device: str) -> None:
    workers = min(os.cpu_count() or 1, 8)
    parts = range(-(-count // PROGRAMS_OF_A_PART))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start_worker) as pool:
        running = [
            pool.submit(tried, chosen, part, PROGRAMS_OF_A_PART, str(folder), device)
            for part in parts
        ]
        try:
            failures = [text for future in running if (text := future.result(ENDLESS_SECONDS))]
        except (BrokenProcessPool, TimeoutError):
            for process in multiprocessing.active_children():
                process.kill()  # one that loops for ever would be waited for
            newest = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[-workers:]
            names = ", ".join(map(str, newest))
            pytest.fail(
                f"SPEEDMETAL_FUZZ_SEED={chosen}: one of these crashes or never ends: {names}"
            )
    assert not failures, "\n\n".join(failures)


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """The name of the device that was asked for, the CPU unless one was."""
    name = request.config.getoption("--device") or "cpu"
    try:
        return sm.device(name).name
    except sm.DeviceError as error:
        pytest.skip(str(error))


@pytest.mark.timeout(1200)
def test_random_programs_do_what_they_do_in_python(tmp_path, device):
    try_programs(SEED, PROGRAMS, tmp_path, device)


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_random_programs_do_the_same_on_the_simulated_apple_gpu(order, tmp_path):
    try:
        sm.device("metal-sim")
    except sm.DeviceError as error:
        pytest.skip(str(error))

    @seed(SEED)
    @settings(SETTINGS, max_examples=SIMULATED_PROGRAMS)
    @given(programs())
    def each(program: Program) -> None:
        note(f"threads={program.threads}, debug={program.debug}\n{program.source}")
        check(program, tmp_path / "program.py", "metal-sim")

    with simulator_settings(order=order):
        each()


@pytest.mark.tier("nightly")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("processor", ["", "x86-64-v3"])  # this machine's, and shorter vectors
def test_many_random_programs_do_what_they_do_in_python(processor, tmp_path, device, monkeypatch):
    if processor and device != "cpu":
        pytest.skip("the processor makes no difference on other devices")
    if processor and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the processor is no x86-64")
    if processor:
        monkeypatch.setenv("SPEEDMETAL_CPU", processor)
    try_programs(SEED_AT_NIGHT, PROGRAMS_AT_NIGHT // 2, tmp_path, device)


def program_of(body: str) -> Program:
    lines = "\n    ".join(["i = sm.thread_position_in_grid().x", *body.splitlines()])
    source = f"@sm.kernel\ndef kernel(a, b, s, w, whole, exact, rough):\n    {lines}"
    return Program(source, "kernel", threads=8, debug=0, has_barriers="barrier()" in body)


def test_the_model_is_plain_python():
    found = fuzz_model.compute_expected(
        program_of("whole[i, 1] = i // -2 % 7\nexact[i, 0] = w + i")
    )
    assert found.whole[:, 1].tolist() == [i // -2 % 7 for i in range(len(found.whole))]
    assert found.exact[:, 0].tolist() == [2.25 + i for i in range(len(found.exact))]


def test_the_model_waits_at_barriers():
    body = (
        "shared = sm.threadgroup_array((32,), sm.int32)\n"
        "lane = sm.thread_position_in_threadgroup().x\n"
        "shared[lane] = i\n"
        "sm.threadgroup_barrier()\n"
        "whole[i, 0] = shared[sm.threads_per_threadgroup().x - 1 - lane]"
    )
    found = fuzz_model.compute_expected(program_of(body)).whole[:, 0].tolist()
    assert found[:8] == list(range(7, -1, -1))
    assert found[32:] == [36, 35, 34, 33, 32]  # the threadgroup at the edge


def test_a_wrong_result_is_seen(tmp_path):
    right = program_of("whole[i, 2] = i * 3\nrough[i, 1] = math.sin(w * i)")
    check(right, tmp_path / "right.py")
    wanted = fuzz_model.compute_expected(program_of("whole[i, 2] = i * 3 + (i == 36)"))
    found = fuzz_model.launch_program(fuzz_model.load(right, tmp_path / "right.py"), right)
    lines = fuzz_model.differences(found, wanted)
    assert lines[0] == "whole[36, 2]: expected 109, got 108"
    assert "rough[1, 1]: expected 0.0, got 0.77" in lines[1]

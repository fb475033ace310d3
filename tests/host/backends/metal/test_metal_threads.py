"""Several threads, forked children, finalisers, the end of the process, and what is left behind."""

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from metal_machine import caching_machine, floats, launch, machine, number, pipeline, upload_array
from speedmetal.backends.metal.driver import bridge as bridges
from speedmetal.backends.metal.driver.buffer_pool import storage
from speedmetal.errors import DeviceError

HERE = Path(__file__).resolve().parents[3]


def run_all(*functions):
    """Run functions at once; whatever they raise is raised here."""
    raised = []

    def guarded(function):
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_threads_launch_at_once():
    device = machine()
    state = pipeline(device, "increment")
    buffers = [upload_array(device, np.zeros(16, np.float32)) for _ in range(4)]

    def work(buffer):
        for number_of_launch in range(300):
            launch(device, state, [buffer], grid=16)
            if number_of_launch % 50 == 0:
                device.synchronize()

    run_all(*(lambda buffer=buffer: work(buffer) for buffer in buffers))
    assert [floats(device, buffer)[0] for buffer in buffers] == [300.0] * 4


def test_threads_make_and_drop_memory_at_once():
    device = caching_machine()
    state = pipeline(device, "add")

    def work(value):
        for round_ in range(60):
            a = upload_array(device, np.full(32 + round_ % 3, value, np.float32))
            b = upload_array(device, np.full(32 + round_ % 3, round_, np.float32))
            c = device.allocate(a.size_bytes)
            count = a.size_bytes // 4
            launch(device, state, [a, b, c], packed=number(count), grid=count)
            del a, b
            assert set(floats(device, c).tolist()) == {float(value + round_)}

    run_all(*(lambda value=value: work(value) for value in range(0, 4000, 1000)))
    assert device.memory_info().bytes_in_use == 0


def test_a_finaliser_that_launches_does_not_deadlock():
    device = machine()
    state = pipeline(device, "increment")
    buffer = upload_array(device, np.zeros(16, np.float32))

    class Launcher:
        def __del__(self):
            launch(device, state, [buffer], grid=16)
            device.queue.flush()

    # In the middle of a commit, on the thread that holds the lock.
    start = device.queue._start

    def started(batch, commands):
        launcher = Launcher()
        launcher.itself = launcher
        del launcher
        gc.collect()
        device.queue._start = start
        start(batch, commands)

    device.queue._start = started
    launch(device, state, [buffer], grid=16)
    assert floats(device, buffer)[0] == 2


def test_waiting_in_the_middle_of_a_commit_is_refused():
    device = machine()
    buffer = upload_array(device, np.zeros(16, np.float32))
    launch(device, pipeline(device, "increment"), [buffer], grid=16)
    start = device.queue._start

    def started(batch, commands):
        with pytest.raises(DeviceError, match="inside a finaliser or signal handler"):
            device.queue.synchronize()
        start(batch, commands)

    device.queue._start = started
    assert floats(device, buffer)[0] == 1


# --- Forked children -----------------------------------------------------------------------------

CHILD_USES = {
    "launch": lambda device, state, buffer: launch(device, state, [buffer], grid=16),
    "synchronize": lambda device, _state, _buffer: device.synchronize(),
    "allocate": lambda device, _state, _buffer: device.allocate(16),
    "wrap": lambda device, _state, _buffer: device.memory_info(),
}


@pytest.mark.parametrize("use", CHILD_USES)
def test_a_forked_child_is_told_to_spawn(use):
    device = machine()
    state = pipeline(device, "increment")
    buffer = upload_array(device, np.zeros(16, np.float32))
    launch(device, state, [buffer], grid=16)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            CHILD_USES[use](device, state, buffer)
            text = "no error"
        except DeviceError as error:
            text = str(error)
        except BaseException as error:  # noqa: BLE001 - nothing may come back from the child
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        assert told.read() == (
            "metal-sim cannot be used in a process that was forked after it was first used;"
            " start processes with multiprocessing.get_context('spawn')"
        )
    os.waitpid(child, 0)
    assert floats(device, buffer)[0] == 1


def fork_while(held, release):
    held.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0)
    release.set()
    return os.waitpid(child, 0)[1]


def test_a_fork_while_another_thread_holds_the_lock_ends():
    device = machine()
    held, release = threading.Event(), threading.Event()

    def hold():
        with device.queue._lock, device.pool.lock:
            held.set()
            release.wait(10)

    statuses = []
    run_all(hold, lambda: statuses.append(fork_while(held, release)))
    assert statuses == [0]


# --- The end -------------------------------------------------------------------------------------

PROGRAM = """
import numpy as np
from metal_machine import launch, machine, number, pipeline, upload_array
from speedmetal.backends.metal.driver.buffer_pool import storage
device = machine(**{configuration})
device.time_limit_seconds = {limit}
with storage("private"):
    buffer = upload_array(device, np.zeros(8, np.float32))
{ending}
"""
PRINTING = """
state = pipeline(device, "report")
def run(values):
    place = (values[0].buffer, values[0].offset)
    launch(device, state, [buffer], packed=number(5), mailbox=place, label="report")
device.run_with_mailbox(run, [0], np.zeros(16, np.uint32), lambda words: print("said", words[0]))
"""


def run_program(configuration="{}", limit="None", ending=""):
    program = PROGRAM.format(configuration=configuration, limit=limit, ending=ending)
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_end_of_the_process_waits_and_prints():
    ended = run_program(ending=PRINTING)
    assert (ended.returncode, ended.stdout) == (0, "said 5\n"), ended.stderr


def test_the_end_of_the_process_tells_of_failures():
    ended = run_program("{'device_lost': True}")
    assert "the GPU is gone" in ended.stderr


def test_the_end_of_the_process_does_not_hang():
    ended = run_program("{'hang': True}", limit="0.1")
    assert "metal-sim has not finished after 0.1 s" in ended.stderr


def test_spawned_processes_have_devices_of_their_own():
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(_in_a_process) == 3.0


def _in_a_process():
    sys.path.insert(0, str(HERE))
    device = machine()
    with storage("private"):
        return float(floats(device, upload_array(device, np.full(8, 3, np.float32)))[0])


# --- Leaks ---------------------------------------------------------------------------------------


def buffers_after(device, rounds, launches):
    state = pipeline(device, "increment")
    for round_ in range(rounds):
        buffer = upload_array(device, np.zeros(8 + round_, np.float32))
        for _ in range(launches):
            launch(device, state, [buffer], grid=1, threads=1)
        device.synchronize()
    del buffer
    device.pool.trim()
    return device.bridge.simulation.live_buffers


@pytest.mark.parametrize(
    ("core_version", "launches"),
    [  # ten times: 10,000 launches, and 100,000 at night
        ("12.2.2", 1_000),
        pytest.param("12.2.2", 10_000, marks=pytest.mark.tier("nightly")),
        ("13.0", 1_000),
    ],
)
def test_nothing_is_left_of_many_launches(core_version, launches):
    device = machine(core_version=core_version)
    simulation = device.bridge.simulation
    assert buffers_after(device, 10, launches) == 0
    assert (simulation.unpooled, simulation.over_retained, simulation.reports) == (0, 0, ())


def test_without_the_patch_old_pyobjc_leaks(monkeypatch):
    monkeypatch.setattr(bridges, "OWNED", {})
    assert buffers_after(machine(core_version="12.2.2"), 10, 1) == 10
